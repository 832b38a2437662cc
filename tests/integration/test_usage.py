"""Every recorded answer that tells its usage, of every dialect, whole and streamed: the ledger has exactly its tokens by class and its service tier,
and its cost to the nano-dollar, at prices that differ for every class and tier. Asked by a client of each of the four dialects, and for surfaces that are
no conversations as they are. What the recording says is read here anew, from the providers' documents, apart from dray's readers.

At the end the whole ledger goes through the independent checker of the books.
"""
import glob
import json
import os
import subprocess
import sys
import unittest

import canon
import test_cross
from lib import ROOT, Dray, Served, over_connections, request_bytes, shared
from test_cross import AWS, Replay, question

sys.path.insert(0, os.path.join(ROOT, "tests"))
from check_money import line_cost  # noqa: E402

THREADS = 6
CLASSES = ("input", "cached_input", "cache_write_5m", "cache_write_1h", "input_audio", "cached_audio", "input_image", "output", "reasoning", "output_audio", "output_image", "search", "images",
           "audio_seconds", "characters", "pages")
DOLLARS = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 0.0037, 0.041, 0.00043, 0.0000047, 0.0053)  # per million; the last five for one
EACH = set(CLASSES[11:])
TIERS = {"default": 1, "flex": 0.5, "priority": 2, "batch": 0.25}


def price_line():
    def row(factor):
        return ", ".join(f"{c}: {d * factor:.10f}" for c, d in zip(CLASSES, DOLLARS))
    return "{" + row(1) + "".join(f", {t}: {{{row(f)}}}" for t, f in TIERS.items() if t != "default") + "}"


def rate(cls, tier):
    """Nano-dollars per million units, exactly: the dollars are short decimals."""
    return round(DOLLARS[CLASSES.index(cls)] * 1e10 * TIERS[tier]) * (10**6 if cls in EACH else 1) // 10


# ---- what a recording says ----

def lines(**units):
    return {c: n for c, n in units.items() if n}


def part(of, n):
    """A part of a whole. More than the whole is a contradiction: no discount is booked on it."""
    return n if n <= of else 0


def number(v):
    return v if isinstance(v, int) and not isinstance(v, bool) and v > 0 else 0


def openai_lines(u, searches=0):
    """Chat, Responses, embeddings, completions: what is disjoint sums to the total."""
    i, o = (u.get(k) or {} for k in ("prompt_tokens_details", "completion_tokens_details"))
    i = i or u.get("input_tokens_details") or u.get("input_token_details") or u.get("prompt_token_details") or {}
    o = o or u.get("output_tokens_details") or {}
    inp, out, total = u.get("prompt_tokens", u.get("input_tokens")), number(u.get("completion_tokens", u.get("output_tokens"))), number(u.get("total_tokens"))
    cached = number(i.get("cached_tokens")) or number(u.get("prompt_cache_hit_tokens")) or number(u.get("num_cached_tokens")) or number(u.get("cached_tokens"))
    reasoning, audio = number(o.get("reasoning_tokens")) or number(u.get("reasoning_tokens")), number(i.get("audio_tokens"))
    if inp is None:
        inp = total - out
    beside = total - inp - out
    if beside > 0 and beside == audio:
        inp += beside  # Mistral
    elif beside > 0 and reasoning in (0, beside):
        reasoning, out = beside, out + beside  # xAI; Gemini's compatible endpoint
    cached = part(inp, cached)
    written = part(inp, number(i.get("cache_write_tokens")))
    audio = min(part(inp, audio), inp - cached - written)
    image = min(part(inp, number(i.get("image_tokens"))), inp - cached - written - audio)
    reasoning = part(out, reasoning)
    sound = min(part(out, number(o.get("audio_tokens"))), out - reasoning)
    picture = min(part(out, number(o.get("image_tokens"))), out - reasoning - sound)
    tools = u.get("server_tool_use_details") or u.get("server_side_tool_usage_details") or {}
    searches = number(u.get("num_search_queries")) + sum(number(tools.get(k)) for k in ("web_search_requests", "web_search_calls", "x_search_calls")) or searches
    return lines(input=inp - cached - written - audio - image, cached_input=cached, cache_write_5m=written, input_audio=audio, input_image=image, output=out - reasoning - sound - picture,
                 reasoning=reasoning, output_audio=sound, output_image=picture, search=searches)


OPENAI_TIERS = {"flex": "flex", "priority": "priority", "batch": "batch"}


def chat_objects(body, stream):
    return [json.loads(d) for _, d in canon.sse(body) if d != "[DONE]"] if stream else [json.loads(body)]


