"""What no gateway did when four of them were measured on this work: one test for each line, named by it. Details of each stand in other files
(test_replay, test_cross, test_dialects, test_wire); here is the line itself."""
import json
import unittest

from lib import Dray, Upstream, events, openai_ok, provider
from test_dialects import ARGS, ASK, ask, events_provider, three

GEMINI_USAGE = {"promptTokenCount": 10, "toolUsePromptTokenCount": 7, "candidatesTokenCount": 5, "thoughtsTokenCount": 3, "totalTokenCount": 25}


def message_stream(start_usage, delta_usage):
    seq = [{"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None, "stop_sequence": None, "usage": start_usage}},
           {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}, {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi."}},
           {"type": "content_block_stop", "index": 0}, {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": delta_usage}, {"type": "message_stop"}]
    return [f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in seq]


class Nobody(unittest.TestCase):
    def setUp(self):
        self.ups, config = three()
        self.dray = Dray(config)

    def tearDown(self):
        self.dray.stop()
        for u in self.ups.values():
            u.close()

    def test_same_dialect_answers_byte_equal_requests_json_equal_and_both_booked(self):
        answers = {"openai": b'{ "id":"c1","object":"chat.completion","created":1,"model":"m", "choices":[{"index":0,"message":{"role":"assistant","content":"\\u0048i"},"finish_reason":"stop"}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15},"strange":[1.50]}\n',
                   "anthropic": b'{"type":"message", "id":"msg_1","role":"assistant","model":"m","content":[{"type":"text","text":"\\u0048i"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":10,"output_tokens":5},"strange":[1.50]}\n',
                   "gemini": b'{"candidates": [{"content":{"role":"model","parts":[{"text":"\\u0048i"}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":15},"strange":[1.50]}\n'}
        for kind, answer in answers.items():
            with self.subTest(kind):
                self.ups[kind].handler = lambda x, a=answer: x.whole(a)
                m = ask(self.dray, kind, f"p-{kind}/m", strange={"n": 1.50, "l": [None]})
                self.assertEqual(m.body, answer)
                want = {**ASK[kind][1]("m", strange={"n": 1.5, "l": [None]})}
                self.assertEqual(self.ups[kind].last().json(), want)
                row = self.dray.row(m)
                self.assertEqual((row["input_tokens"], row["output_tokens"], row["token_source"]), (10, 5, "provider"))

    def test_current_gemini_sdk_on_v1_gets_a_native_answer(self):
        for kind in self.ups:
            with self.subTest(kind):
                m = self.dray.call({"contents": [{"parts": [{"text": "Hi."}]}]}, f"/v1/models/p-{kind}%2Fm:generateContent", {"x-goog-api-key": "k"})
                self.assertEqual((m.status, m.json()["candidates"][0]["content"]["role"]), (200, "model"))

    def test_models_retrieve_of_a_vendor_slash_model(self):
        up = Upstream(openai_ok)
        with Dray("providers:\n" + provider(up)) as one:
            for path in ("/v1/models/vendor%2Fx", "/v1/models/vendor/x"):
                m = one.get(path)
                self.assertEqual((m.status, m.json()["id"], m.json()["object"]), (200, "vendor/x", "model"))
        up.close()

    def test_model_lists_in_each_dialects_shape_from_one_path(self):
        plain, anthropic, gemini = (self.dray.get("/v1/models", h).json() for h in ({}, {"anthropic-version": "2026-10-21"}, {"x-goog-api-key": "k"}))
        self.assertEqual(plain["object"], "list")
        names = [m["id"] for m in plain["data"]]
        self.assertEqual([m["id"] for m in anthropic["data"]], names)
        self.assertEqual((anthropic["has_more"], anthropic["first_id"], anthropic["last_id"], anthropic["data"][0]["type"]), (False, names[0], names[-1], "model"))
        self.assertEqual([m["name"] for m in gemini["models"]], ["models/" + n for n in names])

    def test_final_statuses_stop_the_clients_own_retries(self):
        for status in (400, 401, 403, 404, 413, 422):
            for client in ASK:
                with self.subTest(f"{status} {client}"):
                    for u in self.ups.values():
                        u.handler = lambda x, s=status: x.whole({"error": {"message": "no", "type": "t", "code": s, "status": "S"}}, s)
                    m = ask(self.dray, client, "p-anthropic/m")
                    self.assertEqual((m.status, m.get("x-should-retry")), (status, "false"))

    def test_usage_of_message_start_and_message_delta(self):
        cases = {"input in the start only": ({"input_tokens": 17, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 0, "output_tokens": 1}, {"output_tokens": 9}),
                 "all again in the delta": ({"input_tokens": 0, "output_tokens": 0}, {"input_tokens": 17, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 0, "output_tokens": 9})}
        for name, (start, delta) in cases.items():
            self.ups["anthropic"].handler = events_provider(message_stream(start, delta))
            with self.subTest(name):
                m = ask(self.dray, "openai", "p-anthropic/m", stream=True, stream_options={"include_usage": True})
                u = json.loads(events(m.body)[-2])["usage"]
                self.assertEqual((u["prompt_tokens"], u["completion_tokens"], u["prompt_tokens_details"]["cached_tokens"]), (21, 9, 4))
                row = self.dray.row(m)
                self.assertEqual((row["input_tokens"], row["output_tokens"]), (21, 9))

    def test_usage_of_thoughts_and_tool_prompts(self):
        self.ups["gemini"].handler = lambda x: x.whole({"candidates": [{"content": {"role": "model", "parts": [{"text": "Hi."}]}, "finishReason": "STOP", "index": 0}], "usageMetadata": GEMINI_USAGE})
        for client in ASK:
            with self.subTest(client):
                row = self.dray.row(ask(self.dray, client, "p-gemini/m"))
                self.assertEqual((row["input_tokens"], row["output_tokens"], row["reasoning_tokens"]), (17, 8, 3))

    def test_a_stream_without_its_terminator_is_told(self):
        for kind, piece in (("openai", b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\n'), ("anthropic", b"".join(message_stream({"input_tokens": 1, "output_tokens": 1}, {"output_tokens": 2})[:-1])),
                            ("gemini", b'data: {"candidates":[{"content":{"role":"model","parts":[{"text":"Hi"}]},"index":0}]}\r\n\r\n')):
            self.ups[kind].handler = events_provider([piece])
            for client in ("openai", "anthropic", "gemini"):
                with self.subTest(f"{client} client, {kind} provider"):
                    if client == "gemini":
                        m = self.dray.call({"contents": [{"parts": [{"text": "Hi."}]}]}, f"/v1beta/models/p-{kind}%2Fm:streamGenerateContent?alt=sse")
                    else:
                        m = ask(self.dray, client, f"p-{kind}/m", stream=True)
                    self.assertIn('"error"', events(m.body)[-1])
                    self.assertIn(self.dray.row(m)["error"], ("stream_unterminated", "stream_error"))

    def test_tool_calls_imply_the_tool_stop_reason(self):
        self.ups["openai"].handler = lambda x: x.whole({"id": "c1", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0, "finish_reason": "stop", "message": {
            "role": "assistant", "content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "t", "arguments": "{}"}}]}}], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}})
        self.ups["gemini"].handler = lambda x: x.whole({"candidates": [{"content": {"role": "model", "parts": [{"functionCall": {"name": "t", "args": ARGS}}]}, "finishReason": "STOP", "index": 0}], "usageMetadata": GEMINI_USAGE})
        for kind in ("openai", "gemini"):
            with self.subTest(kind):
                self.assertEqual(ask(self.dray, "anthropic", f"p-{kind}/m").json()["stop_reason"], "tool_use")
        self.assertEqual(ask(self.dray, "openai", "p-gemini/m").json()["choices"][0]["finish_reason"], "tool_calls")

    def test_parallel_calls_of_one_tool_have_distinct_ids(self):
        part = {"functionCall": {"name": "t", "args": ARGS}}
        self.ups["gemini"].handler = lambda x: x.whole({"candidates": [{"content": {"role": "model", "parts": [part, part]}, "finishReason": "STOP", "index": 0}], "usageMetadata": GEMINI_USAGE})
        tools = [{"name": "t", "input_schema": {"type": "object"}}]
        content = ask(self.dray, "anthropic", "p-gemini/m", tools=tools).json()["content"]
        ids = [b["id"] for b in content]
        self.assertEqual(len(set(ids)), 2)
        ids_of_openai = [c["id"] for c in ask(self.dray, "openai", "p-gemini/m").json()["choices"][0]["message"]["tool_calls"]]
        self.assertEqual(len(set(ids_of_openai)), 2)
        # each result goes back to its own call
        results = [{"type": "tool_result", "tool_use_id": i, "content": f"of {n}"} for n, i in enumerate(ids)]
        self.dray.call({"model": "p-gemini/m", "max_tokens": 9, "tools": tools, "messages": [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": content}, {"role": "user", "content": results}]}, "/v1/messages")
        sent = self.ups["gemini"].last().json()["contents"]
        self.assertEqual([p["functionCall"]["id"] for p in sent[1]["parts"]], [p["functionResponse"]["id"] for p in sent[2]["parts"]])
        self.assertEqual([p["functionResponse"]["response"] for p in sent[2]["parts"]], [{"result": "of 0"}, {"result": "of 1"}])


if __name__ == "__main__":
    unittest.main()
