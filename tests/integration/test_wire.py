"""The wire, by raw sockets: framing, bad input, broken upstreams, clients that go; each with its ledger row."""
import gzip
import json
import os
import re
import signal
import socket
import threading
import time
import unittest

from lib import (CHAT, Client, Dray, Served, Upstream, chat, chat_stream, events, free_port, gzipped, openai_ok, provider,
                 request_bytes, until)

UUID7 = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
PATH = "/v1/chat/completions"
BODY_MAX = 1 << 20
# Every wait short, so that a test of a timeout takes a second.
TIMEOUT = ", timeout: {connect: 2s, first_byte: 2s, idle: 2s, total: 60s}"
LIMITS = "limits: {body_max: 1MiB, head_max: 16KiB, client_head: 2s, client_body: 2s, client_write: 60s, drain: 20s}\n"


def config(up, second, dead):
    return (f"workers: 2\n{LIMITS}providers:\n" + provider(up, "up", TIMEOUT) +
            f"  second: {{kind: openai, base_url: \"{second.base}\", api_key: sk-second{TIMEOUT}}}\n"
            f"  dead: {{kind: openai, base_url: \"http://127.0.0.1:{dead}/v1\", api_key: sk-dead{TIMEOUT}}}\n"
            "models:\n  named: {provider: up, model: upstream-name}\n"
            "tiers:\n"
            "  light: {targets: [up/small, second/small], balance: priority}\n"
            "  mid: {targets: [dead/middle, second/middle], balance: priority}\n"
            "  frontier: {targets: [up/big], balance: priority}\n")


class Base(Served):
    @classmethod
    def setUpClass(cls):
        cls.up, cls.second = Upstream(), Upstream()
        cls.dray = Dray(config(cls.up, cls.second, free_port()))

    @classmethod
    def tearDownClass(cls):
        try:
            super().tearDownClass()
        finally:
            cls.second.close()

    def setUp(self):
        self.up.clear()
        self.second.clear()

    def refused(self, m, status, param=None):
        """`m` is an error in OpenAI's dialect, counted and booked."""
        self.assertIsNotNone(m, "connection closed without an answer")
        self.assertEqual(m.status, status, m.body)
        error = m.json()["error"]
        self.assertTrue(error["message"])
        self.assertEqual(set(error), {"message", "type", "param", "code"})
        if param:
            self.assertEqual(error["param"], param)
        row = self.dray.row(m)
        self.assertEqual(row["status"], status)
        self.assertTrue(row["error"])
        return m


