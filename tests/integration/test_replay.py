"""Recorded exchanges through dray: the request reaches the provider JSON-equal, the answer the client byte-equal,
status and headers kept, and the ledger has exactly the recorded usage.

Records (one JSON a line: id, api, request.body, response.status/headers/body) come from tests/fixtures and, when it
is there, from the shared folder. Each is served in pieces: whole, line by line, byte by byte, random cuts by seed.
DRAY_FULL=1 takes all ten seeds and every record in byte mode; otherwise two seeds, and bytes for the smaller ones.
"""
import glob
import json
import os
import random
import re
import unittest

from lib import FIXTURES, Dray, Served, Upstream, events, over_connections, provider, request_bytes, shared

FULL = bool(os.environ.get("DRAY_FULL"))
SEEDS = range(1, 11) if FULL else (1, 2)
BYTE_MAX = 1 << 30 if FULL else 12000  # answers longer than this are not sent byte by byte
THREADS = 8
SURFACE = {"chat": "/v1/chat/completions", "completions": "/v1/completions", "embeddings": "/v1/embeddings", "responses": "/v1/responses"}
PATHS = re.compile(r"/(chat/completions|completions|embeddings|responses)$")
# What the server of the recording decides anew, not the recording.
NOT_REPLAYED = {"content-length", "transfer-encoding", "content-encoding", "connection", "date", "server", "via"}


class Record:
    def __init__(self, r):
        self.id, self.api = r["id"], r["api"]
        self.status = r["response"].get("status") or 200
        self.headers = [(n, v) for n, v in r["response"]["headers"].items() if n.lower() not in NOT_REPLAYED]
        if not any(n.lower() == "content-type" for n, _ in self.headers):
            self.headers.append(("content-type", "application/json"))
        self.answer = (r["response"].get("body") or "").encode()
        self.body = json.loads(r["request"]["body"])
        if "model" not in self.body:  # Azure names it in the path
            self.body["model"] = re.search(r"/deployments/([^/]+)/", r["request"]["path"]).group(1)
        self.stream = self.body.get("stream") is True and self.api in ("chat", "completions")
        self.asked = (self.body.get("stream_options") or {}).get("include_usage") is True

    def sent(self):
        """What the client sends: the recorded body, its model named as one of provider `rec`."""
        return json.dumps({**self.body, "model": "rec/" + self.body["model"]}, ensure_ascii=False).encode()

    def expected_request(self, inject):
        if self.stream and inject and not self.asked:
            return {**self.body, "stream_options": {**(self.body.get("stream_options") or {}), "include_usage": True}}
        return self.body

    def is_sse(self):
        return self.answer.lstrip().startswith((b"data:", b"event:", b":", b"id:", b"retry:"))

    def ends(self):
        """Whether a streamed answer has its terminator, or told an error of its own."""
        got = events(self.answer)
        if self.api == "responses":
            return bool(got) and re.search(r'"type":\s*"(response\.(completed|failed|incomplete)|error)"', got[-1]) is not None
        return "[DONE]" in got or (bool(got) and '"error"' in got[-1])

    def usage(self):
        """(input, output, reasoning) of the last usage in the answer, None when there is none."""
        found = None
        for text in (events(self.answer) if self.is_sse() else [self.answer.decode(errors="replace")]):
            try:
                j = json.loads(text)
            except ValueError:
                continue
            holders = [j, j.get("response"), j.get("x_groq")] if isinstance(j, dict) else []
            found = next((h["usage"] for h in holders if isinstance(h, dict) and isinstance(h.get("usage"), dict)), found)
        return None if not found or self.status >= 400 else totals(found, self.api)