def of_chat(body, stream):
    usage, tier = None, "default"
    for j in chat_objects(body, stream):
        usage = j.get("usage") or (j.get("x_groq") or {}).get("usage") or usage
        tier = OPENAI_TIERS.get(j.get("service_tier"), tier)
    if not usage or not any(isinstance(v, int) for v in usage.values()):
        return None
    return openai_lines(usage), OPENAI_TIERS.get(usage.get("service_tier"), tier)


def of_responses(body, stream):
    r = next((j["response"] for j in reversed(chat_objects(body, stream)) if "usage" in (j.get("response") or {})), None) if stream else json.loads(body)
    if not r or not r.get("usage"):
        return None
    searches = sum(i["type"] == "web_search_call" and (i.get("action") or {}).get("type", "search") == "search" for i in r["output"])  # pages that were opened cost nothing
    return openai_lines(r["usage"], searches), OPENAI_TIERS.get(r.get("service_tier"), "default")


def of_messages(body, stream):
    usage = {}
    for j in chat_objects(body, stream):
        u = j.get("usage") or (j.get("message") or {}).get("usage") or {}
        usage.update({k: v for k, v in u.items() if v is not None})
    if "input_tokens" not in usage and "output_tokens" not in usage:
        return None
    steps = [usage] + [i for i in usage.get("iterations") or [] if i.get("type") == "compaction"]  # which the totals leave out
    split = [u.get("cache_creation") or {} for u in steps]
    hour = sum(number(c.get("ephemeral_1h_input_tokens")) for c in split)
    thought = number((usage.get("output_tokens_details") or {}).get("thinking_tokens"))
    tier = {"priority": "priority", "batch": "batch"}.get(usage.get("service_tier"), "default")
    return lines(input=sum(number(u.get("input_tokens")) for u in steps), cached_input=sum(number(u.get("cache_read_input_tokens")) for u in steps),
                 cache_write_5m=sum(number(u.get("cache_creation_input_tokens")) for u in steps) - hour, cache_write_1h=hour, output=sum(number(u.get("output_tokens")) for u in steps) - thought,
                 reasoning=thought, search=number((usage.get("server_tool_use") or {}).get("web_search_requests"))), tier


AUDIO, IMAGE = ("AUDIO", 4), ("IMAGE", 2)  # some servers give the enum's number


def modality(details, which):
    return sum(number(d.get("tokenCount")) for d in details or [] if d.get("modality") in which)


def of_gemini(body, stream):
    usage, queries = None, 0
    for j in chat_objects(body, stream):
        usage = j.get("usageMetadata") or usage
        for c in j.get("candidates") or []:
            queries = len((c.get("groundingMetadata") or {}).get("webSearchQueries") or []) or queries
    if not usage:
        return None
    prompt, made, thought = number(usage.get("promptTokenCount")) + number(usage.get("toolUsePromptTokenCount")), number(usage.get("candidatesTokenCount")), number(usage.get("thoughtsTokenCount"))
    cached, kept = number(usage.get("cachedContentTokenCount")), usage.get("cacheTokensDetails")
    sound = min(modality(kept, AUDIO), cached)
    audio = max(modality(usage.get("promptTokensDetails"), AUDIO) - modality(kept, AUDIO), 0)
    image = max(modality(usage.get("promptTokensDetails"), IMAGE) - modality(kept, IMAGE), 0)
    out = usage.get("candidatesTokensDetails")
    traffic = {"ON_DEMAND_FLEX": "flex", "ON_DEMAND_PRIORITY": "priority"}.get(usage.get("trafficType"), "default")
    return lines(input=prompt - cached - audio - image, cached_input=cached - sound, cached_audio=sound, input_audio=audio, input_image=image, output=made - modality(out, AUDIO) - modality(out, IMAGE),
                 reasoning=thought, output_audio=modality(out, AUDIO), output_image=modality(out, IMAGE), search=queries), OPENAI_TIERS.get(str(usage.get("serviceTier")).lower(), traffic)


def of_bedrock(body, stream):
    j = next((p for k, p in canon.frames(body) if k == "metadata"), {}) if stream else json.loads(body)
    u = j.get("usage")
    if not u:
        return None
    written = number(u.get("cacheWriteInputTokens")) or number(u.get("cacheWriteInputTokenCount"))
    hour = sum(number(d.get("inputTokens")) for d in u.get("cacheDetails") or [] if d.get("ttl") == "1h")
    tier = (j.get("serviceTier") or {}).get("type")
    return lines(input=u["inputTokens"], cached_input=number(u.get("cacheReadInputTokens")) or number(u.get("cacheReadInputTokenCount")), cache_write_5m=written - hour, cache_write_1h=hour,
                 output=u["outputTokens"]), OPENAI_TIERS.get(tier, "default")


