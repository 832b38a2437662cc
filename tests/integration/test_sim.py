"""dray sim as a server, and dray bench against it."""
import json
import subprocess
import unittest
import urllib.error
import urllib.request

from lib import clean_env, dray_bin, free_port, run_dray

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


class Sim:
    def __init__(self, *flags):
        self.p = subprocess.Popen([dray_bin(), "sim", "--port", "0", *flags], stdout=subprocess.PIPE, text=True, env=clean_env())
        self.url = self.p.stdout.readline().split()[0]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.p.terminate()
        self.p.stdout.close()
        self.code = self.p.wait(20)

    def post(self, path, body, **headers):
        """(status, headers, body as bytes)"""
        r = urllib.request.Request(self.url + path, json.dumps(body).encode(),
                                   {"content-type": "application/json", **{k.replace("_", "-"): v for k, v in headers.items()}})
        try:
            with urllib.request.urlopen(r, timeout=20) as a:
                return a.status, a.headers, a.read()
        except urllib.error.HTTPError as a:
            return a.code, a.headers, a.read()


class SimServer(unittest.TestCase):
    def test_says_simulated_and_stops_cleanly(self):
        with Sim() as sim:
            status, headers, body = sim.post("/v1/chat/completions", CHAT)
            self.assertEqual((status, headers["x-dray-simulated"]), (200, "1"))
            self.assertIn("[simulated]", json.loads(body)["choices"][0]["message"]["content"])
        self.assertEqual(sim.code, 0)

    def test_failures_by_header(self):
        with Sim() as sim:
            status, headers, body = sim.post("/v1/chat/completions", CHAT, x_sim_error_rate="1", x_sim_error_status="503")
            self.assertEqual((status, json.loads(body)["error"]["type"]), (503, "server_error"))
            status, _, body = sim.post("/v1/messages", {**CHAT, "max_tokens": 9}, x_sim_error_rate="1", x_sim_error_status="529")
            self.assertEqual((status, json.loads(body)["error"]["type"]), (529, "overloaded_error"))
            self.assertEqual(sim.post("/v1/chat/completions", CHAT, x_sim_error_rate="2")[0], 400)
            self.assertEqual(sim.post("/v1/chat/completions", CHAT)[0], 200)

    def test_which_fail_follows_from_the_seed(self):
        def fates(seed):
            with Sim("--error-rate", "0.5", "--seed", seed) as sim:
                return [sim.post("/v1/chat/completions", CHAT)[0] for _ in range(24)]
        self.assertEqual(fates("1"), fates("1"))
        self.assertNotEqual(fates("1"), fates("2"))
        self.assertEqual(set(fates("1")), {200, 500})

    def test_rate_limit_by_credential(self):
        with Sim("--rate-limit", "2", "--rate-window", "1h") as sim:
            a = [sim.post("/v1/chat/completions", CHAT, authorization="Bearer a") for _ in range(3)]
            self.assertEqual([x[0] for x in a], [200, 200, 429])
            self.assertGreaterEqual(int(a[2][1]["retry-after"]), 1)
            self.assertEqual(sim.post("/v1/chat/completions", CHAT, authorization="Bearer b")[0], 200)

    def test_disconnect_midway(self):
        with Sim("--disconnect-rate", "1", "--output-tokens", "50") as sim:
            with self.assertRaises(Exception):
                sim.post("/v1/chat/completions", {**CHAT, "stream": True})
            with self.assertRaises(Exception):
                sim.post("/v1/chat/completions", CHAT)

    def test_paced_stream_is_complete(self):
        with Sim("--first-byte", "5ms", "--token-pace", "1ms", "--output-tokens", "20") as sim:
            _, _, body = sim.post("/v1/chat/completions", {**CHAT, "stream": True})
            self.assertEqual(body.count(b"data: "), 23)
            self.assertTrue(body.endswith(b"data: [DONE]\n\n"))

    def test_chunked_and_pipelined(self):
        import socket
        with Sim() as sim, socket.create_connection(("127.0.0.1", int(sim.url.rsplit(":", 1)[1])), 20) as s:
            body = json.dumps(CHAT).encode()
            one = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
            one += b"".join(b"1\r\n%c\r\n" % c for c in body) + b"0\r\n\r\n"
            two = b"GET /v1/models HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
            for c in one + two:
                s.send(bytes([c]))
            got = b""
            while piece := s.recv(65536):
                got += piece
            self.assertEqual(got.count(b"HTTP/1.1 200 OK"), 2)
            self.assertIn(b'"object":"chat.completion"', got)
            self.assertIn(b'"object":"list"', got)

    def test_refuses_garbage(self):
        import socket
        with Sim() as sim, socket.create_connection(("127.0.0.1", int(sim.url.rsplit(":", 1)[1])), 20) as s:
            s.send(b"\x00\x01\x02 what\r\n\r\n")
            self.assertTrue(s.recv(65536).startswith(b"HTTP/1.1 400 "))


class Bench(unittest.TestCase):
    def bench(self, sim, *args):
        code, out, err = run_dray("bench", *args, "--json", "-d", "0.3s", "-w", "0", sim.url)
        self.assertEqual(code, 0, err)
        return json.loads(out)

    def test_modes(self):
        with Sim() as sim:
            for mode in ("closed", "open", "stream", "idle"):
                j = self.bench(sim, mode, "-c", "4", "-r", "200")
                self.assertEqual((j["mode"], j["http_err"], j["err"], j["last_status"]), (mode, 0, 0, 200))
                self.assertGreater(j["ok"], 0)
                self.assertEqual(j["sent"], j["ok"] + j["unanswered"])
                self.assertLessEqual(j["lat"]["p50"], j["lat"]["max"])
                if mode == "stream":
                    self.assertEqual(j["done"], j["ok"])
                if mode == "idle":
                    self.assertEqual(j["held"], 4)

    def test_open_loop_charges_for_the_wait(self):
        # One connection and answers after 20 ms serve 50 a second; at 200 a second the wait shows in the latency from
        # the due time, though each single exchange is as fast as ever.
        with Sim("--latency", "20ms") as sim:
            j = self.bench(sim, "open", "-c", "1", "-r", "200")
            self.assertGreater(j["lat"]["max"], 3 * j["svc"]["p50"])
            self.assertEqual(j["ok"] + j["unanswered"], 60)

    def test_errors_are_no_latency(self):
        with Sim("--error-rate", "1") as sim:
            code, out, _ = run_dray("bench", "--json", "-d", "0.2s", "-w", "0", sim.url)
            self.assertEqual(code, 1)
            j = json.loads(out)
            self.assertGreater(j["http_err"], 0)
            self.assertEqual((j["ok"], j["lat"]["n"], j["last_status"]), (0, 0, 500))

    def test_nobody_there(self):
        self.assertEqual(run_dray("bench", "-d", "0.1s", f"http://127.0.0.1:{free_port()}")[0], 1)

    def test_wrong_usage(self):
        self.assertEqual(run_dray("bench", "opne", "http://127.0.0.1:1")[0], 2)
        self.assertEqual(run_dray("bench", "https://127.0.0.1:1")[0], 1)


if __name__ == "__main__":
    unittest.main()
