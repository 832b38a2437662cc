"""Any client, any provider: each official SDK gets the same answer whichever dialect the provider speaks."""
import json
import os
import re
import subprocess
import unittest

from lib import CLIENTS, Dray, Upstream, clean_env, events, node

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


class Counting(unittest.TestCase):
    """count_tokens, countTokens, embedContent: the provider's own answer where it has one."""

    def setUp(self):
        def anthropic(x):
            x.whole({"input_tokens": 42}, headers=[("request-id", "req_1")])

        def gemini(x):
            verb = x.request.path.split(":")[-1]
            x.whole({"countTokens": {"totalTokens": 43}, "embedContent": {"embedding": {"values": [0.5]}},
                     "batchEmbedContents": {"embeddings": [{"values": [0.5]}]}}[verb])
        self.ups, config = three({"openai": openai_provider, "anthropic": anthropic, "gemini": gemini})
        self.dray = Dray(config + "models:\n  mine: {provider: p-gemini, model: embed-1}\n")

    def tearDown(self):
        self.dray.stop()
        for u in self.ups.values():
            u.close()

    TOOLS = [{"name": "get_weather", "description": "Tells the weather of a city.", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}]

    def test_the_targets_own_count(self):
        body = {"model": "p-anthropic/m", "messages": [{"role": "user", "content": "Hi."}], "tools": self.TOOLS}
        m = self.dray.call(body, "/v1/messages/count_tokens", {"anthropic-beta": "b-1"})
        self.assertEqual((m.status, m.json()), (200, {"input_tokens": 42}))
        up = self.ups["anthropic"].last()
        self.assertEqual((up.path, up.get("x-api-key"), up.get("anthropic-beta"), up.json()),
                         ("/v1/messages/count_tokens", "sk-anthropic", "b-1", {**body, "model": "m"}))
        m = self.dray.call({"contents": [{"parts": [{"text": "Hi."}]}]}, "/v1/models/p-gemini%2Fm:countTokens")
        self.assertEqual((m.status, m.json()), (200, {"totalTokens": 43}))
        self.assertEqual(self.ups["gemini"].last().path, "/v1beta/models/m:countTokens")
        inner = {"generateContentRequest": {"model": "models/p-gemini/m", "contents": [{"parts": [{"text": "Hi."}]}]}}
        self.assertEqual(self.dray.call(inner, "/v1beta/models/p-gemini%2Fm:countTokens").status, 200)
        self.assertEqual(self.ups["gemini"].last().json()["generateContentRequest"]["model"], "models/m")
        self.assertEqual(self.dray.rows(), [])

    def test_drays_count_for_targets_that_have_none(self):
        counts = [self.dray.call({"model": "p-openai/m", "messages": [{"role": "user", "content": "Say hello to everybody."}], **more}, "/v1/messages/count_tokens").json()["input_tokens"]
                  for more in ({}, {"tools": self.TOOLS})]
        self.assertGreater(counts[0], 3)
        self.assertGreater(counts[1], counts[0] + 8)
        m = self.dray.call({"contents": [{"parts": [{"text": "Say hello to everybody."}]}]}, "/v1beta/models/p-openai%2Fm:countTokens")
        self.assertEqual(m.json()["totalTokens"], counts[0])
        inner = {"generateContentRequest": {"contents": [{"parts": [{"text": "Say hello to everybody."}]}]}}
        self.assertEqual(self.dray.call(inner, "/v1beta/models/p-openai%2Fm:countTokens").json()["totalTokens"], counts[0])
        self.assertEqual(self.ups["openai"].requests, [])

    def test_an_error_is_passed_on(self):
        self.ups["anthropic"].handler = lambda x: x.whole({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, 529)
        m = self.dray.call({"model": "p-anthropic/m", "messages": [{"role": "user", "content": "Hi."}]}, "/v1/messages/count_tokens")
        self.assertEqual((m.status, m.json()["error"]["type"]), (529, "overloaded_error"))

    def test_embeddings(self):
        one = {"content": {"parts": [{"text": "Some words to embed."}]}}
        m = self.dray.call(one, "/v1beta/models/p-gemini%2Fe:embedContent")
        self.assertEqual((m.status, m.json()), (200, {"embedding": {"values": [0.5]}}))
        self.assertEqual((self.ups["gemini"].last().path, self.ups["gemini"].last().json()), ("/v1beta/models/e:embedContent", one))
        row = self.dray.row(m)
        self.assertEqual((row["endpoint"], row["dialect"], row["task"], row["token_source"], row["status"], row["error"]), ("embeddings", "gemini", "embed", "estimated", 200, None))
        self.assertGreater(row["input_tokens"], 3)
        batch = {"requests": [{"model": "models/mine", **one}, {"model": "models/mine", **one}], "z": 1}
        m = self.dray.call(batch, "/v1/models/mine:batchEmbedContents")
        self.assertEqual((m.status, m.json()), (200, {"embeddings": [{"values": [0.5]}]}))
        up = self.ups["gemini"].last()
        self.assertEqual(up.path, "/v1beta/models/embed-1:batchEmbedContents")
        self.assertEqual(up.json(), {"requests": [{"model": "models/embed-1", **one}] * 2, "z": 1})


def events_provider(pieces, content_type="text/event-stream", cut=False):
    def handler(x):
        x.start(headers=[("content-type", content_type)])
        for p in pieces:
            x.chunk(p)
        x.cut() if cut else x.end()
    return handler


class Streams(unittest.TestCase):
    """Framings that few expect."""

    def setUp(self):
        self.ups, config = three()
        self.dray = Dray(config)

    def tearDown(self):
        self.dray.stop()
        for u in self.ups.values():
            u.close()

    GEMINI_BODY = {"contents": [{"role": "user", "parts": [{"text": "Hi."}]}]}

    def gemini_stream(self, kind, query=""):
        return self.dray.call(self.GEMINI_BODY, f"/v1beta/models/p-{kind}%2Fm:streamGenerateContent{query}")

    def test_without_alt_sse_gemini_streams_are_lists(self):
        for kind in HOW:
            with self.subTest(kind):
                m = self.gemini_stream(kind)
                self.assertEqual(m.get("content-type"), "application/json; charset=UTF-8")
                items = m.json()
                self.assertEqual("".join(p.get("text", "") for i in items for p in i["candidates"][0]["content"]["parts"]), "Hello.")
                self.assertEqual(items[-1]["candidates"][0]["finishReason"], "STOP")
                self.assertEqual(items[-1]["usageMetadata"]["totalTokenCount"], 15)
                row = self.dray.row(m)
                self.assertEqual((row["input_tokens"], row["output_tokens"], row["error"]), (10, 5, None))
                with_sse = self.gemini_stream(kind, "?key=k&alt=sse")
                self.assertTrue(with_sse.get("content-type").startswith("text/event-stream"))
                self.assertEqual(len(events(with_sse.body)), len(items))

    def test_a_broken_list_ends_with_an_error(self):
        part = json.dumps({"candidates": [{"content": {"role": "model", "parts": [{"text": "Hel"}]}, "index": 0}]}).encode()
        half = {"gemini": [b"data: " + part + b"\r\n\r\n"], "openai": [b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hel"}}]}\n\n']}
        for kind, pieces in half.items():
            for cut in (False, True):
                with self.subTest(f"{kind} {'cut' if cut else 'ended'}"):
                    self.ups[kind].handler = events_provider(pieces, cut=cut)
                    items = self.gemini_stream(kind).json()
                    self.assertEqual(items[0]["candidates"][0]["content"]["parts"][0]["text"], "Hel")
                    self.assertEqual(items[-1]["error"]["code"], 502)
                    self.assertEqual(len(items), 2)
        self.ups["gemini"].handler = events_provider([b'data: {"error":{"code":503,"message":"later","status":"UNAVAILABLE"}}\r\n\r\n'])
        self.assertEqual(self.gemini_stream("gemini").json(), [{"error": {"code": 503, "message": "later", "status": "UNAVAILABLE"}}])

    def test_an_error_before_the_stream_is_no_list(self):
        self.ups["gemini"].handler = lambda x: x.whole({"error": {"code": 429, "message": "m", "status": "RESOURCE_EXHAUSTED"}}, 429)
        m = self.gemini_stream("gemini")
        self.assertEqual((m.status, m.json()["error"]["code"]), (429, 429))

    def test_streams_with_cr_alone(self):
        """The last event of such a stream waits for an LF that never comes."""
        answers = {}
        for kind, handler in (("openai", openai_provider), ("anthropic", anthropic_provider), ("gemini", gemini_provider)):
            def cr(x, handler=handler):
                plain, x.chunk = x.chunk, lambda data: plain(data.replace(b"\r\n", b"\n").replace(b"\n", b"\r"))
                handler(x)
            self.ups[kind].handler = cr
            for client in ASK:
                if (client, kind) == ("responses", "openai"):
                    continue  # its own dialect there, which this provider doesn't speak
                with self.subTest(f"{client} client, {kind} provider"):
                    m = self.gemini_stream(kind, "?alt=sse") if client == "gemini" else ask(self.dray, client, f"p-{kind}/m", stream=True)
                    row = self.dray.row(m)
                    self.assertEqual((row["input_tokens"], row["output_tokens"], row["error"]), (10, 5, None), m.body)
                    answers[client, kind] = m

    def test_native_streams_without_their_end_are_told(self):
        """The client speaks the provider's dialect: the bytes pass, then comes the error."""
        start = {"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 10, "output_tokens": 1}}}
        piece = f"event: message_start\ndata: {json.dumps(start)}\n\n".encode()
        for cut in (False, True):
            with self.subTest(f"anthropic {'cut' if cut else 'ended'}"):
                self.ups["anthropic"].handler = events_provider([piece], cut=cut)
                m = ask(self.dray, "anthropic", "p-anthropic/m", stream=True)
                self.assertTrue(m.body.startswith(piece))
                self.assertRegex(m.body[len(piece):].decode(), r'^event: error\ndata: \{"type":"error","error":\{"type":"api_error"')
                self.assertEqual(self.dray.row(m)["error"], "upstream_truncated" if cut else "stream_unterminated")

    def test_probes_of_agent_clis(self):
        for method, path, status in (("HEAD", "/api/hello", 200), ("GET", "/api/hello", 200), ("HEAD", "/", 200), ("GET", "/v1/models/p-openai%2Fm", 200),
                                     ("GET", "/v1/models/p-openai/m", 200), ("HEAD", "/v1/models", 200)):
            with self.subTest(f"{method} {path}"):
                m = self.dray.call(None, path, method=method)
                self.assertEqual((m.status, m.body == b""), (status, method == "HEAD"))


class Errors(unittest.TestCase):
    """A provider's error in the client's words: same status, when to come again, and whether at all."""

    QUOTA = {"error": {"code": 429, "message": "Quota exceeded. Please retry in 47.2s.", "status": "RESOURCE_EXHAUSTED",
                       "details": [{"@type": "type.googleapis.com/google.rpc.QuotaFailure"}, {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "47.2s"}]}}
    OVERLOAD = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}, "request_id": "req_1"}

    def setUp(self):
        self.ups, config = three()
        self.dray = Dray(config)

    def tearDown(self):
        self.dray.stop()
        for u in self.ups.values():
            u.close()

    def expect(self, client, m, status, message):
        self.assertEqual(m.status, status)
        j = m.json()
        want = {"openai": lambda: (j["error"]["message"], j["error"]["type"]), "responses": lambda: (j["error"]["message"], j["error"]["type"]),
                "anthropic": lambda: (j["error"]["message"], j["type"]), "gemini": lambda: (j["error"]["message"], j["error"]["code"])}[client]()
        self.assertEqual(want[0], message)
        self.assertEqual(want[1], {"openai": {400: "invalid_request_error", 413: "invalid_request_error", 429: "rate_limit_error"}.get(status, "server_error"), "anthropic": "error", "gemini": status}.get(client, want[1]))
        row = self.dray.row(m)
        self.assertEqual((row["status"], row["error"]), (status, "upstream_status"))

    def test_retry_info_becomes_retry_after(self):
        self.ups["gemini"].handler = lambda x: x.whole(self.QUOTA, 429)
        for client in ASK:
            with self.subTest(client):
                m = ask(self.dray, client, "p-gemini/m")
                self.expect(client, m, 429, self.QUOTA["error"]["message"])
                self.assertEqual((m.get("retry-after"), m.get("x-should-retry")), ("48", None))

    def test_status_and_hints_are_kept(self):
        for status, headers, should in ((529, [("retry-after", "3"), ("x-should-retry", "true")], "true"), (529, [], None), (400, [], "false"), (400, [("x-should-retry", "true")], "true"), (413, [], "false")):
            self.ups["anthropic"].handler = lambda x, s=status, h=headers: x.whole(self.OVERLOAD, s, h)
            for client in ASK:
                with self.subTest(f"{client} {status} {headers}"):
                    m = ask(self.dray, client, "p-anthropic/m")
                    self.expect(client, m, status, "Overloaded")
                    self.assertEqual((m.get("retry-after"), m.get("x-should-retry")), (dict(headers).get("retry-after"), should))

    def test_retry_after_on_a_good_answer_stays_here(self):
        def handler(x):
            plain, x.whole = x.whole, lambda body, status=200, headers=(): plain(body, status, [("retry-after", "30")])
            anthropic_provider(x)
        self.ups["anthropic"].handler = handler
        for client in ASK:
            with self.subTest(client):
                m = ask(self.dray, client, "p-anthropic/m")
                self.assertEqual((m.status, m.get("retry-after")), (200, None))

    def test_an_error_with_status_200_is_an_error(self):
        self.ups["openai"].handler = lambda x: x.whole({"error": {"message": "The response was filtered.", "type": None, "param": "prompt", "code": "content_filter", "status": 400}})
        for client in ("anthropic", "gemini"):
            with self.subTest(client):
                m = ask(self.dray, client, "p-openai/m")
                self.assertEqual(m.status, 502)
                self.assertIn("The response was filtered.", m.json()["error"]["message"])

    def test_junk_is_an_error(self):
        for kind in ("anthropic", "gemini"):
            self.ups[kind].handler = lambda x: x.whole(b"<html>502 Bad Gateway</html>", 200, [("content-type", "text/html")])
            for stream in (False, True):
                with self.subTest(f"{kind} {stream}"):
                    m = ask(self.dray, "openai", f"p-{kind}/m", stream=stream)
                    self.assertEqual(m.status, 502)
                    self.assertNotIn("<html>", m.json()["error"]["message"])


class Signatures(unittest.TestCase):
    """What one provider signed comes back to it unbroken, and to no other."""

    def test_round_trip(self):
        think = {"type": "thinking", "thinking": "Hm.", "signature": "c2lnbmVk"}

        def anthropic(x):
            q = json.loads(x.request.body)
            x.whole({"id": "msg_1", "type": "message", "role": "assistant", "model": q["model"], "stop_reason": "tool_use", "stop_sequence": None,
                     "content": [think, {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": ARGS}], "usage": {"input_tokens": 10, "output_tokens": 5}})

        def gemini(x):
            x.whole({"candidates": [{"content": {"role": "model", "parts": [{"functionCall": {"name": "get_weather", "args": ARGS}, "thoughtSignature": "Z29vZ2xl"}]}, "finishReason": "STOP", "index": 0}],
                     "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}})
        ups, config = three({"openai": openai_provider, "anthropic": anthropic, "gemini": gemini})
        tools = [{"name": "get_weather", "input_schema": {"type": "object"}}]

        def turn(dray, model, messages):
            m = dray.call({"model": model, "max_tokens": 64, "messages": messages, "tools": tools}, "/v1/messages")
            self.assertEqual(m.status, 200, m.body)
            return m.json()["content"]

        def more(content):
            call = next(b for b in content if b["type"] == "tool_use")
            return [{"role": "assistant", "content": content}, {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call["id"], "content": "21C"}]}]
        with Dray(config) as dray:
            first = [{"role": "user", "content": "Weather?"}]
            by_gemini = turn(dray, "p-gemini/gemini-3-pro", first)
            self.assertTrue(any(b["type"] == "thinking" and b["signature"] for b in by_gemini))
            history = first + more(by_gemini)
            turn(dray, "p-gemini/gemini-3-pro", history)  # back to Gemini: its own signature
            parts = ups["gemini"].last().json()["contents"][1]["parts"]
            self.assertEqual([p.get("thoughtSignature") for p in parts if "functionCall" in p], ["Z29vZ2xl"])
            by_anthropic = turn(dray, "p-anthropic/m", history)  # to Anthropic, in its own dialect: none of Gemini's
            sent = ups["anthropic"].last().json()["messages"]
            self.assertEqual([b["type"] for b in sent[1]["content"]], ["tool_use"])
            self.assertEqual(by_anthropic[0], think)
            history += more(by_anthropic)
            turn(dray, "p-anthropic/m", history)
            sent = ups["anthropic"].last().json()["messages"]
            self.assertEqual(sent[3]["content"][0], think)
            turn(dray, "p-gemini/gemini-3-pro", history)  # Gemini again: its own, and nothing of Anthropic's
            contents = ups["gemini"].last().json()["contents"]
            self.assertEqual([[p.get("thoughtSignature") for p in c["parts"]] for c in contents if c["role"] == "model"], [["Z29vZ2xl"], ["skip_thought_signature_validator"]])
            turn(dray, "p-openai/m", history)
            self.assertNotIn(b"c2lnbmVk", ups["openai"].last().body)
            self.assertNotIn(b"Z29vZ2xl", ups["openai"].last().body)
        for u in ups.values():
            u.close()


if __name__ == "__main__":
    unittest.main()