def of_cohere(body, stream):
    u = next(((j["delta"].get("usage") or {}) for j in chat_objects(body, stream) if j["type"] == "message-end"), {}) if stream else json.loads(body).get("usage") or {}
    billed = u.get("billed_units") or u.get("tokens")
    if not billed:
        return None
    out, thought = number(int(billed.get("output_tokens", 0))), number(int((u.get("tokens") or {}).get("reasoning_tokens") or 0))
    thought = min(thought, out)
    return lines(input=int(billed.get("input_tokens", 0)), output=out - thought, reasoning=thought, search=number(int(billed.get("search_units", 0)))), "default"


READ = {"chat": of_chat, "responses": of_responses, "messages": of_messages, "gemini": of_gemini, "bedrock": of_bedrock, "cohere": of_cohere}

# ---- surfaces that are no conversations ----

FORM = b"--b\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nrec/m\r\n--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.mp3\"\r\n\r\nxyz\r\n--b--\r\n"
AS_FORM = {"content-type": "multipart/form-data; boundary=b"}
ASK = {  # what the recorded path ends with: where it is asked for here, and how
    "/completions": ("/v1/completions", {"model": "rec/m", "prompt": "hi"}, {}),
    "/v1/embeddings": ("/v1/embeddings", {"model": "rec/m", "input": "hi"}, {}),
    ":batchEmbedContents": ("/v1beta/models/gem%2Fm:batchEmbedContents", {"requests": [{"model": "models/m", "content": {"parts": [{"text": "hi"}]}}]}, {}),
    ":embedContent": ("/v1beta/models/gem%2Fm:embedContent", {"content": {"parts": [{"text": "hi"}]}}, {}),
    "/rerank": ("/v1/rerank", {"model": "rec/m", "query": "hi", "documents": ["a"]}, {}),
    "/audio/transcriptions": ("/v1/audio/transcriptions", FORM, AS_FORM),
    "/images/generations": ("/v1/images/generations", {"model": "rec/m", "prompt": "a cat"}, {}),
    "/images/edits": ("/v1/images/edits", FORM, AS_FORM),
}


def of_surface(path, body, stream):
    """Some tell in their last event, some in the whole answer."""
    if path == ":batchEmbedContents" or path == ":embedContent":
        return of_gemini(body, False)
    objects = chat_objects(body, stream)
    usage = next((j["usage"] for j in reversed(objects) if j.get("usage")), None)
    units = (objects[0].get("meta") or {}).get("billed_units") or {}
    if path == "/rerank" and units.get("search_units"):
        return lines(search=units["search_units"]), "default"
    if not usage:
        return None
    got = openai_lines(usage)
    if path.startswith("/images") and "output_image" not in got:
        got["output_image"] = got.pop("output")  # what isn't told apart is pictures
    return got, "default"


class Surface:
    """A recorded answer of such a surface; None in `path` when dray has none like it."""

    def __init__(self, r):
        res, self.id, self.provider, self.dialect, self.status = r["response"], r["id"], r["provider"], r["api"], 200
        path = (r.get("request") or {}).get("path", "")
        self.path = next((p for p in ASK if path.endswith(p) and (r["provider"] != "cohere" or p == "/rerank")), None)
        self.body, self.stream = (res.get("body") or "").encode(), "stream" in r["tags"]
        self.headers = [("content-type", "text/event-stream" if self.stream else "application/json")]
        self.want = of_surface(self.path, self.body, self.stream) if self.path and (res.get("status") or 200) < 300 and self.body else None


def surfaces():
    out = []
    for name in sorted(glob.glob(f"{shared()}/data/traffic/dev/*.jsonl")) if shared() else []:
        with open(name, encoding="utf-8") as f:
            out += [Surface(r) for r in map(json.loads, f) if r["api"] in ("completions", "embeddings", "rerank", "audio", "images")]
    return [s for s in out if s.want]


# (record, client dialect or "*"): why the ledger does not have what the recording says.
EXCEPTIONS = {}


def provider_line(up, kind):
    return test_cross.provider_line(up, kind).replace("{kind:", f"{{price: {price_line()}, kind:")


