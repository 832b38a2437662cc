"""Exports as they look in other versions, tools and places than the fixtures: each is one or a few calls whose tokens are known."""
import csv
import io
import json
import unittest

from test_analyze import problems, report

CASES = []


def go(name, data, want):
    CASES.append((name, data if isinstance(data, str) else "\n".join(json.dumps(x) for x in data), want))


def C(rows):
    f = io.StringIO()
    w = csv.DictWriter(f, fieldnames=list(rows[0]))
    w.writeheader()
    w.writerows(rows)
    return f.getvalue()


base = {'request_id': 'chatcmpl-1', 'call_type': 'acompletion', 'api_key': '88dc28', 'spend': '0.001', 'total_tokens': '120', 'prompt_tokens': '100',
   'completion_tokens': '20', 'startTime': '2024-06-01 12:00:00.123', 'endTime': '2024-06-01 12:00:02.5', 'completionStartTime': '', 'model': 'gpt-4o',
   'model_id': '', 'model_group': 'my-gpt', 'api_base': 'https://api.openai.com', 'user': 'u1', 'metadata': json.dumps({'user_api_key_alias': 'prod',
   'usage_object': {'prompt_tokens': 100, 'completion_tokens': 20, 'prompt_tokens_details': {'cached_tokens': 40}}}), 'cache_hit': 'False',
   'cache_key': 'Cache OFF', 'request_tags': '[]', 'team_id': 't', 'end_user': '', 'requester_ip_address': '', 'messages': '{}', 'response': '{}'}
go('litellm csv', C([base]), (1, 100, 40, 20))
old = {k: base[k] for k in ['request_id', 'call_type', 'api_key', 'spend', 'startTime', 'endTime', 'model', 'user', 'metadata', 'cache_hit', 'cache_key']}
old['total_tokens'] = '120'
old['completion_tokens'] = '20'
old['prompt_tokens'] = '100'
go('litellm csv 2024', C([old]), (1, 100, 40, 20))
go('litellm snake', C([{**{k: v for k, v in base.items() if k not in ('startTime', 'endTime')}, 'start_time': '2024-06-01 12:00:00',
   'end_time': '2024-06-01 12:00:01'}]), (1, 100, 40, 20))
go('litellm lower pg', C([{k.lower(): v for k, v in base.items()}]), (1, 100, 40, 20))
go('litellm spend/logs api page', json.dumps({'data': [base, {**base, 'request_id': '2'}], 'total': 2, 'page': 1}), (2, 200, 80, 40))
go('litellm anthropic', [{**base, 'model': 'claude-3-5-sonnet-20241022', 'custom_llm_provider': 'anthropic',
   'metadata': {'usage_object': {'prompt_tokens': 1100, 'completion_tokens': 20, 'total_tokens': 1120, 'cache_creation_input_tokens': 300,
   'cache_read_input_tokens': 700, 'prompt_tokens_details': {'cached_tokens': 700}}}, 'prompt_tokens': 1100, 'total_tokens': 1120}], (1, 1100, 700, 20))
go('litellm payload', [{'id': 'x', 'trace_id': 't', 'call_type': 'acompletion', 'response_cost': 0.01, 'status': 'success', 'total_tokens': 12,
   'prompt_tokens': 10, 'completion_tokens': 2, 'startTime': 1717243200.5, 'endTime': 1717243201.5, 'model': 'gpt-4o', 'messages': [{'role': 'user',
   'content': 'hi'}], 'response': {'choices': []}, 'metadata': {'user_api_key_alias': 'k'}}, {'id': 'y', 'response_cost': 0, 'status': 'failure',
   'total_tokens': 0, 'prompt_tokens': 0, 'completion_tokens': 0, 'startTime': 1717243200.5, 'endTime': 1717243201.5, 'model': 'gpt-4o', 'error_str': 'boom',
   'error_information': {'error_code': '429'}}], (2, 10, 0, 2))
go('langfuse ui csv', C([{'id': 'o1', 'traceId': 't1', 'type': 'GENERATION', 'name': 'chat', 'startTime': '2025-01-01T00:00:00.000Z',
   'endTime': '2025-01-01T00:00:01.000Z', 'model': 'gpt-4o', 'inputUsage': '100', 'outputUsage': '20', 'totalUsage': '120', 'totalCost': '0.1', 'input': 'hi',
   'output': 'x'}]), (1, 100, 0, 20))
