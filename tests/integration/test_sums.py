"""Every sum of every report over a large ledger against SQL over its rows, and the ledger's money by the independent
checker. DRAY_FULL=1: a million calls; otherwise 20,000."""
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest

from lib import ROOT, dray_bin, run_dray

CALLS = 1_000_000 if os.environ.get("DRAY_FULL") else 20_000
FILL = os.path.join(os.path.dirname(dray_bin()), "bench", "bench-books")
COLUMNS = {"task": "task", "tier": "coalesce(tier,'')", "model": "CASE WHEN model IS NULL THEN '' ELSE provider||'/'||model END",
           "key": "coalesce(key,'')", "team": "coalesce(team,'')", "rule": "coalesce(rule,'')", "day": "date(time/1000000,'unixepoch')"}
SUMS = ("count(*), count(error), sum(attempts), sum(input_tokens), sum(output_tokens), sum(cost_nano), sum(CASE WHEN cost_nano IS NOT NULL"
        " THEN baseline_cost_nano END), sum(cost_nano IS NULL)")


def nano(text):
    whole, _, part = text.lstrip("-").partition(".")
    return (-1 if text[0] == "-" else 1) * (int(whole) * 10**9 + int(part.ljust(9, "0")))


def of_report(x):
    return (x["calls"], x["errors"], x["attempts"], x["input_tokens"], x["output_tokens"], nano(x["cost"]), nano(x["baseline_cost"]),
            x["calls_of_unknown_cost"])


@unittest.skipUnless(os.path.exists(FILL), "bench/bench-books is not built")
class Sums(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="dray-sums-")
        cls.addClassCleanup(shutil.rmtree, cls.dir, True)
        cls.path = os.path.join(cls.dir, "dray.db")
        subprocess.run([FILL, "fill", cls.dir, str(CALLS)], check=True, stdout=subprocess.DEVNULL)

    def test_money(self):
        p = subprocess.run([sys.executable, os.path.join(ROOT, "tests", "check_money.py"), self.path], capture_output=True, text=True)
        self.assertEqual((p.returncode, p.stdout), (0, f"{CALLS} calls checked, 0 breaches\n"))

    def test_reports(self):
        db = sqlite3.connect(self.path)
        for since in ("2d", "40d", "120d"):  # by hours, by days, by months
            code, out, errors = run_dray("report", "--json", "--since", since, "--ledger", self.path)
            self.assertEqual(code, 0, errors)
            r = json.loads(out)
            begin = int(db.execute("SELECT strftime('%s', ?)", (r["since"],)).fetchone()[0]) * 1_000_000
            where = f" FROM calls WHERE time >= {begin}"
            self.assertEqual(of_report(r), db.execute("SELECT " + SUMS + where).fetchone(), since)
            for by, column in COLUMNS.items():
                want = {row[0]: row[1:] for row in db.execute(f"SELECT {column}, {SUMS}{where} GROUP BY 1")}
                self.assertEqual({x[by] or "": of_report(x) for x in r["by_" + by]}, want, (since, by))
        db.close()


if __name__ == "__main__":
    unittest.main()
