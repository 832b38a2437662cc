"""Recorded answers of every provider, asked for by clients of every dialect: text, tool calls, stop reason and tokens are the recording's,
no rule of the client's dialect is broken, the official SDK reads the same, and the ledger has the tokens.

Answers and every event of a stream also pass the schemas that OpenAI and Anthropic publish (schemas.py).

Records come from tests/fixtures/answers (made, so that something is replayed everywhere) and, when it is there, from the shared folder. What
the recording itself has wrong is in EXCEPTIONS, one by one.
"""
import base64
import glob
import json
import os
import random
import struct
import subprocess
import tempfile
import threading
import unittest
import zlib

import canon
import schemas
from lib import CLIENTS, FIXTURES, Dray, Served, Upstream, clean_env, node, over_connections, request_bytes, shared

THREADS = 6
DIALECT = {"chat": "chat", "responses": "responses", "messages": "messages", "generateContent": "gemini", "streamGenerateContent": "gemini", "converse": "bedrock", "converse-stream": "bedrock", "cohere-chat": "cohere"}
KINDS = {"messages": "anthropic", "gemini": "gemini", "bedrock": "bedrock", "cohere": "cohere"}  # others by their provider's name
OPENAI_KINDS = {"openai", "mistral", "deepseek", "groq", "cerebras", "openrouter", "perplexity", "zai", "huggingface", "ollama"}
CLIENTS_OF = {"chat": "/v1/chat/completions", "responses": "/v1/responses", "messages": "/v1/messages", "gemini": "/v1beta/models/{}:{}"}
RESPONSES_ONLY = "gpt-5-codex"  # of OpenAI's: at /v1/responses only, so that clients of all dialects are answered from there
CHAT_ONLY = "fireworks"  # a kind without /v1/responses: its clients are answered from /v1/chat/completions
NOT_REPLAYED = {"content-length", "transfer-encoding", "content-encoding", "connection", "date", "server", "via"}

# (record, client dialect or "*"): why what comes out is not what the recording says.
EXCEPTIONS = {
    ("82040fd994945aba", "*"): "the recording left out most of its deltas; its last event has the whole text",
    ("800b6287754ab50f", "ledger"): "two answers spliced into one: told as an error where it is translated; a client of its dialect gets its bytes, and the ledger what its end says",
}

# Records that are no answer, though their status says so.
NO_ANSWERS = {
    "594dc7a32ead5764": "Azure's content filter: an error with status 200",
    "d93c01c8a3605b00": "arguments of calls in pieces, which Gemini sends to those only who ask for it (streamFunctionCallArguments); dray doesn't",
    "e08e523bf3a47831": "the same", "fc9a8571f0d339d4": "the same",
}


class Record:
    def __init__(self, r):
        res = r["response"]
        self.id, self.provider = r["id"], r["provider"]
        self.dialect = DIALECT[r["api"]]
        self.kind = KINDS.get(self.dialect) or (self.provider if self.provider in OPENAI_KINDS else "openai")
        self.status = res.get("status") or 200
        self.stream = "stream" in r["tags"] or r["api"] in ("converse-stream", "streamGenerateContent")
        self.body = base64.b64decode(res["body_b64"]) if res.get("body_b64") else (res.get("body") or "").encode()
        self.headers = [(n, v) for n, v in (res.get("headers") or {}).items() if n.lower() not in NOT_REPLAYED]
        if not any(n.lower() == "content-type" for n, _ in self.headers):
            kind = "application/vnd.amazon.eventstream" if self.dialect == "bedrock" else "text/event-stream"
            self.headers.append(("content-type", kind if self.stream else "application/json"))
        self.said = canon.read(self.dialect, self.body, self.stream) if self.status < 300 else None

    def model(self, client):
        """The model whose provider is spoken to in this record's dialect."""
        if self.dialect == "responses":
            return f"r-openai/{RESPONSES_ONLY}"
        return f"r-{CHAT_ONLY if client == 'responses' and self.dialect == 'chat' else self.kind}/m"


