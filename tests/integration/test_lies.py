"""Providers that lie about usage: cached more than all, totals that don't add, negative, null, texts, 1e30, what isn't
an object. Each call is booked once, what contradicts itself is flagged, nothing is negative, and the sums of rows,
lines, attempts and rollups agree (tests/check_money.py, which shares nothing with dray)."""
import json
import os
import random
import subprocess
import sys
import unittest

from lib import Client, Dray, Upstream, chat, chat_answer, chat_stream, provider

CALLS = 400
ODD = [None, -1, -5, 0, 1, 7, 12, 3.5, "12", "1e3", "", [], {}, True, False, 1e30, -1e30, 1e308, 2**31, 2**32, 2**53, 2**63, 2**64, 10**18, 999999999]


def lie(rnd):
    """A usage with some of its members odd."""
    u = {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150,
         "prompt_tokens_details": {"cached_tokens": 20, "audio_tokens": 0}, "completion_tokens_details": {"reasoning_tokens": 10}}
    for _ in range(rnd.randint(1, 4)):
        where = rnd.choice([u, u, u["prompt_tokens_details"], u["completion_tokens_details"]])
        if not isinstance(where, dict):
            continue
        key = rnd.choice(list(where) + ["cached_tokens", "cache_write_tokens", "image_tokens", "search_context_size"])
        if isinstance(where.get(key), dict) and rnd.random() < 0.7:
            continue
        where[key] = rnd.choice(ODD)
        for k in ("prompt_tokens_details", "completion_tokens_details"):
            if not isinstance(u.get(k), dict):
                u[k] = {}
    return rnd.choice(ODD) if rnd.random() < 0.03 else u


class Lies(unittest.TestCase):
    def test_no_lie_makes_a_wrong_sum(self):
        rnd = random.Random(7)
        lies = [lie(rnd) for _ in range(CALLS)]

        def answer(x):
            q = json.loads(x.request.body)
            usage = lies[int(q["user"])]
            if q.get("stream"):
                x.start()
                x.sse(chat_stream(q)[:-1] + [{"id": "s", "object": "chat.completion.chunk", "created": 1, "model": q["model"], "choices": [], "usage": usage}])
                x.end()
            else:
                x.whole({**chat_answer(q), "usage": usage})

        up = Upstream(answer)
        dray = Dray("providers:\n" + provider(up, more=", price: {input: 2.5, cached_input: 1.25, output: 10}"))
        with Client(dray.port) as c:
            for i in range(CALLS):
                m = c.request("POST", "/v1/chat/completions", chat("up/m1", user=str(i), stream=i % 3 == 0), {"x-dray-session": f"lie{i}"})
                self.assertEqual((m.status, m.complete), (200, True), lies[i])
        rows = {r["session"]: r for r in dray.rows()}
        self.assertEqual(len(rows), CALLS)
        for i, usage in enumerate(lies):
            r = rows[f"lie{i}"]
            for column in ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens", "cost_nano", "baseline_cost_nano"):
                self.assertGreaterEqual(r[column] or 0, 0, (column, usage, r))
            self.assertIn(r["token_source"], ("provider", "estimated", "counted"), (usage, r))
            if r["token_source"] == "provider":
                self.assertLessEqual(r["cached_tokens"], r["input_tokens"], usage)
                self.assertLessEqual(r["reasoning_tokens"], r["output_tokens"], usage)
                if not r["suspect"]:  # believed: then it is what was said
                    self.assertIsInstance(usage, dict)
                    for said, column in (("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens")):
                        v = usage.get(said)
                        if v is not None:
                            self.assertEqual(v, r[column], usage)
        lines = dray.rows("SELECT min(units) units, min(cost_nano) cost FROM usage_lines")[0]
        self.assertGreaterEqual(lines["units"], 1)
        self.assertGreaterEqual(lines["cost"], 0)
        self.assertGreater(sum(r["suspect"] for r in rows.values()), CALLS // 4)
        dray.stop(remove=False)
        checker = os.path.join(os.path.dirname(__file__), "..", "check_money.py")
        done = subprocess.run([sys.executable, checker, dray.db], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual(done.returncode, 0, done.stdout)
        dray.remove()
        up.close()


if __name__ == "__main__":
    unittest.main()
