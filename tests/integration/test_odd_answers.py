"""Answers and streams that no recording has and some server sends: odd orders, nulls, repeated and missing members, unknown events, usage in every
place, errors in the middle, a whole answer where a stream was asked for. Each is asked for by a client of each dialect: the same text, calls, stop
reason and tokens come out, or an error where the provider told one or stopped, and no rule of the client's dialect is broken.
"""
import json
import unittest

import canon
from lib import Client, Dray, Served, Upstream, request_bytes
from test_cross import question

U = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
TOOL = [("t", {"a": 1})]
PIECE = 37


def sse(*items, done=True, named=False, end="\n"):
    out = "".join((f"event: {j['type']}{end}" if named else "") + f"data: {json.dumps(j)}{end}{end}" for j in items)
    return (out + (f"data: [DONE]{end}{end}" if done else "")).encode()


def chunk(delta=None, finish=None, index=0, **more):
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": index, "delta": delta, "finish_reason": finish}], **more}


def calls(*list_, finish=None):
    return chunk({"tool_calls": list(list_)}, finish)


def call(index=0, id="a", name="t", args="", **more):
    return {"index": index, "id": id, "type": "function", "function": {"name": name, "arguments": args}, **more}


def whole(message, finish="stop", **more):
    return json.dumps({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0, "message": message, "finish_reason": finish}], "usage": U, **more}).encode()


