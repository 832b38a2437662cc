"""Calls of the past decided again from the books alone: the old configuration gives the recorded decisions bit for bit,
a new one gives what its own gateway decides for the same requests, and what was not recorded is counted, not guessed.
DRAY_FULL=1: 100,000 calls; otherwise 3,000."""
import json
import os
import unittest

import traffic
from lib import Client, Dray, run_dray
from test_sim import Sim

CALLS = 100_000 if os.environ.get("DRAY_FULL") else 3000
SHAPES = 400

PROVIDERS = """
workers: 2
keys: [{{key: key-one, name: one, team: blue}}, {{key: key-two, name: two, team: red}}, {{key: key-bot, name: bot}}]
providers:
  openai: {{kind: openai, base_url: "{0}/v1", api_key: sk-1}}
  anthropic: {{kind: anthropic, base_url: "{0}/v1", api_key: sk-2}}
models:
  house: {{provider: openai, model: gpt-4o, reroute: always}}
"""
OLD = PROVIDERS + """
tiers:
  light: {{targets: [{{model: openai/gpt-4o-mini, weight: 3}}, {{model: openai/gpt-4.1-nano, weight: 1}}], balance: weighted}}
  mid: {{targets: [openai/gpt-4.1, openai/gpt-4.1-mini], balance: cost}}
  frontier: {{targets: [anthropic/claude-opus-4-1, openai/gpt-4o]}}
semantic:
  routes:
    plans: {{examples: [make a project plan with milestones risks and owners, write down the milestones of the project], threshold: 0.3}}
labels:
  - {{when: {{key: bot}}, set: {{task: extract}}}}
  - {{when: {{header.x-app: mobile}}, set: {{stakes: high}}}}
policy:
  - {{name: high, when: {{stakes: high}}, use: frontier}}
  - {{name: web-shop, when: {{header.x-app: web, metadata.app: shop}}, use: mid}}
  - {{name: short, when: {{task: [classify, extract, summarize], input_tokens: "< 1000"}}, use: light}}
  - {{name: code, when: {{any: [{{task: code}}, {{tools: true}}]}}, use: openai/gpt-4.1}}
  - {{name: about-plans, when: {{semantic: plans}}, use: anthropic/claude-sonnet-4-5}}
  - {{name: rest, use: mid}}
"""
# Every rule has a model of its own, so that the model tells the rule.
NEW = PROVIDERS + """
tiers:
  light: {{targets: [openai/gpt-4.1-nano]}}
  mid: {{targets: [openai/gpt-4.1-mini]}}
  frontier: {{targets: [openai/gpt-4o]}}
labels:
  - {{when: {{key: two}}, set: {{task: qa, stakes: low}}}}
policy:
  - {{name: long, when: {{input_tokens: ">= 1500"}}, use: anthropic/claude-sonnet-4-5}}
  - {{name: night, when: {{tag: night, not: {{stakes: high}}}}, use: openai/o3}}
  - {{name: ann, when: {{user: ["ann", "c l", "d*"], hour: "0..23"}}, use: openai/o3-mini}}
  - {{name: empty, when: {{header.x-app: "", stream: true}}, use: openai/gpt-4-turbo}}
  - {{name: mobile, when: {{header.x-app: mobile}}, use: anthropic/claude-3-5-haiku-latest}}
  - {{name: no-app, when: {{not: {{header.x-app: "*"}}, team: red}}, use: openai/o1}}
  {0}
  - {{name: code, when: {{task: code}}, use: openai/gpt-4.1}}
  - {{name: qa, when: {{task: qa}}, use: openai/gpt-4o-mini}}
  - {{name: rest, use: frontier}}
"""
UNRECORDED = "- {name: env, when: {task: [classify, extract, qa], header.x-env: prod}, use: openai/o4-mini}"
MODELS = ["auto", "auto", "auto", "auto", "house", "auto:mid", "openai/gpt-4o-mini", "claude-opus-4-1"]


def new_policy(url, extra=""):
    return NEW.replace("{0}\n  - {{name: code", extra.replace("{", "{{").replace("}", "}}") + "\n  - {{name: code").format(url)


