"""Surfaces that are no conversations: rerank, audio, images, files: routed by model, passed on, booked in their own units."""
import os
import unittest

from lib import Client, Dray, Upstream, request_bytes

SOUND = bytes(range(256)) * 40


def form(*parts, boundary="x-9f"):
    """A multipart/form-data body and its headers; a part is (name, value) or (name, value, filename)."""
    out = b""
    for name, value, *file in parts:
        more = f'; filename="{file[0]}"\r\nContent-Type: application/octet-stream' if file else ""
        value = value if isinstance(value, bytes) else value.encode()
        out += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + value + b"\r\n"
    return out + f"--{boundary}--\r\n".encode(), {"content-type": f"multipart/form-data; boundary={boundary}"}


class Up:
    """A provider of all surfaces; `answer` overrides."""

    def __init__(self):
        self.answer = None
        self.up = Upstream(self.handle)

    def handle(self, x):
        path = x.request.path.split("?")[0]
        if self.answer:
            self.answer(x)
        elif path.endswith("/audio/speech"):
            x.start(headers=[("content-type", "audio/mpeg")])
            x.chunk(SOUND[:100])
            x.chunk(SOUND[100:])
            x.end()
        elif "/audio/" in path:
            x.whole({"text": "Hello.", "usage": {"type": "duration", "seconds": 3}})
        elif "/images/" in path:
            x.whole({"created": 1, "data": [{"b64_json": "aGk="}], "usage": {
                "input_tokens": 50, "output_tokens": 1056, "total_tokens": 1106, "input_tokens_details": {"text_tokens": 10, "image_tokens": 40}}})
        elif path.endswith("/rerank"):
            x.whole({"id": "r-1", "results": [{"index": 1, "relevance_score": 0.9}], "meta": {"billed_units": {"search_units": 2}}})
        elif path.endswith("/files") and x.request.method == "POST":
            x.whole({"id": "file-1", "object": "file"})
        elif path.endswith("/files/file-1") and x.request.method == "GET":
            x.whole({"id": "file-1", "object": "file"})
        elif path.endswith("/files/file-1") and x.request.method == "DELETE":
            x.whole({"id": "file-1", "deleted": True})
        elif path.endswith("/files/file-1/content"):
            x.whole(SOUND, headers=[("content-type", "application/octet-stream")])
        elif path.endswith("/files"):
            x.whole({"object": "list", "data": []})
        else:
            x.whole({"error": {"message": "No such thing.", "type": "invalid_request_error", "param": None, "code": None}}, 404)