go('langfuse v3 api', json.dumps({'data': [{'id': 'o1', 'traceId': 't1', 'type': 'GENERATION', 'name': 'chat', 'startTime': '2025-01-01T00:00:00.000Z',
   'endTime': '2025-01-01T00:00:01.000Z', 'model': 'gpt-4o', 'usage': {'unit': 'TOKENS', 'input': 100, 'output': 20, 'total': 120},
   'usageDetails': {'input': 60, 'input_cached_tokens': 40, 'output': 20, 'total': 120}, 'promptTokens': 100}, {'id': 's1', 'traceId': 't1', 'type': 'SPAN',
   'startTime': '2025-01-01T00:00:00.000Z', 'usageDetails': {}}], 'meta': {'page': 1}}), (1, 100, 40, 20))
go('langfuse anthropic keys', [{'id': 'o1', 'trace_id': 't1', 'type': 'GENERATION', 'start_time': '2025-01-01T00:00:00Z',
   'provided_model_name': 'claude-sonnet-4-5', 'usage_details': {'input': 60, 'cache_read_input_tokens': 40, 'cache_creation_input_tokens': 10, 'output': 20,
   'total': 130}}], (1, 110, 40, 20))
go('langfuse usage as json text', C([{'id': 'o1', 'trace_id': 't1', 'type': 'GENERATION', 'start_time': '2025-01-01 00:00:00', 'provided_model_name': 'gpt-4o',
   'usage_details': json.dumps({'input': 100, 'output': 20, 'total': 120}), 'cost_details': '{}'}]), (1, 100, 0, 20))
go('helicone csv', C([{'request_id': 'r', 'request_created_at': '2025-01-01T00:00:00+00:00', 'response_created_at': '2025-01-01T00:00:01+00:00',
   'response_status': '200', 'request_model': 'gpt-4o', 'response_model': 'gpt-4o-2024-08-06', 'prompt_tokens': '100', 'completion_tokens': '20',
   'total_tokens': '120', 'costUSD': '0.1', 'delay_ms': '1000'}]), (1, 100, 0, 20))
go('helicone sdk json', [{'request_id': 'r', 'request_created_at': '2025-01-01T00:00:00+00:00', 'request_body': {'model': 'gpt-4o',
   'messages': [{'role': 'user', 'content': 'hi'}]}, 'response_body': {'usage': {'prompt_tokens': 100, 'completion_tokens': 20,
   'prompt_tokens_details': {'cached_tokens': 30}}}, 'response_status': 200, 'model': 'gpt-4o'}], (1, 100, 30, 20))
go('helicone camel ui csv', C([{'id': 'r', 'createdAt': '2025-01-01T00:00:00Z', 'model': 'gpt-4o', 'promptTokens': '100', 'completionTokens': '20',
   'totalTokens': '120', 'cost': '0.1', 'latency': '1.2', 'status': '200', 'user': 'u'}]), (1, 100, 0, 20))
go('portkey', [{'id': 'p', 'created_at': '2025-01-01T00:00:00Z', 'ai_org': 'openai', 'ai_model': 'gpt-4o', 'req_units': 100, 'res_units': 20,
   'total_units': 120, 'cost': 0.5, 'cost_currency': 'USD', 'response_status_code': 200, 'response_time': 900, 'request': {'messages': []}, 'response': {}}],
   (1, 100, 0, 20))


def span(attrs, name='chat gpt-4o', sid='1'):
    return {'traceId': 'a', 'spanId': sid, 'name': name, 'kind': 3, 'startTimeUnixNano': '1735689600000000000', 'endTimeUnixNano': '1735689601000000000',
       'attributes': [{'key': k, 'value': {'intValue': str(v)} if isinstance(v, int) else {'stringValue': v} if isinstance(v, str) else v} for k,
       v in attrs.items()]}


new = {'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': 'openai', 'gen_ai.request.model': 'gpt-4o', 'gen_ai.response.model': 'gpt-4o-2024-08-06',
   'gen_ai.usage.input_tokens': 100, 'gen_ai.usage.output_tokens': 20, 'gen_ai.usage.cache_read.input_tokens': 40}
go('otlp new', [{'resourceSpans': [{'scopeSpans': [{'spans': [span(new)]}]}]}], (1, 100, 40, 20))
go('otlp old', [{'resourceSpans': [{'scopeSpans': [{'spans': [span({'gen_ai.system': 'openai', 'gen_ai.request.model': 'gpt-4o',
   'gen_ai.usage.prompt_tokens': 100, 'gen_ai.usage.completion_tokens': 20})]}]}]}], (1, 100, 0, 20))
go('otlp instrumentationLibrarySpans', [{'resourceSpans': [{'instrumentationLibrarySpans': [{'spans': [span(new)]}]}]}], (1, 100, 40, 20))
go('otlp openllmetry', [{'resourceSpans': [{'scopeSpans': [{'spans': [span({'llm.request.type': 'chat', 'gen_ai.system': 'OpenAI',
   'gen_ai.request.model': 'gpt-4o', 'gen_ai.usage.prompt_tokens': 100, 'gen_ai.usage.completion_tokens': 20, 'llm.usage.total_tokens': 120,
   'gen_ai.prompt.0.content': 'hi', 'gen_ai.prompt.0.role': 'user'}, 'openai.chat')]}]}]}], (1, 100, 0, 20))