def frame(kind, payload):
    """One frame of an AWS event stream."""
    headers = b"".join(bytes([len(n)]) + n + b"\x07" + struct.pack(">H", len(v)) + v for n, v in ((b":event-type", kind.encode()), (b":message-type", b"event"), (b":content-type", b"application/json")))
    head = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    rest = head + struct.pack(">I", zlib.crc32(head)) + headers + payload
    return rest + struct.pack(">I", zlib.crc32(rest))


def spoken(j):
    """The dialect and form of an answer or its first event, by its members."""
    kind = str(j.get("type", ""))
    if "choices" in j:
        return "chat"
    if kind in ("message", "message_start"):
        return "messages"
    if j.get("object") == "response" or kind.startswith("response."):
        return "responses"
    if "candidates" in j:
        return "gemini"
    if "output" in j and "stopReason" in j or any(k.startswith(("contentBlock", "messageSt")) for k in j):
        return "bedrock"
    return "cohere" if kind == "message-start" or "message" in j and "finish_reason" in j else None


ENDS = ("message_stop", "response.completed", "response.incomplete", "response.failed")
API = {v: k for k, v in reversed(DIALECT.items())}


def fixture(r):
    """A bare answer (JSON, or one event's data a line) as a record; None when it is no conversation of a dialect that dray speaks."""
    body, stream = r["response"].get("body") or "", "stream" in r["tags"]
    lines = [line for line in body.splitlines() if line.strip() and line.strip() != "[DONE]"] if stream else [body]
    if not body.strip():
        return None
    events = [json.loads(line) for line in lines]
    dialect = spoken(events[0])
    if not dialect:
        return None
    end = next((i for i, j in enumerate(events) if j.get("type") in ENDS), len(events))
    events, lines = events[:end + 1], lines[:end + 1]  # some have the next turn's answer behind it
    response = {"status": 200}
    if not stream:
        response["body"] = body
    elif dialect == "bedrock":
        response["body_b64"] = base64.b64encode(b"".join(frame(k, json.dumps(v).encode()) for j in events for k, v in j.items())).decode()
    else:
        named = dialect in ("messages", "responses", "cohere")
        response["body"] = "".join((f"event: {j['type']}\n" if named else "") + f"data: {line}\n\n" for j, line in zip(events, lines)) + ("data: [DONE]\n\n" if dialect == "chat" else "")
    api = ("converse-stream" if stream else "converse") if dialect == "bedrock" else "streamGenerateContent" if dialect == "gemini" and stream else API[dialect]
    return {**r, "api": api, "request": {"method": "POST", "path": "/v2/chat"}, "response": response}


def load():
    files = sorted(glob.glob(f"{FIXTURES}/answers/*.jsonl"))
    if shared():
        files += sorted(glob.glob(f"{shared()}/data/traffic/dev/*.jsonl"))
    out, unread = [], []
    for name in files:
        with open(name, encoding="utf-8") as f:
            for line in f:
                r = json.loads(line)
                if os.path.basename(name).startswith("fixture-"):
                    r = fixture(r) or {"api": None}
                if r["api"] not in DIALECT or (r.get("request") or {}).get("method") != "POST":
                    continue
                if r["api"] == "cohere-chat" and "/v2/" not in r["request"]["path"]:
                    continue  # its first API
                try:
                    out.append(Record(r))
                except (KeyError, TypeError, ValueError) as e:
                    unread.append(f"{r['id']} {r['api']}: {e!r}")
    return out, unread


# Where each dialect's provider is asked: the end of the path.
ASKED_AT = {"chat": "/chat/completions", "responses": "/responses", "messages": "/messages", "gemini": "enerateContent", "bedrock": ("/converse", "/converse-stream"), "cohere": "/v2/chat"}


class Replay(Upstream):
    def __init__(self, records):
        super().__init__(self.replay)
        self.records = {r.id: r for r in records}
        self.astray = []

    def replay(self, x):
        r = self.records[x.request.get("x-replay-id")]
        if not x.request.path.split("?")[0].endswith(ASKED_AT[r.dialect]):
            self.astray.append(f"{r.id}: {r.dialect} asked at {x.request.path}")
        if not r.stream or r.status >= 300:
            x.whole(r.body, r.status, r.headers)
            return
        cut, i = random.Random(r.id), 0
        x.start(r.status, r.headers)
        while i < len(r.body):
            n = 1 + cut.randrange(400)
            x.chunk(r.body[i:i + n])
            i += n
        x.end()