class Again(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.sim = Sim("--output-tokens", "40").__enter__()
        cls.dray = Dray(OLD.format(cls.sim.url))
        cls.shapes = traffic.shapes(7, SHAPES, MODELS)
        cls.sent = traffic.send(cls.dray.port, cls.shapes, CALLS)
        cls.dray.settle(120)
        cls.shape_of = {call: i for call, i, status in cls.sent if status == 200}
        cls.old_model = {r["id"]: r["provider"] + "/" + r["model"] for r in cls.dray.rows("SELECT id, provider, model FROM calls WHERE status=200")}

    @classmethod
    def tearDownClass(cls):
        cls.sim.__exit__()
        cls.dray.stop()

    def replay(self, config):
        path = os.path.join(self.dray.dir, "new.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(config)
        code, out, errors = run_dray("replay", "--json", "--diff", "--policy", path, "--from", self.dray.db)
        self.assertEqual(code, 0, errors)
        lines = [json.loads(x) for x in out.splitlines()]
        return lines[-1], {x["id"]: x for x in lines[:-1]}

    def routes(self, config, more=()):
        """What a gateway of this configuration decides for each shape, asked without sending anything."""
        out = []
        dray = Dray(config)
        with Client(dray.port) as c:
            for path, body, headers in self.shapes:
                m = c.request("POST", "/v1/route", body, {**headers, **dict(more)})
                out.append(m.json() if m.status == 200 else None)
        dray.stop()
        return out

    def test_the_traffic_is_mixed(self):
        self.assertEqual(len(self.sent), CALLS)
        self.assertGreater(len(self.shape_of), CALLS * 0.9)
        self.assertEqual(set(self.shape_of), set(self.old_model))
        rules = {r["rule"] for r in self.dray.rows("SELECT DISTINCT rule FROM calls")}
        self.assertLessEqual({"high", "web-shop", "short", "code", "about-plans", "rest", "model", "tier", "hint"}, rules)

    def test_nothing_of_the_prompts_is_kept(self):
        for folder, _, names in os.walk(self.dray.dir):
            for name in names:
                with open(os.path.join(folder, name), "rb") as f:
                    self.assertNotIn(b"quagga", f.read(), name)

    def test_the_old_configuration_decides_as_it_did(self):
        report, diff = self.replay(OLD.format(self.sim.url))
        self.assertEqual((report["calls"], report["same_decisions"], report["undecidable_calls"], report["changed_calls"], diff),
                         (len(self.shape_of), len(self.shape_of), 0, 0, {}))

    def test_a_new_configuration_decides_as_its_gateway_does(self):
        config = new_policy(self.sim.url)
        routes = self.routes(config)
        report, diff = self.replay(config)
        self.assertEqual((report["calls"], report["undecidable_calls"]), (len(self.shape_of), 0))
        wrong, rules = [], set()
        for call, i in self.shape_of.items():
            want = routes[i]["targets"][0] if routes[i] else None
            new = diff[call]["new_model"] if call in diff else self.old_model[call]
            if new != want:
                wrong.append((call, new, want, routes[i] and routes[i]["rule"], self.shapes[i][2]))
            rules.add(routes[i] and routes[i]["rule"])
        self.assertEqual(wrong[:3], [], f"{len(wrong)} of {len(self.shape_of)} wrong")
        self.assertLessEqual({"long", "night", "ann", "empty", "mobile", "no-app", "code", "qa", "rest", "model", "hint"}, rules)
        print(f"{len(self.shape_of)} calls decided again, {report['changed_calls']} otherwise, all as their gateway does", flush=True)

    def test_what_was_not_recorded_is_not_guessed(self):
        config = new_policy(self.sim.url, UNRECORDED)
        # What depends on the header that nobody recorded: the gateway decides otherwise with it than without.
        with_it, without = self.routes(config, {"x-env": "prod"}), self.routes(config, {"x-env": "other"})
        report, diff = self.replay(config)
        open_ = {c for c, i in self.shape_of.items() if with_it[i] and with_it[i]["rule"] != without[i]["rule"]}
        told = {c for c, d in diff.items() if d["not_recorded"]}
        self.assertGreater(len(open_), CALLS // 50)
        self.assertEqual(told, open_)
        self.assertEqual(report["undecidable_calls"], len(open_))
        self.assertEqual([(u["not_recorded"], u["calls"]) for u in report["undecidable"]], [("header.x-env", len(open_))])
        for call in told:
            self.assertIsNone(diff[call]["new_model"])
        for call, i in self.shape_of.items():
            if call not in told and without[i]:
                self.assertEqual(diff[call]["new_model"] if call in diff else self.old_model[call], without[i]["targets"][0], call)

    def test_other_examples_can_not_be_tried(self):
        """The score says how near a prompt was to the examples of its day, which tells another threshold, not other examples."""
        old = OLD.format(self.sim.url)
        report, _ = self.replay(old.replace("threshold: 0.3", "threshold: 0.99"))
        self.assertEqual(report["undecidable_calls"], 0)
        report, diff = self.replay(old.replace("write down the milestones", "list all milestones"))
        rules = {r["id"]: r["rule"] for r in self.dray.rows("SELECT id, rule FROM calls WHERE status=200")}
        reach = {c for c, rule in rules.items() if rule in ("about-plans", "rest")}  # what comes before it decides without it
        self.assertEqual({c for c, d in diff.items() if d["not_recorded"]}, reach)
        self.assertEqual([(u["not_recorded"], u["calls"]) for u in report["undecidable"]], [("semantic", len(reach))])
        self.assertEqual(report["same_decisions"], len(rules) - len(reach))

    def test_explain_says_the_same(self):
        path = os.path.join(self.dray.dir, "old.yaml")
        new = os.path.join(self.dray.dir, "newer.yaml")
        for name, text in ((path, OLD.format(self.sim.url)), (new, new_policy(self.sim.url, UNRECORDED))):
            with open(name, "w", encoding="utf-8") as f:
                f.write(text)
        _, diff = self.replay(new_policy(self.sim.url, UNRECORDED))
        for call in list(self.shape_of)[:: max(1, len(self.shape_of) // 60)]:
            for config in (path, new):
                code, out, errors = run_dray("explain", "--json", "-c", config, "--ledger", self.dray.db, call)
                self.assertEqual(code, 0, errors)
                x = json.loads(out)
                if config == path:
                    self.assertIs(x["same_decision"], True, x)
                    for name in ("rule", "tier", "propensity", "candidates"):
                        self.assertEqual(x["today"][name] or None, x["call"][name] or None if name != "candidates" else x["today"][name] or None)
                elif call in diff and diff[call]["not_recorded"]:
                    self.assertIn("header.x-env", x["undecidable"])
                    self.assertIsNone(x["today"])
                elif x["today"]["targets"]:
                    self.assertEqual(x["today"]["targets"][0], diff[call]["new_model"] if call in diff else self.old_model[call])


if __name__ == "__main__":
    unittest.main()