go('otlp agent parent', [{'resourceSpans': [{'scopeSpans': [{'spans': [span({**new, 'gen_ai.operation.name': 'invoke_agent'}, sid='0'), span(new)]}]}]}], (1,
   100, 40, 20))
go('otlp snake python exporter', [{'name': 'chat gpt-4o', 'context': {'trace_id': '0x1', 'span_id': '0x2'}, 'kind': 'SpanKind.CLIENT',
   'start_time': '2025-01-01T00:00:00.000000Z', 'end_time': '2025-01-01T00:00:01Z', 'attributes': new, 'resource': {}}], (1, 100, 40, 20))
go('openinference', [{'resourceSpans': [{'scopeSpans': [{'spans': [span({'openinference.span.kind': 'LLM', 'llm.model_name': 'gpt-4o',
   'llm.token_count.prompt': 100, 'llm.token_count.completion': 20, 'llm.token_count.total': 120})]}]}]}], (1, 100, 0, 20))


def cc(mid, u, **k):
    return {'type': 'assistant', 'sessionId': 's', 'uuid': mid + str(u.get('output_tokens')), 'timestamp': '2025-06-01T00:00:00.000Z',
       'requestId': 'req_' + mid, 'message': {'id': mid, 'type': 'message', 'role': 'assistant', 'model': 'claude-sonnet-4-5-20250929',
       'content': [{'type': 'text', 'text': 'x'}], 'usage': u}, **k}


U = lambda i, c, w, o: {'input_tokens': i, 'cache_read_input_tokens': c, 'cache_creation_input_tokens': w, 'output_tokens': o, 'service_tier': 'standard'}
go('claude code', [{'type': 'summary', 'summary': 'x', 'leafUuid': '1'}, {'type': 'user', 'sessionId': 's', 'message': {'role': 'user', 'content': 'hi'},
   'timestamp': '2025-06-01T00:00:00.000Z'}, cc('m1', U(10, 100, 50, 1)), cc('m1', U(10, 100, 50, 20)), cc('m2', U(5, 0, 0, 7), isSidechain=True),
   {'type': 'system', 'sessionId': 's', 'subtype': 'x'}, {'type': 'file-history-snapshot', 'messageId': '1', 'snapshot': {}}, cc('m3', {'input_tokens': 0,
   'output_tokens': 0}, isApiErrorMessage=True) | {'message': {'id': 'm3', 'model': '<synthetic>', 'role': 'assistant', 'usage': {'input_tokens': 0,
   'output_tokens': 0}}}], (2, 165, 100, 27))
go('claude code stream-json', [{'type': 'system', 'subtype': 'init', 'session_id': 's', 'model': 'claude-sonnet-4-5'}, {'type': 'assistant', 'session_id': 's',
   'message': {'id': 'm1', 'model': 'claude-sonnet-4-5', 'role': 'assistant', 'content': [], 'usage': U(10, 0, 0, 5)}}, {'type': 'result',
   'subtype': 'success', 'session_id': 's', 'total_cost_usd': 0.1, 'usage': U(10, 0, 0, 5)}], (1, 10, 0, 5))


def tk(last, total):
    f = lambda t: dict(zip(['input_tokens', 'cached_input_tokens', 'output_tokens', 'reasoning_output_tokens', 'total_tokens'], t))
    return {'timestamp': '2025-09-01T00:00:00Z', 'type': 'event_msg', 'payload': {'type': 'token_count', 'info': {'total_token_usage': f(total),
       'last_token_usage': f(last)}, 'rate_limits': {}}}


go('codex', [{'timestamp': '2025-09-01T00:00:00Z', 'type': 'session_meta', 'payload': {'id': 's', 'cwd': '/x', 'model_provider': 'openai'}},
   {'timestamp': '2025-09-01T00:00:00Z', 'type': 'turn_context', 'payload': {'model': 'gpt-5-codex'}}, tk((100, 40, 20, 5, 120), (100, 40, 20, 5, 120)),
   tk((100, 40, 20, 5, 120), (100, 40, 20, 5, 120)), tk((200, 100, 10, 0, 210), (300, 140, 30, 5, 330)), {'timestamp': '2025-09-01T00:00:00Z',
   'type': 'event_msg', 'payload': {'type': 'token_count', 'info': None}}], (2, 300, 140, 30))