def question(client, model, stream):
    """(path, body) of a plain request; the answer has been recorded whatever is asked."""
    tools = {"type": "object", "properties": {}}
    if client == "chat":
        return CLIENTS_OF[client], {"model": model, "messages": [{"role": "user", "content": "hi"}], "tools": [{"type": "function", "function": {"name": "t", "parameters": tools}}],
                                    **({"stream": True, "stream_options": {"include_usage": True}} if stream else {})}
    if client == "responses":
        return CLIENTS_OF[client], {"model": model, "input": "hi", "tools": [{"type": "function", "name": "t", "parameters": tools}], **({"stream": True} if stream else {})}
    if client == "messages":
        return CLIENTS_OF[client], {"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": "hi"}], "tools": [{"name": "t", "input_schema": tools}], **({"stream": True} if stream else {})}
    verb = "streamGenerateContent?alt=sse" if stream else "generateContent"
    return CLIENTS_OF[client].format(model.replace("/", "%2F"), verb), {"contents": [{"parts": [{"text": "hi"}]}], "tools": [{"functionDeclarations": [{"name": "t"}]}]}


def provider_line(up, kind):
    base = {"gemini": "/v1beta", "cohere": "", "bedrock": ""}.get(kind, "/v1")
    more = ", region: eu-west-1" if kind == "bedrock" else f", api_key: sk-{kind}"
    return f"  r-{kind}: {{kind: {kind}, base_url: \"http://127.0.0.1:{up.port}{base}\", forward_headers: [x-replay-id]{more}}}\n"


AWS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example"}


