"""script/data: from a mirror made here; what is there is not fetched again, what is damaged is, and what is not the pinned
content is refused. And the examples that the shipped model learns from are none of its exam's questions."""
import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

from lib import ROOT


def git(folder, *args):
    return subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", folder, *args], check=True,
                          capture_output=True, text=True).stdout.strip()


def words(row):
    return set(re.findall(r"\w+", row["prompt"].lower()))


def read_rows(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as f:
        return [json.loads(line) for line in f if line.strip()]


class Exam(unittest.TestCase):
    def test_nobody_learns_its_questions(self):
        """No example shares half of its words with a question of the exam."""
        exam = [(row, words(row)) for row in read_rows("tests", "data", "exam.jsonl")]
        self.assertEqual(len(exam), 120)
        for row in read_rows("data", "brain", "examples.jsonl"):
            mine = words(row)
            for question, theirs in exam:
                self.assertLess(len(mine & theirs) / len(mine | theirs), 0.5, f"{row['prompt']!r} is near {question['prompt']!r}")


class Data(unittest.TestCase):
    def setUp(self):
        self.tmp = tempfile.TemporaryDirectory()
        self.dir = self.tmp.name
        repo = os.path.join(self.dir, "me-intents")
        os.makedirs(os.path.join(repo, "data"))
        self.rows = {"train": [["hello there", "greet"]], "oos_test": [["what", "oos"]]}
        with open(os.path.join(repo, "data", "data_full.json"), "w", encoding="utf-8") as f:
            json.dump(self.rows, f)
        git(repo, "init", "-q")
        git(repo, "add", ".")
        git(repo, "commit", "-qm", "data")
        self.commit = git(repo, "rev-parse", "HEAD")

    def tearDown(self):
        self.tmp.cleanup()

    def run_data(self, *args, commit=None, paths=("data",)):
        sources = os.path.join(self.dir, "sources.json")
        with open(sources, "w", encoding="utf-8") as f:
            json.dump({"git": [{"name": "clinc150", "repo": "me/intents", "commit": commit or self.commit, "paths": list(paths),
                                "licence": "none", "use": "measure"}]}, f)
        return subprocess.run([sys.executable, os.path.join(ROOT, "script", "data"), "--sources", sources, "--dir",
                               os.path.join(self.dir, "out"), "--origin", self.dir + "/{owner}-{name}", *args],
                              capture_output=True, text=True, timeout=120)

    def test_fetches_once(self):
        p = self.run_data()
        self.assertEqual((p.returncode, p.stderr), (0, ""))
        self.assertIn("clinc150: fetched", p.stdout)
        made = os.path.join(self.dir, "out", "intents-clinc150.jsonl.gz")
        with gzip.open(made, "rt", encoding="utf-8") as f:
            self.assertEqual([json.loads(x) for x in f], [{"text": "hello there", "intent": "greet", "split": "train"},
                                                         {"text": "what", "intent": "oos", "split": "oos_test"}])
        with open(made, "rb") as f:
            before = f.read()
        p = self.run_data()
        self.assertIn("clinc150: is there", p.stdout)
        with open(made, "rb") as f:
            self.assertEqual(f.read(), before)

    def test_mends_what_was_damaged(self):
        self.assertEqual(self.run_data().returncode, 0)
        file = os.path.join(self.dir, "out", "clinc150", "data", "data_full.json")
        with open(file, "a", encoding="utf-8") as f:
            f.write("x")
        self.assertIn("clinc150: fetched", self.run_data().stdout)
        with open(file, encoding="utf-8") as f:
            self.assertEqual(json.load(f), self.rows)

    def test_refusals(self):
        p = self.run_data(commit="0" * 40)
        self.assertEqual(p.returncode, 1)
        self.assertIn("clinc150: git fetch", p.stderr)
        p = self.run_data(paths=("nowhere",))
        self.assertEqual(p.returncode, 1)
        self.assertIn("no nowhere", p.stderr)
        self.assertEqual(self.run_data("unheard-of").returncode, 2)

    def test_the_list_names_whole_checksums(self):
        with open(os.path.join(ROOT, "data", "sources.json"), encoding="utf-8") as f:
            listed = json.load(f)
        for s in listed["git"]:
            self.assertRegex(s["commit"], "^[0-9a-f]{40}$")
        for s in listed["pypi"]:
            self.assertRegex(s["sha256"], "^[0-9a-f]{64}$")
        for s in listed["git"] + listed["pypi"]:
            self.assertIn(s["use"], ("learn", "measure"))
            self.assertTrue(s["licence"])


if __name__ == "__main__":
    unittest.main()