END = chunk({}, "stop", usage=U)
HI = chunk({"content": "hi"})
# (what, stream, body, text, calls, stop); the stop "error": an error is told
OPENAI = [
    ("members that are null", True, sse(chunk({"role": "assistant", "content": None, "tool_calls": None, "refusal": None, "reasoning_content": None}), chunk({"content": "hi"}, usage=None),
                                        chunk({"content": None}, "stop"), {"id": "c", "choices": [], "usage": U}), "hi", [], "stop"),
    ("deltas that are null", True, sse(chunk(None), HI, chunk(None, "stop"), {"choices": None, "usage": U}), "hi", [], "stop"),
    ("usage in every chunk", True, sse(chunk({"content": "hi"}, usage={"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}), END), "hi", [], "stop"),
    ("a finish twice", True, sse(chunk({"content": "hi"}, "stop"), chunk({"content": ""}, "stop", usage=U)), "hi", [], "stop"),
    ("a finish twice, the second without calls", True, sse(calls(call(args='{"a":1}'), finish="tool_calls"), END), "", TOOL, "tools"),
    ("CRLF, comments, ids", True, b": hello\r\nid: 1\r\nretry: 5\r\n\r\n" + sse(HI, END, end="\r\n"), "hi", [], "stop"),
    ("a call named in every piece", True, sse(calls(call(args='{"a"')), calls(call(args=":1}")), END), "", TOOL, "tools"),
    ("calls without an index", True, sse({"choices": [{"delta": {"tool_calls": [{"id": i, "function": {"name": "t", "arguments": a}} for i, a in (("a", '{"a":1}'), ("b", '{"a":2}'))]}}]}, END), "",
     TOOL + [("t", {"a": 2})], "tools"),
    ("arguments null, then there", True, sse(calls(call(id=None, args=None)), calls({"index": 0, "function": {"name": None, "arguments": '{"a":1}'}}), END), "", TOOL, "tools"),
    ("a call at index 5", True, sse(calls(call(5, args='{"a":1}')), END), "", TOOL, "tools"),
    ("pieces of two calls in turn", True, sse(calls(call(0, "a"), call(1, "b")), calls({"index": 0, "function": {"arguments": '{"a":'}}, {"index": 1, "function": {"arguments": '{"a":2'}}),
                                              calls({"index": 0, "function": {"arguments": "1}"}}, {"index": 1, "function": {"arguments": "}"}}), END), "", TOOL + [("t", {"a": 2})], "tools"),
    ("text behind a call", True, sse(calls(call(args='{"a":1}')), HI, END), "hi", TOOL, "tools"),
    ("text within a call", True, sse(calls(call(args='{"a":')), HI, calls({"index": 0, "function": {"arguments": "1}"}}), END), "hi", TOOL, "tools"),
    ("a thought between texts", True, sse(chunk({"reasoning": "x"}), HI, chunk({"reasoning": "y"}), chunk({"content": "ho"}), END), "hiho", [], "stop"),
    ("two names for one thought", True, sse(chunk({"reasoning": "x", "reasoning_content": "x"}), HI, END), "hi", [], "stop"),
    ("a refusal", True, sse(chunk({"refusal": "I can"}), chunk({"refusal": "not"}), END), "I cannot", [], "stop"),
    ("unknown events", True, b'event: vibe\ndata: {"x":1}\n\n' + sse(HI, {"object": "whatever"}, END), "hi", [], "stop"),
    ("two choices in turn", True, sse(chunk({"content": "h"}), chunk({"role": "assistant", "content": "B"}, index=1), chunk({"content": "i"}), chunk({}, "stop", index=1), END), "hi", [], "stop"),
    ("an error in a chunk", True, sse(HI, {"error": {"message": "boom", "code": 502}}, done=False), "hi", [], "error"),
    ("an error that is a string", True, sse(HI, {"error": "boom"}, done=False), "hi", [], "error"),
    ("an error in a choice", True, sse(HI, {"choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error", "error": {"code": 502, "message": "died"}}]}), "hi", [], "error"),
    ("no end", True, sse(HI, done=False), "hi", [], "error"),
    ("an end and nothing else", True, sse(), "", [], "error"),
    ("a whole answer for a stream", True, whole({"role": "assistant", "content": "hi"}), "hi", [], "stop"),
    ("a whole call for a stream", True, whole({"role": "assistant", "content": None, "tool_calls": [call(args='{"a":1}')]}, "tool_calls"), "", TOOL, "tools"),
    ("members that are null, whole", False, whole({"role": "assistant", "content": "hi", "tool_calls": None, "refusal": None, "annotations": [], "audio": None, "function_call": None}), "hi", [], "stop"),
    ("arguments that are an object", False, whole({"role": "assistant", "content": "", "tool_calls": [call(args={"a": 1})]}), "", TOOL, "tools"),
    ("nothing said", False, whole({"role": "assistant", "content": None}), "", [], "stop"),
    ("many lines", False, json.dumps(json.loads(whole({"role": "assistant", "content": "hi", "tool_calls": [call(args='{\n "a": 1\n}')]})), indent=2).encode(), "hi", TOOL, "tools"),
    ("an error with status 200", False, b'{"error":{"message":"boom","code":429}}', "", [], "error"),
]


def start(usage):
    return {"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}}


def block(i, b, *deltas):
    return [{"type": "content_block_start", "index": i, "content_block": b}, *({"type": "content_block_delta", "index": i, "delta": d} for d in deltas), {"type": "content_block_stop", "index": i}]


def ended(stop="end_turn", **more):
    return [{"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, **more}, {"type": "message_stop"}]


FIRST, OUT, TEXT = start({"input_tokens": 5, "output_tokens": 1}), {"output_tokens": 2}, {"type": "text", "text": ""}
SAYS = {"type": "text_delta", "text": "hi"}


def anthropic(*items):
    return sse(*items, done=False, named=True)


ANTHROPIC = [
    ("unknown events, blocks and deltas", True, anthropic(FIRST, {"type": "vibe"}, *block(0, {"type": "text", "text": "h"}, {"type": "citations_delta", "citation": {}}, {"type": "text_delta", "text": "i"}),
                                                          *block(1, {"type": "hologram"}, {"type": "hologram_delta"}), *ended(usage=OUT)), "hi", [], "stop"),
    ("usage with nulls", True, anthropic(start({"input_tokens": 5, "output_tokens": 1, "cache_creation_input_tokens": None, "cache_creation": None, "server_tool_use": None}), *block(0, TEXT, SAYS),
                                         *ended(usage={"input_tokens": None, **OUT})), "hi", [], "stop"),
    ("a call's input in its start", True, anthropic(FIRST, *block(0, {"type": "tool_use", "id": "x", "name": "t", "input": {"a": 1}}), *ended("tool_use", usage=OUT)), "", TOOL, "tools"),
    ("a provider's own tool, and a pause", True, anthropic(FIRST, *block(0, {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}, {"type": "input_json_delta", "partial_json": "{}"}),
                                                           *block(1, TEXT, SAYS), *ended("pause_turn", usage=OUT)), "hi", [], "stop"),
    ("overloaded in the middle", True, anthropic(FIRST, *block(0, TEXT, SAYS), {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}), "hi", [], "error"),
]
GU = {"promptTokenCount": 5, "candidatesTokenCount": 2, "totalTokenCount": 7}


def gemini(*items):
    return sse(*items, done=False, end="\r\n")


def part(*parts, finish=None, **more):
    return {"candidates": [{"index": 0, "content": {"role": "model", "parts": list(parts)}, **({"finishReason": finish} if finish else {})}], "modelVersion": "g", "responseId": "r", **more}


GEMINI = [
    ("a finish in the middle", True, gemini(part({"text": "h"}, finish="MAX_TOKENS", usageMetadata=GU), part({"text": "i"}, finish="MAX_TOKENS", usageMetadata=GU)), "hi", [], "length"),
    ("usage behind the finish", True, gemini(part({"text": "hi"}, finish="STOP"), {"usageMetadata": GU, "modelVersion": "g"}), "hi", [], "stop"),
    ("no parts, no index", True, gemini({"candidates": [{"content": {"parts": [{"text": "hi"}]}}]}, {"candidates": [{"content": {"role": "model"}, "finishReason": "STOP"}], "usageMetadata": GU}), "hi", [],
     "stop"),
    ("empty parts, and a signed text", True, gemini(part({}, {"text": ""}, {"text": "hi", "thoughtSignature": "c2ln"}, finish="STOP", usageMetadata=GU)), "hi", [], "stop"),
    ("two calls of one name without ids", True, gemini(part({"functionCall": {"name": "t", "args": {"a": 1}}}, {"functionCall": {"name": "t"}}, finish="STOP", usageMetadata=GU)), "", TOOL + [("t", {})],
     "tools"),
    ("code that ran", True, gemini(part({"executableCode": {"language": "PYTHON", "code": "1"}}, {"codeExecutionResult": {"outcome": "OUTCOME_OK"}}, {"text": "hi"}, finish="STOP", usageMetadata=GU)), "hi", [],
     "stop"),
    ("unavailable in the middle", True, gemini(part({"text": "hi"}), {"error": {"code": 503, "message": "over", "status": "UNAVAILABLE"}}), "hi", [], "error"),
]


def responses(*items):
    return sse(*({**j, "sequence_number": i} for i, j in enumerate(items)), done=False, named=True)


def response(status="completed", *output, **more):
    return {"id": "r", "object": "response", "created_at": 1, "model": "m", "status": status, "error": None, "output": list(output),
            "usage": {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7} if status != "in_progress" else None, **more}


CREATED = {"type": "response.created", "response": response("in_progress")}
ITEM = {"type": "message", "id": "m1", "role": "assistant", "status": "completed", "content": [{"type": "output_text", "text": "hi", "annotations": []}]}
DELTA = {"type": "response.output_text.delta", "output_index": 0, "item_id": "m1", "content_index": 0, "delta": "hi"}
F = [{"type": "function_call", "id": f"f{i}", "call_id": f"c{i}", "name": "t", "arguments": "", "status": "in_progress"} for i in (0, 1)]


def args(i, text):
    return {"type": "response.function_call_arguments.delta", "output_index": i, "item_id": f"f{i}", "delta": text}


RESPONSES = [
    ("items without deltas", True, responses(CREATED, {"type": "response.output_item.done", "output_index": 0, "item": ITEM}, {"type": "response.completed", "response": response("completed", ITEM)}), "hi", [],
     "stop"),
    ("unknown events", True, responses(CREATED, {"type": "response.vibe"}, DELTA, {"type": "response.completed", "response": response("completed", ITEM)}), "hi", [], "stop"),
    ("cut at its limit", True, responses(CREATED, DELTA, {"type": "response.incomplete", "response": response("incomplete", ITEM, incomplete_details={"reason": "max_output_tokens"})}), "hi", [], "length"),
    ("pieces of two calls in turn", True, responses(CREATED, *({"type": "response.output_item.added", "output_index": i, "item": f} for i, f in enumerate(F)), args(0, '{"a":'), args(1, '{"a":2}'), args(0, "1}"),
                                                    {"type": "response.completed", "response": response("completed", *({**f, "arguments": a} for f, a in zip(F, ('{"a":1}', '{"a":2}'))))}), "",
     TOOL + [("t", {"a": 2})], "tools"),
    ("failed in the middle", True, responses(CREATED, DELTA, {"type": "response.failed", "response": response("failed", error={"code": "server_error", "message": "boom"})}), "hi", [], "error"),
]
CASES = {f"{kind}: {c[0]}": (kind, *c[1:]) for kind, table in (("openai", OPENAI), ("anthropic", ANTHROPIC), ("gemini", GEMINI), ("responses", RESPONSES)) for c in table}
NATIVE = {"openai": "chat", "anthropic": "messages", "gemini": "gemini", "responses": "responses"}


def serve(x):
    _, stream, body = CASES[x.request.get("x-case")][:3]
    if not stream or body.startswith(b"{"):
        x.whole(body, 200, [("content-type", "application/json")])
        return
    x.start()
    for i in range(0, len(body), PIECE):
        x.chunk(body[i:i + PIECE])
    x.end()


class OddAnswers(Served):
    @classmethod
    def setUpClass(cls):
        cls.up = Upstream(serve)
        cls.dray = Dray("providers:\n" + "".join(f"  p-{k}: {{kind: {k}, base_url: \"http://127.0.0.1:{cls.up.port}{base}\", api_key: k, forward_headers: [x-case]}}\n"
                                                 for k, base in (("openai", "/v1"), ("fireworks", "/v1"), ("anthropic", "/v1"), ("gemini", "/v1beta"))))

    def problems(self, name, client):
        kind, stream, _, text, tools, stop = CASES[name]
        native = NATIVE[kind] == client
        model = "p-openai/gpt-5-codex" if kind == "responses" else "p-fireworks/m" if (kind, client) == ("openai", "responses") else f"p-{kind}/m"
        path, body = question(client, model, stream)
        with Client(self.dray.port, 60) as c:
            c.send(request_bytes("POST", path, body, {"x-case": name}))
            m = c.answer()
        if native:
            return  # its bytes: test_replay
        if stop == "error" and not stream:
            if m.status != 502:
                yield f"status {m.status}"
            return
        if m.status != 200:
            yield f"status {m.status}: {m.body[:200]}"
            return
        rule = canon.grammar(client, m.body, stream)
        if rule:
            yield f"breaks {rule}"
        said = canon.read(client, m.body, stream)
        if stop == "error":
            if not said.error or client == "chat" and b"[DONE]" in m.body:
                yield "a cut answer is told as whole"
        elif (said.text, said.tools, said.stop, said.input, said.output, said.error) != (text, tools, stop, 5, 2, None):
            yield f"{tuple(said)}"

    def test_every_client(self):
        bad = [f"{name} -> {client}: {p}" for name in CASES for client in NATIVE.values() for p in self.problems(name, client)]
        self.assertFalse(bad, f"{len(bad)} problems with {len(CASES)} answers:\n" + "\n".join(bad))


if __name__ == "__main__":
    unittest.main()
