"""Disks that are full, read-only or gone, and databases that are locked, deleted or garbage: traffic goes on as
on_ledger_full says, the alarm shows where the contract says, and what can be recovered is."""
import os
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
import unittest

from lib import CHAT, Client, Dray, Upstream, clean_env, dray_bin, free_port, openai_ok, provider, request_bytes, run_dray, until
from preload import shim_env


def mount(directory, size):
    return subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", directory], capture_output=True).returncode == 0


class Disk(unittest.TestCase):
    """Each test has a small file system of its own for ledger and spool."""
    size = "96m"

    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("only root can mount a file system to fill")
        self.dir = tempfile.mkdtemp(prefix="dray-disk-")
        if not mount(self.dir, self.size):
            os.rmdir(self.dir)
            self.skipTest("no file system can be mounted here")
        self.addCleanup(lambda: (subprocess.run(["umount", "-l", self.dir], check=False), os.rmdir(self.dir)))
        self.up = Upstream()
        self.addCleanup(self.up.close)

    def dray(self, more=""):
        d = Dray("workers: 1\n" + more + "providers:\n" + provider(self.up), directory=self.dir)
        self.addCleanup(lambda: d.process.poll() is None and d.kill())
        return d

    def fill(self):
        path = os.path.join(self.dir, "filler")
        try:
            with open(path, "ab", buffering=0) as f:
                while f.write(b"\0" * 65536):
                    pass
        except OSError:
            pass
        return path


class Full(Disk):
    def alarmed(self, d):
        return d.get("/readyz").status == 503 or b"ledger" in d.get("/readyz").body

    def push(self, d, n=500):
        """Statuses of `n` calls with long tags, so that the spool fills soon."""
        with Client(d.port) as c:
            return [c.request("POST", "/v1/chat/completions", CHAT, {"x-dray-tags": ",".join([f"tag-{i}" for i in range(8)]), "x-dray-user": "u" * 200,
                                                                     "x-dray-session": "s" * 200}).status for _ in range(n)]

    def test_serve(self):
        d = self.dray()
        first = d.call(CHAT)
        d.settle()
        filler = self.fill()
        # Enough calls for the prepared segments to run out: every one is answered all the same.
        for _ in range(120):
            self.assertEqual(set(self.push(d)), {200})
            if d.metric("dray_books_lost_events_total"):
                break
        self.assertGreater(d.metric("dray_books_lost_events_total") or 0, 0)
        until(lambda: self.alarmed(d), "/readyz tells it")
        self.assertIn("ledger", d.log())
        os.unlink(filler)
        until(lambda: d.metric("dray_books_backlog_events") == 0, "the backlog goes when there is room", 60)
        last = d.call(CHAT)
        self.assertEqual(d.row(first)["status"], 200)
        self.assertEqual(d.row(last)["status"], 200)
        d.stop()

    def test_refuse(self):
        d = self.dray("on_ledger_full: refuse\n")
        self.assertEqual(d.call(CHAT).status, 200)
        d.settle()
        filler = self.fill()
        statuses = []
        for _ in range(120):
            statuses += self.push(d)
            if 503 in statuses:
                break
        self.assertEqual(set(statuses), {200, 503})
        os.unlink(filler)
        until(lambda: d.call(CHAT).status == 200, "served again when there is room", 60)
        d.settle()
        booked = d.rows("SELECT count(*) AS n FROM calls WHERE status = 200")[0]["n"]
        self.assertGreaterEqual(booked, statuses.count(200) + 1)
        d.stop()


