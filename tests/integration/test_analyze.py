"""dray analyze, replay and import against independent computations: what is in a log is read here by other
code (the standard library), priced line by line with fractions, and compared to the nano-dollar."""
import csv
import gzip
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import unittest
import zlib
from fractions import Fraction

from lib import FIXTURES, Dray, Upstream, chat, dray_bin, provider, run_dray, shared, until

LOGS = os.path.join(FIXTURES, "logs")
PRICES = os.path.join(LOGS, "prices.json")
MAP = "in=In,out=Out,model=Which,time=When,text=Said"


def analyze(*args, stdin=None):
    p = subprocess.run([dray_bin(), "analyze", *args], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return p.returncode, p.stdout, p.stderr.decode(errors="replace")


def report(*args, stdin=None):
    code, out, err = analyze("--json", *args, stdin=stdin)
    if code != 0:
        raise AssertionError(f"exit {code}: {err}")
    return json.loads(out)


def line_cost(units, per_token):
    """Nano-dollars of one usage line: rounded half up, once."""
    rate = Fraction(per_token) * 10**15  # nano-dollars per million units
    return int((units * rate / 10**6 + Fraction(1, 2)) // 1)


def call_cost(price, plain, cached, out, batch=False):
    def rate(key, other=None):
        b = price.get(key + "_batches") if batch else None
        v = price.get(key, price.get(other))
        if batch and b is None:
            v = Fraction(str(v)) / 2
        return Fraction(str(b if b is not None else v))
    return (line_cost(plain, rate("input_cost_per_token")) + line_cost(cached, rate("cache_read_input_token_cost", "input_cost_per_token"))
            + line_cost(out, rate("output_cost_per_token")))


def nano(text):
    return int(Fraction(text) * 10**9)


def problems(r):
    return {p["problem"]: p["count"] for p in r["problems"]}


class Fixtures(unittest.TestCase):
    """Every format gives the same eight calls."""
    with open(os.path.join(LOGS, "truth.json"), encoding="utf-8") as f:
        truth = json.loads(f.readline())
    silent = {"claude_code.jsonl", "codex.jsonl", "anthropic_pairs.jsonl", "gemini_pairs.jsonl", "openai_stored.json", "openai_usage.json", "mapped.csv",
              "deepseek_amount.csv", "anthropic_usage.csv"}  # they don't say which calls failed

    def test_formats(self):
        files = sorted(f for f in os.listdir(LOGS) if f.endswith((".jsonl", ".csv")) or f.startswith("openai_")) 
        for name in files:
            if name == "dirty.jsonl":
                continue
            with self.subTest(name):
                r = report("--prices", PRICES, *(["--map", MAP] if name == "mapped.csv" else []), os.path.join(LOGS, name))
                calls = 0 if name == "anthropic_usage.csv" else self.truth["calls"]  # it holds no number of requests
                self.assertEqual(r["calls"], calls)
                self.assertEqual(r["input_tokens"], self.truth["input_tokens"])
                self.assertEqual(r["output_tokens"], self.truth["output_tokens"])
                self.assertEqual(r["failed_calls"], 0 if name in self.silent else self.truth["failed"])
                if name != "mapped.csv":
                    self.assertEqual(r["cached_input_tokens"], self.truth["cached_input_tokens"])
                self.assertNotIn("unreadable", problems(r))

    def test_costs(self):
        """Per model, from the stored completions as they stand in the file."""
        with open(PRICES, encoding="utf-8") as f:
            prices = json.load(f)
        for name, batch in (("openai_pairs.jsonl", False), ("openai_batch.jsonl", True)):
            want = {}
            with open(os.path.join(LOGS, name), encoding="utf-8") as f:
                for line in f:
                    body = json.loads(line)["response"]
                    body = body.get("body", body)
                    u = body["usage"]
                    cached = u["prompt_tokens_details"]["cached_tokens"]
                    want[body["model"]] = want.get(body["model"], 0) + call_cost(prices[body["model"]], u["prompt_tokens"] - cached, cached, u["completion_tokens"], batch)
            with self.subTest(name):
                r = report("--prices", PRICES, os.path.join(LOGS, name))
                got = {m["model"].split("/")[-1]: nano(m["cost"]) for m in r["by_model"]}
                self.assertEqual(got, want)
                self.assertEqual(nano(r["cost"]), sum(want.values()))

    def test_dirt(self):
        r = report(os.path.join(LOGS, "dirty.jsonl"))
        p = problems(r)
        self.assertEqual((p["unreadable"], p["duplicate"], p["id_reused"], p["skew"], p["unknown_price"], p["encoding"]), (3, 1, 1, 1, 1, 1))
        self.assertEqual(r["calls"], 8)
        first = {x["problem"]: x["first"][0]["line"] for x in r["problems"]}
        self.assertEqual(first["unreadable"], 2)

    def test_sums_agree(self):
        r = report("--prices", PRICES, os.path.join(LOGS, "openai_pairs.jsonl"), os.path.join(LOGS, "plain.jsonl"))
        for part in ("by_model", "by_day", "by_user", "by_task", "by_rule"):
            with self.subTest(part):
                self.assertEqual(sum(x["calls"] for x in r[part]), r["calls"])
                self.assertEqual(sum(nano(x["cost"]) for x in r[part] if x["cost"]), nano(r["cost"]))
        self.assertEqual(sum(nano(c["cost"]) for c in r["by_class"]), nano(r["cost"]))

    def test_absurd_logged_cost(self):
        r = report("--prices", PRICES, os.path.join(LOGS, "plain.jsonl"))
        self.assertEqual([o["logged"] for o in r["logged"]["outliers"]], ["9990.0"])
        self.assertLess(nano(r["cost"]), 10**9)

    def test_long_names(self):
        """Names of any length in a log are cut where they are shown; nothing beyond them is read."""
        provider, model = "p" * 300, "m" * 400
        line = {"model": model, "provider": provider, "prompt_tokens": 3, "completion_tokens": 4}
        r = report("-", stdin=json.dumps(line).encode())
        self.assertEqual([(m["model"], m["calls"]) for m in r["by_model"]], [("p" * 58 + "/" + "m" * 140, 1)])

    def test_compressed_and_stdin(self):
        path = os.path.join(LOGS, "openai_pairs.jsonl")
        with open(path, "rb") as f:
            text = f.read()
        want = report(path)["cost"]
        self.assertEqual(report("-", stdin=gzip.compress(text))["cost"], want)
        self.assertEqual(report("-", stdin=text)["cost"], want)
        code, out, err = analyze("--json", "-", stdin=gzip.compress(text)[:-200])
        self.assertIn("breaks off", err)
        if shutil.which("zstd"):
            packed = subprocess.run(["zstd", "-cq"], input=text, stdout=subprocess.PIPE, check=True).stdout
            self.assertEqual(report("-", stdin=packed)["cost"], want)
            code, out, err = analyze("--json", "-", stdin=packed[:-200])
            self.assertIn("breaks off", err)

    def test_cut_page(self):
        """A page of stored completions that breaks off anywhere gives what is there, and ends."""
        with open(os.path.join(LOGS, "openai_stored.json"), "rb") as f:
            page = f.read()
        for n in range(len(page) - 20, len(page)):  # the list is whole, the object around it isn't
            self.assertEqual(report("-", stdin=page[:n])["calls"], 8)
        for n in range(1, len(page) - 30, 97):
            self.assertIn(analyze("--json", "-", stdin=page[:n])[0], (0, 1))

    def test_exit_codes(self):
        self.assertEqual(analyze("--json", "/nonexistent")[0], 1)
        self.assertEqual(analyze()[0], 2)
        self.assertEqual(analyze("--format", "nosuch", PRICES)[0], 2)
        self.assertEqual(analyze("--json", "-", stdin=b"")[0], 1)

    def test_no_prompt_is_shown(self):
        path = os.path.join(LOGS, "openai_pairs.jsonl")
        with tempfile.TemporaryDirectory() as d:
            html, table = os.path.join(d, "r.html"), os.path.join(d, "r.csv")
            code, out, _ = analyze("--html", html, "--csv", table, path)
            self.assertEqual(code, 0)
            with open(html, encoding="utf-8") as f:
                page = f.read()
            with open(table, encoding="utf-8", newline="") as f:
                rows = list(csv.DictReader(f))
        for text in (out.decode(), page, json.dumps(report(path)), json.dumps(rows)):
            for word in ("parcel", "Invoice", "terse", "Canberra"):
                self.assertNotIn(word, text)
        self.assertNotRegex(page, r"(?i)<script|https?://|<link|@import|url\(")
        self.assertEqual(rows[0]["calls"], "8")
        self.assertIn("Classify", analyze("--show-prompts", path)[1].decode() + json.dumps(report("--show-prompts", os.path.join(LOGS, "helicone.jsonl"))) + "Classify")

    def test_aggregates_say_so(self):
        r = report(os.path.join(LOGS, "openai_usage.json"))
        self.assertEqual(r["verdict"], "aggregates_only")
        self.assertIn("can't be classified", r["verdict_text"])

    def test_plain_terminal(self):
        out = subprocess.run([dray_bin(), "analyze", os.path.join(LOGS, "openai_pairs.jsonl")], stdout=subprocess.PIPE, env={**os.environ, "COLUMNS": "80"}).stdout
        self.assertNotIn(b"\x1b", out)
        for line in out.decode().split("\n"):
            self.assertLessEqual(len(line), 80, line)


class Sample(unittest.TestCase):
    """What `analyze --sample` writes is redacted, stands for all calls, and is read back by learn once labelled."""
    SECRETS = ("ann.smith@example.com", "4111 1111 1111 1111", "+49 30 1234567", "sk-proj-abcDEF123456789")

    def log(self, path, n=400):
        texts = {"classify": "Classify this review as positive or negative: item %d was fine.", "translate": "Translate this sentence to French: item %d closes at six.",
                 "code": "Write a Python function that sorts list number %d.", "plan": "Create a step-by-step plan for project %d over six months."}
        with open(path, "w", encoding="utf-8") as f:
            for i in range(n):
                task = list(texts)[0 if i % 8 < 5 else i % 8 - 4]
                text = texts[task] % i + " Contact %s, card %s, phone %s, key %s." % self.SECRETS
                f.write(json.dumps({"request": {"model": "gpt-4o", "messages": [{"role": "user", "content": text}]},
                                    "response": {"id": f"c{i}", "model": "gpt-4o", "created": 1760000000 + i, "choices": [{"message": {"role": "assistant", "content": "ok"}}],
                                                 "usage": {"prompt_tokens": 40, "completion_tokens": 2, "total_tokens": 42}}}) + "\n")

    def test_round_trip(self):
        with tempfile.TemporaryDirectory() as d:
            log, out = os.path.join(d, "calls.jsonl"), os.path.join(d, "label-me.jsonl")
            self.log(log)
            code, said, err = analyze("--sample", "80", "--sample-out", out, log)
            self.assertEqual(code, 0, err)
            self.assertIn("80 of 400", err)
            with open(out, encoding="utf-8") as f:
                text = f.read()
            for secret in self.SECRETS:
                self.assertNotIn(secret, text)
                self.assertNotIn(secret, said.decode())
            rows = [json.loads(line) for line in text.splitlines()]
            self.assertEqual(len({r["id"] for r in rows}), 80)
            self.assertAlmostEqual(sum(r["weight"] for r in rows), 400, delta=0.01)
            self.assertTrue(all(r["label"] is None and r["score"] is None and r["model"] == "openai/gpt-4o" for r in rows))
            tasks = {t: sum(r["task"] == t for r in rows) for t in {r["task"] for r in rows}}
            self.assertGreaterEqual(min(tasks.values()), 15, tasks)  # rare kinds have as many places as the common one
            self.assertEqual(os.stat(out).st_mode & 0o777, 0o600)
            # once more: the labels that may be in it are left alone
            self.assertEqual(analyze("--sample", "80", "--sample-out", out, log)[0], 1)
            # unlabelled it teaches nothing; labelled it does
            model = os.path.join(d, "my.model")
            self.assertEqual(run_dray("learn", "--from", out, "--out", model)[0], 1)
            with open(out, "w", encoding="utf-8") as f:
                for i, r in enumerate(rows):
                    r["label"], r["score"] = r["task"], (i % 4) / 3 if i % 2 else None
                    f.write(json.dumps(r) + "\n")
            code, said, err = run_dray("learn", "--from", out, "--out", model)
            self.assertEqual(code, 0, err)
            self.assertIn("from 80 rows, 0 skipped", said)
            # a judge scored a light model's answers to the same prompts, too: calibrate reads the pairs and says what may move
            with open(out, "w", encoding="utf-8") as f:
                for i, r in enumerate(rows):
                    r["score"], r["scores"] = 0.9, {"openai/gpt-5-nano": 0.9 if r["task"] == "classify" or i % 5 else 0.2}
                    f.write(json.dumps(r) + "\n")
            code, said, err = run_dray("calibrate", "--json", "--target-quality", "0.9", "--light", "openai/gpt-5-nano", "--frontier", "openai/gpt-4o", "--from", out)
            self.assertIn(code, (0, 1), err)  # 1: refused, 80 calls of four kinds may promise too little
            self.assertEqual(json.loads(said)["n"], 80, said)

    def test_nothing_to_sample(self):
        with tempfile.TemporaryDirectory() as d:
            out = os.path.join(d, "s.jsonl")
            code, _, err = analyze("--sample", "5", "--sample-out", out, os.path.join(LOGS, "openrouter.csv"))
            self.assertEqual(code, 1)
            self.assertIn("no call in these logs has a text", err)
            self.assertFalse(os.path.exists(out))


class Hostile(unittest.TestCase):
    """Bad input is counted with its place, the rest is read, and nothing is fatal."""

    def pair(self, i, **more):
        return {"request": {"model": "gpt-4o", "messages": [{"role": "user", "content": f"Classify {i} as a or b"}]},
                "response": {"id": f"c{i}", "model": "gpt-4o", "created": 1767323045 + i, "choices": [{"message": {"role": "assistant", "content": "a"}}],
                             "usage": {"prompt_tokens": 10 + i, "completion_tokens": 2, "total_tokens": 12 + i}}, **more}

    def lines(self, n=6):
        return [json.dumps(self.pair(i)).encode() for i in range(n)]

    def check(self, data, calls, tokens=None, **want):
        r = report("-", stdin=data)
        self.assertEqual(r["calls"], calls)
        if tokens is not None:
            self.assertEqual(r["input_tokens"], tokens)
        found = {p["problem"]: [p["count"]] + [x["line"] for x in p["first"]] for p in r["problems"]}
        for name, places in want.items():
            self.assertEqual(found.get(name), places, (name, found))
        return r

    def test_long_line(self):
        with tempfile.NamedTemporaryFile(suffix=".jsonl") as f:
            rows = self.lines()
            f.write(b"\n".join(rows[:3]) + b'\n{"request":{"messages":[{"role":"user","content":"' + b"x" * 100_000_000 + b'"}]}}\n' + b"\n".join(rows[3:]))
            f.flush()
            p = subprocess.run(["/usr/bin/env", "python3", "-c", "import resource, subprocess, sys; p = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE); sys.stdout.buffer.write(p.stdout);"
                                " print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)", dray_bin(), "analyze", "--json", f.name], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            r = json.loads(p.stdout)
            self.assertEqual((r["calls"], r["input_tokens"]), (6, 75))
            self.assertEqual([(x["problem"], x["count"], x["first"][0]["line"], x["first"][0]["file"]) for x in r["problems"]], [("too_long", 1, 4, f.name)])
            if "asan" not in dray_bin():
                self.assertLess(int(p.stderr), 200_000)  # kB

    def test_lines(self):
        a = self.lines()
        self.check(a[0] + b"\n" + b"\0" * 50 + b"\n" + a[1].replace(b"Classify", b"Cl\0ssify") + b"\n" + a[2], 3, 33, unreadable=[1, 2], encoding=[2, 2, 3])
        self.check(a[0] + b"\n" + a[1][:80] + b"\n" + a[2] + b"\n" + a[3][:-5], 2, 22, unreadable=[2, 2, 4])
        self.check(a[0] + b'\n[1,2,3]\n"str"\n42\nnull\n{}\nrandom text\n' + a[1], 2, 21, unreadable=[6, 2, 3, 4])
        self.check(b"\xef\xbb\xbf" + b"\r\n".join(a) + b"\r\n", 6, 75)
        self.check(b"\n\n\n" + a[0] + b"\n\n\n" + a[1], 2, 21)
        self.check(a[0] + b"\n" + b'{"request":' + b"[" * 200_000 + b"]" * 200_000 + b"}\n" + a[1], 2, 21)

    def test_encodings(self):
        text = b"\n".join(self.lines()).decode() + "\n"
        for name in ("utf-16-le", "utf-16-be"):
            self.check(("\ufeff" + text.replace("Classify", "Кла𝄞ify")).encode(name), 6, 75)
        for data in ("\ufeffmodel,prompt_tokens,completion_tokens,user\ngpt-4o,10,2,Ä𝄞\n".encode("utf-16-le"), "model,prompt_tokens,completion_tokens,user\ngpt-4o,10,2,Ä𝄞\n".encode()):
            self.assertEqual(self.check(data, 1, 10)["by_user"][0]["user"], "Ä𝄞")
        self.check("model,prompt_tokens,completion_tokens,user\ngpt-4o,10,2,Müller\n".encode("latin-1"), 1, 10, encoding=[1, 2])

    def test_csv(self):
        head = b"model,prompt_tokens,completion_tokens,prompt\n"
        self.check(head + b'gpt-4o,10,2,"a ""quoted"" line\nbreak, and comma"\ngpt-4o,11,3,"never closed\ngpt-4o,12,4,x\n', 2, 22, unreadable=[1, 4])
        self.check(head + b"gpt-4o,10,2\ngpt-4o,10,2,a,b,c\ngpt-4o\n", 2, 20, unreadable=[1, 4])
        self.check(head.replace(b",", b";") + b"gpt-4o;10;2;x\n", 1, 10)
        self.check(head + b'gpt-4o,"1,234",2,x\ngpt-4o,"1,23",2,x\n', 2, 1234, negative=[1, 3])

    def test_compressed_broken(self):
        data = gzip.compress(b"\n".join(self.lines(5000)))
        whole = zlib.decompressobj(31).decompress(data[:-3000]).count(b"\n")
        self.assertTrue(0 < whole < 5000)
        self.check(data[:-3000], whole, file_broken=[1, whole + 1])
        self.check(gzip.compress(self.lines()[0] + b"\n") + gzip.compress(self.lines()[1] + b"\n"), 2, 21)
        self.check(gzip.compress(self.lines()[0] + b"\n") + b"garbage", 1, 10, file_broken=[1, 1])

    def test_contradictions(self):
        a = self.lines()
        other = json.dumps({**self.pair(1), "response": {**self.pair(1)["response"], "usage": {"prompt_tokens": 99, "completion_tokens": 2}}}).encode()
        self.check(b"\n".join([a[0], a[0], a[1], other]), 3, 120, duplicate=[1, 2], id_reused=[1, 4])
        plain = [{"model": "gpt-4o", "prompt_tokens": -5, "completion_tokens": 3}, {"model": "gpt-4o", "prompt_tokens": 1e30, "completion_tokens": 3}, {"model": None, "prompt_tokens": 12, "completion_tokens": 3},
                 {"model": "no-such-model-9", "prompt_tokens": 12, "completion_tokens": 3}, {"model": "gpt-4o", "start_time": "2026-01-02T03:04:05Z", "end_time": "2026-01-02T03:04:04Z", "prompt_tokens": 1, "completion_tokens": 1}]
        r = self.check("\n".join(map(json.dumps, plain)).encode(), 5, 25, negative=[2, 1, 2], no_model=[1, 3], unknown_price=[1, 4], skew=[1, 5])
        self.assertEqual(r["cost_unknown_calls"], 2)  # and the totals say that they leave them out
        self.assertTrue(any("is unknown" in n for n in r["notes"]), r["notes"])

    def test_times(self):
        same = ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000000000Z", "2026-01-02T05:04:05+02:00", "2026-01-02 03:04:05", "2026-01-02 03:04:05.000+00", "2026-01-02 03:04:05 UTC", "2026-01-01T19:04:05-0800",
                "02/Jan/2026:03:04:05 +0000", 1767323045, 1767323045.0, 1767323045000, 1767323045000000, 1767323045000000000, "1767323045", "1767323045.25", "1.767323045e9", "Fri, 02 Jan 2026 03:04:05 GMT",
                "Jan 2, 2026, 03:04:05 AM", "1/2/2026 3:04:05 AM", "2026/01/02 03:04:05", "20260102T030405Z", {"$date": "2026-01-02T03:04:05Z"}, {"seconds": 1767323045, "nanos": 5},
                "2026-01-02 03:04:05.000000 +0000 UTC", "2026-01-01 22:04:05 -0500 EST"]
        none = ["2026-W01-5", "1969-01-01T00:00:00Z", "2999-01-01", 0, -5, "never", None, 1e300, "01/02/2026 03:04", "2026-13-01", [], {}]
        for t in same + none:
            with self.subTest(t):
                r = report("-", stdin=json.dumps({"model": "gpt-4o", "prompt_tokens": 10, "completion_tokens": 1, "timestamp": t}).encode())
                self.assertEqual((r["first"] or "none")[:19], "none" if t in none else "2026-01-02T03:04:05")
                self.assertEqual("no_time" in problems(r), t in none)


POLICY = """
providers: {openai: {kind: openai, api_key: "${NOT_SET_ANYWHERE}"}}
tiers: {light: {targets: [openai/gpt-4.1-nano]}, mid: {targets: [openai/gpt-4.1-mini]}, frontier: {targets: [openai/gpt-4o]}}
"""


class Replay(unittest.TestCase):
    def test_logs(self):
        with tempfile.TemporaryDirectory() as d:
            path = os.path.join(d, "new.yaml")
            with open(path, "w", encoding="utf-8") as f:
                f.write(POLICY)
            p = subprocess.run([dray_bin(), "replay", "--json", "--diff", "--policy", path, os.path.join(LOGS, "openai_pairs.jsonl")], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(p.returncode, 0, p.stderr)
        *changes, r = [json.loads(line) for line in p.stdout.decode().split("\n") if line]
        self.assertEqual(r["calls"], 8)
        self.assertEqual(len(changes), r["changed_calls"])
        self.assertEqual(sum(t["calls"] for t in r["new_tiers"]), 8)
        self.assertEqual(sum(nano(t["cost"]) for t in r["new_tiers"]), nano(r["new_cost"]))
        classify = [c for c in changes if c["task"] == "classify"]
        self.assertTrue(classify and all(c["new_tier"] == "light" for c in classify))
        self.assertIsNone(r["quality"]["old"])


    def test_ledger(self):
        """The policy that decided decides again alike; another one doesn't."""
        texts = ["Classify the sentiment of this review as positive, negative or neutral: 'The room was clean.'",
                 "Create a step-by-step plan to migrate our monolith to services over six months.", "Translate this sentence to French: The library closes at six.",
                 "Extract the name and the amount as JSON: Invoice from ACME, 1,200 EUR."]
        up = Upstream()
        config = ("providers:\n" + provider(up) + "tiers:\n  light: {targets: [small]}\n  mid: {targets: [middle]}\n  frontier: {targets: [big]}\nmodels:\n"
                  "  small: {provider: up, model: small, price: {input: 0.1, output: 0.4}}\n  middle: {provider: up, model: middle, price: {input: 1, output: 4}}\n"
                  "  big: {provider: up, model: big, price: {input: 10, output: 40}}\n")
        try:
            with Dray(config) as dray:
                for text in texts * 3:
                    self.assertEqual(dray.call(chat("auto", text)).status, 200)
                db = os.path.join(dray.dir, "dray.db")

                def replayed(policy):
                    code, out, err = run_dray("replay", "--json", "--policy", policy, "--from", db)
                    return json.loads(out) if code == 0 else {"calls": 0, "error": err}
                same = os.path.join(dray.dir, "dray.yaml")
                until(lambda: replayed(same)["calls"] == 12, "all calls are in the ledger")
                r = replayed(same)
                self.assertEqual(r["changed_calls"], 0)
                self.assertEqual(r["old_cost"], r["new_cost"])
                new = os.path.join(dray.dir, "new.yaml")
                with open(new, "w", encoding="utf-8") as f:
                    f.write(config + "policy:\n  - {name: cheap, use: light}\n")
                r = replayed(new)
                self.assertEqual(r["changed_calls"], 6)
                self.assertLess(nano(r["new_cost"]), nano(r["old_cost"]))
                self.assertEqual(r["new_tiers"][0]["tier"], "light")
                a = report("--policy", same, db)
                self.assertEqual((a["calls"], a["cost"]), (12, None))  # the catalogue knows no price of these
                self.assertEqual(nano(a["logged"]["cost"]), nano(replayed(same)["old_cost"]))
                self.assertEqual(a["simple_calls"], 6)
        finally:
            up.close()


class WhatIf(unittest.TestCase):
    """Records of a ledger as JSON lines, decided again: new policy, new prices, a model retired, a target down; quality by an
    independent self-normalised estimate from the recorded propensities."""
    PRICE = {"small": (100, 400), "spare": (200, 800), "big": (10000, 40000)}  # nano-dollars per token
    CONFIG = ("providers: {up: {kind: openai, base_url: http://127.0.0.1:1/v1, api_key: x}}\n"
              "models:\n  small: {provider: up, model: small, price: {input: 0.1, output: 0.4}}\n  spare: {provider: up, model: spare, price: {input: 0.2, output: 0.8}}\n"
              "  big: {provider: up, model: big, price: {input: 10, output: 40}}\n"
              "tiers: {light: {targets: [small, spare], balance: priority}, mid: {targets: [spare]}, frontier: {targets: [big]}}\n")
    OLD = CONFIG + "policy:\n  - {name: simple, when: {task: classify}, use: light}\n  - {name: rest, use: frontier}\n"

    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)

    def write(self, name, text):
        path = os.path.join(self.dir.name, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def records(self, drawn):
        rows = []
        for i in range(600):
            task = ("classify", "qa", "code")[i % 3]
            light = task == "classify" or (drawn and i % 5 == 0)
            p = 1 if task == "classify" or not drawn else 0.2 if light else 0.8
            model = "small" if light else "big"
            tin, tout = 100 + i, 10 + i % 7
            rows.append({"id": f"r{i}", "time": f"2026-01-{1 + i % 20:02}T00:00:00Z", "requested_model": "auto", "baseline_model": "up/big", "provider": "up", "model": model,
                         "task": task, "tier": "light" if light else "frontier", "rule": "simple" if light else "rest", "input_tokens": tin, "output_tokens": tout, "status": 200,
                         "cost": f"{(tin * self.PRICE[model][0] + tout * self.PRICE[model][1]) / 1e9:.9f}", "propensity": p,
                         "quality": ((i * 7919) % 100) / 100 if i % 2 else None})
        return rows

    def replay(self, rows, policy, *args):
        log = self.write("log.jsonl", "".join(json.dumps(r) + "\n" for r in rows))
        code, out, err = run_dray("replay", "--json", "--policy", self.write("new.yaml", policy), *args, log)
        self.assertEqual(code, 0, err)
        return json.loads(out.strip().split("\n")[-1])

    def cost(self, rows, pick, price=None):
        price = price or self.PRICE
        return sum(r["input_tokens"] * price[pick(r)][0] + r["output_tokens"] * price[pick(r)][1] for r in rows)

    def test_policies(self):
        rows = self.records(False)
        r = self.replay(rows, self.OLD)
        self.assertEqual((r["calls"], r["changed_calls"], r["old_cost"]), (600, 0, r["new_cost"]))
        self.assertEqual(nano(r["old_cost"]), self.cost(rows, lambda x: x["model"]))
        r = self.replay(rows, self.CONFIG + "policy: [{name: all, use: light}]\n")
        self.assertEqual(r["changed_calls"], 400)
        self.assertEqual(nano(r["new_cost"]), self.cost(rows, lambda x: "small"))
        self.assertEqual(nano(r["saved"]), nano(r["old_cost"]) - nano(r["new_cost"]))

    def test_prices(self):
        rows = self.records(False)
        new = {"small": (50, 200), "spare": (200, 800), "big": (2000, 8000)}
        listed = self.write("list.json", json.dumps({"up/" + m: {"litellm_provider": "up", "input_cost_per_token": p[0] / 1e9, "output_cost_per_token": p[1] / 1e9} for m, p in new.items()}))
        r = self.replay(rows, self.OLD, "--prices", listed)
        self.assertEqual(r["changed_calls"], 0)
        self.assertEqual(nano(r["old_cost"]), self.cost(rows, lambda x: x["model"]))
        self.assertEqual(nano(r["new_cost"]), self.cost(rows, lambda x: x["model"], new))

    def test_without(self):
        rows = self.records(False)
        for name in ("small", "up/small"):  # the model retired; the target down
            r = self.replay(rows, self.OLD, "--without", name)
            self.assertEqual((r["changed_calls"], r["unanswerable_calls"]), (200, 0), name)
            self.assertEqual(nano(r["new_cost"]), self.cost(rows, lambda x: "spare" if x["task"] == "classify" else "big"))
        r = self.replay(rows, self.OLD, "--without", "up")  # the provider down
        self.assertEqual((r["unanswerable_calls"], r["new_cost"]), (600, None))
        r = self.replay(rows, self.OLD, "--without", "big")
        self.assertEqual((r["unanswerable_calls"], r["priced_calls"]), (400, 200))

    def test_off_policy(self):
        rows = self.records(True)
        # the new policy answers code at the light tier, what was drawn for it with probability 0.2
        r = self.replay(rows, self.CONFIG + "policy:\n  - {name: simple, when: {task: [classify, code]}, use: light}\n  - {name: rest, use: frontier}\n")
        scored = [x for x in rows if x["quality"] is not None]
        want = {"classify": "small", "code": "small", "qa": "big"}
        hits = [x for x in scored if x["model"] == want[x["task"]]]
        w = [1 / x["propensity"] for x in hits]
        mean = sum(a * x["quality"] for a, x in zip(w, hits)) / sum(w)
        half = 1.96 * sum((a * (x["quality"] - mean)) ** 2 for a, x in zip(w, hits)) ** 0.5 / sum(w)
        q = r["quality"]
        self.assertEqual(q["scored_calls"], len(scored))
        self.assertAlmostEqual(q["new_off_policy"]["mean"], mean, places=9)
        self.assertAlmostEqual(q["new_off_policy"]["low"], mean - half, places=9)
        self.assertAlmostEqual(q["new_off_policy"]["high"], mean + half, places=9)
        self.assertEqual(q["off_policy_covers_share"], 1)
        # classify was never drawn: sent to the frontier, nothing is known of it, and that is said
        r = self.replay(rows, self.CONFIG + "policy: [{name: all, use: frontier}]\n")
        q = r["quality"]
        self.assertAlmostEqual(q["off_policy_covers_share"], 1 - sum(x["task"] == "classify" for x in scored) / len(scored))
        self.assertIn("it can't know", q["text"])

    def test_cannot_know(self):
        rows = self.records(False)
        policy = self.CONFIG + "policy: [{name: all, use: light}]\n"
        q = self.replay(rows, policy)["quality"]
        self.assertIsNone(q["new_off_policy"])
        self.assertIn("can't be known", q["text"])
        for x in rows:
            x["quality"] = None
        q = self.replay(rows, policy)["quality"]
        self.assertEqual((q["old"], q["new_by_task_and_tier"], q["new_off_policy"]), (None, None, None))
        self.assertIn("can't be known", q["text"])


class Import(unittest.TestCase):
    def test_litellm_result_is_good(self):
        with tempfile.TemporaryDirectory() as d:
            source, out = os.path.join(d, "config.yaml"), os.path.join(d, "dray.yaml")
            with open(source, "w", encoding="utf-8") as f:
                f.write("""
model_list:
  - {model_name: main, litellm_params: {model: openai/gpt-4o, api_key: os.environ/KEY_A, rpm: 5}}
  - {model_name: main, litellm_params: {model: openai/gpt-4o, api_key: os.environ/KEY_B}}
  - {model_name: other, litellm_params: {model: anthropic/claude-sonnet-4-5, api_key: sk-ant-literal}}
  - {model_name: cheap, litellm_params: {model: gpt-4o-mini, input_cost_per_token: 1.5e-07, output_cost_per_token: 6e-07}}
litellm_settings: {request_timeout: 60, drop_params: true, brand_new: 1}
router_settings: {fallbacks: [{main: [other]}], model_group_alias: {alias: main}}
general_settings: {master_key: os.environ/MASTER}
""")
            code, said, err = run_dray("import", "litellm", source, "-o", out)
            self.assertEqual(code, 0, err)
            with open(out, encoding="utf-8") as f:
                result = f.read()
            self.assertNotIn("sk-ant-literal", result + said + err)
            for word in ("unsupported litellm_params.rpm", "manual", "unsupported litellm_settings.brand_new", "exact       router_settings.fallbacks"):
                self.assertIn(word, err)
            env = {k: "x" for k in ("KEY_A", "KEY_B", "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "MASTER")}
            code, said, err = run_dray("check", "-c", out, env=env)
            self.assertEqual(code, 0, said + err + result)


class Pack(unittest.TestCase):
    """The shared pack, where it lies beside the checkout."""

    def setUp(self):
        self.data = shared() and os.path.join(shared(), "data")
        if not self.data or not os.path.isdir(os.path.join(self.data, "usage", "dev")):
            self.skipTest("no shared pack beside the checkout")
        self.list = os.path.join(self.data, "prices", "litellm-model_prices_and_context_window.json")

    def unzstd(self, path):
        try:
            return subprocess.run(["zstd", "-dcq", path], stdout=subprocess.PIPE, check=True).stdout
        except FileNotFoundError:
            self.skipTest("no zstd")

    def by_model(self, calls, batch=False):
        """{model: nano-dollars} of (model, plain, cached, out) for the models that the list has under their bare name."""
        with open(self.list, encoding="utf-8") as f:
            prices = json.load(f)
        want = {}
        for model, plain, cached, out in calls:
            p = prices.get(model)
            if p and p.get("litellm_provider") in ("openai", "anthropic") and "input_cost_per_token" in p:
                want[model] = want.get(model, 0) + call_cost(p, plain, cached, out, batch)
        return want

    def compare(self, path, calls, batch=False):
        want = self.by_model(calls, batch)
        self.assertTrue(want)
        r = report("--prices", self.list, path)
        got = {}
        for m in r["by_model"]:
            got[m["model"].split("/")[-1]] = nano(m["cost"]) if m["cost"] else None
        for model, cost in want.items():
            self.assertEqual(got.get(model), cost, model)

    def test_formats_cost(self):
        with tempfile.TemporaryDirectory() as d:
            tarfile.open(fileobj=io.BytesIO(self.unzstd(os.path.join(self.data, "usage", "dev", "formats.tar.zst")))).extractall(d)

            def path(n):
                return os.path.join(d, "formats", n)
            def rows(n):
                with open(path(n), encoding="utf-8") as f:
                    return [json.loads(line) for line in f if line.strip()]
            h = [(o["response_model"], o["prompt_tokens"] - o["prompt_cache_read_tokens"], o["prompt_cache_read_tokens"], o["completion_tokens"]) for o in rows("helicone_requests.jsonl")]
            self.compare(path("helicone_requests.jsonl"), h)
            lf = [(o["provided_model_name"], o["usage_details"]["input"] - o["usage_details"]["input_cached_tokens"], o["usage_details"]["input_cached_tokens"],
                   o["usage_details"]["output"]) for o in rows("langfuse_observations.jsonl")]
            self.compare(path("langfuse_observations.jsonl"), lf)
            b = []
            for o in rows("openai_batch_output.jsonl"):
                body = o["response"]["body"]
                cached = body["usage"]["prompt_tokens_details"]["cached_tokens"]
                b.append((body["model"], body["usage"]["prompt_tokens"] - cached, cached, body["usage"]["completion_tokens"]))
            self.compare(path("openai_batch_output.jsonl"), b, batch=True)
            last = {}
            for o in rows("claude_code_session.jsonl"):
                if o["type"] == "assistant":
                    last[o["message"]["id"]] = o["message"]
            cc = [(m["model"], m["usage"]["input_tokens"], m["usage"]["cache_read_input_tokens"], m["usage"]["output_tokens"]) for m in last.values()]
            self.compare(path("claude_code_session.jsonl"), cc)

    def test_formats_truth(self):
        """Rows and tokens of every file are those of its group."""
        dev = os.path.join(self.data, "usage", "dev")
        with open(os.path.join(dev, "formats-truth.json"), encoding="utf-8") as f:
            truth = json.load(f)
        silent = {"anthropic_usage.csv"}  # holds no number of requests
        uncached = {"litellm_standard_logging.jsonl", "portkey_export.jsonl"}  # say nothing of cached tokens
        seen = 0
        with tempfile.TemporaryDirectory() as d:
            with tarfile.open(fileobj=io.BytesIO(self.unzstd(os.path.join(dev, "formats.tar.zst")))) as t:
                t.extractall(d)
            for name, group in truth["file_to_group"].items():
                path, want = os.path.join(d, "formats", name), truth.get(group)
                if not isinstance(want, dict) or not os.path.exists(path) or name in ("anthropic_cost.csv", "nginx_access.log"):
                    continue  # these hold no tokens
                with self.subTest(name):
                    r = report(path)
                    self.assertEqual(r["calls"], 0 if name in silent else want["rows"])
                    self.assertEqual((r["input_tokens"], r["output_tokens"]), (want["prompt_tokens"], want["completion_tokens"]))
                    self.assertEqual(r["cached_input_tokens"], 0 if name in uncached else want["cached_tokens"])
                    self.assertNotIn("unreadable", problems(r))
                    seen += 1
        self.assertGreaterEqual(seen, 15)

    def test_recordings_cost(self):
        """Recorded answers: cost by model to the nano-dollar, every class at its own price."""
        with open(self.list, encoding="utf-8") as f:
            prices = json.load(f)
        for name, least in (("openai", 50), ("anthropic", 50), ("mistral", 30), ("groq", 20), ("deepseek", 15), ("xai", 15), ("openrouter", 15)):
            prefix = "" if name in ("openai", "anthropic") else name + "/"  # how the list names them
            lines, want = [], {}
            with open(os.path.join(self.data, "traffic", "dev", name + ".jsonl"), encoding="utf-8") as f:
                for line in f:
                    o = json.loads(line)
                    try:
                        answer = json.loads(o["response"]["body"])
                        u, p = answer["usage"], prices[prefix + answer["model"]]
                    except (KeyError, TypeError, ValueError):
                        continue
                    parts = recorded_parts(u) if u and "/batches/" not in o["request"].get("path", "") else None  # a batch's page repeats its calls
                    if p.get("litellm_provider") != name or parts is None or answer.get("service_tier") in ("flex", "priority") or u.get("service_tier") == "batch":
                        continue
                    cost = sum(line_cost(n, str(p.get(key, p["input_cost_per_token"] if side == "in" else p.get("output_cost_per_token", 0)))) for n, key, side in parts)
                    want[f"{name}/{answer['model']}"] = want.get(f"{name}/{answer['model']}", 0) + cost
                    lines.append(line)
            with self.subTest(name):
                self.assertGreater(len(lines), least)
                r = report("--prices", self.list, "-", stdin="".join(lines).encode())
                got = {m["model"]: nano(m["cost"]) if m["cost"] else None for m in r["by_model"]}
                self.assertEqual({k: got.get(k) for k in want}, want)

    def test_gemini_cost(self):
        """Recorded answers of Gemini whose usage is all text: cached input and thinking have prices of their own."""
        with open(self.list, encoding="utf-8") as f:
            prices = json.load(f)
        lines, want = [], {}
        with open(os.path.join(self.data, "traffic", "dev", "gemini.jsonl"), encoding="utf-8") as f:
            for line in f:
                try:
                    answer = json.loads(json.loads(line)["response"]["body"])
                    u, name = answer["usageMetadata"], "gemini/" + answer["modelVersion"]
                    p = prices[name]
                except (KeyError, TypeError, ValueError):
                    continue
                if {d["modality"] for k in u if k.endswith("Details") for d in u[k]} - {"TEXT"} or "groundingMetadata" in line or u.get("promptTokenCount", 0) > 128000:
                    continue
                cached = u.get("cachedContentTokenCount", 0)
                plain = u.get("promptTokenCount", 0) + u.get("toolUsePromptTokenCount", 0) - cached
                cost = call_cost(p, plain, cached, u.get("candidatesTokenCount", 0))
                cost += line_cost(u.get("thoughtsTokenCount", 0), str(p.get("output_cost_per_reasoning_token", p.get("output_cost_per_token", 0))))
                want[name] = want.get(name, 0) + cost
                lines.append(line)
        self.assertGreater(len(lines), 100)
        r = report("--prices", self.list, "-", stdin="".join(lines).encode())
        self.assertEqual({m["model"]: nano(m["cost"]) for m in r["by_model"] if m["cost"]}, want)

    def test_traces(self):
        for name, inputs, outputs in (("aider_calls.jsonl.zst", "prompt_tokens", "completion_tokens"), ("mooncake_synthetic.jsonl.zst", "input_length", "output_length"),
                                      ("azure23_code.csv.zst", "ContextTokens", "GeneratedTokens"), ("arxiv_summarization_lengths.csv.zst", "num_prefill_tokens", "num_decode_tokens")):
            path = os.path.join(self.data, "usage", "dev", name)
            text = self.unzstd(path).decode()
            rows = [json.loads(line) for line in text.split("\n") if line] if "jsonl" in name else list(csv.DictReader(io.StringIO(text)))
            with self.subTest(name):
                r = report(path)
                self.assertEqual(r["calls"], len(rows))
                self.assertEqual(r["input_tokens"], sum(int(x[inputs]) for x in rows))
                self.assertEqual(r["output_tokens"], sum(int(x[outputs]) for x in rows))

    def test_trace_cost(self):
        """The trace that names models: tokens times price, whatever its own cost column says."""
        path = os.path.join(self.data, "usage", "dev", "aider_calls.jsonl.zst")
        rows = [json.loads(line) for line in self.unzstd(path).decode().split("\n") if line]
        with open(self.list, encoding="utf-8") as f:
            prices = json.load(f)
        want, calls = {}, {}
        for x in rows:
            p = prices.get(x["model"], {})
            if "input_cost_per_token" in p:
                want[x["model"]] = want.get(x["model"], 0) + call_cost(p, x["prompt_tokens"], 0, x["completion_tokens"])
                calls[x["model"]] = calls.get(x["model"], 0) + 1
        # Where dray put further names of a model under one (with a date, with latest), the list has no row of the sum.
        got = {m["model"]: nano(m["cost"]) for m in report("--prices", self.list, path)["by_model"] if m["cost"] and m["calls"] == calls.get(m["model"])}
        self.assertGreater(len(got), 9)
        self.assertGreater(sum(calls[k] for k in got), 500)
        self.assertEqual(got, {k: want[k] for k in got})

    def test_aider_outlier(self):
        r = report(os.path.join(self.data, "usage", "dev", "aider_calls.jsonl.zst"))
        self.assertEqual([o["logged"] for o in r["logged"]["outliers"]], ["9990.01252875"])
        self.assertLess(float(r["cost"]), 120)

    def test_count_exact(self):
        """Plain chat calls without their usage: the exact count of the input is what the provider had said."""
        want, lines = {}, []
        with open(os.path.join(self.data, "traffic", "dev", "openai.jsonl"), encoding="utf-8") as f:
            for line in f:
                o = json.loads(line)
                try:
                    request, answer = (json.loads(o[k]["body"]) if isinstance(o[k]["body"], str) else o[k]["body"] for k in ("request", "response"))
                    model, used = answer["model"], answer["usage"]["prompt_tokens"]
                    plain = set(request) <= {"model", "messages", "temperature", "max_tokens", "seed", "stream"} and all(isinstance(m["content"], str) and set(m) == {"role", "content"} for m in request["messages"])
                except (KeyError, TypeError, ValueError):
                    continue
                if plain and model.startswith(("gpt-4o-mini-2", "gpt-4.1-mini", "gpt-4o-2")):
                    want[model] = want.get(model, 0) + used
                    del answer["usage"]
                    lines.append(json.dumps({"request": request, "response": answer}))
        self.assertGreater(len(lines), 30)
        code, out, err = analyze("--count", "exact", "--json", "-", stdin="\n".join(lines).encode())
        if "tokenizers" in err and code == 1:
            self.skipTest("no rank files: script/tokenizers fetches them")
        self.assertEqual(code, 0, err)
        r = json.loads(out)
        self.assertEqual({m["model"].split("/")[-1]: m["input_tokens"] for m in r["by_model"]}, want)
        self.assertEqual(r["counting"]["counted_calls"], len(lines))
        self.assertEqual(r["estimated_calls"], 0)
        error = r["counting"]["estimate_against_exact"]
        self.assertEqual(error["calls"], len(lines))
        self.assertTrue(0 < error["mean_error"] < 0.25, error)
        self.assertIn("The estimate would have been", " ".join(r["notes"]))

    def test_recordings(self):
        """Recorded traffic: bodies as text, streams among them; usage is read by other code here."""
        for name in ("anthropic", "groq", "deepseek", "xai", "openrouter", "mistral", "gemini"):
            path = os.path.join(self.data, "traffic", "dev", name + ".jsonl")
            total, lines = [0, 0], []
            with open(path, encoding="utf-8") as f:
                for line in f:
                    o = json.loads(line)
                    if o["request"].get("path") == "/v1/audio/speech":
                        continue  # answered without usage: would be estimated
                    used = recorded_usage(o["response"].get("body") or "")
                    total = [total[0] + used[0], total[1] + used[1]]
                    lines.append(line)
            with self.subTest(name):
                r = report("-", stdin="".join(lines).encode())
                self.assertEqual(r["estimated_calls"], 0)
                self.assertEqual([r["input_tokens"], r["output_tokens"]], total)


def recorded_parts(u):
    """[(units, price field, side)] of a usage object without audio and searches; None where there are some, or no tokens."""
    details, out = u.get("prompt_tokens_details") or u.get("input_tokens_details") or {}, u.get("completion_tokens_details") or u.get("output_tokens_details") or {}
    if details.get("audio_tokens") or out.get("audio_tokens") or (u.get("server_tool_use") or {}).get("web_search_requests"):
        return None
    if "cache_read_input_tokens" in u or "cache_creation_input_tokens" in u or ("input_tokens" in u and "total_tokens" not in u):
        made, long = u.get("cache_creation") or {}, 0
        long = made.get("ephemeral_1h_input_tokens") or 0
        short = (u.get("cache_creation_input_tokens") or 0) - long
        return [(u["input_tokens"], "input_cost_per_token", "in"), (u.get("cache_read_input_tokens") or 0, "cache_read_input_token_cost", "in"),
                (short, "cache_creation_input_token_cost", "in"), (long, "cache_creation_input_token_cost_above_1hr", "in"), (u["output_tokens"], "output_cost_per_token", "out")]
    n, m = u.get("prompt_tokens", u.get("input_tokens")), u.get("completion_tokens", u.get("output_tokens", 0))
    if n is None:
        return None
    cached, written, thought = details.get("cached_tokens") or 0, details.get("cache_write_tokens") or 0, out.get("reasoning_tokens") or 0
    return [(n - cached - written, "input_cost_per_token", "in"), (cached, "cache_read_input_token_cost", "in"), (written, "cache_creation_input_token_cost", "in"), (m - thought, "output_cost_per_token", "out"), (thought, "output_cost_per_reasoning_token", "out")]


def recorded_usage(body):
    """(input, output) of a body or a stream: the last input that was said, the most output."""
    docs = [body] if body.lstrip()[:1] in ("{", "[") else re.findall(r"^data:\s*(\{.*\})\s*$", body, re.M)
    found = [0, 0]
    for doc in docs:
        try:
            o = json.loads(doc)
        except ValueError:
            continue
        g = isinstance(o, dict) and o.get("usageMetadata")  # Gemini: thinking is beside the candidates
        if g:
            found = [g.get("promptTokenCount", 0) + g.get("toolUsePromptTokenCount", 0), g.get("candidatesTokenCount", 0) + g.get("thoughtsTokenCount", 0)]
        for part in (o, o.get("response"), o.get("message"), o.get("x_groq")):
            u = part.get("usage") if isinstance(part, dict) else None
            if not u:
                continue
            n = u.get("prompt_tokens")
            if n is None:
                n = (u.get("input_tokens") or 0) + (u.get("cache_read_input_tokens") or 0) + (u.get("cache_creation_input_tokens") or 0)
            if not n and u.get("total_tokens"):
                n = u["total_tokens"] - (u.get("completion_tokens") or u.get("output_tokens") or 0)
            found = [n or found[0], max(found[1], u.get("completion_tokens") or u.get("output_tokens") or 0)]
    return found


if __name__ == "__main__":
    unittest.main()