class Passing(Base):
    def test_whole_answer(self):
        m = self.dray.call(CHAT, headers={"authorization": "Bearer client-secret"})
        self.assertEqual(m.status, 200)
        sent = json.loads(self.up.last().body)
        self.assertEqual(sent, {**CHAT, "model": "m1"})
        self.assertRegex(m.get("x-dray-call-id"), UUID7)
        self.assertEqual(m.get("x-dray-model"), "up/m1")
        self.assertEqual(m.get("x-dray-attempts"), "1")
        self.assertRegex(m.get("x-dray-overhead-us"), r"^\d+$")
        self.assertEqual(m.get("x-dray-cache"), "miss")
        self.assertEqual(m.get("x-request-id"), "req_up")
        row = self.dray.row(m)
        want = {"provider": "up", "model": "m1", "requested_model": "up/m1", "status": 200, "dialect": "openai",
                "input_tokens": 12, "output_tokens": 7, "reasoning_tokens": 2, "token_source": "provider", "stream": 0,
                "finish": "stop", "cache": "miss"}
        self.assertEqual({k: row[k] for k in want}, want)
        self.assertIsNone(row["cost_nano"], "the price of m1 is unknown, and unknown is not zero")
        self.assertFalse(row["error"])

    def test_answer_bytes_are_the_upstreams(self):
        odd = b'{ "id" : "x",\n"choices":[ {"index":0,"message":{"role":"assistant","content":"\\u00e9 \xc3\xa9"},"finish_reason":"stop"}], "usage":{"prompt_tokens":1e0,"completion_tokens":2}, "new":1.50 }\n'
        self.up.scenarios["odd"] = lambda x: x.whole(odd, headers=[("x-new", "kept")])
        m = self.dray.call(CHAT, headers={"x-scenario": "odd"})
        self.assertEqual((m.status, m.body, m.get("x-new")), (200, odd, "kept"))

    def test_request_bytes_but_the_model(self):
        body = b'{ "messages" : [{"role":"user","content":"\\u0041 \xf0\x9f\x98\x80"}],\n "model" :"up/m1" , "x": 1.0e+2, "seed":9007199254740993 }'
        self.dray.call(body)
        self.assertEqual(self.up.last().body, body.replace(b'"up/m1"', b'"m1"'))

    def test_stream_usage_is_hidden_unless_asked(self):
        m = self.dray.call({**CHAT, "stream": True})
        sent = json.loads(self.up.last().body)
        self.assertEqual(sent["stream_options"], {"include_usage": True})
        self.assertEqual(m.get("content-type"), "text/event-stream")
        want = b"".join(b"data: " + json.dumps(c).encode() + b"\n\n" for c in chat_stream({"model": "m1"})) + b"data: [DONE]\n\n"
        self.assertEqual(events(m.body), events(want))
        self.assertNotIn(b"usage", m.body)
        row = self.dray.row(m)
        self.assertEqual((row["input_tokens"], row["output_tokens"], row["stream"]), (12, 7, 1))
        self.assertGreater(row["ttft_us"], 0)

    def test_stream_usage_asked_for(self):
        m = self.dray.call({**CHAT, "stream": True, "stream_options": {"include_usage": True}})
        self.assertEqual(json.loads(events(m.body)[-2])["usage"]["prompt_tokens"], 12)
        self.assertEqual(events(m.body)[-1], "[DONE]")

    def test_other_surfaces(self):
        m = self.dray.call({"model": "up/e1", "input": ["a", "b"]}, "/v1/embeddings")
        self.assertEqual(len(m.json()["data"]), 2)
        self.assertEqual(self.dray.row(m)["input_tokens"], 5)
        self.assertEqual(self.dray.row(m)["task"], "embed")
        m = self.dray.call({"model": "named", "prompt": "x"}, "/v1/completions")
        self.assertEqual(m.json()["model"], "upstream-name")
        self.assertEqual(self.dray.row(m)["output_tokens"], 1)

    def test_headers_up(self):
        self.dray.call({**CHAT, "metadata": {"dray_task": "extract", "mine": "kept"}}, headers={
            "authorization": "Bearer client-secret", "cookie": "a=b", "x-tag": "t1", "x-other": "no", "x-dray-session": "s1",
            "x-dray-stakes": "high", "openai-organization": "org-1", "idempotency-key": "i1", "user-agent": "agent/1",
            "accept-encoding": "gzip, br", "x-stainless-lang": "js", "x-forwarded-for": "1.2.3.4"})
        r = self.up.last()
        self.assertEqual(r.all("authorization"), ["Bearer sk-upstream-up"])
        self.assertNotIn(b"client-secret", r.raw_head + r.body)
        for name in ("cookie", "x-other", "x-forwarded-for"):
            self.assertIsNone(r.get(name), name)
        self.assertFalse([n for n, _ in r.headers if n.startswith("x-dray-")])
        self.assertEqual((r.get("x-tag"), r.get("openai-organization"), r.get("idempotency-key"), r.get("user-agent"),
                          r.get("accept-encoding")), ("t1", "org-1", "i1", "agent/1", "identity"))
        self.assertEqual(json.loads(r.body)["metadata"], {"mine": "kept"})

    def test_hints_reach_the_ledger(self):
        m = self.dray.call(CHAT, headers={"x-dray-session": "s-77", "x-dray-user": "ann", "x-dray-tags": "red, blue",
                                          "x-dray-task": "extract", "x-dray-stakes": "high"})
        row = self.dray.row(m)
        self.assertEqual((row["session"], row["user"], row["task"], row["task_source"], row["stakes"]),
                         ("s-77", "ann", "extract", "hint", "high"))
        self.assertIn("blue", row["tags"])

    def test_compressed_answer_is_read_and_passed(self):
        def zipped(x):
            x.whole(gzip.compress(json.dumps({"id": "z", "usage": {"prompt_tokens": 21, "completion_tokens": 3}}).encode()),
                    headers=[("content-type", "application/json"), ("content-encoding", "gzip")])
        self.up.scenarios["zipped"] = zipped
        m = self.dray.call(CHAT, headers={"x-scenario": "zipped"})
        self.assertEqual(json.loads(gzip.decompress(m.body))["id"], "z")
        self.assertEqual(m.get("content-encoding"), "gzip")
        self.assertEqual(self.dray.row(m)["input_tokens"], 21)

    def test_models(self):
        ids = [x["id"] for x in self.dray.get("/v1/models").json()["data"]]
        for name in ("auto", "auto:light", "auto:mid", "auto:frontier", "named"):
            self.assertIn(name, ids)
        self.assertEqual(len(ids), len(set(ids)))
        self.assertEqual(self.dray.get("/v1/models/named").json()["id"], "named")
        self.assertEqual(self.dray.get("/v1/models/no-such").status, 404)

    def test_health_and_metrics(self):
        self.assertEqual(self.dray.get("/healthz").status, 200)
        self.assertEqual(self.dray.get("/readyz").status, 200)
        m = self.dray.get("/metrics")
        self.assertTrue(m.get("content-type").startswith("text/plain"))
        names = {x.split("{")[0].split(" ")[0] for x in m.body.decode().splitlines() if x and not x.startswith("#")}
        self.assertTrue(names)
        self.assertFalse([n for n in names if not n.startswith("dray_")])

    def test_metrics_count_calls(self):
        before = self.dray.metric("dray_calls_total")
        self.dray.call(CHAT)
        until(lambda: self.dray.metric("dray_calls_total") == before + 1, "dray_calls_total grows by one")

    def test_large_answer_flows_before_it_ends(self):
        go = threading.Event()

        def large(x):
            x.start(200, [("content-type", "application/json")])
            x.chunk(b'{"pad":"' + b"x" * (3 << 20))
            go.wait(30)
            x.chunk(b'","usage":{"prompt_tokens":8,"completion_tokens":9}}')
            x.end()
        self.up.scenarios["large"] = large
        with Client(self.dray.port) as c:
            c.send(request_bytes("POST", PATH, CHAT, {"x-scenario": "large"}))
            m = c.head()
            self.assertEqual(m.status, 200)
            self.assertIsNone(m.get("x-dray-cost-usd"))
            go.set()
            c.reader.body(m, True)
        self.assertTrue(m.complete)
        self.assertGreater(len(m.body), 3 << 20)
        self.assertEqual(self.dray.row(m)["output_tokens"], 9)