class Surfaces(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.u, cls.other, cls.cohere = Up(), Up(), Up()
        line = "  {}: {{kind: {}, base_url: \"http://127.0.0.1:{}/v1\", api_key: k-{}, prices: {{p: {{audio_seconds: 0.0001, characters: 0.00001, images: 0.04, " \
               "search: 0.002, input: 5, input_image: 10, output: 20, output_image: 40}}}}}}\n"
        cls.dray = Dray("workers: 1\nlimits: {body_max: 4MB}\nproviders:\n" + line.format("o", "openai", cls.u.up.port, "o")
                        + line.format("second", "openai", cls.other.up.port, "second") + line.format("c", "cohere", cls.cohere.up.port, "c")
                        + "  b: {kind: bedrock, region: us-east-1, api_key: x, base_url: \"http://127.0.0.1:9\"}\nmodels:\n  ears: {provider: o, model: p}\n")

    @classmethod
    def tearDownClass(cls):
        cls.dray.stop()
        for u in (cls.u, cls.other, cls.cohere):
            u.up.close()

    def setUp(self):
        for u in (self.u, self.other, self.cohere):
            u.answer = None
            u.up.clear()

    def booked(self, m, units, cost, source="provider", task=None):
        row = self.dray.row(m)
        lines = {u["class"]: u["units"] for u in self.dray.rows("SELECT u.* FROM usage_lines u JOIN calls c ON c.time = u.time WHERE c.id = ?", (row["id"],))}
        self.assertEqual((lines, row["cost_nano"], row["token_source"], row["error"]), (units, cost, source, None))
        if task:
            self.assertEqual(row["task"], task)
        return row

    def upload(self, path, *parts, chunked=False, **more):
        body, headers = form(*parts, **more)
        with Client(self.dray.port) as c:
            if not chunked:
                return c.request("POST", path, body, headers), body
            return c.request("POST", path, None, headers, chunked=[body[i:i + 700] for i in range(0, len(body), 700)]), body

    def test_transcription(self):
        for chunked in (False, True):
            for model in ("ears", "o/p"):
                m, body = self.upload("/v1/audio/transcriptions", ("file", SOUND, "a; name=model.mp3"), ("model", model), ("language", "de"), chunked=chunked)
                self.assertEqual((m.status, m.json()["text"]), (200, "Hello."), m.body)
                up = self.u.up.last()
                self.assertEqual(up.path, "/v1/audio/transcriptions")
                self.assertEqual(up.body, body.replace(b"\r\n\r\n" + model.encode() + b"\r\n", b"\r\n\r\np\r\n"))
                self.assertEqual((up.get("content-type"), up.get("authorization")), ("multipart/form-data; boundary=x-9f", "Bearer k-o"))
                row = self.booked(m, {"audio_seconds": 3}, 300000, task="audio")
                self.assertEqual((row["provider"], row["model"], row["endpoint"]), ("o", "p", "transcriptions"))

    def test_azures_client_names_the_model_in_the_path(self):
        m, body = self.upload("/openai/deployments/o%2Fp/audio/transcriptions?api-version=2024-10-21", ("file", SOUND, "a.mp3"))
        self.assertEqual(m.status, 200, m.body)
        up = self.u.up.last()
        self.assertEqual(up.path, "/v1/audio/transcriptions")
        self.assertEqual(up.body, b'--x-9f\r\nContent-Disposition: form-data; name="model"\r\n\r\np\r\n' + body)

    def test_transcription_in_other_forms(self):
        self.u.answer = lambda x: x.whole({"task": "transcribe", "duration": 8.47, "text": "x", "segments": []})
        m, _ = self.upload("/v1/audio/translations", ("model", "o/p"), ("file", SOUND, "a.mp3"))
        self.booked(m, {"audio_seconds": 9}, 900000)
        self.u.answer = lambda x: x.whole(b"1\n00:00 --> 00:01\nHello.\n", headers=[("content-type", "text/plain")])
        m, _ = self.upload("/v1/audio/transcriptions", ("model", "o/p"), ("response_format", "srt"), ("file", SOUND, "a.mp3"))
        self.assertEqual((m.status, m.body), (200, b"1\n00:00 --> 00:01\nHello.\n"))
        row = self.dray.row(m)
        self.assertEqual((row["cost_nano"], row["error"]), (None, None))  # unknown, not zero

        def streamed(x):
            x.start()
            x.sse([{"type": "transcript.text.delta", "delta": "Hello."},
                   {"type": "transcript.text.done", "text": "Hello.", "usage": {"input_tokens": 20, "output_tokens": 5, "total_tokens": 25}}], done=False)
            x.end()
        self.u.answer = streamed
        m, _ = self.upload("/v1/audio/transcriptions", ("model", "o/p"), ("stream", "true"), ("file", SOUND, "a.mp3"))
        self.assertIn(b"transcript.text.done", m.body)
        self.booked(m, {"input": 20, "output": 5}, 100000 + 100000)

    def test_speech(self):
        m = self.dray.call({"model": "o/p", "input": "Hé, \"du\".", "voice": "alloy"}, "/v1/audio/speech")
        self.assertEqual((m.status, m.body, m.get("content-type")), (200, SOUND, "audio/mpeg"))
        self.booked(m, {"characters": 9}, 90000, "counted", "audio")

    def test_images(self):
        m = self.dray.call({"model": "o/p", "prompt": "A cat."}, "/v1/images/generations")
        self.assertEqual(m.status, 200, m.body)
        self.booked(m, {"input": 10, "input_image": 40, "output_image": 1056}, 50000 + 400000 + 42240000, task="image")
        m, _ = self.upload("/v1/images/edits", ("image", SOUND, "a.png"), ("prompt", "A dog."), ("model", "o/p"))
        self.booked(m, {"input": 10, "input_image": 40, "output_image": 1056}, 50000 + 400000 + 42240000)
        self.u.answer = lambda x: x.whole({"created": 1, "data": [{"url": "u"}, {"url": "v"}]})
        m = self.dray.call({"model": "o/p", "prompt": "A cat.", "n": 2}, "/v1/images/generations")
        self.booked(m, {"images": 2}, 80000000)
        self.u.answer = lambda x: x.whole({"created": 1, "data": [{"b64_json": "A" * 3000000}, {"b64_json": "A"}]})
        m = self.dray.call({"model": "o/p", "prompt": "A cat.", "n": 2}, "/v1/images/generations")
        self.assertGreater(len(m.body), 3000000)
        self.booked(m, {"images": 2}, 80000000, "counted")

    def test_rerank(self):
        ask = {"query": "q", "documents": ["a", "b"]}
        m = self.dray.call({"model": "o/p", **ask}, "/v1/rerank")
        self.assertEqual((m.status, self.u.up.last().path), (200, "/v1/rerank"))
        self.booked(m, {"search": 2}, 4000000, task="embed")
        m = self.dray.call({"model": "c/p", **ask}, "/v1/rerank")
        self.assertEqual((m.status, self.cohere.up.last().path, self.cohere.up.last().json()), (200, "/v2/rerank", {"model": "p", **ask}))

    def test_files(self):
        m, body = self.upload("/v1/files", ("purpose", "batch"), ("file", SOUND, "a.jsonl"))
        self.assertEqual((m.json()["id"], self.u.up.last().body), ("file-1", body))
        self.assertEqual(self.dray.row(m)["endpoint"], "files")
        self.assertEqual(self.dray.get("/v1/files?limit=5").json(), {"object": "list", "data": []})
        self.assertEqual((self.u.up.last().path, self.u.up.last().method, self.u.up.last().get("content-length")), ("/v1/files?limit=5", "GET", None))
        self.assertEqual(self.dray.get("/v1/files/file-1").json()["id"], "file-1")
        self.assertEqual(self.dray.call(None, "/v1/files/file-1", method="DELETE").json()["deleted"], True)
        m = self.dray.get("/openai/v1/files/file-1/content")
        self.assertEqual((m.body, m.get("content-type")), (SOUND, "application/octet-stream"))
        # at the provider that made it: who does not have it is not the one
        self.u.answer = lambda x: x.whole({"error": {"message": "no", "type": "x", "param": None, "code": None}}, 404)
        m = self.dray.get("/v1/files/file-1")
        self.assertEqual((m.status, m.get("x-dray-model"), self.other.up.last().get("authorization")), (200, "second", "Bearer k-second"))
        self.assertEqual(self.dray.get("/v1/files/file-2").status, 404)

    def test_no_other_path_is_asked_with_the_providers_key(self):
        for path in ("/v1/files/../organization/users", "/v1/files/a/../../models", "/v1/files/%2e%2e/x", "/v1/files/a/b", "/v1/files/a?x", "/v1/files//content", "/v1/files/"):
            with self.subTest(path):
                self.assertIn(self.dray.get(path).status, (400, 404))
        self.assertEqual([r.path for r in self.u.up.requests if r.path != "/v1/files/a?x"], [])

    def test_bad_requests(self):
        cases = [("/v1/audio/transcriptions", form(("file", b"x", "a")), 400, "no field \\\"model\\\""),
                 ("/v1/audio/transcriptions", (form(("model", "o/p"))[0][:-6], {"content-type": "multipart/form-data; boundary=x-9f"}), 400, "not a good form"),
                 ("/v1/audio/transcriptions", (b"junk", {"content-type": "multipart/form-data; boundary=x-9f"}), 400, "not a good form"),
                 ("/v1/audio/transcriptions", (b"junk", {"content-type": "multipart/form-data"}), 400, "not valid JSON"),
                 ("/v1/audio/transcriptions", form(("model", "nope"), ("file", b"x", "a")), 404, "not known"),
                 ("/v1/images/edits", form(("model", "b/p"), ("image", b"x", "a")), 400, "no such API"),
                 ("/v1/rerank", (b'{"model":"o/p","query":"q"}', {}), 400, "documents")]
        for path, (body, headers), status, why in cases:
            with self.subTest(why):
                with Client(self.dray.port) as c:
                    m = c.request("POST", path, body, headers)
                self.assertEqual(m.status, status, m.body)
                self.assertIn(why.encode(), m.body)
        self.assertEqual(self.u.up.requests, [])

    def test_large_uploads_are_bounded(self):
        body, headers = form(("model", "o/p"), ("file", os.urandom(5 << 20), "a"))
        with Client(self.dray.port) as c:
            c.send(request_bytes("POST", "/v1/audio/transcriptions", b"", {**headers})[:-4].replace(b"content-length: 0", b"content-length: %d" % len(body)) + b"\r\n\r\n")
            self.assertEqual(c.answer().status, 413)


if __name__ == "__main__":
    unittest.main()
