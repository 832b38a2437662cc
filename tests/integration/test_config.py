"""Configuration, access and commands: what `dray check` says, who may call, credentials, reload, exit codes."""
import json
import os
import signal
import stat
import subprocess
import tempfile
import unittest

from lib import CHAT, Dray, Upstream, chat, clean_env, dray_bin, free_port, provider, run_dray, until

GOOD = "providers:\n  up: {kind: openai, base_url: \"http://127.0.0.1:1/v1\", api_key: sk-x}\n"


class Check(unittest.TestCase):
    def check(self, text, env=None):
        with tempfile.TemporaryDirectory() as d:
            path = os.path.join(d, "dray.yaml")
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            code, out, err = run_dray("check", "-c", path, env=env)
            return code, (out + err).replace(path, "dray.yaml")

    def bad(self, text, line, *words):
        code, said = self.check(text)
        self.assertEqual(code, 1, said)
        self.assertRegex(said, rf"dray\.yaml:{line}:\d+: ")
        for w in words:
            self.assertIn(w, said)

    def test_good(self):
        code, said = self.check(GOOD)
        self.assertEqual(code, 0, said)

    def test_contract_example(self):
        code, said = self.check("""
listen: 127.0.0.1:4000
providers:
  openai:    {kind: openai,    api_key: ${OPENAI_API_KEY}}
  anthropic: {kind: anthropic, api_key: ${ANTHROPIC_API_KEY}}
  local:     {kind: openai,    base_url: http://127.0.0.1:11434/v1}
models:
  haiku: {provider: anthropic, model: claude-haiku-4-5}
tiers:
  light:    {targets: [haiku, openai/gpt-5-nano], balance: cost}
  mid:      {targets: [anthropic/claude-sonnet-4-6]}
  frontier: {targets: [anthropic/claude-opus-4-7, openai/gpt-4o], balance: priority}
policy:
  - {name: high-stakes,      when: {stakes: high}, use: frontier}
  - {name: short-structured, when: {task: [classify, extract, summarize], input_tokens: "< 2000"}, use: light}
  - {name: hard-work,        when: {task: [reason, plan, synthesize]}, use: frontier}
  - {name: ambiguous,        when: {task: unknown}, use: frontier}
  - {name: default,          use: mid}
baseline: frontier
ledger: sqlite:dray.db
""", {"OPENAI_API_KEY": "sk-1", "ANTHROPIC_API_KEY": "sk-2"})
        self.assertEqual(code, 0, said)

    def test_unknown_key_has_a_suggestion(self):
        self.bad("listne: 127.0.0.1:1\n" + GOOD, 1, "listne", "listen")
        self.bad(GOOD.replace("api_key", "api_kye"), 2, "api_kye", "api_key")

    def test_places(self):
        tier = GOOD + "tiers:\n  light: {targets: [up/small]}\n"
        self.bad("listen: 127.0.0.1:99999\n" + GOOD, 1)
        self.bad(GOOD.replace("kind: openai", "kind: opneai"), 2, "opneai")
        self.bad(tier + "policy:\n  - {name: a, use: heavy}\n", 6, "heavy")
        self.bad(tier + "policy:\n  - {name: a, when: {tsak: classify}, use: light}\n", 6, "tsak", "task")
        self.bad(tier + "policy:\n  - {name: a, when: {task: clasify}, use: light}\n", 6, "clasify")
        self.bad(tier + "policy:\n  - {name: a, when: {input_tokens: \"< lots\"}, use: light}\n", 6)
        self.bad(GOOD + "tiers:\n  light: {targets: [nobody/small]}\n", 4, "nobody")
        self.bad(GOOD + "providers: {}\n", 3)
        self.bad("a: [1, 2\nb: }\n", "[12]")
        self.bad("\tlisten: x\n", 1)

    def test_missing_variable(self):
        code, said = self.check(GOOD.replace("sk-x", "${DRAY_TEST_NO_SUCH}"))
        self.assertEqual(code, 1)
        self.assertIn("DRAY_TEST_NO_SUCH", said)

    def test_no_file(self):
        code, _, err = run_dray("check", "-c", "/nonexistent/dray.yaml")
        self.assertEqual(code, 1)
        self.assertIn("/nonexistent/dray.yaml", err)

    def test_prices_that_are_none(self):
        """In a LiteLLM price list: they stay unknown, and check says which."""
        rows = {"neg": "-1e-6", "word": "0.o1", "huge": 1e30, "good": 1e-6, "text": "6E-07"}
        with tempfile.TemporaryDirectory() as d:
            path = os.path.join(d, "list.json")
            with open(path, "w", encoding="utf-8") as f:
                json.dump({m: {"litellm_provider": "openai", "input_cost_per_token": p, "max_tokens": "many"} for m, p in rows.items()}, f)
            code, said = self.check(f"prices: {path}\n" + GOOD)
        self.assertEqual(code, 0, said)
        for m in rows:
            self.assertEqual(f"input_cost_per_token of {m} is no price" in said, m in ("neg", "word", "huge"), said)

    def test_secrets_are_not_printed(self):
        _, said = self.check(GOOD.replace("sk-x", "sk-very-secret") + "nonsense: 1\n")
        self.assertNotIn("sk-very-secret", said)


