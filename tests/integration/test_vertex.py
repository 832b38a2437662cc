"""Vertex AI as a provider: a service account's tokens, Gemini's and Anthropic's models on its paths."""
import base64
import json
import os
import signal
import subprocess
import tempfile
import time
import unittest
from urllib.parse import parse_qs

from lib import Dray, Upstream, events, run_dray, until
from test_dialects import anthropic_provider, gemini_provider


def unbase64(s):
    return base64.urlsafe_b64decode(s + "=" * (-len(s) % 4))


class Google:
    """The token endpoint and the models, on one upstream."""

    def __init__(self, life=3600):
        self.folder = tempfile.mkdtemp(prefix="dray-vertex-")
        self.key = f"{self.folder}/key.pem"
        subprocess.run(["openssl", "genrsa", "-out", self.key, "2048"], check=True, capture_output=True)
        self.life, self.status, self.given, self.claims = life, 200, 0, []
        self.up = Upstream(self.handle)
        self.account = {"type": "service_account", "project_id": "my-proj", "private_key_id": "kid-1", "client_email": "svc@my-proj.example",
                        "token_uri": f"http://127.0.0.1:{self.up.port}/token"}
        with open(self.key, encoding="utf-8") as f:
            self.account["private_key"] = f.read()
        self.write(self.account)

    def write(self, account):
        with open(f"{self.folder}/sa.json", "w", encoding="utf-8") as f:
            json.dump(account, f)

    def handle(self, x):
        if x.request.path != "/token":
            if "/publishers/anthropic/" in x.request.path:
                x.request.body = json.dumps({"model": "claude", **json.loads(x.request.body)}).encode()
                anthropic_provider(x)
            else:
                gemini_provider(x)
            return
        form = parse_qs(x.request.body.decode())
        self.claims.append(form)
        self.given += 1
        if self.status != 200:
            x.whole({"error": "invalid_grant", "error_description": "Not a valid account."}, self.status)
            return
        x.whole({"access_token": f"ya29.token-{self.given}", "expires_in": self.life, "token_type": "Bearer"})

    def config(self, more=""):
        return (f"workers: 1\nproviders:\n  v: {{kind: vertex, base_url: \"http://127.0.0.1:{self.up.port}\", region: europe-west1, "
                f"credentials_file: {self.folder}/sa.json{more}}}\n")

    def calls(self):
        return [r for r in self.up.requests if r.path != "/token"]


CHAT = {"model": "v/gemini-3.6-flash", "messages": [{"role": "user", "content": "Hi."}], "max_tokens": 64}
ROOT = "/v1/projects/my-proj/locations/europe-west1/publishers"


