"""kill -9 under mixed load, again and again: every call whose last byte was received is in the ledger, none twice,
and every call that was cut shows as such. DRAY_FULL=1: 50 kills; otherwise 6."""
import json
import os
import random
import threading
import time
import unittest

from lib import Client, Dray, Upstream, chat, chat_answer, chat_stream, events, provider, request_bytes, until

KILLS = 50 if os.environ.get("DRAY_FULL") else 6
CLIENTS = 6
PATH = "/v1/chat/completions"


def steady(x):
    """Answers that carry the call's own number back, so that usage in the books can be checked call by call."""
    q = json.loads(x.request.body)
    n = int(q["user"])
    usage = {"prompt_tokens": n, "completion_tokens": 3, "total_tokens": n + 3}
    if q.get("stream"):
        x.start()
        x.sse(chat_stream(q)[:-1], done=False)
        x.sse([{"id": "s", "object": "chat.completion.chunk", "created": 1, "model": q["model"], "choices": [], "usage": usage}])
        x.end()
    else:
        x.whole({**chat_answer(q), "usage": usage})


class Kill(unittest.TestCase):
    def setUp(self):
        self.up, self.second = Upstream(steady), Upstream(steady)
        self.dray = Dray("workers: 2\nproviders:\n" + provider(self.up) +
                         f"  second: {{kind: openai, base_url: \"{self.second.base}\", api_key: sk-2}}\n"
                         "tiers:\n  light: {targets: [up/small, second/small], balance: priority}\n"
                         "  mid: {targets: [up/middle]}\n  frontier: {targets: [up/big]}\n")
        self.sent = {}      # session -> whether its last byte came
        self.next = 0
        self.lock = threading.Lock()

    def tearDown(self):
        self.up.close()
        self.second.close()

    def one(self, c, rnd):
        """One call of the mix; notes it as whole only when its last byte was read."""
        with self.lock:
            self.next += 1
            n = self.next
        session, kind = f"k{n}", rnd.choice(("whole", "whole", "stream", "stream", "fallback", "abort", "cut"))
        headers = {"x-dray-session": session}
        body = chat("auto:light" if kind == "fallback" else "up/m1", user=str(n), stream=kind in ("stream", "abort", "cut"))
        if kind == "fallback":
            headers["x-scenario"] = "503"
        if kind == "cut":
            headers["x-scenario"] = "stream-cut"
        self.sent[session] = False
        c.send(request_bytes("POST", PATH, body, headers))
        if kind == "abort":
            c.head()
            raise ConnectionAbortedError
        m = c.answer()
        if m is None or not m.complete:
            raise ConnectionResetError
        self.assertEqual(m.status, 200)
        if kind != "cut":
            self.assertTrue(kind != "stream" or events(m.body)[-1] == "[DONE]")
            self.sent[session] = m.get("x-dray-call-id")

    def load(self, stop, seed, wrong):
        rnd = random.Random(seed)
        c = None
        while not stop.is_set():
            try:
                c = c or Client(self.dray.port, 20)
                self.one(c, rnd)
            except AssertionError as e:
                wrong.append(str(e))
                return
            except OSError:
                if c:
                    c.close()
                c = None
        if c:
            c.close()

    def test_nothing_is_lost(self):
        rnd, wrong = random.Random(1), []
        for round_ in range(KILLS):
            stop = threading.Event()
            threads = [threading.Thread(target=self.load, args=(stop, round_ * 100 + k, wrong)) for k in range(CLIENTS)]
            for t in threads:
                t.start()
            time.sleep(0.15 + rnd.random() * 0.6)  # the random moment
            self.dray.kill()
            stop.set()
            for t in threads:
                t.join()
            self.dray.start()
        self.dray.settle(60)  # what several generations left is read first
        self.assertEqual(wrong, [])
        rows = {}
        for r in self.dray.rows():
            rows.setdefault(r["session"], []).append(r)
        whole = {s: call for s, call in self.sent.items() if call}
        self.assertGreater(len(whole), KILLS * 5)
        missing = [s for s in whole if s not in rows]
        twice = [s for s in rows if len(rows[s]) > 1]
        self.assertEqual((missing[:10], twice[:10]), ([], []), f"{len(missing)} of {len(whole)} missing, {len(twice)} twice")
        wrong_rows = [s for s, call in whole.items() if (rows[s][0]["id"], rows[s][0]["status"], rows[s][0]["input_tokens"], rows[s][0]["output_tokens"])
                      != (call, 200, int(s[1:]), 3)]
        self.assertEqual(wrong_rows[:10], [], f"{len(wrong_rows)} of {len(whole)} rows wrong")
        # the independent count of the totals
        self.assertEqual(sum(rows[s][0]["input_tokens"] for s in whole), sum(int(s[1:]) for s in whole))
        # what was cut is told as cut, not as good
        for s, r in rows.items():
            if not whole.get(s) and r[0]["status"] == 200 and not r[0]["error"]:
                # its last byte may have been on its way when the process died: then it must be whole in the books
                self.assertEqual(r[0]["output_tokens"], 3, f"{s}: a cut call shows as whole: {r[0]}")
        print(f"{KILLS} kills, {len(self.sent)} calls begun, {len(whole)} answered whole, all booked", flush=True)
        self.dray.stop()

    def test_kill_right_behind_the_last_byte(self):
        """The answer's last byte has been received: the row is safe, whatever comes next."""
        for i in range(KILLS):
            with Client(self.dray.port) as c:
                m = c.request("POST", PATH, chat(user=str(i + 1), stream=i % 2 == 0), {"x-dray-session": f"last{i}"})
                self.dray.kill()
            self.assertTrue(m.complete)
            self.dray.start()
            row = self.dray.row(m)
            self.assertEqual((row["status"], row["input_tokens"], row["session"]), (200, i + 1, f"last{i}"))
        self.dray.stop()

    def test_cut_call_shows_with_its_attempts(self):
        held = threading.Event()

        def hold(x):
            held.set()
            x.gone(60)
            x.cut()
        self.second.handler = hold
        with Client(self.dray.port) as c:
            c.send(request_bytes("POST", PATH, chat("auto:light", user="1"), {"x-scenario": "503", "x-dray-session": "cut"}))
            self.assertTrue(held.wait(20))
            self.dray.kill()
        self.dray.start()
        rows = until(lambda: self.dray.rows("SELECT * FROM calls WHERE session = 'cut'"), "the cut call's row")
        self.assertEqual(len(rows), 1)
        self.assertTrue(rows[0]["error"], "a call that was cut says so")
        attempts = self.dray.rows("SELECT a.* FROM attempts a JOIN calls c ON c.time = a.time WHERE c.session = 'cut' ORDER BY a.n")
        self.assertEqual([a["target"] for a in attempts][:1], ["up/small"])
        self.assertEqual(attempts[0]["status"], 503)
        self.dray.stop()


if __name__ == "__main__":
    unittest.main()