class Access(unittest.TestCase):
    def setUp(self):
        self.up = Upstream()
        self.addCleanup(self.up.close)

    def test_client_keys(self):
        with Dray("keys: [first-key, second-key]\nproviders:\n" + provider(self.up)) as dray:
            for headers in ({}, {"authorization": "Bearer wrong"}, {"x-api-key": "first-ke"}, {"authorization": "first-key"}):
                with self.subTest(str(headers)):
                    m = dray.call(CHAT, headers=headers)
                    self.assertEqual(m.status, 401)
                    self.assertTrue(m.json()["error"]["message"])
                    self.assertNotIn(b"first-key", m.body)
            self.assertEqual(self.up.requests, [])
            for headers in ({"authorization": "Bearer first-key"}, {"x-api-key": "second-key"}, {"x-goog-api-key": "first-key"}):
                self.assertEqual(dray.call(CHAT, headers=headers).status, 200)
                self.assertNotIn(b"first-key", self.up.last().raw_head)
            self.assertEqual(dray.get("/healthz").status, 200)
            self.assertTrue(all(r["key"] for r in dray.rows("SELECT * FROM calls WHERE status = 200")))
            self.assertNotIn("first-key", dray.log())

    def test_open_address_needs_keys(self):
        with tempfile.TemporaryDirectory() as d:
            with open(f"{d}/dray.yaml", "w", encoding="utf-8") as f:
                f.write(f"listen: 0.0.0.0:{free_port()}\n" + GOOD)
            p = subprocess.run([dray_bin(), "serve"], cwd=d, env=clean_env(), capture_output=True, text=True, timeout=30)
            self.assertEqual(p.returncode, 1)
            self.assertIn("keys", p.stderr)

    def test_credential_of_the_client(self):
        with Dray("providers:\n" + provider(self.up).replace("sk-upstream-up", "client")) as dray:
            dray.call(CHAT, headers={"authorization": "Bearer mine"})
            self.assertEqual(self.up.last().all("authorization"), ["Bearer mine"])

    def test_keys_are_rotated(self):
        with Dray("providers:\n" + provider(self.up).replace("api_key: sk-upstream-up", "api_keys: [k1, k2]")) as dray:
            for _ in range(8):
                dray.call(CHAT)
            self.assertEqual({r.get("authorization") for r in self.up.requests}, {"Bearer k1", "Bearer k2"})

    def test_key_from_file_and_command(self):
        with tempfile.TemporaryDirectory() as d:
            path = os.path.join(d, "key")
            with open(path, "w", encoding="utf-8") as f:
                f.write("from-file\n")
            os.chmod(path, stat.S_IRUSR)
            for how, want in ((f"api_key_file: {path}", "from-file"), ("api_key_command: \"printf from-command\"", "from-command")):
                with self.subTest(how.split(":")[0]), Dray("providers:\n" + provider(self.up).replace("api_key: sk-upstream-up", how)) as dray:
                    dray.call(CHAT)
                    self.assertEqual(self.up.last().get("authorization"), "Bearer " + want)

    def test_provider_headers(self):
        with Dray("providers:\n" + provider(self.up, more=", headers: {x-static: \"yes\"}")) as dray:
            dray.call(CHAT)
            self.assertEqual(self.up.last().get("x-static"), "yes")

    def test_base_path_is_kept(self):
        up = provider(self.up).replace("/v1\"", "/some/where/v1\"")
        with Dray("providers:\n" + up) as dray:
            dray.call(CHAT)
            self.assertEqual(self.up.last().path, "/some/where/v1/chat/completions")