class Database(Disk):
    def test_read_only_file_system(self):
        """A disk that cannot be written is told at the start, by name; nothing crashes."""
        with open(os.path.join(self.dir, "dray.yaml"), "w", encoding="utf-8") as f:
            f.write(f"listen: 127.0.0.1:{free_port()}\nproviders:\n" + provider(self.up))
        subprocess.run(["mount", "-o", "remount,ro", self.dir], check=True)
        p = subprocess.run([dray_bin(), "serve"], cwd=self.dir, env=clean_env(), capture_output=True, text=True, timeout=60)
        self.assertEqual(p.returncode, 1, p.stderr)
        self.assertRegex(p.stderr, r"(?i)read-only|readonly")
        self.assertNotIn("Sanitizer", p.stderr)

    def test_no_room_at_the_start(self):
        with open(os.path.join(self.dir, "dray.yaml"), "w", encoding="utf-8") as f:
            f.write(f"listen: 127.0.0.1:{free_port()}\nproviders:\n" + provider(self.up))
        self.fill()
        p = subprocess.run([dray_bin(), "serve"], cwd=self.dir, env=clean_env(), capture_output=True, text=True, timeout=60)
        self.assertEqual(p.returncode, 1, p.stderr)
        self.assertNotIn("Sanitizer", p.stderr)

    def test_locked(self):
        """Someone holds the database for longer than any timeout: calls go on, then all of them are booked."""
        d = self.dray()
        d.call(CHAT)
        d.settle()
        db = sqlite3.connect(d.db, timeout=20, isolation_level=None)
        db.execute("BEGIN IMMEDIATE")
        ids = [d.call(CHAT).get("x-dray-call-id") for _ in range(40)]
        self.assertGreater(d.metric("dray_books_backlog_events"), 0)
        db.execute("ROLLBACK")
        db.close()
        d.settle()
        booked = {r["id"] for r in d.rows("SELECT id FROM calls")}
        self.assertFalse(set(ids) - booked)
        d.stop()

    @unittest.skipUnless(os.environ.get("DRAY_FULL"), "long form")
    def test_locked_for_30_seconds(self):
        d = self.dray()
        d.call(CHAT)
        d.settle()
        db = sqlite3.connect(d.db, timeout=20, isolation_level=None)
        db.execute("BEGIN EXCLUSIVE")
        ids, begin = [], time.monotonic()
        with Client(d.port) as c:
            while time.monotonic() < begin + 30:
                ids.append(c.request("POST", "/v1/chat/completions", CHAT).get("x-dray-call-id"))
                time.sleep(0.005)
        self.assertIn(b"locked", d.get("/readyz").body)
        self.assertIn("locked", d.log())
        db.execute("ROLLBACK")
        db.close()
        d.settle()
        booked = [r["id"] for r in d.rows("SELECT id FROM calls")]
        self.assertEqual(sorted(set(ids) - set(booked)), [])
        self.assertEqual(len(booked), len(set(booked)))
        d.stop()

    def test_slow_disk(self):
        """Every write and sync of the ledger's disk takes 50 ms: the spool takes the calls meanwhile, none is lost."""
        d = Dray("workers: 1\nproviders:\n" + provider(self.up), directory=self.dir, env=shim_env(disk_ms=50))
        self.addCleanup(lambda: d.process.poll() is None and d.kill())
        ids = []
        with Client(d.port) as c:
            for _ in range(300):
                m = c.request("POST", "/v1/chat/completions", CHAT)
                self.assertEqual(m.status, 200)
                ids.append(m.get("x-dray-call-id"))
        behind = d.metric("dray_books_backlog_events")
        self.assertGreater(behind, 0, "the ledger is behind")
        d.settle(120)
        self.assertEqual(d.metric("dray_books_lost_events_total") or 0, 0)
        booked = [r["id"] for r in d.rows("SELECT id FROM calls", settle=False)]
        self.assertEqual(sorted(booked), sorted(ids))
        d.stop()

    def test_forget_reaches_calls_on_their_way(self):
        """Those that were not in the ledger yet when their user was forgotten leave their sums and no row."""
        d = self.dray()
        d.call(CHAT, headers={"x-dray-user": "ann"})
        d.settle()
        held = threading.Event()

        def hold(x):
            held.set()
            release.wait(60)
            openai_ok(x)
        release, self.up.handler = threading.Event(), hold
        with Client(d.port) as c:
            c.send(request_bytes("POST", "/v1/chat/completions", CHAT, {"x-dray-user": "ann"}))
            self.assertTrue(held.wait(20))
            code, _, errors = run_dray("forget", "--user", "ann", "-c", os.path.join(d.dir, "dray.yaml"))
            self.assertEqual(code, 0, errors)
            release.set()
            self.assertEqual(c.answer().status, 200)
        self.up.handler = openai_ok
        later = d.call(CHAT, headers={"x-dray-user": "ann"}).get("x-dray-call-id")  # after it: a new call
        d.settle()
        self.assertEqual([r["id"] for r in d.rows("SELECT id FROM calls WHERE user = 'ann'")], [later])
        d.stop()
        d.start()
        self.assertEqual(d.rows("SELECT sum(calls) AS n FROM hours WHERE dimension = 'all'")[0]["n"], 3)
        d.stop()

    def test_slow_reader_of_the_ledger_disturbs_nothing(self):
        d = self.dray()
        d.call(CHAT)
        d.settle()
        db = sqlite3.connect(d.db, timeout=20, isolation_level=None)
        db.execute("BEGIN")
        db.execute("SELECT count(*) FROM calls").fetchone()
        ids = [d.call(CHAT).get("x-dray-call-id") for _ in range(40)]
        d.settle()  # readers do not block the books
        db.execute("COMMIT")
        self.assertFalse(set(ids) - {r["id"] for r in d.rows("SELECT id FROM calls")})
        db.close()
        d.stop()

    def gone(self, spoil):
        d = self.dray()
        d.call(CHAT)
        d.settle()
        spoil(d.db)
        for _ in range(30):
            self.assertEqual(d.call(CHAT).status, 200)
        until(lambda: d.get("/readyz").status == 503 or b"ledger" in d.get("/readyz").body or d.metric("dray_books_backlog_events") == 0,
              "told or mended")
        d.stop()
        d.start()
        m = d.call(CHAT)
        self.assertEqual(d.row(m)["status"], 200)
        d.stop()
        return d

    def test_deleted(self):
        def delete(path):
            for suffix in ("", "-wal", "-shm"):
                if os.path.exists(path + suffix):
                    os.unlink(path + suffix)
        self.gone(delete)

    def test_garbage(self):
        def spoil(path):
            for suffix in ("-wal", "-shm"):
                if os.path.exists(path + suffix):
                    os.unlink(path + suffix)
            with open(path, "wb") as f:
                f.write(b"this is no database " * 5000)
        d = self.gone(spoil)
        kept = [f for f in os.listdir(d.dir) if f.startswith("dray.db.")]
        self.assertTrue(kept, "what was there is set aside, not destroyed")

    def test_garbage_at_start(self):
        with open(os.path.join(self.dir, "dray.db"), "wb") as f:
            f.write(b"garbage" * 1000)
        d = self.dray()
        m = d.call(CHAT)
        self.assertEqual((m.status, d.row(m)["status"]), (200, 200))
        d.stop()

    def test_spool_vanished(self):
        d = self.dray()
        d.call(CHAT)
        d.settle()
        shutil.rmtree(os.path.join(self.dir, "spool"), ignore_errors=True)
        for _ in range(30):
            self.assertEqual(d.call(CHAT).status, 200)
        d.stop()


class Spool(Disk):
    def test_garbage_segment(self):
        """A torn or foreign file in the spool is set aside and told, and stops nothing."""
        d = self.dray()
        d.call(CHAT)
        d.kill()
        spool = os.path.join(self.dir, "spool")
        for name in sorted(os.listdir(spool))[:1]:
            with open(os.path.join(spool, name), "r+b") as f:
                f.seek(4096)
                f.write(os.urandom(8192))
        with open(os.path.join(spool, "foreign.seg"), "wb") as f:
            f.write(os.urandom(20000))
        d.start()
        m = d.call(CHAT)
        self.assertEqual(d.row(m)["status"], 200)
        d.stop()


if __name__ == "__main__":
    unittest.main()
