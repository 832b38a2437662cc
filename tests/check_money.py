#!/usr/bin/env python3
"""Checks a ledger's money independently of dray's own code: Python's integers and decimals, SQL, nothing else.

    tests/check_money.py dray.db [--verbose]

For every call: its usage lines are disjoint and sum to its tokens; each line costs units * rate / 10^6, rounded half
up once; an answered call's attempts cost what their lines do, and the call what its attempts do; what has no price
is unknown (NULL) all the way up, never zero. For every dimension of the rollups: the same calls, cost, tokens,
and errors as the rows. Prints each breach; exit code 1 if there is any.
"""
import sqlite3
import sys
from collections import defaultdict
from decimal import ROUND_HALF_UP, Decimal

SHOWN = 20
INPUT = {"input", "cached_input", "cache_write_5m", "cache_write_1h", "input_audio", "cached_audio", "input_image"}
OUTPUT = {"output", "reasoning", "output_audio", "output_image"}


def line_cost(units, rate):
    """In nano-dollars; None is unknown. By decimal, so that nothing is shared with the C code's integers."""
    if rate is None:
        return None
    return int((Decimal(units) * Decimal(rate) / Decimal(1_000_000)).quantize(Decimal(1), rounding=ROUND_HALF_UP))


def total(costs):
    costs = list(costs)
    return None if any(c is None for c in costs) else sum(costs)


class Checker:
    def __init__(self, path):
        self.db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        self.breaches = 0
        self.checked = 0

    def breach(self, what, *detail):
        self.breaches += 1
        if self.breaches <= SHOWN:
            print(what, *detail)

    def lines(self):
        by_call = defaultdict(lambda: defaultdict(dict))
        query = "SELECT time, attempt, class, units, rate_nano, cost_nano FROM usage_lines"
        for time, attempt, cls, units, rate, cost in self.db.execute(query):
            if cls in by_call[time][attempt]:
                self.breach("a class twice in one attempt:", time, attempt, cls)
            by_call[time][attempt][cls] = (units, rate, cost)
            want = line_cost(units, rate)
            if cost != want:
                self.breach("line:", time, attempt, cls, units, "x", rate, "=", want, "not", cost)
        return by_call

    def attempts(self):
        by_call = defaultdict(dict)
        for time, n, status, cost in self.db.execute("SELECT time, n, status, cost_nano FROM attempts"):
            by_call[time][n] = (status, cost)
        return by_call

    def rows(self):
        lines, attempts = self.lines(), self.attempts()
        query = ("SELECT time, input_tokens, output_tokens, reasoning_tokens, cost_nano, token_source, error, attempts"
                 " FROM calls")
        for time, tin, tout, reasoning, cost, source, error, count in self.db.execute(query):
            self.checked += 1
            used = lines.get(time, {})
            tries = attempts.get(time, {})
            if error != "cut" and count != len(tries):
                self.breach("attempts:", time, count, "not", len(tries))
            if tries:
                want = total(c for _, c in tries.values())
                if want != cost:
                    self.breach("cost:", time, cost, "but its attempts", want)
            for n, classes in used.items():
                want = total(c for _, _, c in classes.values())
                if n in tries and tries[n][1] != want:
                    self.breach("attempt:", time, n, tries[n][1], "but its lines", want)
            if source is None:
                if tin is not None or tout is not None:
                    self.breach("tokens without a source:", time)
                continue
            answer = used.get(count, {})
            if sum(u for c, (u, _, _) in answer.items() if c in INPUT) != tin:
                self.breach("input:", time, tin, answer)
            if sum(u for c, (u, _, _) in answer.items() if c in OUTPUT) != tout:
                self.breach("output:", time, tout, answer)
            if answer.get("reasoning", (0,))[0] != reasoning:
                self.breach("reasoning:", time, reasoning, answer)

    def rollups(self):
        """Only where no call was deleted and nothing is journalled: elsewhere the sums rightly say more."""
        if self.db.execute("SELECT count(*) FROM cell_pending").fetchone()[0]:
            print("rollups not checked: the journal is not empty (a gateway is writing)")
            return
        want = self.db.execute("SELECT count(*), coalesce(sum(cost_nano),0), sum(cost_nano IS NULL),"
                               " count(error), sum(attempts) FROM calls").fetchone()
        for view in ("hours", "days"):
            query = (f"SELECT dimension, sum(calls), sum(cost), sum(cost_unknown), sum(errors), sum(attempts)"
                     f" FROM {view} GROUP BY dimension")
            for dimension, *got in self.db.execute(query):
                if tuple(got) != tuple(want):
                    self.breach("rollup:", view, dimension, got, "but the rows", want)


def main():
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    checker = Checker(sys.argv[1])
    checker.rows()
    checker.rollups()
    print(f"{checker.checked} calls checked, {checker.breaches} breaches")
    return 1 if checker.breaches else 0


if __name__ == "__main__":
    sys.exit(main())