class Reload(unittest.TestCase):
    def test_sighup(self):
        first, second = Upstream(), Upstream()
        with Dray("providers:\n" + provider(first)) as dray:
            path = f"{dray.dir}/dray.yaml"
            head = f"listen: 127.0.0.1:{dray.port}\n"
            dray.call(CHAT)
            write(path, head + "providers:\n" + provider(second))
            dray.process.send_signal(signal.SIGHUP)
            until(lambda: dray.call(CHAT).status == 200 and second.requests, "calls go to the new provider")
            write(path, head + "providers: [nonsense\n")
            dray.process.send_signal(signal.SIGHUP)
            until(lambda: "dray.yaml:" in dray.log(), "the bad file is told")
            n = len(second.requests)
            self.assertEqual(dray.call(CHAT).status, 200)
            self.assertEqual(len(second.requests), n + 1)
        first.close()
        second.close()


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


class Serve(unittest.TestCase):
    def test_bad_configuration_does_not_start(self):
        with tempfile.TemporaryDirectory() as d:
            write(f"{d}/dray.yaml", "nonsense: 1\n")
            p = subprocess.run([dray_bin(), "serve"], cwd=d, env=clean_env(), capture_output=True, text=True, timeout=30)
            self.assertEqual(p.returncode, 1)
            self.assertRegex(p.stderr, r"dray\.yaml:1:1: ")

    def test_address_in_use(self):
        with Dray() as dray, tempfile.TemporaryDirectory() as d:
            p = subprocess.run([dray_bin(), "serve"], cwd=d, env=clean_env({"DRAY_LISTEN": f"127.0.0.1:{dray.port}"}), capture_output=True, text=True, timeout=30)
            self.assertEqual(p.returncode, 1)
            self.assertIn(str(dray.port), p.stderr)

    def test_log_is_json(self):
        up = Upstream()
        with Dray("providers:\n" + provider(up)) as dray:
            dray.call(chat(text="PRIVATE-TEXT"))
            lines = [x for x in dray.log().splitlines() if x]
            self.assertTrue(lines)
            for x in lines:
                json.loads(x)
            self.assertNotIn("PRIVATE-TEXT", dray.log())
            self.assertNotIn("sk-upstream-up", dray.log())
        up.close()


class Commands(unittest.TestCase):
    def test_version_and_help(self):
        code, out, _ = run_dray("version")
        self.assertEqual((code, out.split()[0]), (0, "dray"))
        code, out, _ = run_dray("help")
        self.assertEqual(code, 0)
        for name in ("serve", "route", "check", "sim", "bench"):
            self.assertIn(name, out)
            self.assertEqual(run_dray("help", name)[0], 0)

    def test_wrong_usage(self):
        for args in (["no-such-command"], ["serve", "--no-such-option"], ["help", "no-such-command"], []):
            with self.subTest(str(args)):
                code, _, err = run_dray(*args)
                self.assertEqual(code, 2)
                self.assertTrue(err)


if __name__ == "__main__":
    unittest.main()
