"""libdray: the same decision as `dray route`, from Python, Node and C, shared and static; from many threads at once;
installed with its header, pkg-config file and table."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import unittest

from lib import ROOT, run_dray

sys.path.insert(0, os.path.join(ROOT, "examples", "libdray"))
LIB = os.path.join(ROOT, "build", "lib")
SHARED = os.path.join(LIB, "libdray.so.0")
TABLE = os.path.join(ROOT, "data", "brain", "static-minilm.dse")
HEADERS = "/usr/include/node"
CONFIG = """
providers: {openai: {api_key: k}, anthropic: {api_key: k}}
semantic:
  routes:
    refund: [I want my money back, please refund my last order, how do I get a refund]
    cancel: [cancel my subscription, I want to end my plan, please close my account]
policy:
  - {name: money, when: {semantic: refund}, use: frontier}
  - {name: short, when: {task: classify}, use: light}
  - {name: rest, use: mid}
"""
PROMPTS = ["can I have my money back?", "Is this review positive or negative: 'good'", "Tell me a story about a fox.", "",
           json.dumps({"model": "auto", "messages": [{"role": "user", "content": "refund my order \u00e9\ud83d\ude00"}],
                       "metadata": {"dray_stakes": "high"}}), "x" * 300000]
C_PROGRAM = r"""
#include <dray.h>
#include <stdio.h>
int main(void) {
    static char out[65536];
    char error[400] = "";
    const char config[] = "providers: {openai: {}}\n";
    dray_router *r = dray_open(config, sizeof config - 1, NULL, 0, NULL, 0, error, sizeof error);
    if (!r) return fprintf(stderr, "%s\n", error), 1;
    int status = dray_route(r, "Say hello", 9, out, sizeof out, NULL);
    puts(out);
    dray_close(r);
    return status;
}
"""


def forget_version(decision):
    """The library does not look at addresses, which are part of the gateway's version."""
    return {k: v for k, v in decision.items() if k != "config_version"}


class Library(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if not os.path.exists(SHARED):
            raise unittest.SkipTest("libdray is not built")
        os.environ["DRAY_LIB"] = SHARED
        from dray import Router
        cls.Router = Router
        cls.dir = tempfile.mkdtemp()
        cls.config = os.path.join(cls.dir, "dray.yaml")
        with open(cls.config, "w", encoding="utf-8") as f:
            f.write(CONFIG)
        with open(TABLE, "rb") as f:
            cls.table = f.read()

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.dir)

    def test_decides_as_dray_route(self):
        router = self.Router(CONFIG.encode())
        for prompt in PROMPTS:
            code, want, error = run_dray("route", "--json", "-c", self.config, stdin=prompt.encode())
            self.assertEqual(code, 0, error)
            self.assertEqual(forget_version(router.route(prompt.encode())), forget_version(json.loads(want)))
        router.close()

    def test_given_parts(self):
        with open(os.path.join(ROOT, "data", "brain", "dray.model"), "rb") as f:
            model = f.read()
        own, given = self.Router(CONFIG.encode()), self.Router(CONFIG.encode(), model, self.table)
        self.assertEqual(own.route(b"please refund my order"), given.route(b"please refund my order"))
        own.close()
        given.close()

    def test_refusals(self):
        for config, table, why in ((b"providers: {nobody: {}}", None, "needs a kind"), (b"{", None, "config:2"),
                                   (b"include: x.yaml", None, "files are not read"), (b"policy: []", None, "providers"),
                                   (CONFIG.encode(), b"no table at all, but long enough", "not an embedding table")):
            with self.assertRaisesRegex(ValueError, why):
                self.Router(config, None, table)
        with self.assertRaisesRegex(ValueError, "routing model"):
            self.Router(CONFIG.encode(), b"no model")
        router = self.Router(CONFIG.encode())
        for request, why in ((b'{"messages": 1', "not valid JSON"), (b'{"messages": [{"role": "user", "content": "x"}], "metadata": {"dray_task": "no"}}', "no task")):
            with self.assertRaisesRegex(ValueError, why):
                router.route(request)

    def test_the_environment_is_not_looked_at(self):
        os.environ["DRAY_TEST_NAME"] = "frontier"
        try:
            with self.assertRaisesRegex(ValueError, "DRAY_TEST_NAME"):
                self.Router(b"providers: {openai: {}}\npolicy: [{use: '${DRAY_TEST_NAME}'}]")
        finally:
            del os.environ["DRAY_TEST_NAME"]

    def test_threads(self):
        router, want, wrong = self.Router(CONFIG.encode()), [], []
        want = [router.route(p.encode()) for p in PROMPTS]

        def ask():
            for _ in range(20):
                for p, w in zip(PROMPTS, want):
                    if router.route(p.encode()) != w:
                        wrong.append(p)
        threads = [threading.Thread(target=ask) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(wrong, [])

    def test_only_its_own_names_show(self):
        for args in (["nm", "-D", "--defined-only", SHARED], ["nm", "-g", "--defined-only", os.path.join(LIB, "libdray.a")]):
            lines = subprocess.run(args, check=True, capture_output=True, text=True).stdout.splitlines()
            names = {line.split()[-1].split("@")[0] for line in lines if len(line.split()) == 3 and line.split()[1] != "A"}
            self.assertEqual(names, {"dray_open", "dray_close", "dray_route", "dray_version"})

    def test_python_example(self):
        p = subprocess.run([sys.executable, os.path.join(ROOT, "examples/libdray/dray.py"), self.config],
                           input=b"I want a refund", capture_output=True, check=True)
        self.assertEqual(json.loads(p.stdout)["rule"], "money")

    @unittest.skipUnless(os.path.exists(HEADERS) and shutil.which("node"), "no Node headers")
    def test_node_example(self):
        addon = os.path.join(self.dir, "dray_node.node")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", addon, os.path.join(ROOT, "examples/libdray/dray_node.c"),
                        "-I", os.path.join(ROOT, "lib"), "-I", HEADERS, SHARED, f"-Wl,-rpath,{LIB}"], check=True)
        p = subprocess.run(["node", os.path.join(ROOT, "examples/libdray/dray.mjs"), self.config],
                           input=b"I want a refund", capture_output=True, env={**os.environ, "DRAY_NODE": addon})
        self.assertEqual(p.returncode, 0, p.stderr)
        self.assertEqual(json.loads(p.stdout)["rule"], "money")

    def test_c_static_and_shared(self):
        source, program = os.path.join(self.dir, "x.c"), os.path.join(self.dir, "x")
        with open(source, "w", encoding="utf-8") as f:
            f.write(C_PROGRAM)
        for how in ([os.path.join(LIB, "libdray.a"), "-lyaml", "-lcrypto", "-lm"], [SHARED, f"-Wl,-rpath,{LIB}"]):
            subprocess.run(["cc", "-Wall", "-Werror", "-o", program, source, "-I", os.path.join(ROOT, "lib"), *how], check=True)
            p = subprocess.run([program], capture_output=True, check=True)
            self.assertIn("tier", json.loads(p.stdout))

    def test_installs(self):
        p = subprocess.run(["meson", "install", "-C", os.path.join(ROOT, "build"), "--no-rebuild", "--destdir", self.dir],
                           capture_output=True, text=True)
        self.assertEqual(p.returncode, 0, p.stdout + p.stderr)
        found = {name for _, _, names in os.walk(self.dir) for name in names}
        for name in ("dray", "dray.h", "libdray.so", "libdray.so.0", "libdray.a", "dray.pc", "static-minilm.dse"):
            self.assertIn(name, found)


if __name__ == "__main__":
    unittest.main()
