"""84 calls of the official SDKs (../shared/conformance/drive-sdks.mjs: OpenAI, Anthropic, Gemini, Mistral, Vercel's AI SDK, LangChain): through dray
they give the very values that they give straight from the provider; where the provider's models are listed, dray lists its own.

The packages are many and large: install them with `npm ci` in a copy of tests/clients/sdks (current majors) or tests/clients/sdks-older, and name the
folders in $DRAY_SDKS, separated by colons. Without them, or without ../shared, the tests are skipped.
"""
import json
import os
import shutil
import socket
import subprocess
import tempfile
import unittest

from lib import Dray, clean_env, free_port, node, shared, until

FOLDERS = [f for f in os.environ.get("DRAY_SDKS", "").split(":") if f]
KIT = f"{shared()}/conformance" if shared() else ""
LISTS = {"openai.models", "anthropic.models", "genai.models", "mistral.models"}  # of these dray tells its own
NAMED = {"openai.models.get": "vendor/cap-model"}  # asked for by this name, and told so; the kit's server says another


def config(port):
    more = "api_key: up-key, forward_headers: [x-scenario, x-tag]"
    base = f"http://127.0.0.1:{port}"
    return (f"providers:\n  openai: {{kind: openai, base_url: \"{base}/v1\", {more}}}\n  anthropic: {{kind: anthropic, base_url: \"{base}/v1\", {more}}}\n"
            f"  gemini: {{kind: gemini, base_url: \"{base}/v1beta/openai\", {more}}}\n")


def listens(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


# Older SDKs bring a fetch of their own: they are told to use the platform's, which the kit directs through a gateway.
SHIMS = """import { createRequire } from 'node:module';
const req = createRequire(process.cwd() + '/x.js');
for (const name of ['openai', '@anthropic-ai/sdk']) try { req(name + '/shims/web'); } catch {}
"""


@unittest.skipUnless(KIT and os.path.exists(f"{KIT}/drive-sdks.mjs"), "the conformance kit (../shared) is not there")
@unittest.skipUnless(FOLDERS and node(), "the SDKs are not installed: $DRAY_SDKS")
class Sdks(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp(prefix="dray-sdks-")
        self.addCleanup(shutil.rmtree, self.dir, True)

    def drive(self, root, gateway):
        """{tag: what the call gave}."""
        env = clean_env({"GW": "1"} if gateway else None)
        p = subprocess.run([node(), "--import", "./gateway-fetch.mjs", "--import", "./shims.mjs", "drive-sdks.mjs", root], cwd=self.dir, env=env, capture_output=True, text=True, timeout=600)
        out = {}
        for line in p.stdout.splitlines():
            if line.startswith("{"):
                r = json.loads(line)
                out[r["tag"]] = r.get("r") if r["ok"] else f"failed: {r['err']}"
        self.assertGreater(len(out), 40, p.stderr[-3000:])
        return out

    def compare(self, folder):
        for name in os.listdir(KIT):
            shutil.copy(f"{KIT}/{name}", self.dir)
        with open(f"{self.dir}/shims.mjs", "w", encoding="utf-8") as f:
            f.write(SHIMS)
        os.symlink(f"{os.path.abspath(folder)}/node_modules", f"{self.dir}/node_modules")
        port = free_port()
        server = subprocess.Popen([node(), "capture-server.mjs", str(port), "log"], cwd=self.dir, env=clean_env(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until(lambda: listens(port), "the kit's server")
            direct = self.drive(f"http://127.0.0.1:{port}", False)
            with Dray(config(port)) as dray:
                through = self.drive(f"http://127.0.0.1:{dray.port}", True)
                self.check_lists(dray, direct, through)
        finally:
            server.terminate()
            server.wait()
        bad = [f"{tag}: {through.get(tag)!r:.200}, not {want!r:.200}" for tag, want in direct.items() if tag not in LISTS and through.get(tag) != NAMED.get(tag, want)]
        self.assertFalse(bad, f"{len(bad)} of {len(direct)} calls differ:\n" + "\n".join(bad))
        self.assertEqual(set(through), set(direct))
        return direct

    def check_lists(self, dray, direct, through):
        ids = [m["id"] for m in dray.get("/v1/models").json()["data"]]
        self.assertEqual(ids[:4], ["auto", "auto:light", "auto:mid", "auto:frontier"])
        for tag, prefix in (("openai.models", ""), ("anthropic.models", ""), ("genai.models", "models/")):
            if tag in through:  # the driver cuts what a call gave at 200 characters
                self.assertEqual(through[tag], json.dumps([prefix + i for i in ids], separators=(",", ":"))[:200], tag)
        if not direct.get("mistral.models", "failed").startswith("failed"):  # its older SDK takes a list of its provider only
            self.assertEqual(int(through["mistral.models"]), len(ids))


def add(n, folder):
    def test(self):
        direct = self.compare(folder)
        failed = [tag for tag, r in direct.items() if r is not None and r.startswith("failed")]
        print(f"{folder}: {len(direct)} calls the same; of these fail straight at the kit's server, too: {failed}", flush=True)
    setattr(Sdks, f"test_{n}_{os.path.basename(os.path.abspath(folder)).replace('-', '_')}", test)


for n, folder in enumerate(FOLDERS or [""]):
    add(n, folder)


if __name__ == "__main__":
    unittest.main()
