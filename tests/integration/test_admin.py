"""The running gateway's own side: admin API and its key, the panic switch, feedback, free checks, observe mode."""
import json
import os
import unittest

from lib import CHAT, Client, Dray, Served, Upstream, chat, chat_answer, chat_stream, provider, request_bytes, run_dray, until

TIERS = ("tiers:\n  light: {targets: [up/small]}\n  mid: {targets: [up/middle]}\n  frontier: {targets: [up/big]}\n")
CLASSIFY = "Classify the sentiment of this review as positive or negative: the soup was cold."
PLAN = "Create a step-by-step plan to migrate our monolith to services over six months, with milestones and risks."


class Base(Served):
    more = ""

    @classmethod
    def setUpClass(cls):
        cls.up = Upstream()
        cls.dray = Dray(cls.more + "providers:\n" + provider(cls.up) + TIERS)

    def post(self, path, body, key=None):
        return self.dray.call(body, path, {"authorization": f"Bearer {key}"} if key else {})


class AdminKey(Base):
    """With keys, the admin API opens for the admin key alone."""
    more = "keys: [{key: user-one, name: one}, {key: user-two, name: two, team: blue}]\nadmin_key: the-admin\n"

    def status(self, path, key, method="GET", body=None):
        return self.dray.call(body, path, {"authorization": f"Bearer {key}"} if key else {}, method).status

    def test_who_gets_in(self):
        for path in ("/admin/v1/calls", "/admin/v1/override"):
            with self.subTest(path):
                self.assertEqual(self.status(path, "the-admin"), 200)
                self.assertIn(self.status(path, "user-one"), (401, 403))
                self.assertIn(self.status(path, None), (401, 403))
                self.assertIn(self.status(path, "the-admi"), (401, 403))
        self.assertIn(self.status("/admin/v1/override", "user-one", "POST", {"tier": "light", "for": "1h"}), (401, 403))
        self.assertIn(self.status("/admin/v1/reload", "user-one", "POST", {}), (401, 403))
        self.assertEqual(self.dray.get("/healthz").status, 200)

    def test_metrics_are_open(self):
        self.assertEqual(self.dray.get("/metrics").status, 200)

    def test_key_and_team_are_booked(self):
        m = self.post("/v1/chat/completions", CHAT, "user-two")
        row = self.dray.row(m)
        self.assertEqual((row["key"], row["team"]), ("two", "blue"))

    def test_feedback_for_a_foreign_call(self):
        m = self.post("/v1/chat/completions", CHAT, "user-one")
        self.dray.row(m)
        call_id = m.get("x-dray-call-id")
        self.assertIn(self.post("/v1/feedback", {"id": call_id, "score": 0}, "user-two").status, (403, 404))
        self.assertEqual(self.post("/v1/feedback", {"id": call_id, "score": 1}, "user-one").status, 202)
        until(lambda: self.dray.row(m)["quality"] == 1, "the owner's score is booked")


class Admin(Base):
    def test_calls(self):
        ids = [self.dray.call(CHAT, headers={"x-dray-session": "listed"}).get("x-dray-call-id") for _ in range(7)]
        self.dray.settle()
        found = self.dray.get("/admin/v1/calls?session=listed").json()
        calls = found["calls"]
        self.assertEqual([c["id"] for c in calls], ids[::-1])  # newest first
        self.assertEqual((calls[0]["model"], calls[0]["status"], calls[0]["input_tokens"]), ("m1", 200, 12))
        one = self.dray.get("/admin/v1/calls/" + ids[0])
        self.assertEqual((one.status, one.json()["id"]), (200, ids[0]))
        self.assertEqual(self.dray.get("/admin/v1/calls/01234567-89ab-7def-8123-456789abcdef").status, 404)
        self.assertEqual(self.dray.get("/admin/v1/calls?nonsense=1").status, 400)

    def test_pages(self):
        ids = [self.dray.call(CHAT, headers={"x-dray-session": "paged"}).get("x-dray-call-id") for _ in range(5)]
        self.dray.settle()
        seen, path = [], "/admin/v1/calls?session=paged&limit=2"
        for _ in range(5):
            page = self.dray.get(path).json()
            seen += [c["id"] for c in page["calls"]]
            cursor = page.get("cursor") or page.get("next")
            if not cursor:
                break
            path = f"/admin/v1/calls?session=paged&limit=2&cursor={cursor}"
        self.assertEqual(seen, ids[::-1])

    def test_text_of_clients_is_data(self):
        """What a client writes into names never becomes SQL or JSON."""
        for name in ("a'; DROP TABLE call; --", 'b"}],"x":[{"', "c\\"):
            m = self.dray.call(CHAT, headers={"x-dray-session": name})
            self.assertEqual(self.dray.row(m)["session"], name)
            self.assertEqual(self.dray.get("/admin/v1/calls/" + m.get("x-dray-call-id")).json()["session"], name)

    def test_reload_by_http(self):
        path = f"{self.dray.dir}/dray.yaml"
        with open(path, encoding="utf-8") as f:
            good = f.read()
        try:
            with open(path, "w", encoding="utf-8") as f:
                f.write(good + "nonsense: 1\n")
            m = self.post("/admin/v1/reload", {})
            self.assertEqual(m.status, 400)
            self.assertIn("nonsense", m.json()["error"]["message"])
            self.assertEqual(self.dray.call(CHAT).status, 200)
        finally:
            with open(path, "w", encoding="utf-8") as f:
                f.write(good)
        self.assertEqual(self.post("/admin/v1/reload", {}).status, 200)