class Framing(Base):
    def test_keep_alive(self):
        with Client(self.dray.port) as c:
            for _ in range(3):
                self.assertEqual(c.request("POST", PATH, CHAT).status, 200)

    def test_upstream_connections_are_reused(self):
        before = self.up.connections
        for _ in range(12):
            self.assertEqual(self.dray.call(CHAT).status, 200)
        self.assertLessEqual(self.up.connections - before, 2)

    def test_pipelining(self):
        with Client(self.dray.port) as c:
            c.send(b"".join(request_bytes("POST", PATH, chat(f"up/p{i}", stream=i % 2 == 0)) for i in range(6)))
            for i in range(6):
                m = c.answer()
                self.assertEqual((m.status, m.get("x-dray-model")), (200, f"up/p{i}"))
                self.assertTrue(m.complete)

    def test_pipelined_error_between(self):
        with Client(self.dray.port) as c:
            c.send(request_bytes("POST", PATH, CHAT) + request_bytes("POST", PATH, b"{") + request_bytes("GET", "/healthz"))
            self.assertEqual([c.answer().status for _ in range(3)], [200, 400, 200])

    def test_expect_continue(self):
        body = json.dumps(CHAT).encode()
        with Client(self.dray.port) as c:
            c.send(f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\nexpect: 100-continue\r\n\r\n".encode())
            self.assertEqual(c.head().status, 100)
            c.send(body)
            self.assertEqual(c.answer().status, 200)
        self.assertIsNone(self.up.last().get("expect"))

    def test_expect_continue_refused_before_the_body(self):
        with Client(self.dray.port) as c:
            c.send(f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: {BODY_MAX + 1}\r\nexpect: 100-continue\r\n\r\n".encode())
            self.assertEqual(c.head().status, 413)

    def test_head(self):
        with Client(self.dray.port) as c:
            for path in ("/healthz", "/v1/models", "/readyz"):
                m = c.request("HEAD", path)
                self.assertEqual(m.status, 200)
            self.assertEqual(c.request("GET", "/healthz").status, 200)  # no body of HEAD was left in between

    def test_chunked_request(self):
        body = json.dumps(CHAT).encode()
        m = self.dray.call(None, chunked=[body[:1], body[1:20], body[20:]])
        self.assertEqual(m.status, 200)
        self.assertEqual(json.loads(self.up.last().body), {**CHAT, "model": "m1"})

    def test_chunk_extension_and_trailer(self):
        body = json.dumps(CHAT).encode()
        with Client(self.dray.port) as c:
            c.send(f"POST {PATH} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n{len(body):X};a=b\r\n".encode() + body +
                   b"\r\n0\r\nx-trailer: 1\r\n\r\n" + request_bytes("GET", "/healthz"))
            self.assertEqual(c.answer().status, 200)
            self.assertEqual(c.answer().status, 200)

    def test_byte_by_byte(self):
        with Client(self.dray.port) as c:
            for b in request_bytes("POST", PATH, CHAT):
                c.send(bytes([b]))
            self.assertEqual(c.answer().status, 200)

    def test_gzip_request(self):
        m = self.dray.call(gzipped(json.dumps(CHAT).encode()), headers={"content-encoding": "gzip"})
        self.assertEqual(m.status, 200)
        r = self.up.last()
        self.assertEqual(json.loads(r.body), {**CHAT, "model": "m1"})
        self.assertIsNone(r.get("content-encoding"))

    def test_gzip_bomb(self):
        m = self.dray.call(gzipped(b'{"model":"up/m1","messages":"' + b" " * (40 << 20) + b'"}'), headers={"content-encoding": "gzip"})
        self.refused(m, 413)

    def test_bad_gzip(self):
        whole = gzipped(json.dumps(CHAT).encode())
        for body in (b"not gzip at all", whole[:-9], whole[:12] + b"\xff\xff" + whole[14:]):
            with self.subTest(body=body[:12]):
                self.refused(self.dray.call(body, headers={"content-encoding": "gzip"}), 400)
        self.assertEqual(self.up.requests, [])

    def test_unknown_encoding(self):
        self.refused(self.dray.call(CHAT, headers={"content-encoding": "br"}), 415)

    def test_http_10(self):
        body = json.dumps(CHAT).encode()
        with Client(self.dray.port) as c:
            c.send(f"POST {PATH} HTTP/1.0\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
            m = c.answer()
            self.assertEqual(m.status, 200)
            self.assertNotIn("chunked", m.get("transfer-encoding", ""))
            self.assertTrue(c.closed())

    def test_http_10_stream_ends_with_the_connection(self):
        body = json.dumps({**CHAT, "stream": True}).encode()
        with Client(self.dray.port) as c:
            c.send(f"POST {PATH} HTTP/1.0\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
            m = c.answer()
            self.assertNotIn("chunked", m.get("transfer-encoding", ""))
            self.assertEqual(events(m.body)[-1], "[DONE]")

    def test_connection_close(self):
        with Client(self.dray.port) as c:
            self.assertEqual(c.request("POST", PATH, CHAT, {"connection": "close"}).status, 200)
            self.assertTrue(c.closed())

    def test_absolute_target(self):
        body = json.dumps(CHAT).encode()
        with Client(self.dray.port) as c:
            c.send(f"POST http://127.0.0.1:{self.dray.port}{PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
            self.assertEqual(c.answer().status, 200)

    def test_connection_names_headers(self):
        m = self.dray.call(CHAT, headers={"connection": "x-tag, keep-alive", "x-tag": "t"})
        self.assertEqual(m.status, 200)
        self.assertIsNone(self.up.last().get("x-tag"))

    def test_large_body(self):
        body = chat(text="x" * 900_000)
        self.assertEqual(self.dray.call(body).status, 200)
        self.assertEqual(len(json.loads(self.up.last().body)["messages"][0]["content"]), 900_000)

    def test_unusual_upstream_framing(self):
        """An answer that ends with the connection, and one with interim 103 and lower-case chunked."""
        def until_close(x):
            body = b'{"id":"c","usage":{"prompt_tokens":1,"completion_tokens":2}}'
            x.head(200, [("content-type", "application/json")])
            x.raw(body)
            x.cut()

        def interim(x):
            x.raw(b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n")
            openai_ok(x)
        self.up.scenarios.update({"until-close": until_close, "interim": interim})
        for name in ("until-close", "interim"):
            with self.subTest(name):
                m = self.dray.call(CHAT, headers={"x-scenario": name})
                self.assertEqual((m.status, m.complete), (200, True))
                m.json()


class Smuggling(Base):
    BODY = json.dumps(CHAT).encode()

    def cases(self):
        n = len(self.BODY)
        post = f"POST {PATH} HTTP/1.1\r\nhost: x\r\n"
        yield "both lengths", f"{post}content-length: {n}\r\ntransfer-encoding: chunked\r\n\r\n"
        yield "two lengths", f"{post}content-length: {n}\r\ncontent-length: 5\r\n\r\n"
        yield "list of lengths", f"{post}content-length: {n}, 5\r\n\r\n"
        yield "signed length", f"{post}content-length: +{n}\r\n\r\n"
        yield "hex length", f"{post}content-length: 0x10\r\n\r\n"
        yield "huge length", f"{post}content-length: 99999999999999999999999\r\n\r\n"
        yield "chunked not last", f"{post}transfer-encoding: chunked, identity\r\n\r\n"
        yield "unknown coding", f"{post}transfer-encoding: xchunked\r\n\r\n"
        yield "coding twice", f"{post}transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n"
        yield "obs-fold", f"{post}x-a: b\r\n c: d\r\ncontent-length: {n}\r\n\r\n"
        yield "fold of coding", f"{post}transfer-encoding:\r\n chunked\r\n\r\n"
        yield "bare LF", f"{post}x-a: b\ncontent-length: {n}\r\n\r\n"
        yield "bare CR", f"{post}x-a: b\rcontent-length: {n}\r\n\r\n"
        yield "NUL", f"{post}x-a: b\0\r\ncontent-length: {n}\r\n\r\n"
        yield "space before colon", f"{post}content-length : {n}\r\n\r\n"
        yield "space first", f"POST {PATH} HTTP/1.1\r\n host: x\r\ncontent-length: {n}\r\n\r\n"
        yield "empty name", f"{post}: b\r\ncontent-length: {n}\r\n\r\n"
        yield "no colon", f"{post}nonsense\r\ncontent-length: {n}\r\n\r\n"
        yield "1.0 with coding", f"POST {PATH} HTTP/1.0\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        yield "no version", f"POST {PATH}\r\nhost: x\r\ncontent-length: {n}\r\n\r\n"
        yield "two spaces", f"POST  {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: {n}\r\n\r\n"

    def test_refused_and_closed(self):
        for name, head in self.cases():
            with self.subTest(name), Client(self.dray.port) as c:
                c.send(head.encode("latin-1") + self.BODY + request_bytes("GET", "/v1/models"))
                m = c.answer()
                self.refused(m, 400)
                self.assertTrue(c.closed(), "the connection goes on")
        self.assertEqual(self.up.requests, [])

    def test_other_versions(self):
        for line in ("HTTP/2.0", "HTTP/0.9", "HTTP/1.1x"):
            with self.subTest(line), Client(self.dray.port) as c:
                c.send(f"POST {PATH} {line}\r\nhost: x\r\ncontent-length: 0\r\n\r\n".encode())
                self.assertIn(c.answer().status, (400, 505))
                self.assertTrue(c.closed())

    def test_bad_chunks(self):
        start = f"POST {PATH} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n".encode()
        for name, rest in (("not hex", b"zz\r\nabc\r\n"), ("negative", b"-1\r\n\r\n"), ("too large", b"fffffffffffffffff\r\n"),
                           ("no CRLF behind data", b"3\r\nabcX"), ("bare LF", b"3\nabc\n0\n\n"),
                           ("space", b" 3\r\nabc\r\n0\r\n\r\n"), ("endless extension", b"3;" + b"a" * 70000)):
            with self.subTest(name), Client(self.dray.port) as c:
                c.send(start + rest)
                m = c.answer()
                self.assertIsNotNone(m)
                self.assertEqual(m.status, 400)
                self.assertTrue(c.closed())
        self.assertEqual(self.up.requests, [])

    def test_answers_of_a_lying_upstream(self):
        """Both lengths, two lengths, a fold: 502, and the bytes behind never reach another call."""
        poison = b'HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison'
        for name, head in (("both", b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n"),
                           ("two", b"content-length: 2\r\ncontent-length: 9\r\n\r\n"), ("fold", b"x: a\r\n b\r\ncontent-length: 2\r\n\r\n"),
                           ("bad status", b"")):
            line = b"HTTP/1.1 2000 OK\r\n\r\n" if name == "bad status" else b"HTTP/1.1 200 OK\r\n"
            self.up.scenarios["lying"] = lambda x, line=line, head=head: x.raw(line + head + b"{}" + poison)
            with self.subTest(name):
                self.refused(self.dray.call(CHAT, headers={"x-scenario": "lying"}), 502)
                self.assertEqual(self.dray.call(CHAT).json()["id"], "chatcmpl-t1")

    def test_surplus_bytes_of_an_upstream(self):
        """Bytes behind a whole answer end that connection: the next call does not get them."""
        def surplus(x):
            openai_ok(x)
            x.raw(b'HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison')
        self.up.scenarios["surplus"] = surplus
        for _ in range(4):
            self.assertEqual(self.dray.call(CHAT, headers={"x-scenario": "surplus"}).json()["id"], "chatcmpl-t1")
            self.assertEqual(self.dray.call(CHAT).json()["id"], "chatcmpl-t1")


class BadInput(Base):
    def test_malformed_json(self):
        good = json.dumps(CHAT).encode()
        cases = {"empty": b"", "cut": good[:-1], "array": b"[1]", "string": b'"x"', "behind": good + b"x", "two": good + good,
                 "comma": good[:-1] + b",}", "single quotes": b"{'model':'up/m1'}", "control": b'{"model":"up/m1\x01"}',
                 "bad escape": b'{"model":"up\\x"}', "lone surrogate": b'{"model":"\\ud800","messages":[]}', "nan": good[:-1] + b',"x":NaN}',
                 "leading zero": good[:-1] + b',"x":01}', "utf-8": good.replace(b"hello", b"he\xff\xfello"), "overlong": good.replace(b"hello", b"\xc0\xafxxx"),
                 "deep": b'{"model":"up/m1","messages":' + b"[" * 5000 + b"]" * 5000 + b"}", "bom": b"\xef\xbb\xbf" + good[:-2]}
        for name, body in cases.items():
            with self.subTest(name):
                self.refused(self.dray.call(body), 400)
        self.assertEqual(self.up.requests, [])

    def test_repeated_keys(self):
        for name, extra in (("model", b',"model":"up/m2"}'), ("escaped", b',"mod\\u0065l":"up/m2"}'), ("messages", b',"messages":[]}'),
                            ("stream", b',"stream":false,"stream":true}'), ("metadata", b',"metadata":{},"metadata":{"dray_stakes":"high"}}')):
            with self.subTest(name):
                m = self.dray.call(json.dumps(CHAT).encode()[:-1] + extra)
                self.refused(m, 400)
        self.assertEqual(self.up.requests, [])

    def test_escaped_keys_mean_what_they_mean(self):
        body = json.dumps(CHAT).replace('"model"', '"mod\\u0065l"').replace('"up/m1"', '"up\\/m1"').encode()
        m = self.dray.call(body)
        self.assertEqual((m.status, m.get("x-dray-model")), (200, "up/m1"))
        self.assertEqual(json.loads(self.up.last().body)["model"], "m1")

    def test_wrong_types(self):
        messages = CHAT["messages"]
        for param, body in (("model", {"model": 5, "messages": messages}), ("model", {"messages": messages}), ("model", {"model": "", "messages": messages}),
                            ("messages", {"model": "up/m1", "messages": "hi"}), ("messages", {"model": "auto"}),
                            ("stream", {**CHAT, "stream": "yes"}), ("metadata", {**CHAT, "metadata": "x"}), ("model", {"model": None, "messages": messages})):
            with self.subTest(param, body=str(body)[:40]):
                self.refused(self.dray.call(body), 400, param)
        self.assertEqual(self.up.requests, [])

    def test_bad_hints(self):
        for name, value in (("x-dray-stakes", "enormous"), ("x-dray-task", "gardening"), ("x-dray-tier", "no-such"),
                            ("x-dray-timeout-ms", "soon"), ("x-dray-max-cost-usd", "-1")):
            with self.subTest(name):
                self.refused(self.dray.call(chat("auto"), headers={name: value}), 400)
        self.assertEqual(self.up.requests + self.second.requests, [])

    def test_unknown_model(self):
        for name in ("no-such-model", "nowhere/m1", "auto:huge"):
            with self.subTest(name):
                m = self.refused(self.dray.call(chat(name)), 404, "model")
                self.assertEqual(m.json()["error"]["code"], "model_not_found")
                self.assertEqual(m.get("x-should-retry"), "false")

    def test_unknown_path_and_method(self):
        for method, path, status in (("GET", "/v1/nothing", 404), ("POST", "/", 404), ("GET", PATH, 405), ("DELETE", "/v1/models", 405),
                                     ("BREW", PATH, 405), ("GET", "/v1/../etc/passwd", 404), ("GET", "/%2e%2e/", 404)):
            with self.subTest(f"{method} {path}"):
                m = self.dray.call(None, path, method=method)
                self.assertEqual(m.status, status)
                self.assertIn("message", m.json()["error"])

    def test_body_over_the_limit(self):
        with Client(self.dray.port) as c:
            c.send(f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: {BODY_MAX + 1}\r\n\r\n".encode())
            self.refused(c.answer(), 413)
        piece = b" " * 65536
        try:
            m = self.dray.call(None, chunked=[piece] * 20)
        except (BrokenPipeError, ConnectionResetError):
            m = None  # it may hang up on a client that goes on sending
        if m:
            self.refused(m, 413)
        self.assertEqual(self.up.requests, [])

    def test_head_over_the_limit(self):
        for name, extra in (("one long", {"x-long": "a" * 20000}), ("many", {f"x-{i}": "a" for i in range(2000)})):
            with self.subTest(name), Client(self.dray.port) as c:
                c.send(request_bytes("POST", PATH, CHAT, extra))
                m = c.answer()
                self.assertEqual(m.status, 431)
        with Client(self.dray.port) as c:
            c.send(b"GET /" + b"a" * 40000 + b" HTTP/1.1\r\n")
            self.assertIn(c.answer().status, (414, 431))

    def test_slow_head(self):
        with Client(self.dray.port) as c:
            c.send(b"POST /v1/chat/completions HT")
            m = c.answer()
            self.assertTrue(m is None or m.status == 408)

    def test_dripping_head(self):
        """A byte now and then does not keep a connection: the whole head has its time."""
        gone = threading.Event()
        with Client(self.dray.port, 30) as c:
            def drip():
                while not gone.wait(0.1):
                    try:
                        c.send(b"x")
                    except OSError:
                        return
            threading.Thread(target=drip, daemon=True).start()
            try:
                m = c.answer()
            except TimeoutError:
                self.fail("the connection was never cut")
            finally:
                gone.set()
            self.assertTrue(m is None or m.status in (408, 431))

    def test_slow_body(self):
        with Client(self.dray.port) as c:
            c.send(f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n\r\n{{".encode())
            m = c.answer()
            self.assertTrue(m is None or m.status == 408)
            self.assertTrue(c.closed())

    def test_client_leaves_in_the_body(self):
        for cut in (10, 60, 130):
            with Client(self.dray.port) as c:
                c.send(request_bytes("POST", PATH, CHAT)[:cut])
        self.assertEqual(self.dray.call(CHAT).status, 200)
        self.assertEqual(len(self.up.requests), 1)

    def test_nothing_of_another_call(self):
        """Errors never quote what a former call on that connection or worker sent."""
        with Client(self.dray.port) as c:
            self.assertEqual(c.request("POST", PATH, chat(text="SECRET-OF-THE-FIRST")).status, 200)
            m = c.request("POST", PATH, b'{"model":"up/m1","messages":[')
            self.assertEqual(m.status, 400)
            self.assertNotIn(b"SECRET", m.body)


class BrokenUpstream(Base):
    def call(self, scenario, model="up/m1", **more):
        return self.dray.call(chat(model, **more), headers={"x-scenario": scenario})

    def test_502(self):
        for name in ("garbage", "length-cut", "reset"):
            with self.subTest(name):
                m = self.refused(self.call(name), 502)
                self.assertEqual(m.get("x-dray-attempts"), "1")
        with self.subTest("nobody listens"):
            self.refused(self.dray.call(chat("dead/m1")), 502)

    def test_504(self):
        self.refused(self.call("hang"), 504)
        with self.subTest("streamed"):
            self.refused(self.call("hang", stream=True), 504)

    def test_broken_json_is_passed_and_not_priced(self):
        m = self.call("bad-json")
        self.assertEqual((m.status, m.body), (200, b'{"id": "x", '))
        self.assertNotEqual(self.dray.row(m)["token_source"], "provider")

    def test_errors_keep_status_and_bytes(self):
        for status in (400, 401, 422, 429, 500, 503):
            with self.subTest(status):
                m = self.call(str(status))
                self.assertEqual(m.status, status)
                self.assertEqual(m.json(), {"error": {"message": f"scripted {status}", "type": "scripted", "param": None, "code": None}})
                self.assertEqual(self.dray.row(m)["status"], status)
                if status == 429:
                    self.assertEqual(m.get("retry-after"), "7")
                if status in (400, 422):
                    self.assertEqual(m.get("x-should-retry"), "false")

    def broken_stream(self, scenario, **more):
        m = self.call(scenario, stream=True, **more)
        self.assertEqual(m.status, 200)
        self.assertTrue(m.complete, "the connection was cut instead of ending with an error event")
        got = events(m.body)
        self.assertNotIn("[DONE]", got)
        errors = [e for e in got if "error" in json.loads(e)]
        self.assertEqual(len(errors), 1)
        self.assertEqual(got[-1], errors[0])
        self.assertTrue(json.loads(errors[0])["error"]["message"])
        row = self.dray.row(m)
        self.assertTrue(row["error"])
        return got

    def test_cut_stream(self):
        self.assertEqual(len(self.broken_stream("stream-cut")), 4)

    def test_stream_without_terminator(self):
        self.assertGreaterEqual(len(self.broken_stream("stream-nodone")), 5)

    def test_stalled_stream(self):
        self.assertEqual(len(self.broken_stream("stream-stall")), 3)

    def test_stream_cut_inside_an_event(self):
        def half(x):
            x.start()
            x.sse(chat_stream(json.loads(x.request.body))[:2], done=False)
            x.chunk(b'data: {"id":"chatcmpl-t1","obj')
            x.cut()
        self.up.scenarios["half"] = half
        m = self.call("half", stream=True)
        last = events(m.body)[-1]
        self.assertTrue(json.loads(last)["error"]["message"])

    def test_error_told_by_the_provider_is_not_told_twice(self):
        def told(x):
            x.start()
            x.sse(chat_stream(json.loads(x.request.body))[:2] + [{"error": {"message": "overloaded", "type": "server_error"}}], done=False)
            x.end()
        self.up.scenarios["told"] = told
        m = self.call("told", stream=True)
        self.assertEqual(len([e for e in events(m.body) if "error" in json.loads(e)]), 1)
        self.assertTrue(self.dray.row(m)["error"])

    def test_responses_stream_cut(self):
        def cut(x):
            x.start()
            for i, kind in enumerate(("response.created", "response.output_text.delta")):
                x.chunk(f"event: {kind}\ndata: {json.dumps({'type': kind, 'sequence_number': i})}\n\n".encode())
            x.cut()
        self.up.scenarios["rcut"] = cut
        m = self.dray.call({"model": "up/m1", "input": "hi", "stream": True}, "/v1/responses", {"x-scenario": "rcut"})
        last = json.loads(events(m.body)[-1])
        self.assertEqual(last["type"], "error")
        self.assertTrue(self.dray.row(m)["error"])

    def test_fallback_before_the_first_byte(self):
        for name in ("reset", "garbage", "500", "503", "429", "hang"):
            with self.subTest(name):
                self.up.clear()
                self.second.clear()
                m = self.call(name, "auto:light")
                self.assertEqual((m.status, m.get("x-dray-model"), m.get("x-dray-attempts")), (200, "second/small", "2"), m.body)
                self.assertEqual((len(self.up.requests), len(self.second.requests)), (1, 1))
                row = self.dray.row(m)
                self.assertEqual((row["provider"], row["tier"]), ("second", "light"))
                attempts = self.attempts(m)
                self.assertEqual([a["target"] for a in attempts], ["up/small", "second/small"])
                self.assertTrue(attempts[0]["error"])
                self.assertEqual(attempts[1]["status"], 200)

    def attempts(self, m):
        return self.dray.attempts(m)

    def test_fallback_from_nobody_listening(self):
        m = self.dray.call(chat("auto:mid"))
        self.assertEqual((m.status, m.get("x-dray-model"), m.get("x-dray-attempts")), (200, "second/middle", "2"))

    def test_fallback_of_a_stream(self):
        m = self.call("503", "auto:light", stream=True)
        self.assertEqual(m.get("x-dray-model"), "second/small")
        self.assertEqual(events(m.body)[-1], "[DONE]")

    def test_no_fallback_for_the_clients_own_error(self):
        m = self.call("400", "auto:light")
        self.assertEqual((m.status, self.second.requests), (400, []))

    def test_no_fallback_after_the_first_byte(self):
        m = self.call("stream-cut", "auto:light", stream=True)
        self.assertTrue(json.loads(events(m.body)[-1])["error"])
        self.assertEqual(self.second.requests, [])

    def test_all_targets_fail(self):
        m = self.call("503", "auto:frontier")
        self.assertEqual(m.status, 503)
        self.assertEqual(self.dray.row(m)["tier"], "frontier")

    def test_stale_connection_is_no_failure(self):
        """A kept connection that the provider closed meanwhile costs the client nothing."""
        self.assertEqual(self.dray.call(CHAT).status, 200)
        with self.up.lock:
            for s in list(self.up.open):
                s.shutdown(socket.SHUT_RDWR)
        for _ in range(3):
            self.assertEqual(self.dray.call(CHAT).status, 200)


class Leaving(Base):
    def gone(self, body):
        """Sends, leaves when the upstream has the request, and says how long the upstream waited for that."""
        waited = []
        arrived = threading.Event()

        def handler(x):
            if body.get("stream"):
                x.start()
                x.sse(chat_stream(json.loads(x.request.body))[:2], done=False)
            arrived.set()
            waited.append(x.gone())
            x.cut()
        self.up.scenarios["wait"] = handler
        with Client(self.dray.port) as c:
            c.send(request_bytes("POST", PATH, body, {"x-scenario": "wait", "x-dray-session": f"leaving-{body.get('stream')}"}))
            self.assertTrue(arrived.wait(20))
            if body.get("stream"):
                c.head()
                c.reader.line()
            c.close()
            until(lambda: waited, "the upstream is told")
        self.assertIsNotNone(waited[0])
        until(lambda: self.dray.rows("SELECT status FROM calls WHERE session = ? AND status IS NOT NULL", (f"leaving-{body.get('stream')}",)), "its row")
        return waited[0]

    def test_cancel(self):
        # 1 s is promised; that and the idle timeout of 2 s must stay apart.
        self.assertLess(self.gone(CHAT), 1.9)
        self.assertEqual(self.dray.rows("SELECT status FROM calls WHERE session = 'leaving-None'")[0]["status"], 499)

    def test_cancel_stream(self):
        self.assertLess(self.gone({**CHAT, "stream": True}), 1.9)
        row = self.dray.rows("SELECT * FROM calls WHERE session = 'leaving-True'")[0]
        self.assertTrue(row["error"])

    def test_reset_by_client(self):
        for _ in range(5):
            c = Client(self.dray.port)
            c.send(request_bytes("POST", PATH, {**CHAT, "stream": True}))
            c.reset()
        self.assertEqual(self.dray.call(CHAT).status, 200)

    def test_slow_reader(self):
        """A client that reads nothing stops the upstream soon; then everything comes, in order."""
        sent, finished = [0], threading.Event()
        piece = b"x" * 60000
        count = 1200  # 72 MB

        def flood(x):
            x.start()
            for i in range(count):
                x.chunk(b'data: {"id":"f","choices":[{"index":0,"delta":{"content":"%d %s"},"finish_reason":null}]}\n\n' % (i, piece))
                sent[0] = i + 1
            x.chunk(b'data: {"id":"f","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n')
            x.end()
            finished.set()
        self.up.scenarios["flood"] = flood
        with Client(self.dray.port) as c:
            c.send(request_bytes("POST", PATH, {**CHAT, "stream": True}, {"x-scenario": "flood"}))
            m = c.head()
            last, since = -1, time.monotonic()
            while time.monotonic() - since < 1.0:  # until the upstream has not got on for a second
                if sent[0] != last:
                    last, since = sent[0], time.monotonic()
                time.sleep(0.02)
            self.assertLess(last, count // 2, "nothing held the upstream back")
            n = seen = 0
            for chunk in c.reader.chunks():
                n += len(chunk)
                seen += chunk.count(b'"content":"')
            self.assertEqual(seen, count)
        self.assertTrue(finished.wait(10))

    def test_x_dray_timeout(self):
        m = self.dray.call(CHAT, headers={"x-scenario": "hang", "x-dray-timeout-ms": "300"})
        self.refused(m, 504)


class Stopping(unittest.TestCase):
    def test_drain(self):
        """SIGTERM: what runs ends whole and booked, what is idle goes, nothing new comes in."""
        go, begun = threading.Event(), threading.Event()

        def slow(x):
            x.start()
            x.sse(chat_stream(json.loads(x.request.body))[:3], done=False)
            begun.set()
            go.wait(30)
            x.sse(chat_stream(json.loads(x.request.body))[3:])
            x.end()
        up = Upstream(slow)
        dray = Dray("workers: 2\nproviders:\n" + provider(up))
        idle = Client(dray.port)
        self.assertEqual(idle.request("GET", "/healthz").status, 200)
        with Client(dray.port) as c:
            c.send(request_bytes("POST", PATH, {**CHAT, "stream": True}))
            m = c.head()
            self.assertTrue(begun.wait(20))
            dray.process.send_signal(signal.SIGTERM)
            self.assertTrue(idle.closed())
            until(lambda: not accepts(dray.port), "no new connections")
            self.assertIsNone(dray.process.poll())
            go.set()
            c.reader.body(m, True)
        self.assertTrue(m.complete)
        self.assertEqual(events(m.body)[-1], "[DONE]")
        dray.stop(remove=False, asked=True)
        rows = dray.rows("SELECT * FROM calls", settle=False)
        self.assertEqual([(r["id"], r["output_tokens"]) for r in rows], [(m.get("x-dray-call-id"), 7)])
        dray.remove()
        up.close()

    def test_stop_does_not_wait_for_ever(self):
        up = Upstream()
        dray = Dray("limits: {drain: 1s}\nproviders:\n" + provider(up))
        with Client(dray.port) as c:
            c.send(request_bytes("POST", PATH, {**CHAT, "stream": True}, {"x-scenario": "stream-stall"}))
            c.head()
            dray.stop()
        up.close()


def accepts(port):
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
        return True
    except OSError:
        return False


class Many(Base):
    def test_many_at_once(self):
        """Mixed calls from 16 threads: each gets its own answer, all are in the ledger once."""
        bad, ids = [], []

        def work(k):
            try:
                with Client(self.dray.port) as c:
                    for i in range(25):
                        model = f"m-{k}-{i}"
                        m = c.request("POST", PATH, chat("up/" + model, f"text {k} {i}", stream=i % 3 == 0))
                        ids.append(m.get("x-dray-call-id"))
                        if m.status != 200 or m.get("x-dray-model") != "up/" + model or model.encode() not in m.body:
                            bad.append((k, i, m.status, m.body[:200]))
            except Exception as e:  # noqa: BLE001: told below
                bad.append((k, repr(e)))
        threads = [threading.Thread(target=work, args=(k,)) for k in range(16)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(120)
        self.assertEqual(bad, [])
        self.assertEqual(len(set(ids)), 400)
        rows = self.dray.rows("SELECT id FROM calls WHERE requested_model LIKE 'up/m-%'")
        self.assertEqual(sorted(r["id"] for r in rows), sorted(ids))


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    unittest.main()
