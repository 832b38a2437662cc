"""Any client, any provider: each official SDK gets the same answer whichever dialect the provider speaks."""
import json
import os
import re
import subprocess
import unittest

from lib import CLIENTS, Dray, Upstream, clean_env, node

ARGS = {"city": "Paris"}


def openai_provider(x):
    q = json.loads(x.request.body)
    tool = bool(q.get("tools"))
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": json.dumps(ARGS)}}
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    base = {"id": "chatcmpl-d1", "created": 1750000000, "model": q["model"]}
    finish = "tool_calls" if tool else "stop"
    if not q.get("stream"):
        message = {"role": "assistant", "content": None if tool else "Hello.", **({"tool_calls": [call]} if tool else {})}
        x.whole({**base, "object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": finish}], "usage": usage})
        return
    if tool:
        deltas = [{"role": "assistant", "content": None, "tool_calls": [{"index": 0, **call, "function": {"name": "get_weather", "arguments": ""}}]},
                  {"tool_calls": [{"index": 0, "function": {"arguments": "{\"city\":"}}]}, {"tool_calls": [{"index": 0, "function": {"arguments": " \"Paris\"}"}}]}]
    else:
        deltas = [{"role": "assistant", "content": ""}, {"content": "Hel"}, {"content": "lo."}]
    chunks = [{**base, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": d, "finish_reason": None}]} for d in deltas]
    chunks.append({**base, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    if (q.get("stream_options") or {}).get("include_usage"):
        chunks.append({**base, "object": "chat.completion.chunk", "choices": [], "usage": usage})
    x.start()
    x.sse(chunks)
    x.end()


def anthropic_provider(x):
    q = json.loads(x.request.body)
    tool = bool(q.get("tools"))
    block = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": ARGS} if tool else {"type": "text", "text": "Hello."}
    message = {"id": "msg_d1", "type": "message", "role": "assistant", "model": q["model"], "content": [block],
               "stop_reason": "tool_use" if tool else "end_turn", "stop_sequence": None, "usage": {"input_tokens": 10, "output_tokens": 5}}
    if not q.get("stream"):
        x.whole(message)
        return
    start = {**message, "content": [], "stop_reason": None, "usage": {"input_tokens": 10, "output_tokens": 1}}
    opened = {**block, "input": {}} if tool else {"type": "text", "text": ""}
    pieces = [{"type": "input_json_delta", "partial_json": p} for p in ("{\"city\":", " \"Paris\"}")] if tool else \
        [{"type": "text_delta", "text": p} for p in ("Hel", "lo.")]
    seq = [{"type": "message_start", "message": start}, {"type": "ping"}, {"type": "content_block_start", "index": 0, "content_block": opened}]
    seq += [{"type": "content_block_delta", "index": 0, "delta": p} for p in pieces]
    seq += [{"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": message["stop_reason"], "stop_sequence": None}, "usage": {"output_tokens": 5}},
            {"type": "message_stop"}]
    x.start()
    for e in seq:
        x.chunk(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode())
    x.end()


def gemini_provider(x):
    q = json.loads(x.request.body)
    tool = bool(q.get("tools"))
    usage = {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}

    def part(p, finish=None):
        c = {"content": {"role": "model", "parts": [p]}, "index": 0}
        return {"candidates": [{**c, "finishReason": finish} if finish else c], "modelVersion": "m", "responseId": "r1", **({"usageMetadata": usage} if finish else {})}
    parts = [{"functionCall": {"name": "get_weather", "args": ARGS}}] if tool else [{"text": "Hel"}, {"text": "lo."}]
    if ":streamGenerateContent" not in x.request.path:
        whole = part(parts[0], "STOP")
        whole["candidates"][0]["content"]["parts"] = parts
        x.whole(whole)
        return
    x.start()
    for i, p in enumerate(parts):
        x.chunk(b"data: " + json.dumps(part(p, "STOP" if i == len(parts) - 1 else None)).encode() + b"\r\n\r\n")
    x.end()


def three(handlers=None):
    """An upstream per dialect, and the providers' lines of the configuration."""
    ups = {k: Upstream(h) for k, h in (handlers or {"openai": openai_provider, "anthropic": anthropic_provider, "gemini": gemini_provider}).items()}
    base = {"openai": "/v1", "anthropic": "/v1", "gemini": "/v1beta"}
    lines = "".join(f"  p-{k}: {{kind: {k}, base_url: \"http://127.0.0.1:{u.port}{base[k]}\", api_key: sk-{k}}}\n" for k, u in ups.items())
    return ups, "workers: 1\nproviders:\n" + lines


class Dialects(unittest.TestCase):
    def test_sdks(self):
        if not os.path.isdir(f"{CLIENTS}/node_modules/@google/genai") or not node():
            self.skipTest("the SDKs are not installed: script/bootstrap")
        ups, config = three()
        with Dray(config) as dray:
            p = subprocess.run([node(), "drive-dialects.mjs", f"http://127.0.0.1:{dray.port}"], cwd=CLIENTS, env=clean_env(),
                               capture_output=True, text=True, timeout=300)
            found = re.findall(r"^(not ok|ok) - (.*(?:\n    .*)*)", p.stdout, re.M)
            self.assertEqual(len(found), 36, p.stdout + p.stderr)
            for verdict, text in found:
                with self.subTest(text.split("\n")[0]):
                    self.assertEqual(verdict, "ok", text)
            rows = dray.rows("SELECT * FROM calls")
            self.assertEqual({(r["input_tokens"], r["output_tokens"], r["token_source"]) for r in rows}, {(10, 5, "provider")})
            self.assertEqual(len(rows), 36)
        for kind, u in ups.items():
            for r in u.requests:
                self.assertEqual([h for h in ("authorization", "x-api-key", "x-goog-api-key") if r.get(h)], [HOW[kind][0]])
                self.assertIn(f"sk-{kind}", r.get(HOW[kind][0]))
                self.assertRegex(r.path, HOW[kind][1])
            u.close()


# How each provider is spoken to natively: the header of the credential, the path.
HOW = {"openai": ("authorization", r"^/v1/(chat/completions|responses)$"), "anthropic": ("x-api-key", r"^/v1/messages(\?.*)?$"),
       "gemini": ("x-goog-api-key", r"^/v1beta/models/m:(generateContent|streamGenerateContent\?alt=sse)$")}

ASK = {
    "openai": ("/v1/chat/completions", lambda model, **more: {"model": model, "messages": [{"role": "user", "content": "Hi."}], **more}),
    "responses": ("/v1/responses", lambda model, **more: {"model": model, "input": "Hi.", **more}),
    "anthropic": ("/v1/messages", lambda model, **more: {"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": "Hi."}], **more}),
    "gemini": ("/v1beta/models/{}:generateContent", lambda model, **more: {"contents": [{"role": "user", "parts": [{"text": "Hi."}]}], **more}),
}


def ask(dray, client, model, headers=(), **more):
    path, body = ASK[client]
    return dray.call(body(model, **more), path.format(model.replace("/", "%2F")), headers)


class Native(unittest.TestCase):
    """Every client reaches a provider by the provider's own API."""

    @classmethod
    def setUpClass(cls):
        cls.ups, config = three()
        cls.dray = Dray(config + "  mine: {kind: anthropic, base_url: \"http://127.0.0.1:" + str(cls.ups["anthropic"].port) + "/v1\", api_key: client}\n")

    @classmethod
    def tearDownClass(cls):
        cls.dray.stop()
        for u in cls.ups.values():
            u.close()

    def test_paths_and_credentials(self):
        for client in ASK:
            for kind, (header, path) in HOW.items():
                with self.subTest(f"{client} client, {kind} provider"):
                    m = ask(self.dray, client, f"p-{kind}/m", {"openai-organization": "org-1", "anthropic-beta": "b-1", "x-goog-user-project": "p"})
                    self.assertEqual(m.status, 200, m.body)
                    up = self.ups[kind].last()
                    self.assertRegex(up.path, path)
                    self.assertEqual(up.get(header), ("Bearer " if header == "authorization" else "") + f"sk-{kind}")
                    self.assertEqual(up.get("anthropic-version") is not None, kind == "anthropic")
                    if client != kind and not (client == "responses" and kind == "openai"):
                        foreign = [h for h in ("openai-organization", "anthropic-beta", "x-goog-user-project") if up.get(h)]
                        own = {"openai": "openai-organization", "anthropic": "anthropic-beta", "gemini": "x-goog-user-project"}[kind]
                        self.assertEqual(foreign, [own])

    def test_a_header_that_cannot_go_up_is_listed(self):
        m = ask(self.dray, "anthropic", "p-openai/m", {"anthropic-beta": "context-1m"})
        self.assertIn("anthropic-beta", m.get("x-dray-dropped"))

    def test_the_clients_own_credential(self):
        for client, sent, want in (("anthropic", {"x-api-key": "sk-ant-api-1"}, ("x-api-key", "sk-ant-api-1")),
                                   ("anthropic", {"authorization": "Bearer sk-ant-api-1"}, ("authorization", "Bearer sk-ant-api-1")),
                                   ("openai", {"authorization": "Bearer sk-ant-api-1"}, ("x-api-key", "sk-ant-api-1")),
                                   ("openai", {"authorization": "Bearer sk-ant-oat-1"}, ("authorization", "Bearer sk-ant-oat-1"))):
            with self.subTest(f"{client} {sent}"):
                self.assertEqual(ask(self.dray, client, "mine/m", sent).status, 200)
                up = self.ups["anthropic"].last()
                self.assertEqual([(h, up.get(h)) for h in ("authorization", "x-api-key") if up.get(h)], [want])


class Translation(unittest.TestCase):
    """translation: strict | warn | drop, and the account of what was left out."""

    def with_mode(self, line, check):
        ups, config = three()
        try:
            with Dray(line + config + "tiers:\n  light: {targets: [p-anthropic/m, p-openai/m], balance: priority}\n") as dray:
                check(dray, ups)
                return dray.log()
        finally:
            for u in ups.values():
                u.close()

    def test_strict_refuses_what_changes_the_answer(self):
        def check(dray, ups):
            m = ask(dray, "openai", "p-anthropic/m", frequency_penalty=1.5)
            self.assertEqual(m.status, 400)
            error = m.json()["error"]
            self.assertEqual((error["param"], error["code"]), ("frequency_penalty", "unsupported"))
            self.assertEqual(m.get("x-should-retry"), "false")
            self.assertEqual(ups["anthropic"].requests, [])
            m = ask(dray, "openai", "p-anthropic/m", store=True, metadata={"team": "x"}, user="u", service_tier="auto")
            self.assertEqual(m.status, 200, m.body)
            self.assertLessEqual({"store", "metadata"}, set(m.get("x-dray-dropped").split(", ")))
            self.assertEqual(dray.row(m)["dropped"], m.get("x-dray-dropped"))
        self.with_mode("", check)

    def test_strict_goes_to_a_target_that_can(self):
        def check(dray, ups):
            m = ask(dray, "openai", "auto:light", frequency_penalty=1.5)
            self.assertEqual((m.status, m.get("x-dray-model")), (200, "p-openai/m"), m.body)
            self.assertEqual(ups["anthropic"].requests, [])
            self.assertEqual([(a["status"], a["error"]) for a in dray.attempts(m)], [(None, "unsupported"), (200, None)])
        self.with_mode("", check)

    def test_warn_and_drop_list_it(self):
        for mode in ("warn", "drop"):
            def check(dray, ups):
                m = ask(dray, "openai", "p-anthropic/m", frequency_penalty=1.5, seed=4, store=True)
                self.assertEqual(m.status, 200, m.body)
                self.assertEqual(set(m.get("x-dray-dropped").split(", ")), {"frequency_penalty", "seed", "store"})
                self.assertEqual(dray.row(m)["dropped"], m.get("x-dray-dropped"))
                self.assertNotIn("frequency_penalty", ups["anthropic"].last().json())
            log = self.with_mode(f"translation: {mode}\n", check)
            with self.subTest(mode):
                self.assertEqual("translation_dropped" in log, mode == "warn")


if __name__ == "__main__":
    unittest.main()
