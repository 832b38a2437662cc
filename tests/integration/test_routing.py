"""The built-in policy end to end: which tier answers what, what the headers say, what the ledger says."""
import json
import os
import tempfile
import unittest

from lib import Dray, Served, Upstream, chat, provider, run_dray

CLASSIFY = ["Classify the sentiment of this review as positive, negative or neutral: 'The room was clean but noisy.'",
            "Is this message spam or not spam? Answer with one word: You have won a prize, click here.",
            "What is the intent of this message: book_flight, cancel_flight or other? 'I need to fly to Rome on Monday.'"]
EXTRACT = ["Extract the name, date and amount from this invoice as JSON: Invoice from ACME, 3 March 2024, 1,200 EUR."]
SUMMARIZE = ["Summarize the following text in one sentence: " + "The committee met on Tuesday and spoke about the bridge. " * 10]
PLAN = ["Create a step-by-step plan to migrate our monolith to services over six months, with milestones, risks and dependencies.",
        "Plan a three-week project to move 40 employees to a new office; list phases, owners and deadlines."]
TRANSLATE = ["Translate the following sentence to French: The library closes at six."]
NOTHING = ["asdf qwer zxcv", "...", "7"]
TIERS = ("tiers:\n  light: {targets: [up/small]}\n  mid: {targets: [up/middle]}\n  frontier: {targets: [up/big]}\n")


class Policy(Served):
    @classmethod
    def setUpClass(cls):
        cls.up = Upstream()
        cls.dray = Dray("providers:\n" + provider(cls.up) + TIERS + "models:\n"
                        "  plain: {provider: up, model: plain}\n  moved: {provider: up, model: moved, reroute: always}\n"
                        "labels:\n  - {when: {header.x-team: billing}, set: {task: extract, stakes: high}}\n")

    def routed(self, text, tier, rule=None, headers=(), **more):
        m = self.dray.call(chat("auto", text, **more), headers=headers)
        self.assertEqual(m.status, 200, m.body)
        self.assertEqual(m.get("x-dray-tier"), tier, f"{m.get('x-dray-rule')}, task {m.get('x-dray-task')}: {text[:60]}")
        model = {"light": "small", "mid": "middle", "frontier": "big"}[tier]
        self.assertEqual(m.get("x-dray-model"), "up/" + model)
        self.assertEqual(json.loads(self.up.last().body)["model"], model)
        if rule:
            self.assertEqual(m.get("x-dray-rule"), rule)
        row = self.dray.row(m)
        self.assertEqual((row["tier"], row["rule"], row["task"], row["model"]), (tier, m.get("x-dray-rule"), m.get("x-dray-task"), model))
        return m

    def test_simple_tasks_go_light(self):
        for text in CLASSIFY + EXTRACT + SUMMARIZE:
            with self.subTest(text[:40]):
                self.routed(text, "light", "short-structured")

    def test_planning_goes_to_the_frontier(self):
        for text in PLAN:
            with self.subTest(text[:40]):
                self.assertEqual(self.routed(text, "frontier", "hard-work").get("x-dray-task"), "plan")

    def test_high_stakes_win(self):
        for text in CLASSIFY[:1] + TRANSLATE:
            self.routed(text, "frontier", "high-stakes", {"x-dray-stakes": "high"})

    def test_unplaceable_goes_to_the_frontier(self):
        for text in NOTHING:
            with self.subTest(text):
                self.assertEqual(self.routed(text, "frontier", "ambiguous").get("x-dray-task"), "unknown")

    def test_the_rest_goes_to_mid(self):
        for text in TRANSLATE:
            self.routed(text, "mid", "default")

    def test_long_input_is_not_short(self):
        self.routed("Summarize the following text: " + "The committee met and spoke about the bridge. " * 400, "mid", "default")

    def test_hints(self):
        self.routed("asdf", "light", "short-structured", {"x-dray-task": "classify"})
        self.routed(CLASSIFY[0], "frontier", "hard-work", {"x-dray-task": "reason"})
        self.routed("asdf", "mid", "default", metadata={"dray_task": "chat"})
        self.routed(CLASSIFY[0], "frontier", "high-stakes", metadata={"dray_stakes": "high"})
        self.routed("asdf", "light", None, {"x-dray-tier": "light"})

    def test_hint_wins_over_label(self):
        self.routed("asdf", "frontier", "high-stakes", {"x-team": "billing"})
        self.routed("asdf", "light", "short-structured", {"x-team": "billing", "x-dray-stakes": "normal"})

    def test_named_tier(self):
        for tier in ("light", "mid", "frontier"):
            m = self.dray.call(chat("auto:" + tier))
            self.assertEqual((m.get("x-dray-tier"), self.dray.row(m)["tier"]), (tier, tier))

    def test_named_model_is_left_alone(self):
        m = self.dray.call(chat("plain", CLASSIFY[0]))
        self.assertEqual((m.get("x-dray-model"), m.get("x-dray-tier"), m.get("x-dray-rule")), ("up/plain", None, None))
        # labelled in the ledger all the same, off the latency path
        self.dray.settle()
        self.assertEqual(self.dray.row(m)["task"], "classify")

    def test_reroute_always(self):
        m = self.dray.call(chat("moved", CLASSIFY[0]))
        self.assertEqual((m.get("x-dray-tier"), m.get("x-dray-model")), ("light", "up/small"))
        self.assertEqual(self.dray.row(m)["requested_model"], "moved")

    def test_weight_of_what_counts(self):
        """System prompt, tools and turns are read too: an embedding call is never routed by its text."""
        m = self.dray.call({"model": "up/e", "input": PLAN[0]}, "/v1/embeddings")
        self.assertEqual(self.dray.row(m)["task"], "embed")

    def test_route_endpoint_and_command(self):
        """The decision alone, the same over HTTP and in the shell as the one that serves; nothing is sent."""
        self.up.clear()
        for text, tier in ((CLASSIFY[0], "light"), (PLAN[0], "frontier"), (TRANSLATE[0], "mid"), (NOTHING[0], "frontier")):
            m = self.dray.call(chat("auto", text), "/v1/route")
            self.assertEqual((m.status, m.json()["tier"]), (200, tier))
            code, out, err = run_dray("route", "--json", "-c", f"{self.dray.dir}/dray.yaml", stdin=json.dumps(chat("auto", text)).encode())
            self.assertEqual(code, 0, err)
            j = json.loads(out)
            self.assertEqual((j["tier"], j["rule"], j["task"]), (tier, m.json()["rule"], m.json()["task"]))
        self.assertEqual(self.up.requests, [])

    def test_savings_are_booked(self):
        m = self.dray.call(chat("auto", CLASSIFY[0]))
        row = self.dray.row(m)
        self.assertEqual(row["baseline_model"], "up/big")
        self.assertIsNone(row["cost_nano"])  # prices of made-up models are unknown


