"""Runs one test module and writes [passed, failed, skipped] to a file: suite.py test_wire RESULT.

A subtest that fails counts as a failure of its own. For work on one test, plain unittest does as well:
    cd tests/integration && python3 -m unittest -v test_wire.Bodies.test_gzip
"""
import faulthandler
import json
import sys
import unittest

LIMIT = 1800


class Result(unittest.TextTestResult):
    passed = 0

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        self.passed += err is None


def main():
    name, out = sys.argv[1:]
    faulthandler.dump_traceback_later(LIMIT, exit=True)
    suite = unittest.defaultTestLoader.loadTestsFromName(name)
    r = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Result).run(suite)
    failed = len(r.failures) + len(r.errors) + len(r.unexpectedSuccesses)
    with open(out, "w", encoding="utf-8") as f:
        json.dump([r.passed, failed, len(r.skipped)], f)
    sys.exit(1 if failed else 0)


main()