class Cross(Served):
    @classmethod
    def setUpClass(cls):
        cls.records, cls.unread = load()
        cls.up = Replay(cls.records)
        kinds = sorted({r.kind for r in cls.records} | {CHAT_ONLY})
        cls.dray = Dray("workers: 2\nproviders:\n" + "".join(provider_line(cls.up, k) for k in kinds), env=AWS)
        cls.answers = []  # what the SDKs shall read
        cls.lock = threading.Lock()

    def problems(self, r, client, m):
        """What is wrong with one answer."""
        if m is None or not m.complete:
            yield "no whole answer"
            return
        if m.status != r.status:
            yield f"status {m.status}, not {r.status}: {m.body[:120]!r}"
            return
        translated = client != r.dialect
        if r.status >= 300:
            if translated:
                yield from self.error_problems(client, m)
            return
        if translated:
            rule = canon.grammar(client, m.body, r.stream)
            if rule:
                yield f"breaks {rule}"
                return
        got, want = canon.read(client, m.body, r.stream), r.said
        if bool(got.error) != bool(want.error):
            yield f"error {got.error!r}, not {want.error!r}"
        if want.error:
            return
        for field in ("text", "tools", "stop", "input", "output"):
            w, g = getattr(want, field), getattr(got, field)
            if field in ("input", "output") and (w is None or not translated):
                continue
            if g != w:
                yield f"{field} {g!r:.150}, not {w!r:.150}"
        if translated:
            with self.lock:
                self.answers.append({"id": r.id, "dialect": client, "stream": r.stream, "body": m.body.decode(), "want": want})

    def error_problems(self, client, m):
        try:
            j = json.loads(m.body)
            error = j["error"]
            good = {"chat": lambda: isinstance(error["message"], str) and "type" in error and "code" in error, "messages": lambda: j["type"] == "error" and error["type"] and error["message"],
                    "gemini": lambda: isinstance(error["code"], int) and error["message"] and error["status"]}[client if client != "responses" else "chat"]()
        except (KeyError, TypeError, ValueError):
            good = False
        if not good:
            yield f"not an error of {client}: {m.body[:160]!r}"

    def run_client(self, client):
        todo = self.records
        bad, calls = [], {}

        def ask(c, r):
            path, body = question(client, r.model(client), r.stream)
            c.send(request_bytes("POST", path, body, {"x-replay-id": r.id}))
            m = c.answer()
            found = [p for p in self.problems(r, client, m) if (r.id, client) not in EXCEPTIONS and (r.id, "*") not in EXCEPTIONS]
            bad.extend(f"{r.id} {r.provider} {r.dialect}{' stream' if r.stream else ''}: {p}" for p in found)
            if m is not None:
                calls[m.get("x-dray-call-id")] = r
            return m
        over_connections(self.dray.port, todo, ask, THREADS)
        bad += self.up.astray
        for row in self.dray.rows("SELECT id, input_tokens, output_tokens, token_source FROM calls"):
            r = calls.get(row["id"])
            if r is None or r.said is None or r.said.input is None or (r.id, "ledger") in EXCEPTIONS:
                continue
            if (row["input_tokens"], row["output_tokens"], row["token_source"]) != (r.said.input, r.said.output, "provider"):
                bad.append(f"{r.id} {r.dialect}: {row['input_tokens']} + {row['output_tokens']} tokens in the ledger, not {r.said.input} + {r.said.output}")
        self.assertFalse(bad, f"{len(bad)} problems with {len(todo)} records:\n" + "\n".join(sorted(bad)[:40]))

    def test_1_chat(self):
        self.run_client("chat")

    def test_1_responses(self):
        self.run_client("responses")

    def test_1_messages(self):
        self.run_client("messages")

    def test_1_gemini(self):
        self.run_client("gemini")

    def test_2_official_sdks(self):
        """What was answered above, as the SDKs hand it to the application."""
        if not os.path.isdir(f"{CLIENTS}/node_modules/@google/genai") or not node():
            self.skipTest("the SDKs are not installed: script/bootstrap")
        self.assertTrue(self.answers)
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl", delete=False) as f:
            for n, a in enumerate(self.answers):
                f.write(json.dumps({"n": n, "dialect": a["dialect"], "stream": a["stream"], "body": a["body"]}) + "\n")
        try:
            p = subprocess.run([node(), "parse-answers.mjs", f.name], cwd=CLIENTS, env=clean_env(), capture_output=True, text=True, timeout=600)
        finally:
            os.unlink(f.name)
        read = {j["n"]: j for j in map(json.loads, p.stdout.splitlines())}
        self.assertEqual(len(read), len(self.answers), p.stderr[-2000:])
        bad = []
        for n, a in enumerate(self.answers):
            w, g = a["want"], read[n].get("said")
            if g is None:
                bad.append(f"{a['id']} {a['dialect']}: {read[n]['error']}")
                continue
            want = {"text": w.text, "tools": [list(t) for t in w.tools], "stop": w.stop}
            if w.input is not None:
                want.update(input=w.input, output=w.output)
            if {k: g.get(k) for k in want} != want and (a["id"], a["dialect"]) not in EXCEPTIONS and (a["id"], "*") not in EXCEPTIONS:
                bad.append(f"{a['id']} {a['dialect']}: {[(k, g.get(k), want[k]) for k in want if g.get(k) != want[k]]!r:.300}")
        self.assertFalse(bad, f"{len(bad)} problems with {len(self.answers)} answers:\n" + "\n".join(bad[:40]))

    def test_3_published_schemas(self):
        published = schemas.published(shared())
        if not published:
            self.skipTest("the published schemas (../shared) or Python's jsonschema are not there")
        self.assertTrue(self.answers)
        bad = {}
        for a in self.answers:
            problem = published.problem(a["dialect"], a["body"].encode(), a["stream"])
            if problem and (a["id"], a["dialect"]) not in EXCEPTIONS and (a["id"], "*") not in EXCEPTIONS:
                bad.setdefault(f"{a['dialect']}{' stream' if a['stream'] else ''}: {problem}", []).append(a["id"])
        self.assertFalse(bad, "\n".join(f"{len(ids)} ({ids[0]}): {p}" for p, ids in sorted(bad.items())[:40]))

    def test_4_every_record_is_understood(self):
        strange = [u for u in self.unread if u.split()[0] not in NO_ANSWERS]
        self.assertFalse(strange, "\n".join(strange[:20]))


@unittest.skipUnless(shared(), "the recordings (../shared) are not there: only tests/fixtures was replayed")
class Recordings(unittest.TestCase):
    def test_are_there(self):
        self.assertGreater(len(load()[0]), 1000)


if __name__ == "__main__":
    unittest.main()
