"""Two weeks in mode: observe, then the same traffic in mode: route: what the report said that routing would have cost
is what it then costs, within the stated interval. The clock of both gateways runs so fast that two weeks pass in
seconds (shim.c); it starts a week earlier, so that on a slow machine it does not run into the future, of which no report
tells. DRAY_FULL=1: 20,000 calls; otherwise 1,400."""
import json
import os
import time
import unittest

import traffic
from lib import Dray, run_dray
from preload import shim_env
from test_again import PROVIDERS
from test_sim import Sim

CALLS = 20_000 if os.environ.get("DRAY_FULL") else 1400
DAYS, SECONDS = 14, 60 if os.environ.get("DRAY_FULL") else 7
SPARE = 7 * 86400
POLICY = """
baseline: frontier
tiers:
  light: {{targets: [openai/gpt-4.1-nano, openai/gpt-4o-mini], balance: cost}}
  mid: {{targets: [openai/gpt-4.1-mini]}}
  frontier: {{targets: [openai/gpt-4o]}}
"""
MODELS = ["auto"] * 5 + ["house", "house", "auto:mid", "openai/gpt-4.1", "claude-opus-4-1", "claude-opus-4-1"]


def nano(text):
    whole, _, part = text.lstrip("-").partition(".")
    return (-1 if text[0] == "-" else 1) * (int(whole) * 10**9 + int(part.ljust(9, "0")))


class Observe(unittest.TestCase):
    def setUp(self):
        self.sim = Sim("--output-tokens", "0").__enter__()
        self.addCleanup(self.sim.__exit__)
        self.shapes = traffic.shapes(11, 300, MODELS)
        for _, _, headers in self.shapes:
            headers.pop("x-dray-max-cost-usd", None)  # the dearer baseline refuses calls that routing would serve

    def two_weeks(self, mode):
        """Report and rows of the traffic in this mode."""
        begin = time.monotonic()
        dray = Dray(mode + PROVIDERS.format(self.sim.url) + POLICY.format(), env=shim_env((-DAYS * 86400 - SPARE, DAYS * 86400 / SECONDS)))
        sent = []
        for day in range(DAYS):
            time.sleep(max(0, begin + day * SECONDS / DAYS - time.monotonic()))
            sent += traffic.send(dray.port, self.shapes, CALLS // DAYS, processes=2, seed=day)
        dray.settle(60)
        self.assertEqual({s for _, _, s in sent}, {200})
        code, out, errors = run_dray("report", "--json", "--since", "30d", "--ledger", dray.db, "-c", os.path.join(dray.dir, "dray.yaml"))
        self.assertEqual(code, 0, errors)
        rows = {r["id"]: r for r in dray.rows()}
        dray.stop()
        return json.loads(out), [(i, rows[call]) for call, i, _ in sent]

    def test_it_was_true(self):
        report, observed = self.two_weeks("mode: observe\n")
        routed_report, routed = self.two_weeks("mode: route\n")
        always_report, always = self.two_weeks("mode: route\nreroute: always\n")
        self.assertGreaterEqual(len(report["by_day"]), DAYS - 2)  # the last and the first may share one
        o = report["observed"]
        self.assertEqual(o["calls"], len([r for _, r in observed if r["observed_model"]]))
        # Call by call: where the policy would have sent it is where it goes.
        for (i, seen), (k, went), (_, always_went) in zip(observed, routed, always):
            self.assertEqual(i, k)
            if not seen["observed_model"]:  # a tier that was named goes there in either mode
                self.assertEqual(seen["model"], went["model"])
                continue
            went_to = f'{went["provider"]}/{went["model"]}'
            if seen["observed_named"]:
                self.assertEqual(went_to, f'{seen["provider"]}/{seen["model"]}')
            else:
                self.assertEqual(went_to, seen["observed_model"], self.shapes[i])
                self.assertEqual(went["tier"], seen["observed_tier"])
            always_to = f'{always_went["provider"]}/{always_went["model"]}'
            self.assertEqual(always_to, went_to if seen["observed_named"] == 2 else seen["observed_model"])
        # The money: of the calls that were observed, what they then cost.
        for said, then in ((o, routed), (o["with_reroute_always"], always)):
            cost = sum(w["cost_nano"] for (_, s), (_, w) in zip(observed, then) if s["observed_model"])
            paid = sum(s["cost_nano"] for _, s in observed if s["observed_model"])
            self.assertEqual(nano(said["paid"]), paid)
            self.assertEqual(nano(said["would_have_saved"]), paid - nano(said["routing_would_have_cost"]))
            self.assertLessEqual(nano(said["would_have_saved_low"]), paid - cost)
            self.assertGreaterEqual(nano(said["would_have_saved_high"]), paid - cost)
            print(f"said ${said['routing_would_have_cost']} of ${said['paid']}, then it was ${cost / 1e9:.9f}; "
                  f"saved between ${said['would_have_saved_low']} and ${said['would_have_saved_high']}", flush=True)
        # The new reports' own headline agrees with the ledger.
        for r, rows in ((routed_report, routed), (always_report, always)):
            self.assertEqual(nano(r["spent"]), sum(w["cost_nano"] for _, w in rows))


if __name__ == "__main__":
    unittest.main()
