"""The routing model end to end: difficulty in rules, headers, ledger and route; its file; learn, eval, calibrate."""
import json
import os
import random
import tempfile
import unittest
from xml.etree import ElementTree

from lib import Dray, Served, Upstream, chat, provider, run_dray

TIERS = "tiers:\n  light: {targets: [up/small]}\n  mid: {targets: [up/middle]}\n  frontier: {targets: [up/big]}\n"
RULES = ("policy:\n  - {name: hard, when: {difficulty: \"> 0.3\"}, use: frontier}\n"
         "  - {name: sure, when: {task_confidence: \">= 0.5\"}, use: light}\n  - {name: rest, use: mid}\n")
HARD = "Prove that the sum of two odd numbers is even, and compute the integral of x^2 from 0 to 3 step by step."
EASY = "hello! how are you today?"
NEITHER = "asdf qwer zxcv"


class InRules(Served):
    @classmethod
    def setUpClass(cls):
        cls.up = Upstream()
        cls.dray = Dray("providers:\n" + provider(cls.up) + TIERS + RULES)

    def test_difficulty_and_confidence_decide(self):
        for text, rule, tier in ((HARD, "hard", "frontier"), (EASY, "sure", "light"), (NEITHER, "rest", "mid")):
            with self.subTest(text[:30]):
                m = self.dray.call(chat("auto", text))
                self.assertEqual((m.status, m.get("x-dray-rule"), m.get("x-dray-tier")), (200, rule, tier), m.body)
                shown = float(m.get("x-dray-difficulty"))
                self.assertEqual(shown > 0.3, rule == "hard")
                row = self.dray.row(m)
                self.assertAlmostEqual(row["difficulty"], shown, delta=0.001)
                self.assertEqual(row["task"], m.get("x-dray-task"))

    def test_route_says_why(self):
        m = self.dray.call(chat("auto", HARD), path="/v1/route")
        d = json.loads(m.body)
        self.assertGreater(d["difficulty"], 0.3)
        self.assertEqual(d["rules"][0]["conditions"][0]["when"], "difficulty")
        self.assertAlmostEqual(d["rules"][0]["conditions"][0]["got"], d["difficulty"], delta=0.0001)


class File(unittest.TestCase):
    def route(self, folder, line, text=HARD):
        path = os.path.join(folder, "dray.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write("providers:\n  up: {kind: openai, base_url: http://127.0.0.1:9/v1, api_key: x}\n" + TIERS + line)
        code, said, err = run_dray("route", "--json", "-c", path, stdin=text.encode())
        return code, json.loads(said) if code == 0 else None, err

    def test_none_and_bad_ones(self):
        with tempfile.TemporaryDirectory() as d:
            code, said, err = self.route(d, "routing_model: none\n")
            self.assertEqual((code, said["difficulty"]), (0, None), err)
            with open(os.path.join(d, "bad.model"), "wb") as f:
                f.write(b"not a model at all" * 100)
            code, _, err = self.route(d, "routing_model: bad.model\n")
            self.assertEqual(code, 1)
            self.assertIn("not a routing model", err)
            code, _, err = self.route(d, "routing_model: missing.model\n")
            self.assertEqual(code, 1)
            self.assertIn("missing.model", err)

    def rows(self, path, n, seed=5):
        """Arithmetic is what the light model gets wrong; talk is what it gets right."""
        rng = random.Random(seed)
        with open(path, "w", encoding="utf-8") as f:
            for i in range(n):
                hard = i % 2
                a, b = rng.randrange(100), rng.randrange(100)
                prompt = (f"Compute the integral of {a} x^2 + {b} x and prove the result." if hard
                          else f"good morning, nice to meet you, my number is {a} and yours {b}")
                f.write(json.dumps({"id": f"r{i}", "set": "s", "cluster": i, "prompt": prompt, "cost": {"a": 1, "b": 10},
                                    "scores": {"a": int(not hard or rng.random() < 0.3), "b": 1}}) + "\n")

    def check_plot(self, path):
        """One panel of four curves that end where all goes to the frontier; nobody is above the oracle."""
        svg = "{http://www.w3.org/2000/svg}"
        lines = {}
        for e in ElementTree.parse(path).getroot().iter(svg + "polyline"):
            at = [tuple(map(float, xy.split(","))) for xy in e.get("points").split()]
            if len(at) > 2:
                lines[e.get("class")] = at
        self.assertEqual(set(lines), {"model", "random", "length", "oracle"})
        self.assertEqual(len({x[-1] for x in lines.values()}), 1)
        self.assertEqual(len({x[0] for x in lines.values()}), 1)
        for name in ("model", "random", "length"):
            for (x, y), (ox, oy) in zip(lines[name], lines["oracle"]):
                self.assertLessEqual(oy, y + 0.11)  # y grows downwards
        self.assertLess(sum(y for _, y in lines["model"]), sum(y for _, y in lines["random"]))

    def test_learn_use_and_calibrate(self):
        with tempfile.TemporaryDirectory() as d:
            rows, few, model = (os.path.join(d, name) for name in ("rows.jsonl", "few.jsonl", "my.model"))
            self.rows(rows, 400)
            self.rows(few, 20)
            pair = ("--light", "a", "--frontier", "b")
            code, _, err = run_dray("learn", "--from", rows, "--out", model, *pair)
            self.assertEqual(code, 0, err)
            code, said, err = self.route(d, "routing_model: my.model\n", "Compute the integral of 7 x^2 + 3 x and prove the result.")
            self.assertGreater(said["difficulty"], 0.45, err)
            self.assertEqual(said["task"], "reason")  # the shipped model's task heads came along
            self.assertLess(self.route(d, "routing_model: my.model\n", EASY)[1]["difficulty"], 0.3)
            plot = os.path.join(d, "plot.svg")
            code, said, err = run_dray("eval", "--model", model, "--data", rows, "--json", "--pair", "a:b", "--plot", plot)
            self.assertEqual(code, 0, err)
            self.check_plot(plot)
            s = json.loads(said)["sets"]["s"]
            self.assertGreater(s["apgr"], 0.7)
            self.assertGreater(s["promised95_delivered"], 0.9)
            code, said, err = run_dray("calibrate", "--from", rows, "--model", model, "--json", *pair)
            c = json.loads(said)
            self.assertEqual((code, c["promised"]), (0, True), err)
            self.assertGreaterEqual(c["kept"], 0.95)
            self.assertTrue(0.4 < c["share_light"] < 0.7 and c["saved"] > 0.3, c)
            code, said, err = run_dray("calibrate", "--from", few, *pair)
            self.assertEqual(code, 1)
            self.assertIn("No promise", said)


if __name__ == "__main__":
    unittest.main()