class Override(Base):
    def tier(self):
        return self.dray.call(chat("auto", CLASSIFY)).get("x-dray-tier")

    def command(self, *args):
        return run_dray("override", *args, "-c", f"{self.dray.dir}/dray.yaml", cwd=self.dray.dir)

    def test_command(self):
        self.assertEqual(self.tier(), "light")
        code, _, err = self.command("frontier", "--for", "1h", "--why", "bad answers")
        self.assertEqual(code, 0, err)
        m = self.dray.call(chat("auto", CLASSIFY))
        self.assertEqual(m.get("x-dray-tier"), "frontier")
        self.assertEqual(self.dray.row(m)["tier"], "frontier")
        self.assertEqual(self.dray.call(chat("auto:light")).get("x-dray-tier"), "frontier")
        named = self.dray.call(CHAT)
        self.assertEqual(named.get("x-dray-model"), "up/m1")
        code, out, _ = self.command()
        self.assertIn("frontier", out)
        self.assertEqual(self.command("off")[0], 0)
        self.assertEqual(self.tier(), "light")
        audit = [f for f in os.listdir(self.dray.dir) if "audit" in f]
        self.assertTrue(audit)
        with open(os.path.join(self.dray.dir, audit[0]), encoding="utf-8") as f:
            lines = [json.loads(x) for x in f]
        self.assertIn("bad answers", json.dumps(lines))
        self.assertGreaterEqual(len(lines), 2)

    def test_it_expires(self):
        self.assertEqual(self.post("/admin/v1/override", {"tier": "frontier", "for": "1s", "why": "short"}).status, 200)
        self.assertEqual(self.tier(), "frontier")
        until(lambda: self.tier() == "light", "it ends by itself")

    def test_bad(self):
        for body in ({"tier": "no-such", "for": "1h"}, {"tier": "light"}, {"tier": "light", "for": "soon"}, {"for": "1h"}):
            with self.subTest(str(body)):
                self.assertEqual(self.post("/admin/v1/override", body).status, 400)
        self.assertEqual(self.command("no-such", "--for", "1h", "--why", "x")[0], 1)
        self.assertEqual(self.tier(), "light")

    def test_survives_a_restart(self):
        with Dray("providers:\n" + provider(self.up) + TIERS) as d:
            d.call({"tier": "frontier", "for": "1h", "why": "x"}, "/admin/v1/override")
            d.stop(remove=False)
            d.start()
            self.assertEqual(d.call(chat("auto", CLASSIFY)).get("x-dray-tier"), "frontier")


class Feedback(Base):
    def test_by_call_id(self):
        m = self.dray.call(CHAT)
        self.assertEqual(self.post("/v1/feedback", {"id": m.get("x-dray-call-id"), "score": 0.25, "label": "wrong", "comment": "no"}).status, 202)
        row = until(lambda: (lambda r: r if r["quality_source"] == "feedback" else None)(self.dray.row(m)), "it is booked")
        self.assertEqual(row["quality"], 0.25)
        self.assertEqual((row["input_tokens"], row["status"]), (12, 200))

    def test_by_answer_id(self):
        self.up.scenarios["own-id"] = lambda x: x.whole({**chat_answer({"model": "m1"}), "id": "chatcmpl-very-own"})
        m = self.dray.call(CHAT, headers={"x-scenario": "own-id"})
        self.dray.settle()
        self.assertEqual(self.post("/v1/feedback", {"id": "chatcmpl-very-own", "score": 1}).status, 202)
        until(lambda: self.dray.row(m)["quality"] == 1, "it is booked")

    def test_last_word_counts(self):
        m = self.dray.call(CHAT)
        for score in (0, 1, 0.5):
            self.assertEqual(self.post("/v1/feedback", {"id": m.get("x-dray-call-id"), "score": score}).status, 202)
        until(lambda: self.dray.row(m)["quality"] == 0.5, "the last score")
        self.assertEqual(len(self.dray.rows("SELECT id FROM calls WHERE id = ?", (m.get("x-dray-call-id"),))), 1)

    def test_unknown(self):
        for call_id in ("01a20fff-98af-7152-b7a6-72f2154ca21e", "ffffffff-ffff-7fff-bfff-ffffffffffff", "chatcmpl-nobody"):
            with self.subTest(call_id):
                self.assertEqual(self.post("/v1/feedback", {"id": call_id, "score": 1}).status, 404)

    def test_bad(self):
        good = self.dray.call(CHAT).get("x-dray-call-id")
        for body in ({}, {"id": good}, {"score": 1}, {"id": good, "score": 2}, {"id": good, "score": -0.1}, {"id": good, "score": "1"}, {"id": 5, "score": 1}, b"{", []):
            with self.subTest(str(body)[:40]):
                m = self.post("/v1/feedback", body)
                self.assertEqual(m.status, 400)
                self.assertTrue(m.json()["error"]["message"])