class ZeroConfig(unittest.TestCase):
    """No file, no key: simulated providers stand in, and say so."""

    @classmethod
    def setUpClass(cls):
        cls.dray = Dray()

    @classmethod
    def tearDownClass(cls):
        cls.dray.stop()

    def test_says_so(self):
        self.assertIn("simulated", self.dray.log().lower())

    def test_tiers(self):
        for text, tier in ((CLASSIFY[0], "light"), (PLAN[0], "frontier"), (NOTHING[0], "frontier"), (TRANSLATE[0], "mid")):
            with self.subTest(tier=tier, text=text[:30]):
                m = self.dray.call(chat("auto", text))
                self.assertEqual((m.status, m.get("x-dray-tier")), (200, tier), m.body)
                self.assertIn("simulated", json.dumps(m.json()).lower())
                row = self.dray.row(m)
                self.assertEqual((row["tier"], row["status"], row["token_source"]), (tier, 200, "provider"))
                self.assertGreater(row["input_tokens"], 0)
                self.assertGreater(row["duration_us"], 0)

    def test_high_stakes(self):
        m = self.dray.call(chat("auto", CLASSIFY[0]), headers={"x-dray-stakes": "high"})
        self.assertEqual(m.get("x-dray-tier"), "frontier")

    def test_stream(self):
        m = self.dray.call(chat("auto", TRANSLATE[0], stream=True))
        self.assertEqual(m.status, 200)
        self.assertTrue(m.body.rstrip().endswith(b"data: [DONE]"))

    def test_cost_and_saving(self):
        m = self.dray.call(chat("auto", CLASSIFY[0]))
        row = self.dray.row(m)
        self.assertGreater(row["cost_nano"], 0)
        self.assertGreater(row["baseline_cost_nano"], row["cost_nano"])
        self.assertRegex(m.get("x-dray-cost-usd"), r"^\d+\.\d+$")
        self.assertEqual(round(float(m.get("x-dray-cost-usd")) * 1e9), row["cost_nano"])
        self.assertRegex(m.get("x-dray-saved-usd"), r"^-?\d+\.\d+$")


class FromEnvironment(unittest.TestCase):
    """One key and its base URL in the environment are a whole configuration."""

    def test_openai_key(self):
        up = Upstream()
        with Dray(env={"OPENAI_API_KEY": "sk-env", "OPENAI_BASE_URL": up.base}) as dray:
            seen = {}
            for text, tier in ((CLASSIFY[0], "light"), (PLAN[0], "frontier"), (TRANSLATE[0], "mid")):
                m = dray.call(chat("auto", text))
                self.assertEqual((m.status, m.get("x-dray-tier")), (200, tier))
                self.assertTrue(m.get("x-dray-model").startswith("openai/"))
                seen[tier] = m.get("x-dray-model")
                self.assertEqual(up.last().get("authorization"), "Bearer sk-env")
            self.assertEqual(len(set(seen.values())), 3)
            self.assertNotIn("sk-env", dray.log())
            m = dray.call(chat("gpt-4o"))
            self.assertEqual(m.get("x-dray-model"), "openai/gpt-4o")
        up.close()


class RouteCommand(unittest.TestCase):
    def test_prompt_on_stdin(self):
        with tempfile.TemporaryDirectory() as d:
            code, out, _ = run_dray("route", stdin=CLASSIFY[0].encode(), cwd=d)
            self.assertEqual(code, 0)
            self.assertIn("light", out)
            self.assertIn("short-structured", out)
            self.assertEqual([f for f in os.listdir(d) if f.endswith(".db")], [], "route keeps no books")

    def test_bad_input(self):
        with tempfile.TemporaryDirectory() as d:
            code, _, err = run_dray("route", "--json", stdin=b'{"model":"auto","messages":5}', cwd=d)
            self.assertEqual(code, 1)
            self.assertTrue(err)
            code, _, err = run_dray("route", "--json", stdin=b'{"model":"auto","messages":', cwd=d)
            self.assertEqual(code, 1)
            self.assertTrue(err)


if __name__ == "__main__":
    unittest.main()
