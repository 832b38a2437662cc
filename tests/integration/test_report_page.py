"""The HTML report in Chromium: nothing wider than the window on a phone, a laptop and paper; axe-core finds nothing serious; nothing
is asked of the network. Skipped where Chromium is not installed; axe-core is used where tests/clients has it."""
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from lib import FIXTURES, ROOT
from test_analyze import analyze

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
AXE = os.path.join(ROOT, "tests", "clients", "node_modules", "axe-core", "axe.min.js")


@unittest.skipUnless(CHROMIUM, "no Chromium")
class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.TemporaryDirectory()
        logs = os.path.join(FIXTURES, "logs")
        cls.path = os.path.join(cls.dir.name, "report.html")
        code, _, err = analyze("--html", cls.path, *(os.path.join(logs, n) for n in ("openai_pairs.jsonl", "dirty.jsonl", "litellm_spend.csv", "plain.jsonl")))
        assert code == 0, err
        with open(cls.path, encoding="utf-8") as f:
            cls.page = f.read()

    @classmethod
    def tearDownClass(cls):
        cls.dir.cleanup()

    def dom(self, html, *flags):
        path = os.path.join(self.dir.name, "test.html")
        with open(path, "w", encoding="utf-8") as f:
            f.write(html)
        p = subprocess.run([CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files", "--virtual-time-budget=20000",
                            f"--user-data-dir={self.dir.name}/profile", *flags, "--dump-dom", "file://" + path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=120)
        return p.stdout.decode()

    def test_widths(self):
        """As shown, and as printed (its print rules applied)."""
        printed = os.path.join(self.dir.name, "printed.html")
        with open(printed, "w", encoding="utf-8") as f:
            f.write(self.page.replace("@media print", "@media all"))
        for name, width in (("report.html", 360), ("report.html", 768), ("report.html", 1280), ("printed.html", 718)):  # A4 less a centimetre on each side
            with self.subTest(name, width=width):
                out = self.dom(f'<iframe src="{name}" width={width} height=900 style="border:0"></iframe><pre id=o></pre><script>onload=()=>{{let d=frames[0].document.documentElement;'
                               "document.getElementById('o').textContent='w'+d.clientWidth+' s'+d.scrollWidth}</script>")
                client, scroll = map(int, re.search(r"w(\d+) s(\d+)", out).groups())
                self.assertLessEqual(scroll, client)

    def test_axe(self):
        if not os.path.exists(AXE):
            self.skipTest("no axe-core in tests/clients/node_modules")
        with open(AXE, encoding="utf-8") as f:
            axe = f.read().replace("</script", "<\\/script")
        page = re.sub(r"<meta http-equiv=content-security-policy[^>]*>", "", self.page)
        run = "axe.run().then(r=>{let p=document.createElement('pre');p.id='o';p.textContent=JSON.stringify(r.violations.map(v=>[v.id,v.impact]));document.body.appendChild(p)})"
        for flags in ((), ("--blink-settings=preferredColorScheme=0",)):
            out = self.dom(page.replace("</body>", f"<script>{axe}</script><script>{run}</script></body>"), "--window-size=1280,900", *flags)
            self.assertEqual(json.loads(re.search(r'<pre id="o">(.*?)</pre>', out, re.S)[1]), [])

    def test_alone(self):
        self.assertIn("default-src 'none'", self.page)
        self.assertNotRegex(self.page, r"(?i)<script|<link|@import|url\(|src=|https?://")


if __name__ == "__main__":
    unittest.main()