class Checks(Base):
    """Free checks of each answer, booked as quality with source `check`; an answer without fault gets no bad mark."""

    def quality(self, answer, **request):
        self.up.scenarios["answer"] = answer if callable(answer) else lambda x: x.whole({**chat_answer({"model": "m1"}), "choices": [{"index": 0, **answer}]})
        m = self.dray.call({**CHAT, **request}, headers={"x-scenario": "answer"})
        self.assertEqual(m.status, 200)
        self.dray.settle()
        row = self.dray.row(m)
        return row["quality"], row["quality_source"]

    def text(self, text, finish="stop"):
        return {"message": {"role": "assistant", "content": text}, "finish_reason": finish}

    def bad(self, answer, **request):
        value, source = until(lambda: (lambda q: q if q[1] else None)(self.quality(answer, **request)), "a check's mark")
        self.assertEqual(source, "check")
        self.assertLess(value, 0.5)

    def test_asked_for_json(self):
        schema = {"type": "json_schema", "json_schema": {"name": "w", "strict": True, "schema": {
            "type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}}}
        self.bad(self.text("no json"), response_format={"type": "json_object"})
        self.bad(self.text("{\"town\": 1}"), response_format=schema)
        value, _ = self.quality(self.text("{\"city\": \"Oslo\"}"), response_format=schema)
        self.assertTrue(value is None or value >= 0.5)

    def test_tool_arguments(self):
        tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}}}]

        def call(arguments):
            return {"message": {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}]},
                    "finish_reason": "tool_calls"}
        self.bad(call("{\"n\": \"many\"}"), tools=tools)
        self.bad(call("{\"n\": "), tools=tools)
        value, _ = self.quality(call("{\"n\": 3}"), tools=tools)
        self.assertTrue(value is None or value >= 0.5)

    def test_empty_and_refused(self):
        self.bad(self.text(""))
        self.bad({"message": {"role": "assistant", "content": None, "refusal": "I can't help with that."}, "finish_reason": "stop"})

    def test_broken_stream(self):
        def broken(x):
            x.start()
            x.sse(chat_stream(json.loads(x.request.body))[:3], done=False)
            x.cut()
        self.bad(broken, stream=True)

    def test_good_answer(self):
        value, _ = self.quality(self.text("Hello."))
        self.assertTrue(value is None or value >= 0.5)


class Observe(Base):
    """mode: observe. Calls go where the client asked; what the policy would have done is booked beside it."""
    more = "mode: observe\nbaseline: frontier\n"

    def test_auto_goes_to_the_baseline(self):
        for text, tier, model in ((CLASSIFY, "light", "up/small"), (PLAN, "frontier", "up/big")):
            with self.subTest(tier):
                m = self.dray.call(chat("auto", text))
                self.assertEqual(m.get("x-dray-model"), "up/big")
                row = self.dray.row(m)
                self.assertEqual((row["observed_tier"], row["observed_model"]), (tier, model))
                self.assertEqual(row["model"], "big")

    def test_named_model_is_observed_too(self):
        m = self.dray.call(chat("up/named", CLASSIFY))
        self.assertEqual(m.get("x-dray-model"), "up/named")
        until(lambda: self.dray.row(m)["observed_tier"] == "light", "what the policy would have chosen")


class Streams(Base):
    def test_admin_answers_while_streams_run(self):
        with Client(self.dray.port) as c:
            c.send(request_bytes("POST", "/v1/chat/completions", {**CHAT, "stream": True}, {"x-scenario": "stream-stall"}))
            c.head()
            self.assertEqual(self.dray.get("/admin/v1/calls").status, 200)
            self.assertGreaterEqual(self.dray.metric("dray_calls_open"), 1)


if __name__ == "__main__":
    unittest.main()
