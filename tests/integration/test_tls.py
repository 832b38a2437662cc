"""TLS to providers: certificates are verified, names checked and sent, sessions resumed, streams flow."""
import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import unittest

from lib import CHAT, Dray, Upstream, events, run_dray, until


def openssl(directory, *args):
    subprocess.run(["openssl", *args], cwd=directory, check=True, capture_output=True)


def make_certificates(d):
    """An authority, and certificates of it: good (localhost), wrong name, expired; and one that signed itself."""
    openssl(d, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "ca.key", "-out", "ca.pem",
            "-subj", "/CN=test authority", "-days", "30", "-addext", "keyUsage=keyCertSign")
    for name, san, days in (("good", "DNS:localhost", "30"), ("wrong", "DNS:elsewhere.test", "30"), ("expired", "DNS:localhost", "-1")):
        openssl(d, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        with open(f"{d}/{name}.ext", "w", encoding="utf-8") as f:
            f.write(f"subjectAltName={san}\n")
        openssl(d, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", f"{name}.pem", "-days", days, "-extfile", f"{name}.ext")


def provider(name, up, more=""):
    return f"  {name}: {{kind: openai, base_url: \"{up.base}\", api_key: sk-tls, timeout: {{connect: 5s, first_byte: 5s}}{more}}}\n"


@unittest.skipUnless(shutil.which("openssl"), "no openssl to make certificates with")
class Upstreams(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="dray-tls-")
        make_certificates(cls.dir)
        cls.names = []
        cls.ups = {}
        lines = "workers: 1\nproviders:\n"
        for name, highest in (("good", None), ("old", ssl.TLSVersion.TLSv1_2), ("wrong", None), ("expired", None)):
            cls.ups[name] = Upstream(tls=cls.context("good" if name == "old" else name, highest))
            lines += provider(name, cls.ups[name], f", ca_file: {cls.dir}/ca.pem")
        lines += provider("unknown", cls.ups["good"])  # its authority is not one of the system's
        cls.dray = Dray(lines)

    @classmethod
    def context(cls, name, highest):
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        c.load_cert_chain(f"{cls.dir}/{name}.pem", f"{cls.dir}/{name}.key")
        if highest:
            c.maximum_version = highest
        c.sni_callback = lambda sock, server_name, context: cls.names.append(server_name)
        return c

    @classmethod
    def tearDownClass(cls):
        try:
            cls.dray.stop()
        finally:
            for up in cls.ups.values():
                up.close()
            shutil.rmtree(cls.dir)

    def call(self, name, **more):
        return self.dray.call({**CHAT, "model": name + "/m1", **more})

    def test_verified(self):
        m = self.call("good")
        self.assertEqual(m.status, 200, m.body)
        self.assertIn("localhost", self.names)
        self.assertEqual(self.ups["good"].handshakes[0]["version"], "TLSv1.3")

    def test_stream(self):
        m = self.call("good", stream=True)
        self.assertEqual(events(m.body)[-1], "[DONE]")

    def test_large(self):
        """More than a TLS record and more than the socket takes at once, both ways."""
        big = "x" * 3_000_000
        self.ups["good"].scenarios[None] = lambda x: x.whole(json.dumps({"id": "b", "text": big, "got": len(x.request.body)}).encode())
        try:
            m = self.call("good", messages=[{"role": "user", "content": big}])
        finally:
            del self.ups["good"].scenarios[None]
        self.assertGreater(m.json()["got"], 3_000_000)
        self.assertEqual(len(m.json()["text"]), 3_000_000)

    def test_refused(self):
        for name in ("wrong", "expired", "unknown"):
            with self.subTest(name):
                n = len(self.ups["good"].requests)
                m = self.call(name)
                self.assertEqual(m.status, 502)
                self.assertIn("certificate", m.json()["error"]["message"].lower())
                self.assertTrue(self.dray.row(m)["error"])
                self.assertEqual(len(self.ups["good"].requests), n, "the request was sent all the same")
        self.assertEqual(self.ups["wrong"].requests + self.ups["expired"].requests, [])

    def test_there_is_no_switch(self):
        """Verification cannot be turned off."""
        with tempfile.TemporaryDirectory() as d:
            with open(f"{d}/dray.yaml", "w", encoding="utf-8") as f:
                f.write("providers:\n" + provider("x", self.ups["good"], ", verify: false"))
            code, out, err = run_dray("check", "-c", f"{d}/dray.yaml")
            self.assertEqual(code, 1, out + err)

    def test_sessions_are_resumed(self):
        for name in ("good", "old"):
            with self.subTest(name):
                up = self.ups[name]
                self.assertEqual(self.call(name).status, 200)
                n = len(up.handshakes)
                with up.lock:
                    for s in list(up.open):
                        s.shutdown(socket.SHUT_RDWR)
                until(lambda: not up.open, "the connections are gone")
                self.assertEqual(self.call(name).status, 200)
                self.assertTrue(all(h["reused"] for h in up.handshakes[n:]), up.handshakes[n:])
                self.assertGreater(len(up.handshakes), n)

    def test_connections_are_kept(self):
        self.call("good")
        n = len(self.ups["good"].handshakes)
        for _ in range(10):
            self.assertEqual(self.call("good").status, 200)
        self.assertLessEqual(len(self.ups["good"].handshakes) - n, 1)

    def test_plain_http_behind_a_tls_url(self):
        plain = Upstream()
        plain.base = plain.base.replace("http://127.0.0.1", "https://localhost")
        with Dray("providers:\n" + provider("p", plain, f", ca_file: {self.dir}/ca.pem")) as d:
            # it waits for the end of a head that never comes
            self.assertIn(d.call({**CHAT, "model": "p/m"}).status, (502, 504))
        plain.close()


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    unittest.main()
