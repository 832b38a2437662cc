"""Providers with ways of their own: Cohere's API, Mistral's ids and names, Azure's two paths."""
import json
import os
import shutil
import tempfile
import unittest

from lib import CLIENTS, Dray, Upstream, chat_answer, events, openai_ok, until

CALL = {"id": "call_abcdefghijklmnopqrstuvwx", "type": "function", "function": {"name": "f", "arguments": "{}"}}
TOOL = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}}}
TURN = [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": CALL["id"], "content": "done"}]


def cohere(x):
    q = json.loads(x.request.body)
    usage = {"billed_units": {"input_tokens": 10, "output_tokens": 5}, "tokens": {"input_tokens": 90, "output_tokens": 6}}
    if not q["stream"]:
        x.whole({"id": "c-1", "finish_reason": "COMPLETE", "message": {"role": "assistant", "content": [{"type": "text", "text": "Hello."}]}, "usage": usage})
        return
    x.start()
    for e in ({"type": "message-start", "id": "c-1", "delta": {"message": {"role": "assistant"}}},
              {"type": "content-start", "index": 0, "delta": {"message": {"content": {"type": "text", "text": ""}}}},
              {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "Hel"}}}},
              {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "lo."}}}},
              {"type": "content-end", "index": 0},
              {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": usage}}):
        x.chunk(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode())
    x.chunk(b"data: [DONE]\n\n")
    x.end()


def ask(model, **more):
    return {"model": model, "messages": [{"role": "user", "content": "Hi."}], **more}


class Providers(unittest.TestCase):
    def serve(self, handler, line, check):
        up = Upstream(handler)
        try:
            with Dray("workers: 1\nproviders:\n" + line.format(base=f"http://127.0.0.1:{up.port}")) as dray:
                check(dray, up)
        finally:
            up.close()

    def test_cohere(self):
        def check(dray, up):
            for base in ("c", "d"):
                m = dray.call(ask(f"{base}/command-r7b-12-2024"))
                self.assertEqual((m.status, m.json()["choices"][0]["message"]["content"]), (200, "Hello."), m.body)
                self.assertEqual((up.last().path, up.last().get("authorization")), ("/v2/chat", "Bearer k"))
            row = dray.row(m)
            self.assertEqual((row["input_tokens"], row["output_tokens"], row["token_source"]), (10, 5, "provider"))
            m = dray.call(ask("c/command-r7b-12-2024", stream=True))
            text = "".join(c["choices"][0]["delta"].get("content") or "" for c in map(json.loads, events(m.body)[:-1]) if c["choices"])
            self.assertEqual((text, events(m.body)[-1]), ("Hello.", "[DONE]"))
            self.assertEqual(dray.row(m)["input_tokens"], 10)
            m = dray.call({**ask("c/command-r7b-12-2024"), "max_tokens": 9}, "/v1/messages")
            self.assertEqual(m.json()["content"][0]["text"], "Hello.")
        self.serve(cohere, "  c: {{kind: cohere, base_url: \"{base}/compatibility/v1\", api_key: k}}\n  d: {{kind: cohere, base_url: \"{base}\", api_key: k}}\n", check)

    def test_mistral_gets_what_it_takes(self):
        def check(dray, up):
            m = dray.call({"model": "m/x", "messages": TURN, "tools": [TOOL], "max_completion_tokens": 7, "seed": 3, "stream": True})
            self.assertEqual(m.status, 200, m.body)
            q = up.last().json()
            called, answered = q["messages"][1]["tool_calls"][0]["id"], q["messages"][2]["tool_call_id"]
            self.assertEqual(called, answered)
            self.assertRegex(called, r"^[A-Za-z0-9]{9}$")
            self.assertEqual((q["max_tokens"], q["random_seed"], q["model"]), (7, 3, "x"))
            self.assertLessEqual({"seed", "max_completion_tokens", "stream_options"} & set(q), set())
            self.assertEqual(events(m.body)[-1], "[DONE]")
            # each of these alone is reason enough
            for name, more in (("messages", {"messages": TURN, "tools": [TOOL]}), ("max_tokens", {"max_completion_tokens": 7}), ("random_seed", {"seed": 3}),
                               ("system", {"messages": [{"role": "developer", "content": "x"}, *TURN[:1]]})):
                with self.subTest(name):
                    self.assertEqual(dray.call({"model": "m/x", "messages": TURN[:1], **more}).status, 200)
                    q = up.last().json()
                    self.assertTrue({"messages": lambda: len(q["messages"][2]["tool_call_id"]) == 9, "system": lambda: q["messages"][0]["role"] == "system"}
                                    .get(name, lambda: q[name] in (7, 3))())
            # what it takes as it is passes as it is, whatever else is in it
            body = json.dumps({"model": "m/x", "messages": TURN[:1], "safe_prompt": True}, indent=1).encode()
            self.assertEqual(dray.call(body).status, 200)
            self.assertEqual(up.last().body, body.replace(b"m/x", b"x"))
        self.serve(openai_ok, "  m: {{kind: mistral, base_url: \"{base}/v1\", api_key: k}}\n", check)

    def test_azure_both_ways(self):
        def check(dray, up):
            for name, path in (("new", "/openai/v1/chat/completions"), ("old", "/openai/deployments/my%20dep/chat/completions?api-version=2024-10-21")):
                self.assertEqual(dray.call(ask(f"{name}/my dep")).status, 200)
                self.assertEqual((up.last().path, up.last().get("api-key")), (path, f"k-{name}"))
            m = dray.call(ask("ignored"), "/openai/deployments/old%2Fgpt-4o/chat/completions?api-version=2099-01-01")
            self.assertEqual(m.status, 200, m.body)
            self.assertEqual(up.last().path, "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21")
            m = dray.call({"model": "old/e", "input": "x"}, "/v1/embeddings")
            self.assertEqual(up.last().path, "/openai/deployments/e/embeddings?api-version=2024-10-21")
            dray.call({"model": "old/gpt-4o", "input": "x"}, "/v1/responses")
            self.assertEqual((up.last().path, up.last().json()["model"]), ("/openai/responses?api-version=2024-10-21", "gpt-4o"))
        def azure(x):
            x.whole(chat_answer({"model": "gpt"}))
        self.serve(azure, "  new: {{kind: azure, base_url: \"{base}\", api_key: k-new}}\n"
                   "  old: {{kind: azure, base_url: \"{base}\", api_key: k-old, api_version: 2024-10-21}}\n", check)

    def test_how_a_model_counts_is_learnt(self):
        """From the usage of calls that are text only; it corrects what dray estimates for that model, and is shown."""
        def provider(x):
            q = json.loads(x.request.body)
            answer = chat_answer(q)
            answer["usage"] = {"prompt_tokens": 1000, "completion_tokens": 2, "total_tokens": 1002}
            x.whole(answer)

        def check(dray, up):
            text = "Some words that are counted, and more of them. " * 20
            ask = {"model": "o/m", "messages": [{"role": "user", "content": text}]}
            before = dray.call(ask, "/v1/messages/count_tokens").json()["input_tokens"]
            self.assertLess(before, 400)
            for _ in range(16 * 8):
                self.assertEqual(dray.call(ask).status, 200)
            after = dray.call(ask, "/v1/messages/count_tokens").json()["input_tokens"]
            self.assertAlmostEqual(after, 1000, delta=50)  # what a message costs beside its text is estimated, too
            self.assertGreater(dray.metric("dray_token_multiplier"), 2.5)
            self.assertLess(dray.metric("dray_token_estimate_error"), 0.2)
            other = dray.call({**ask, "model": "o/other"}, "/v1/messages/count_tokens").json()["input_tokens"]
            self.assertEqual(other, before)
        self.serve(provider, "  o: {{kind: openai, base_url: \"{base}/v1\", api_key: k}}\n", check)

    def test_tokens_are_counted(self):
        """Exactly for an OpenAI model, when its rank file is there; estimated for the others."""
        ranks = f"{CLIENTS}/node_modules/gpt-tokenizer/data"
        if not os.path.isdir(ranks):
            self.skipTest("no rank files: script/bootstrap")
        data = tempfile.mkdtemp(prefix="dray-data-")
        os.symlink(ranks, f"{data}/tokenizers")
        text = "The quick brown fox jumps over the lazy dog. \U0001f600\U0001f600 \u65e5\u672c\u8a9e " * 20
        ask = {"model": "o/gpt-4o", "messages": [{"role": "user", "content": text}]}
        with Dray("providers:\n  o: {kind: openai, base_url: \"http://127.0.0.1:9/v1\", api_key: k}\n", env={"DRAY_DATA": data}) as dray:
            count = lambda q, path="/v1/messages/count_tokens": dray.call(q, path).json()
            until(lambda: count(ask)["input_tokens"] == 285, "the exact count")  # gpt-tokenizer: 281, and 4 for the message
            gemini = {"contents": [{"role": "user", "parts": [{"text": text}]}]}
            self.assertEqual(count(gemini, "/v1beta/models/o%2Fgpt-4o:countTokens"), {"totalTokens": 285})
            self.assertNotEqual(count({**ask, "model": "o/other"})["input_tokens"], 285)
        shutil.rmtree(data)


if __name__ == "__main__":
    unittest.main()
