"""Faults at the provider, for clients of every dialect: one client attempt is one upstream attempt, the status and its hints come through, a cut
stream is told in the client's own dialect and never looks whole, and nobody waits longer than the provider's time limit."""
import time
import unittest

from lib import Dray, events
from test_dialects import ASK, ask, events_provider, three

# name: (status, headers) of the provider's answer
STATUSES = {"429": (429, []), "429-ra2": (429, [("retry-after", "2")]), "429-ra-ms": (429, [("retry-after-ms", "150")]), "429-no-retry": (429, [("x-should-retry", "false")]),
            "400": (400, []), "400-retry": (400, [("x-should-retry", "true")]), "401": (401, []), "403": (403, []), "404": (404, []), "408": (408, []), "409": (409, []), "413": (413, []),
            "422": (422, []), "500": (500, []), "502": (502, []), "503-ra1": (503, [("retry-after", "1")]), "529": (529, [])}
HALF = {"openai": b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"Half"},"finish_reason":null}]}\n\n',
        "anthropic": b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1}}}\n\n'
                     b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\nevent: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Half"}}\n\n',
        "gemini": b'data: {"candidates":[{"content":{"role":"model","parts":[{"text":"Half"}]},"index":0}]}\r\n\r\n'}
TOLD = {"openai": b'data: {"error":', "responses": (b"event: error\n", b"event: response.failed\n"), "anthropic": b'event: error\ndata: {"type":"error"', "gemini": b'data: {"error":'}
WHOLE = (b"[DONE]", b"message_stop", b"response.completed", b'"finishReason"')


class Faults(unittest.TestCase):
    def setUp(self):
        self.ups, config = three()
        self.dray = Dray("timeout: {connect: 2s, first_byte: 1s, idle: 1s}\n" + config)

    def tearDown(self):
        self.dray.stop()
        for u in self.ups.values():
            u.close()

    def each(self, but=()):
        for client in ASK:
            for kind, up in self.ups.items():
                if (client, kind) not in but:
                    up.clear()
                    with self.subTest(f"{client} client, {kind} provider"):
                        yield client, kind, up

    def stream(self, client, kind):
        if client == "gemini":
            return self.dray.call(ASK["gemini"][1](""), f"/v1beta/models/p-{kind}%2Fm:streamGenerateContent?alt=sse")
        return ask(self.dray, client, f"p-{kind}/m", stream=True)

    def test_statuses(self):
        for name, (status, headers) in STATUSES.items():
            for up in self.ups.values():
                up.handler = lambda x: x.whole({"error": {"message": "scripted", "type": "t", "status": "S", "code": status}}, status, headers)
            for client, kind, up in self.each():
                m = ask(self.dray, client, f"p-{kind}/m")
                self.assertEqual((name, m.status, len(up.requests)), (name, status, 1))
                for header, value in headers:
                    self.assertEqual(m.get(header), value)
                if not any(h == "x-should-retry" for h, _ in headers):
                    self.assertEqual(m.get("x-should-retry"), "false" if status in (400, 401, 403, 404, 413, 422) else None)

    def test_no_answer(self):
        def reset(x):
            x.reset()
        for up in self.ups.values():
            up.handler = reset
        for client, kind, up in self.each():
            m = ask(self.dray, client, f"p-{kind}/m")
            self.assertEqual((m.status, len(up.requests)), (502, 1))

    def test_a_silent_provider_costs_its_time_limit_and_no_more(self):
        def hang(x):
            x.gone(60)
            x.cut()
        self.ups["anthropic"].handler = hang
        begin = time.monotonic()
        m = ask(self.dray, "openai", "p-anthropic/m")
        self.assertEqual((m.status, len(self.ups["anthropic"].requests)), (504, 1))
        self.assertLess(time.monotonic() - begin, 20)  # a limit of a second; the rest is patience with the machine

    def test_cut_streams_are_told(self):
        for how in ("cut", "ended", "silent"):
            for kind, up in self.ups.items():
                def silent(x, kind=kind):
                    x.start()
                    x.chunk(HALF[kind])
                    x.gone(60)
                    x.cut()
                up.handler = silent if how == "silent" else events_provider([HALF[kind]], cut=how == "cut")
            for client, kind, up in self.each(but={("responses", "openai")}):  # that provider speaks chat here
                m = self.stream(client, kind)
                self.assertTrue(m.complete, how)
                self.assertIn(b"Half", m.body)
                told = TOLD[client] if isinstance(TOLD[client], tuple) else (TOLD[client],)
                self.assertTrue(any(t in m.body for t in told), (how, m.body[-300:]))
                self.assertFalse(any(w in m.body for w in WHOLE), (how, m.body[-300:]))
                self.assertEqual((len(up.requests), self.dray.row(m)["status"]), (1, 200))

    def test_in_band_errors_are_told(self):
        error = {"openai": b'data: {"error":{"message":"scripted","type":"server_error","code":null,"param":null}}\n\n', "anthropic": b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"scripted"}}\n\n',
                 "gemini": b'data: {"error":{"code":503,"message":"scripted","status":"UNAVAILABLE"}}\r\n\r\n'}
        for kind, up in self.ups.items():
            up.handler = events_provider([HALF[kind], error[kind]])
        for client, kind, up in self.each(but={("responses", "openai")}):
            m = self.stream(client, kind)
            self.assertIn("scripted", events(m.body)[-1])
            self.assertFalse(any(w in m.body for w in WHOLE), m.body[-300:])

    def test_a_broken_body_is_an_error(self):
        for up in self.ups.values():
            up.handler = lambda x: x.whole(b'{"id": "x", ', 200)
        for client, kind, up in self.each(but={("openai", "openai"), ("responses", "openai"), ("anthropic", "anthropic"), ("gemini", "gemini")}):  # same dialect: its bytes
            for m in (ask(self.dray, client, f"p-{kind}/m"), self.stream(client, kind)):
                self.assertEqual(m.status, 502)


if __name__ == "__main__":
    unittest.main()
