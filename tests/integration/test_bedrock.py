"""AWS Bedrock as a provider: signed requests, Converse and ConverseStream, frames, errors, where credentials come from."""
import base64
import json
import os
import re
import struct
import subprocess
import unittest
import zlib

from lib import CLIENTS, Dray, Upstream, clean_env, events, node, run_dray

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n0000").decode()
KEY = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "AWS_SESSION_TOKEN": "session/token=="}
USAGE = {"inputTokens": 10, "outputTokens": 5, "totalTokens": 35, "cacheReadInputTokens": 16, "cacheWriteInputTokens": 4}
MODEL = "us.anthropic.claude-haiku-4-5-20251001-v1:0"


def frame(event, payload, kind="event"):
    """One frame of application/vnd.amazon.eventstream."""
    headers = b""
    names = ((":event-type" if kind == "event" else ":exception-type", event), (":content-type", "application/json"), (":message-type", kind))
    for name, value in names:
        headers += bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
    body = json.dumps(payload).encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
    head = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + body
    return head + struct.pack(">I", zlib.crc32(head))


def frames(tool):
    out = [frame("messageStart", {"role": "assistant", "p": "abc"})]
    if tool:
        out.append(frame("contentBlockStart", {"contentBlockIndex": 0, "start": {"toolUse": {"toolUseId": "tooluse_1", "name": "get_weather"}}}))
        deltas = [{"toolUse": {"input": p}} for p in ("{\"city\":", " \"Paris\"}")]
    else:
        deltas = [{"text": p} for p in ("Hel", "lo.")]
    out += [frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": d}) for d in deltas]
    out.append(frame("contentBlockStop", {"contentBlockIndex": 0}))
    out.append(frame("messageStop", {"stopReason": "tool_use" if tool else "end_turn"}))
    out.append(frame("metadata", {"usage": USAGE, "metrics": {"latencyMs": 7}}))
    return out


def converse(x):
    q = json.loads(x.request.body)
    tool = bool(q.get("toolConfig"))
    if x.request.path.endswith("/converse-stream"):
        x.start(headers=[("content-type", "application/vnd.amazon.eventstream"), ("x-amzn-requestid", "r-1")])
        for f in frames(tool):  # cut anywhere
            x.chunk(f[:7])
            x.chunk(f[7:])
        x.end()
        return
    block = {"toolUse": {"toolUseId": "tooluse_1", "name": "get_weather", "input": {"city": "Paris"}}} if tool else {"text": "Hello."}
    x.whole({"output": {"message": {"role": "assistant", "content": [block]}}, "stopReason": "tool_use" if tool else "end_turn", "usage": USAGE,
             "metrics": {"latencyMs": 7}})


def config(up, more="region: eu-west-1"):
    return f"workers: 1\nproviders:\n  b: {{kind: bedrock, base_url: \"http://127.0.0.1:{up.port}\", {more}}}\n"


TOOL = {"type": "function", "function": {"name": "get_weather", "description": "w", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}
CHAT = {"model": f"b/{MODEL}", "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi."}], "max_tokens": 50}
RICH = {**CHAT, "temperature": 0.5, "stop": ["END"], "tools": [TOOL], "tool_choice": "required", "messages": [
    {"role": "user", "content": [{"type": "text", "text": "See"}, {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}]},
    {"role": "assistant", "content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": "{\"city\":\"Rome\"}"}}]},
    {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}]}
SCHEMA = {**CHAT, "response_format": {"type": "json_schema", "json_schema": {"name": "a", "strict": True, "schema": {
    "type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"], "additionalProperties": False}}}}


