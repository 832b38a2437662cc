"""Media by URL for a provider that wants bytes: fetched by dray, from public addresses only, within bounds."""
import base64
import unittest

from lib import Client, Dray, Upstream, request_bytes, until
from test_bedrock import MODEL, converse

PNG = b"\x89PNG\r\n\x1a\n" + bytes(300)


def web(x):
    path = x.request.path
    if path.startswith("/png"):
        x.whole(PNG, headers=[("content-type", "image/png; q=1")])
    elif path == "/endless":
        x.head(200, [("content-type", "image/png")])
        for _ in range(200):
            x.raw(bytes(1 << 16))
        x.cut()
    elif path == "/large":
        x.head(200, [("content-type", "image/png"), ("content-length", "99000000")])
        x.cut()
    elif path == "/short":
        x.head(200, [("content-type", "image/png"), ("content-length", "500")])
        x.raw(b"x")
        x.cut()
    elif path == "/html":
        x.whole(b"<html>", headers=[("content-type", "text/html")])
    elif path == "/away":
        x.whole(b"", 302, [("location", "http://169.254.169.254/latest/meta-data/")])
    elif path == "/inside":
        x.whole(b"", 302, [("location", "/png?moved")])
    elif path == "/round":
        x.whole(b"", 302, [("location", "/round")])
    elif path == "/slow":
        x.gone(60)
        x.cut()
    else:
        x.whole(b"no", 404, [("content-type", "image/png")])


def ask(*urls, **more):
    return {"model": f"b/{MODEL}", "max_tokens": 9, **more, "messages": [{"role": "user", "content": [{"type": "text", "text": "See."}] + [
        {"type": "image_url", "image_url": {"url": u}} for u in urls]}]}


class Media(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.up, cls.web = Upstream(converse), Upstream(web)
        cls.dray = Dray(f"workers: 1\nfetch_allow: [127.0.0.1]\nproviders:\n  b: {{kind: bedrock, region: us-east-1, api_key: k, base_url: \"http://127.0.0.1:{cls.up.port}\"}}\n")
        cls.root = f"http://127.0.0.1:{cls.web.port}"

    @classmethod
    def tearDownClass(cls):
        cls.dray.stop()
        cls.up.close()
        cls.web.close()

    def images(self):
        return [c["image"] for c in self.up.last().json()["messages"][0]["content"] if "image" in c]

    def test_bytes_are_put_in(self):
        want = {"format": "png", "source": {"bytes": base64.b64encode(PNG).decode()}}
        m = self.dray.call(ask(f"{self.root}/png#part"))
        self.assertEqual((m.status, self.images()), (200, [want]), m.body)
        r = self.web.last()
        self.assertEqual((r.start, r.get("host"), r.get("cookie"), r.get("authorization")), ("GET /png HTTP/1.0", f"127.0.0.1:{self.web.port}", None, None))
        m = self.dray.call(ask(f"{self.root}/png?1", f"{self.root}/inside", f"data:image/png;base64,{base64.b64encode(PNG).decode()}", stream=True))
        self.assertEqual((m.status, self.images()), (200, [want] * 3))
        m = self.dray.call({"model": f"b/{MODEL}", "max_tokens": 9, "messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": f"{self.root}/png"}}]}]}, "/v1/messages")
        self.assertEqual((m.status, self.images()), (200, [want]))
        self.assertEqual(self.dray.row(m)["status"], 200)

    def test_private_addresses_are_not_asked(self):
        """Whatever the spelling; only what fetch_allow names is."""
        before = len(self.web.requests)
        port = self.web.port
        for url in (f"http://localhost:{port}/png", f"http://127.0.0.2:{port}/png", f"http://[::1]:{port}/png", f"http://2130706433:{port}/png", f"http://0x7f.1:{port}/png",
                    f"http://0.0.0.0:{port}/png", "http://169.254.169.254/latest/meta-data/", "http://[::ffff:169.254.169.254]/", "http://10.0.0.1/", "http://[fd00:ec2::254]/"):
            with self.subTest(url):
                m = self.dray.call(ask(url))
                self.assertEqual(m.status, 400)
                self.assertRegex(m.json()["error"]["message"], "not a public one|not known")
        self.assertEqual(len(self.web.requests), before)
        m = self.dray.call(ask(f"{self.root}/away"))
        self.assertIn("not a public one", m.json()["error"]["message"])

    def test_bad_ones_are_told(self):
        for url, why in ((f"{self.root}/none", "status 404"), (f"{self.root}/html", "type"), (f"{self.root}/endless", "larger than"), (f"{self.root}/large", "larger than"),
                         (f"{self.root}/short", "broke off"), (f"{self.root}/round", "place to place"), ("ftp://x/y", "must begin with"), ("http://a@127.0.0.1/", "user name"),
                         ("http:///png", "no host"), ("http://127.0.0.1:99999/", "port"), ("http://127.0.0.1:9/", "does not answer"), ("http://nowhere.invalid/", "not known")):
            with self.subTest(url):
                m = self.dray.call(ask(url))
                self.assertEqual(m.status, 400, m.body)
                self.assertIn(why, m.json()["error"]["message"])
                self.assertEqual(m.json()["error"]["param"], "url")
        m = self.dray.call(ask(*[f"{self.root}/png?{i}" for i in range(21)]))
        self.assertEqual((m.status, "too much" in m.json()["error"]["message"]), (400, True))

    def test_what_cannot_be_had_is_left_out_where_that_is_allowed(self):
        with Dray(f"workers: 1\ntranslation: drop\nproviders:\n  b: {{kind: bedrock, region: us-east-1, api_key: k, base_url: \"http://127.0.0.1:{self.up.port}\"}}\n") as dray:
            m = dray.call(ask(f"{self.root}/png"))
            self.assertEqual((m.status, m.get("x-dray-dropped"), self.images()), (200, "image url", []))

    def test_the_client_goes_while_it_is_fetched(self):
        before = len(self.web.requests)
        with Client(self.dray.port) as c:
            c.send(request_bytes("POST", "/v1/chat/completions", ask(f"{self.root}/slow")))
            until(lambda: len(self.web.requests) > before, "it is fetched")
            c.reset()
        until(lambda: any(r["error"] == "client_gone" for r in self.dray.rows()), "the call is booked")
        self.assertEqual(self.dray.call(ask(f"{self.root}/png")).status, 200)


if __name__ == "__main__":
    unittest.main()