class Usage(Served):
    @classmethod
    def setUpClass(cls):
        cls.records = [r for r in test_cross.load()[0] if r.status < 300 and r.said and not r.said.error]
        cls.want = {r.id: READ[r.dialect](r.body, r.stream) for r in cls.records}
        cls.up = Replay(cls.records)
        kinds = sorted({r.kind for r in cls.records} | {test_cross.CHAT_ONLY})
        cls.dray = Dray("workers: 2\nproviders:\n" + "".join(provider_line(cls.up, k) for k in kinds), env=AWS)

    def ask_all(self, client):
        """{call id: record} of the records that tell their usage, asked for by a client of this dialect."""
        calls, bad = {}, []

        def ask(c, r):
            path, body = question(client, r.model(client), r.stream)
            c.send(request_bytes("POST", path, body, {"x-replay-id": r.id}))
            m = c.answer()
            if m is None or m.status != 200:
                bad.append(f"{r.id}: {m and m.body[:200]}")
            else:
                calls[m.get("x-dray-call-id")] = r
            return m
        over_connections(self.dray.port, [r for r in self.records if self.want[r.id]], ask, THREADS)
        self.assertFalse(bad, "\n".join(bad[:20]))
        return calls

    def run_client(self, client):
        calls, bad, rows = self.ask_all(client), [], {}
        for row in self.dray.rows("SELECT c.id, c.service_tier, c.cost_nano AS cost, l.class, l.units, l.rate_nano AS rate, l.cost_nano FROM calls c LEFT JOIN usage_lines l ON l.time = c.time"):
            rows.setdefault(row["id"], []).append(row)
        for call, r in calls.items():
            if (r.id, client) in EXCEPTIONS or (r.id, "*") in EXCEPTIONS:
                continue
            want, tier = self.want[r.id]
            got = {x["class"]: x["units"] for x in rows.get(call, []) if x["class"]}
            what = f"{r.id} {r.provider} {r.dialect}{' stream' if r.stream else ''}"
            if got != want:
                bad.append(f"{what}: {got}, not {want}")
                continue
            rates = {x["class"]: x["rate"] for x in rows[call] if x["class"]}
            if rates != {c: rate(c, tier) for c in want}:
                bad.append(f"{what}: rates {rates}, not {tier}: { {c: rate(c, tier) for c in want} }")
            elif rows[call][0]["cost"] != sum(line_cost(n, rate(c, tier)) for c, n in want.items()):
                bad.append(f"{what}: cost {rows[call][0]['cost']}")
        self.assertFalse(bad, f"{len(bad)} problems with {len(calls)} answers:\n" + "\n".join(sorted(bad)[:40]))
        self.assertGreater(len(calls), 5)

    def test_1_chat(self):
        self.run_client("chat")

    def test_1_responses(self):
        self.run_client("responses")

    def test_1_messages(self):
        self.run_client("messages")

    def test_1_gemini(self):
        self.run_client("gemini")

    def test_1_surfaces(self):
        up = test_cross.Upstream(lambda x: x.whole(records[x.request.get("x-replay-id")].body, 200, records[x.request.get("x-replay-id")].headers))
        self.addCleanup(up.close)
        records = {s.id: s for s in surfaces()}
        if not records:
            self.skipTest("the recordings (../shared) are not there")
        config = "providers:\n" + provider_line(up, "openai").replace("r-openai", "rec") + provider_line(up, "gemini").replace("r-gemini", "gem")
        bad = []
        with Dray(config) as dray:
            for s in records.values():
                path, body, headers = ASK[s.path]
                body = {**body, "stream": True} if s.stream and isinstance(body, dict) else body
                m = dray.call(body, path, headers={**headers, "x-replay-id": s.id})
                rows = dray.rows("SELECT class, units, l.rate_nano AS rate FROM calls c JOIN usage_lines l ON l.time = c.time WHERE c.id = ?", (m.get("x-dray-call-id"),))
                got = {x["class"]: (x["units"], x["rate"]) for x in rows}
                want = {c: (n, rate(c, "default")) for c, n in s.want[0].items()}
                if got != want:
                    bad.append(f"{s.id} {s.provider} {s.path}{' stream' if s.stream else ''} {m.status}: {got}, not {want}")
        self.assertFalse(bad, f"{len(bad)} problems with {len(records)} answers:\n" + "\n".join(bad))
        self.assertEqual({s.path for s in records.values()}, set(ASK))

    def test_2_books(self):
        self.dray.settle()
        p = subprocess.run([sys.executable, os.path.join(ROOT, "tests", "check_money.py"), os.path.join(self.dray.dir, "dray.db")], capture_output=True, text=True)
        self.assertEqual(p.returncode, 0, p.stdout)


@unittest.skipUnless(shared(), "the recordings (../shared) are not there: only tests/fixtures was replayed")
class Recordings(unittest.TestCase):
    def test_are_there(self):
        told = [r for r in test_cross.load()[0] if r.status < 300 and r.said and READ[r.dialect](r.body, r.stream)]
        self.assertGreater(len(told), 1000)
        self.assertEqual({r.dialect for r in told}, set(READ))


if __name__ == "__main__":
    unittest.main()