class Bedrock(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.up = Upstream(converse)
        cls.dray = Dray(config(cls.up), env=KEY)

    @classmethod
    def tearDownClass(cls):
        cls.dray.stop()
        cls.up.close()

    def setUp(self):
        self.up.handler = converse

    def test_every_client_whole_and_streamed(self):
        d = self.dray
        for tools in ((), (TOOL,)):
            more = {"tools": list(tools)} if tools else {}
            m = d.call({**CHAT, **more})
            self.assertEqual(m.status, 200, m.body)
            self.assertEqual(m.get("content-type"), "application/json")
            choice = m.json()["choices"][0]
            if tools:
                self.assertEqual(json.loads(choice["message"]["tool_calls"][0]["function"]["arguments"]), {"city": "Paris"})
                self.assertEqual(choice["finish_reason"], "tool_calls")
            else:
                self.assertEqual((choice["message"]["content"], choice["finish_reason"]), ("Hello.", "stop"))
            self.assertEqual(m.json()["usage"]["prompt_tokens"], 30)
            self.booked(m)
            s = d.call({**CHAT, **more, "stream": True, "stream_options": {"include_usage": True}})
            self.assertIn("text/event-stream", s.get("content-type"))
            data = events(s.body)
            self.assertEqual(data[-1], "[DONE]")
            chunks = [json.loads(x) for x in data[:-1]]
            deltas = [c["choices"][0]["delta"] for c in chunks if c["choices"]]
            if tools:
                text = "".join(t["function"].get("arguments", "") for x in deltas for t in x.get("tool_calls", []))
                self.assertEqual(json.loads(text), {"city": "Paris"})
            else:
                self.assertEqual("".join(x.get("content") or "" for x in deltas), "Hello.")
            self.assertEqual(chunks[-1]["usage"]["prompt_tokens"], 30)
            self.booked(s)
        ask = {"model": CHAT["model"], "max_tokens": 50, "messages": [{"role": "user", "content": "Hi."}]}
        m = d.call(ask, "/v1/messages")
        self.assertEqual(m.json()["content"], [{"type": "text", "text": "Hello."}])
        self.assertEqual(m.json()["usage"]["cache_read_input_tokens"], 16)
        self.booked(m)
        m = d.call({**ask, "stream": True}, "/v1/messages")
        self.assertEqual([json.loads(x)["type"] for x in events(m.body)][-1], "message_stop")
        self.booked(m)
        m = d.call({"model": CHAT["model"], "input": "Hi."}, "/v1/responses")
        self.assertEqual(m.json()["output"][-1]["content"][0]["text"], "Hello.")
        path = "/v1beta/models/" + CHAT["model"].replace("/", "%2F")
        m = d.call({"contents": [{"role": "user", "parts": [{"text": "Hi."}]}]}, path + ":generateContent")
        self.assertEqual(m.json()["candidates"][0]["content"]["parts"][0]["text"], "Hello.")
        m = d.call({"contents": [{"role": "user", "parts": [{"text": "Hi."}]}]}, path + ":streamGenerateContent?alt=sse")
        self.assertEqual("".join(p["text"] for x in events(m.body) for c in json.loads(x)["candidates"] for p in c["content"]["parts"]), "Hello.")
        self.booked(m)

    def booked(self, m):
        row = self.dray.row(m)
        self.assertEqual((row["input_tokens"], row["output_tokens"], row["token_source"], row["provider"], row["model"]), (30, 5, "provider", "b", MODEL))
        lines = {u["class"]: u["units"] for u in self.dray.rows("SELECT u.* FROM usage_lines u JOIN calls c ON c.time = u.time WHERE c.id = ?", (m.get("x-dray-call-id"),))}
        self.assertEqual(lines, {"input": 10, "cached_input": 16, "cache_write_5m": 4, "output": 5})
        # 1.1 and 5.5 dollars a million; cached 0.11, cache write 1.375
        self.assertEqual(row["cost_nano"], 11000 + 1760 + 5500 + 27500)

    def test_aws_itself_would_send_the_same(self):
        if not os.path.isdir(f"{CLIENTS}/node_modules/@aws-sdk/client-bedrock-runtime") or not node():
            self.skipTest("the AWS SDK is not installed: script/bootstrap")
        self.up.clear()
        for body in (CHAT, RICH, {**RICH, "stream": True}, SCHEMA, {**CHAT, "reasoning_effort": "low", "max_tokens": 4000}):
            m = self.dray.call(body)
            self.assertEqual(m.status, 200, m.body)
        requests = [{"path": r.path, "headers": dict(r.headers), "body": r.body.decode()} for r in self.up.requests]
        self.assertEqual(len(requests), 5)
        ask = {"region": "eu-west-1", "requests": requests, "credentials": {
            "accessKeyId": KEY["AWS_ACCESS_KEY_ID"], "secretAccessKey": KEY["AWS_SECRET_ACCESS_KEY"], "sessionToken": KEY["AWS_SESSION_TOKEN"]}}
        p = subprocess.run([node(), "verify-bedrock.mjs"], cwd=CLIENTS, env=clean_env(), input=json.dumps(ask), capture_output=True, text=True, timeout=120)
        found = re.findall(r"^(not ok|ok) - (.*(?:\n    .*)*)", p.stdout, re.M)
        self.assertEqual(len(found), 10, p.stdout + p.stderr)
        for verdict, text in found:
            with self.subTest(text.split("\n")[0]):
                self.assertEqual(verdict, "ok", text)

    def test_path_and_signed_headers(self):
        self.assertEqual(self.dray.call(CHAT).status, 200)
        up = self.up.last()
        self.assertEqual(up.path, "/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/converse")
        self.assertEqual(up.get("x-amz-security-token"), KEY["AWS_SESSION_TOKEN"])
        self.assertRegex(up.get("authorization"), r"^AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/\d{8}/eu-west-1/bedrock/aws4_request, ")
        self.assertNotIn("AKID", self.dray.log())

    def test_errors_in_the_clients_dialect(self):
        def throttled(x):
            x.whole({"message": "Too many tokens."}, 429, [("x-amzn-errortype", "ThrottlingException:http://internal.amazon.com/")])
        self.up.handler = throttled
        m = self.dray.call(CHAT)
        self.assertEqual((m.status, m.json()["error"]["message"], m.json()["error"]["code"]), (429, "Too many tokens.", "ThrottlingException"))
        m = self.dray.call({"model": CHAT["model"], "max_tokens": 5, "messages": CHAT["messages"][1:]}, "/v1/messages")
        self.assertEqual((m.status, m.json()["error"]["type"]), (429, "rate_limit_error"))

    def test_an_exception_within_the_stream(self):
        def breaks(x):
            x.start(headers=[("content-type", "application/vnd.amazon.eventstream")])
            for f in frames(False)[:3]:
                x.chunk(f)
            x.chunk(frame("modelStreamErrorException", {"message": "The model broke."}, "exception"))
            x.end()
        self.up.handler = breaks
        m = self.dray.call({**CHAT, "stream": True})
        data = events(m.body)
        self.assertIn("The model broke.", json.loads(data[-1])["error"]["message"])
        self.assertEqual(self.dray.row(m)["error"], "stream_error")

    def test_broken_and_cut_frames(self):
        good = b"".join(frames(False))
        flipped = bytearray(good)
        flipped[len(good) // 2] ^= 1
        for what, body, error in (("crc", bytes(flipped), "stream_error"), ("cut", good[:-1], "stream_unterminated"),
                                  ("cut within", good[:200], "stream_unterminated"), ("junk", b"\0" * 500, "stream_error"),
                                  ("no metadata", b"".join(frames(False)[:-1]), "stream_unterminated")):
            def send(x):
                x.start(headers=[("content-type", "application/vnd.amazon.eventstream")])
                x.chunk(body)
                x.end()
            self.up.handler = send
            with self.subTest(what):
                m = self.dray.call({**CHAT, "stream": True})
                self.assertIn("error", json.loads(events(m.body)[-1]))
                self.assertEqual(self.dray.row(m)["error"], error)


class Credentials(unittest.TestCase):
    """Where the credential comes from; `dray check` says what is wrong."""

    def sent(self, files, env, more, want):
        up = Upstream(converse)
        with Dray(config(up, more), env=env, directory=None) as dray:
            self.assertEqual(dray.call(CHAT).status, 200)
        self.assertRegex(up.last().get("authorization"), want)
        up.close()

    def home(self, credentials="", conf=""):
        import tempfile
        folder = tempfile.mkdtemp(prefix="dray-aws-")
        for name, text in (("credentials", credentials), ("config", conf)):
            with open(f"{folder}/{name}", "w", encoding="utf-8") as f:
                f.write(text)
        return {"AWS_SHARED_CREDENTIALS_FILE": f"{folder}/credentials", "AWS_CONFIG_FILE": f"{folder}/config"}

    def test_profiles(self):
        files = self.home("[default]\naws_access_key_id = AKDEFAULT\naws_secret_access_key=s\n# c\n[dev]\naws_access_key_id=AKDEV\naws_secret_access_key = t\n",
                          "[default]\nregion = us-west-2\n[profile dev]\nregion = ap-south-1\ns3 =\n    region = nested\n"
                          "[profile late]\naws_access_key_id=AKLATE\naws_secret_access_key=u\nregion=eu-north-1\n")
        self.sent(None, files, "max_connections: 9", r"Credential=AKDEFAULT/\d+/us-west-2/")
        self.sent(None, {**files, "AWS_PROFILE": "dev"}, "max_connections: 9", r"Credential=AKDEV/\d+/ap-south-1/")
        self.sent(None, {**files, **KEY}, "profile: late", r"Credential=AKLATE/\d+/eu-north-1/")
        self.sent(None, {**files, **KEY, "AWS_REGION": "sa-east-1"}, "max_connections: 9", r"Credential=AKIDEXAMPLE/\d+/sa-east-1/")

    def test_api_key(self):
        self.sent(None, KEY, "region: eu-west-1, api_key: bedrock-key-1", r"^Bearer bedrock-key-1$")

    def test_what_is_wrong_is_said(self):
        def check(more, env, want):
            folder = self.home("[sso]\nx=1\n", "[profile sso]\nsso_session = a\n[profile role]\nrole_arn = arn\n[profile empty]\n")
            with open(os.path.join(os.path.dirname(folder["AWS_CONFIG_FILE"]), "dray.yaml"), "w", encoding="utf-8") as f:
                f.write(f"providers:\n  b: {{kind: bedrock{more}}}\n")
            code, _, err = run_dray("check", cwd=os.path.dirname(folder["AWS_CONFIG_FILE"]), env={**folder, **env})
            self.assertEqual(code, 1)
            self.assertRegex(err, want)
        check("", {}, r"needs a region")
        check(", region: us-east-1", {}, r"has no credential: .*AWS_BEARER_TOKEN_BEDROCK")
        check(", region: us-east-1, profile: nope", {}, r"\"nope\" does not exist")
        check(", region: us-east-1, profile: empty", {}, r"\"empty\" has no access key")
        check(", region: us-east-1, profile: role", {}, r"has role_arn, which dray does not follow")
        check(", region: us-east-1, profile: sso", {}, r"has sso_session, which dray does not follow")
        check(", region: \"a/../b\", profile: sso", {}, r"region and project are letters")
        check(", region: us-east-1, project: x", KEY, r"\"project\" is nothing for kind bedrock")


if __name__ == "__main__":
    unittest.main()