class Vertex(unittest.TestCase):
    def setUp(self):
        self.google = Google()
        self.addCleanup(self.google.up.close)

    def test_gemini_and_claude(self):
        g = self.google
        with Dray(g.config()) as d:
            m = d.call(CHAT)
            self.assertEqual((m.status, m.json()["choices"][0]["message"]["content"]), (200, "Hello."), m.body)
            self.assertEqual((g.calls()[-1].path, g.calls()[-1].get("authorization"), g.calls()[-1].get("x-goog-api-key")),
                             (f"{ROOT}/google/models/gemini-3.6-flash:generateContent", "Bearer ya29.token-1", None))
            m = d.call({**CHAT, "stream": True})
            self.assertEqual(events(m.body)[-1], "[DONE]")
            self.assertEqual(g.calls()[-1].path, f"{ROOT}/google/models/gemini-3.6-flash:streamGenerateContent?alt=sse")
            row = d.row(m)
            self.assertEqual((row["provider"], row["input_tokens"], row["output_tokens"]), ("v", 10, 5))
            self.assertIsNotNone(row["cost_nano"])
            m = d.call({"contents": [{"role": "user", "parts": [{"text": "Hi."}]}]}, "/v1beta/models/v%2Fgemini-3.6-flash:generateContent")
            self.assertEqual("".join(p["text"] for p in m.json()["candidates"][0]["content"]["parts"]), "Hello.")
            # Anthropic's: the model only in the path, the version in the body
            m = d.call({**CHAT, "model": "v/claude-haiku-4-5@20251001"})
            self.assertEqual(m.json()["choices"][0]["message"]["content"], "Hello.")
            up = g.calls()[-1]
            q = json.loads(up.body)
            self.assertEqual(up.path, f"{ROOT}/anthropic/models/claude-haiku-4-5@20251001:rawPredict")
            self.assertEqual((q["anthropic_version"], q["max_tokens"]), ("vertex-2023-10-16", 64))
            body = b'{"max_tokens": 64,\n "mo\\u0064el" : "v/claude-haiku-4-5", "messages":[{"role":"user","content":"Hi."}],"x":1, "stream":true}'
            m = d.call(body, "/v1/messages", {"anthropic-version": "2023-06-01", "anthropic-beta": "b-1"})
            self.assertEqual([json.loads(e)["type"] for e in events(m.body)][-1], "message_stop")
            up = g.calls()[-1]
            self.assertEqual((up.path, up.get("anthropic-beta")), (f"{ROOT}/anthropic/models/claude-haiku-4-5:streamRawPredict", "b-1"))
            self.assertEqual({k: v for k, v in json.loads(up.body).items() if k != "model"},
                             {"max_tokens": 64, "anthropic_version": "vertex-2023-10-16", "messages": [{"role": "user", "content": "Hi."}], "x": 1, "stream": True})
            self.assertEqual(g.given, 1)
            self.assertNotIn("ya29", d.log())
            self.assertNotIn("PRIVATE", d.log())

    def test_the_claim(self):
        g = self.google
        with Dray(g.config()) as d:
            self.assertEqual(d.call(CHAT).status, 200)
        form = g.claims[0]
        self.assertEqual(form["grant_type"], ["urn:ietf:params:oauth:grant-type:jwt-bearer"])
        head, claims, signature = form["assertion"][0].split(".")
        self.assertEqual(json.loads(unbase64(head)), {"alg": "RS256", "typ": "JWT", "kid": "kid-1"})
        c = json.loads(unbase64(claims))
        self.assertEqual((c["iss"], c["aud"], c["scope"], c["exp"] - c["iat"]),
                         (g.account["client_email"], g.account["token_uri"], "https://www.googleapis.com/auth/cloud-platform", 3600))
        self.assertLess(abs(c["iat"] - time.time()), 60)
        for name, data in (("sig", unbase64(signature)), ("text", f"{head}.{claims}".encode())):
            with open(f"{g.folder}/{name}", "wb") as f:
                f.write(data)
        public = subprocess.run(["openssl", "rsa", "-in", g.key, "-pubout"], capture_output=True, check=True).stdout
        with open(f"{g.folder}/pub.pem", "wb") as f:
            f.write(public)
        p = subprocess.run(["openssl", "dgst", "-sha256", "-verify", f"{g.folder}/pub.pem", "-signature", f"{g.folder}/sig", f"{g.folder}/text"], capture_output=True)
        self.assertEqual(p.returncode, 0, p.stdout)

    def test_a_token_is_renewed_before_it_ends(self):
        self.google.life = 12
        with Dray(self.google.config()) as d:
            until(lambda: self.google.given >= 2, "a second token")
            until(lambda: d.call(CHAT).status == 200 and self.google.calls()[-1].get("authorization") == f"Bearer ya29.token-{self.google.given}", "it is used")

    def test_a_provider_that_comes_with_a_reload(self):
        g = self.google
        with Dray("workers: 1\nproviders:\n  o: {kind: openai, base_url: \"http://127.0.0.1:9/v1\", api_key: k}\n") as d:
            self.assertNotEqual(d.call(CHAT).status, 200)
            with open(f"{d.dir}/dray.yaml", "w", encoding="utf-8") as f:
                f.write(f"listen: 127.0.0.1:{d.port}\n" + g.config())
            d.process.send_signal(signal.SIGHUP)
            until(lambda: d.call(CHAT).status == 200, "it has its token")
            self.assertEqual(g.given, 1)

    def test_no_token_is_said(self):
        self.google.status = 400
        with Dray(self.google.config()) as d:
            m = d.call(CHAT)
            self.assertEqual((m.status, m.json()["error"]["code"]), (503, "no_token"))
            self.assertIn("Not a valid account", m.json()["error"]["message"])
            self.assertEqual(d.row(m)["error"], "no_token")
            self.assertEqual(self.google.calls(), [])
            self.google.status = 200
            until(lambda: d.call(CHAT).status == 200, "it is tried again")

    def test_a_users_credentials(self):
        g = self.google
        g.write({"type": "authorized_user", "client_id": "id 1", "client_secret": "s&", "refresh_token": "r/1", "token_uri": g.account["token_uri"]})
        with Dray(g.config(", project: other-proj")) as d:
            self.assertEqual(d.call(CHAT).status, 200)
        self.assertEqual(g.claims[0], {"grant_type": ["refresh_token"], "client_id": ["id 1"], "client_secret": ["s&"], "refresh_token": ["r/1"]})
        self.assertIn("/projects/other-proj/", g.calls()[0].path)

    def test_what_is_wrong_is_said(self):
        for account, want in (({"type": "x"}, "neither a service account's key"), ("junk", "neither a service|is not JSON|needs a project"), (None, "is not there")):
            g = self.google
            g.write(account)
            if account is None:
                os.unlink(f"{g.folder}/sa.json")
            with open(f"{g.folder}/dray.yaml", "w", encoding="utf-8") as f:
                f.write(g.config(", project: p"))
            code, _, err = run_dray("check", cwd=g.folder)
            self.assertEqual(code, 1)
            self.assertRegex(err, want)


if __name__ == "__main__":
    unittest.main()
