"""A model that OpenAI has at /v1/responses only, behind clients of the other dialects: a turn with a tool, and what the provider sealed comes back to it."""
import json
import unittest

from lib import Dray, Served, Upstream

MODEL = "o/gpt-5-codex"
REASONING = {"type": "reasoning", "id": "rs_0123456789", "summary": [{"type": "summary_text", "text": "think"}], "encrypted_content": "gAAAsealed=="}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "t", "arguments": "{\"a\":1}", "status": "completed"}
USAGE = {"input_tokens": 5, "input_tokens_details": {"cached_tokens": 2}, "output_tokens": 4, "output_tokens_details": {"reasoning_tokens": 3}, "total_tokens": 9}
ANSWER = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": "completed", "error": None, "output": [REASONING, CALL], "usage": USAGE}


def provider(x):
    if x.request.path != "/v1/responses":
        x.whole({"error": {"message": "not here"}}, 404)
        return
    if not x.request.json().get("stream"):
        x.whole(ANSWER)
        return
    events = [("response.created", {"response": {**ANSWER, "status": "in_progress", "output": [], "usage": None}}),
              ("response.output_item.added", {"output_index": 0, "item": {**REASONING, "summary": [], "encrypted_content": ""}}),
              ("response.reasoning_summary_text.delta", {"output_index": 0, "item_id": REASONING["id"], "summary_index": 0, "delta": "think"}),
              ("response.output_item.done", {"output_index": 0, "item": REASONING}), ("response.output_item.added", {"output_index": 1, "item": {**CALL, "arguments": ""}}),
              ("response.function_call_arguments.delta", {"output_index": 1, "item_id": "fc_1", "delta": CALL["arguments"]}),
              ("response.output_item.done", {"output_index": 1, "item": CALL}), ("response.completed", {"response": ANSWER})]
    x.start()
    x.chunk("".join(f"event: {kind}\ndata: {json.dumps({'type': kind, 'sequence_number': n, **e})}\n\n" for n, (kind, e) in enumerate(events)).encode())
    x.end()


SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


class ResponsesUp(Served):
    @classmethod
    def setUpClass(cls):
        cls.up = Upstream(provider)
        cls.dray = Dray(f"providers:\n  o: {{kind: openai, base_url: \"http://127.0.0.1:{cls.up.port}/v1\", api_key: k}}\n")

    def check_second(self, m):
        """The second turn's request has the reasoning, the call and its result, in this order."""
        self.assertEqual((m.status, m.get("x-dray-dropped")), (200, None), m.body)
        items = self.up.last().json()["input"]
        self.assertEqual([i.get("type", i.get("role")) for i in items], ["user", "reasoning", "function_call", "function_call_output"])
        self.assertEqual((items[1]["id"], items[1]["encrypted_content"]), (REASONING["id"], REASONING["encrypted_content"]))
        self.assertEqual((items[2]["call_id"], json.loads(items[2]["arguments"]), items[3]["call_id"]), ("call_1", {"a": 1}, "call_1"))
        row = self.dray.row(m.get("x-dray-call-id"))
        self.assertEqual((row["input_tokens"], row["output_tokens"], row["reasoning_tokens"], row["finish"]), (5, 4, 3, "tools"))
        return items

    def test_anthropic(self):
        ask = {"model": MODEL, "max_tokens": 500, "thinking": {"type": "adaptive"}, "tools": [{"name": "t", "input_schema": SCHEMA}], "messages": [{"role": "user", "content": "go"}]}
        said = self.dray.call(ask, "/v1/messages").json()["content"]
        self.assertEqual(self.up.last().json()["include"], ["reasoning.encrypted_content"])
        self.assertEqual([b["type"] for b in said], ["thinking", "tool_use"])
        result = {"type": "tool_result", "tool_use_id": said[1]["id"], "content": [{"type": "text", "text": "r"}, {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}]}
        ask["messages"] += [{"role": "assistant", "content": said}, {"role": "user", "content": [result]}]
        items = self.check_second(self.dray.call(ask, "/v1/messages"))
        self.assertEqual([p["type"] for p in items[3]["output"]], ["input_text", "input_image"])

    def test_gemini(self):
        ask = {"contents": [{"role": "user", "parts": [{"text": "go"}]}], "tools": [{"functionDeclarations": [{"name": "t", "parametersJsonSchema": SCHEMA}]}]}
        path = f"/v1beta/models/{MODEL.replace('/', '%2F')}:generateContent"
        ask["contents"] += [self.dray.call(ask, path).json()["candidates"][0]["content"], {"role": "user", "parts": [{"functionResponse": {"name": "t", "response": {"x": 1}}}]}]
        self.check_second(self.dray.call(ask, path))

    def test_chat(self):
        ask = {"model": MODEL, "messages": [{"role": "user", "content": "go"}], "tools": [{"type": "function", "function": {"name": "t", "parameters": SCHEMA}}]}
        message = self.dray.call(ask).json()["choices"][0]["message"]
        self.assertEqual(message["reasoning_content"], "think")
        ask["messages"] += [message, {"role": "tool", "tool_call_id": "call_1", "content": "r"}]
        self.check_second(self.dray.call(ask))

    def test_streamed(self):
        """Signed and called the same way in a stream; Responses' own clients get the provider's bytes."""
        tools = {"anthropic": [{"name": "t", "input_schema": SCHEMA}], "chat": [{"type": "function", "function": {"name": "t"}}]}
        whole = self.dray.call({"model": MODEL, "max_tokens": 9, "tools": tools["anthropic"], "messages": [{"role": "user", "content": "go"}]}, "/v1/messages").json()
        m = self.dray.call({"model": MODEL, "max_tokens": 9, "stream": True, "tools": tools["anthropic"], "messages": [{"role": "user", "content": "go"}]}, "/v1/messages")
        self.assertIn(whole["content"][0]["signature"].encode(), m.body)
        m = self.dray.call({"model": MODEL, "stream": True, "tools": tools["chat"], "messages": [{"role": "user", "content": "go"}]})
        self.assertIn(b'"finish_reason":"tool_calls"', m.body)
        m = self.dray.call({"model": MODEL, "input": "go", "stream": True}, "/v1/responses")
        self.assertIn(b'"encrypted_content": "gAAAsealed=="', m.body)


if __name__ == "__main__":
    unittest.main()