def totals(u, api):
    """What a usage object says, by its total where the parts are not all of it: some providers leave reasoning out of
    the output (and Gemini's compatible endpoint out of everything but the total), Mistral audio out of the input."""
    inp = u.get("prompt_tokens", u.get("input_tokens"))
    out = u.get("completion_tokens", u.get("output_tokens")) or 0
    reasoning = (u.get("completion_tokens_details") or u.get("output_tokens_details") or {}).get("reasoning_tokens") or 0
    audio = (u.get("prompt_tokens_details") or {}).get("audio_tokens") or 0
    if inp is None and api == "embeddings":
        inp = u.get("total_tokens")
    if inp is None:
        return None
    missing = (u.get("total_tokens") or 0) - inp - out
    if missing > 0 and missing == audio:
        inp += missing
    elif missing > 0 and reasoning in (0, missing):
        reasoning = missing
        out += missing
    return inp, out, reasoning


def load():
    files = sorted(glob.glob(f"{FIXTURES}/*.jsonl"))
    if shared():
        files += sorted(f for f in glob.glob(f"{shared()}/data/traffic/dev/*.jsonl") if "fixture-" not in f)
    out = []
    for name in files:
        with open(name, encoding="utf-8") as f:
            for line in f:
                r = json.loads(line)
                q = r.get("request") or {}
                if r["api"] in SURFACE and q.get("method") == "POST" and q.get("body") and PATHS.search(q.get("path", "")):
                    out.append(Record(r))
    return out


def pieces(data, mode):
    if mode == "whole":
        yield data
    elif mode == "byte":
        for i in range(len(data)):
            yield data[i:i + 1]
    elif mode == "line":
        yield from data.splitlines(True)
    else:
        cut, i = random.Random(int(mode[4:])), 0
        while i < len(data):
            n = 1 + cut.randrange(40)
            yield data[i:i + n]
            i += n


class Replay(Upstream):
    def __init__(self, records):
        super().__init__(self.replay)
        self.records = {r.id: r for r in records}
        self.got = {}

    def replay(self, x):
        r, mode = self.records[x.request.get("x-replay-id")], x.request.get("x-replay-mode")
        self.got[x.request.get("x-tag")] = x.request
        if mode == "whole":
            x.whole(r.answer, r.status, r.headers)
            return
        x.start(r.status, r.headers)
        for p in pieces(r.answer, mode):
            x.chunk(p)
        x.end()


def without_injected(answer):
    """What a client that did not ask for usage gets: no event that has usage alone, no "usage":null."""
    out = []
    for text in events(answer):
        try:
            j = json.loads(text)
        except ValueError:
            out.append(text)
            continue
        if isinstance(j, dict) and j.get("choices") == [] and isinstance(j.get("usage"), dict):
            continue
        if isinstance(j, dict) and "usage" in j and j["usage"] is None:
            del j["usage"]
            out.append(j)
        else:
            out.append(text)
    return out


def same_events(got, want):
    if len(got) != len(want):
        return False
    return all(g == w if isinstance(w, str) else json.loads(g) == w for g, w in zip(got, want))