go('openrouter json api', json.dumps({'data': [{'id': 'gen-1', 'created_at': '2025-01-01T00:00:00Z', 'model': 'openai/gpt-4o', 'tokens_prompt': 90,
   'tokens_completion': 18, 'native_tokens_prompt': 100, 'native_tokens_completion': 20, 'native_tokens_cached': 40, 'native_tokens_reasoning': 0,
   'total_cost': 0.1, 'usage': 0.1, 'generation_time': 1000, 'latency': 200, 'streamed': True, 'cancelled': False, 'finish_reason': 'stop'}]}), (1, 100, 40,
   20))
go('vercel ai sdk', [{'model': 'gpt-4o', 'usage': {'inputTokens': 100, 'outputTokens': 20, 'totalTokens': 120, 'cachedInputTokens': 40, 'reasoningTokens': 5},
   'timestamp': 1735689600000}], (1, 100, 40, 20))
go('bedrock invocation log', [{'schemaType': 'ModelInvocationLog', 'timestamp': '2025-01-01T00:00:00Z', 'accountId': '1', 'region': 'us-east-1',
   'requestId': 'r', 'operation': 'InvokeModel', 'modelId': 'anthropic.claude-3-5-sonnet-20241022-v2:0',
   'input': {'inputBodyJson': {'messages': [{'role': 'user', 'content': 'hi'}]}, 'inputTokenCount': 100},
   'output': {'outputBodyJson': {'usage': {'input_tokens': 100, 'output_tokens': 20}}, 'outputTokenCount': 20}}], (1, 100, 0, 20))
go('azure diag / langsmith', [{'id': 'r', 'name': 'ChatOpenAI', 'run_type': 'llm', 'start_time': '2025-01-01T00:00:00', 'end_time': '2025-01-01T00:00:01',
   'extra': {'invocation_params': {'model': 'gpt-4o'}, 'metadata': {'ls_model_name': 'gpt-4o'}}, 'prompt_tokens': 100, 'completion_tokens': 20,
   'total_tokens': 120, 'inputs': {'messages': []}}], (1, 100, 0, 20))
go('wandb/burstgpt', 'Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,1,2.5,GPT-4,100,20,120,Conversation log\n', (1, 100, 0, 20))
go('openai completions_usage csv', 'start_time,end_time,start_time_iso,end_time_iso,project_id,num_model_requests,user_id,api_key_id,model,batch,input_tokens,output_tokens,input_cached_tokens\n1735689600,1735776000,2025-01-01T00:00:00+00:00,2025-01-02T00:00:00+00:00,p,3,,k,gpt-4o,false,100,20,40\n', (3, 100, 40, 20))
go('anthropic usage csv', 'usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,usage_output_tokens,web_search_count\n2025-01-01,claude-sonnet-4-5-20250929,k,Default,standard,≤ 200k,50,10,0,40,20,0\n', (0, 100, 40, 20))
go('responses pairs', [{'request': {'model': 'gpt-4o', 'input': 'hi'}, 'response': {'id': 'resp_1', 'object': 'response', 'model': 'gpt-4o',
   'created_at': 1735689600, 'usage': {'input_tokens': 100, 'input_tokens_details': {'cached_tokens': 40}, 'output_tokens': 20,
   'output_tokens_details': {'reasoning_tokens': 5}, 'total_tokens': 120}}}], (1, 100, 40, 20))
go('prompt completion names', [{'ts': 1735689600, 'req': {'model': 'gpt-4o', 'messages': [{'role': 'user', 'content': 'hi'}]}, 'resp': {'model': 'gpt-4o',
   'usage': {'prompt_tokens': 100, 'completion_tokens': 20}}}], (1, 100, 0, 20))
go('input/output bodies', [{'created': 1735689600, 'input': {'model': 'gpt-4o', 'messages': [{'role': 'user', 'content': 'hi'}]}, 'output': {'model': 'gpt-4o',
   'usage': {'prompt_tokens': 100, 'completion_tokens': 20}, 'choices': []}}], (1, 100, 0, 20))
go('request_body response_body text', [{'timestamp': '2025-01-01T00:00:00Z', 'request_body': json.dumps({'model': 'gpt-4o', 'messages': []}),
   'response_body': json.dumps({'model': 'gpt-4o', 'usage': {'prompt_tokens': 100, 'completion_tokens': 20}})}], (1, 100, 0, 20))


class Variants(unittest.TestCase):
    def test_variants(self):
        """(calls, input, cached, output)"""
        for name, data, want in CASES:
            with self.subTest(name):
                r = report("-", stdin=data.encode())
                self.assertEqual((r["calls"], r["input_tokens"], r["cached_input_tokens"], r["output_tokens"]), want)
                self.assertNotIn("unreadable", problems(r))


if __name__ == "__main__":
    unittest.main()