class Exchanges(Served):
    inject = True

    @classmethod
    def setUpClass(cls):
        cls.records = load()
        cls.up = Replay(cls.records)
        more = "" if cls.inject else ", stream_usage: observe"
        cls.dray = Dray("workers: 2\nproviders:\n" + provider(cls.up, "rec", more))

    def problem(self, r, m, tag):
        """The first thing that is not as it should be with one exchange, as text; None when all is well."""
        if m is None:
            return "no answer"
        sent = self.up.got.get(tag)
        if sent is None:
            return f"never reached the provider: {m.status} {m.body[:160]!r}"
        if json.loads(sent.body) != r.expected_request(self.inject):
            return "request differs"
        if sent.all("authorization") != ["Bearer sk-upstream-rec"]:
            return "credentials not replaced"
        if m.status != r.status:
            return f"status {m.status}, not {r.status}"
        for n, v in r.headers:
            if n.lower() == "retry-after" and r.status < 400:
                continue
            if v not in m.all(n.lower()):
                return f"header {n}: {m.all(n.lower())} not {v!r}"
        if not m.complete:
            return "answer cut"
        return self.answer_problem(r, m)

    def answer_problem(self, r, m):
        streamed = r.body.get("stream") is True and r.is_sse() and r.status < 400
        body = m.body
        if streamed and not r.ends():
            # its bytes, then one error event
            if not (body.startswith(r.answer) and '"error"' in events(body)[-1]):
                return "a stream without its terminator was passed as whole"
            return None
        if body == r.answer:
            hidden = streamed and r.stream and self.inject and not r.asked
            if hidden and not same_events(events(r.answer), without_injected(r.answer)):
                return "usage not taken out again"
            return None
        if streamed and r.stream and self.inject and not r.asked and same_events(events(body), without_injected(r.answer)):
            return None
        i = next((k for k in range(min(len(body), len(r.answer))) if body[k] != r.answer[k]), min(len(body), len(r.answer)))
        return f"answer differs at byte {i} of {len(r.answer)}: {body[max(0, i - 20):i + 30]!r} not {r.answer[max(0, i - 20):i + 30]!r}"

    def run_mode(self, mode):
        todo = [r for r in self.records if mode != "byte" or len(r.answer) <= BYTE_MAX]
        bad, calls = [], {}

        def ask(c, r):
            tag = f"{r.id}-{mode}-{self.inject}"
            try:
                c.send(request_bytes("POST", SURFACE[r.api], r.sent(), {
                    "authorization": "Bearer client-key", "x-replay-id": r.id, "x-replay-mode": mode, "x-tag": tag, "x-dray-session": tag}))
                m = c.answer()
                problem = self.problem(r, m, tag)
                if m is not None:
                    calls[r.id] = m.get("x-dray-call-id")
            except (OSError, ValueError, EOFError) as e:
                m, problem = None, repr(e)
            if problem:
                bad.append(f"{r.id} {r.api} {r.status}: {problem}")
            return m
        over_connections(self.dray.port, todo, ask, THREADS)
        bad += self.books_problems(todo, mode, calls)
        self.assertFalse(bad, f"{len(bad)} problems with {len(todo)} exchanges:\n" + "\n".join(bad[:25]))

    def books_problems(self, todo, mode, calls):
        rows = {}
        for row in self.dray.rows("SELECT * FROM calls WHERE session LIKE ?", (f"%-{mode}-{self.inject}",)):
            rows.setdefault(row["session"], []).append(row)
        for r in todo:
            mine = rows.get(f"{r.id}-{mode}-{self.inject}", [])
            if len(mine) != 1:
                yield f"{r.id}: {len(mine)} rows in the ledger"
                continue
            row, want = mine[0], r.usage()
            if row["id"] != calls.get(r.id):
                yield f"{r.id}: row of another call"
            if row["status"] != r.status:
                yield f"{r.id}: status {row['status']} in the ledger, not {r.status}"
            if want is None:
                if row["token_source"] == "provider":
                    yield f"{r.id}: tokens said to be the provider's, who gave none"
                continue
            got = (row["input_tokens"], row["output_tokens"], row["reasoning_tokens"] or 0)
            if got != want:
                yield f"{r.id}: tokens {got}, recorded {want}"
            if row["token_source"] != "provider":
                yield f"{r.id}: token_source {row['token_source']}"


def add_mode(cls, mode):
    setattr(cls, f"test_{mode}", lambda self: self.run_mode(mode))


for name in ["whole", "line", "byte"] + [f"rand{i}" for i in SEEDS]:
    add_mode(Exchanges, name)


class Observed(Exchanges):
    """stream_usage: observe. Nothing is injected, so every byte is the provider's."""
    inject = False


for name in ["line", "byte"] + [f"rand{i}" for i in SEEDS]:
    setattr(Observed, f"test_{name}", None)


@unittest.skipUnless(shared(), "the recordings (../shared) are not there: only tests/fixtures was replayed")
class Recordings(unittest.TestCase):
    def test_are_there(self):
        self.assertGreater(len(load()), 1000)


if __name__ == "__main__":
    unittest.main()
