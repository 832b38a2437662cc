"""Runs proxies side by side on one small shared machine and counts honestly: alternating runs, CPU time by process and
by thread, a guard against other work on the machine. Standard library only. README.md tells the method."""
import json, os, shlex, signal, sqlite3, statistics, subprocess, sys, time, urllib.error, urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
TICK = os.sysconf("SC_CLK_TCK")
REALTIME = ["chrt", "-r", "1"]


def read_stat(path):
    """(name, session, CPU seconds, start time) of a process or thread; None when it is gone"""
    try:
        s = open(path).read()
    except OSError:
        return None
    f = s[s.rindex(")") + 2:].split()
    return s[s.index("(") + 1:s.rindex(")")], int(f[3]), (int(f[11]) + int(f[12])) / TICK, int(f[19])


def processes():
    """pid -> (name, session, CPU seconds, start time)"""
    found = {int(p): read_stat(f"/proc/{p}/stat") for p in os.listdir("/proc") if p.isdigit()}
    return {p: s for p, s in found.items() if s}


def stolen():
    return int(open("/proc/stat").readline().split()[8]) / TICK


def light_session(sid):
    """Linux weighs sessions, not only processes: without this a spinner of the idle class takes half of its CPU"""
    try:
        with open(f"/proc/{sid}/autogroup", "w") as f:
            f.write("19")
    except OSError:
        pass  # not switched on


class Proc:
    """A process and everything in its session."""

    def __init__(self, cmd, cwd, cpus=None, env=None, idle=False, realtime=False):
        pre = (["taskset", "-c", cpus] if cpus else []) + (["chrt", "-i", "0"] if idle else REALTIME if realtime else [])
        os.makedirs(cwd, exist_ok=True)
        self.log = os.path.join(cwd, "out.log")
        self.p = subprocess.Popen(pre + shlex.split(cmd), cwd=cwd, stdout=open(self.log, "ab"), stderr=subprocess.STDOUT,
                                  stdin=subprocess.DEVNULL, start_new_session=True, env={**os.environ, **(env or {})})
        self.sid = self.p.pid
        if idle:
            light_session(self.sid)

    def pids(self):
        return [p for p, s in processes().items() if s[1] == self.sid]

    def cpu(self):
        return sum(s[2] for s in processes().values() if s[1] == self.sid)

    def cpu_workers(self):
        """CPU of the threads named worker..., 0 for a proxy that names none so"""
        total = 0.0
        for pid in self.pids():
            try:
                threads = os.listdir(f"/proc/{pid}/task")
            except OSError:
                continue
            stats = [read_stat(f"/proc/{pid}/task/{t}/stat") for t in threads]
            total += sum(s[2] for s in stats if s and s[0].startswith("worker"))
        return total

    def pss_kb(self):
        """proportional share of memory: what is shared counts once over all that share it"""
        total = 0
        for pid in self.pids():
            try:
                total += sum(int(l.split()[1]) for l in open(f"/proc/{pid}/smaps_rollup") if l.startswith("Pss:"))
            except OSError:
                pass
        return total

    def stop(self):
        for sig, wait in ((signal.SIGTERM, 5), (signal.SIGKILL, 2)):
            for pid in self.pids():
                try:
                    os.kill(pid, sig)
                except ProcessLookupError:
                    pass
            end = time.time() + wait
            while time.time() < end and self.pids():
                self.p.poll()
                time.sleep(0.05)
        self.p.poll()


class Guard:
    """Cores used by anything that is not part of the measurement, and stolen by the host, while it is open."""

    def __init__(self, own):
        self.own = own

    def __enter__(self):
        self.t, self.before, self.stolen = time.time(), processes(), stolen()
        return self

    def __exit__(self, *_):
        dt, own, me, mine = time.time() - self.t, {p.sid for p in self.own}, os.getpid(), os.getsid(0)
        used = 0.0
        for pid, (_, sid, cpu, start) in processes().items():
            if sid in own or pid == me:
                continue
            b = self.before.get(pid)
            if b and b[3] == start:
                used += cpu - b[2]
            elif sid != mine:
                used += cpu
        self.foreign, self.steal = max(0.0, used / dt), (stolen() - self.stolen) / dt


def wait_http(url, log, seconds=30):
    end = time.time() + seconds
    while time.time() < end:
        try:
            urllib.request.urlopen(url, timeout=2).read()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"not up: {url}; its log: {log}\n" + "".join(open(log, errors="replace").readlines()[-5:]))


class Target:
    def __init__(self, name, proc, root, path, headers, slow, settle, ledger):
        self.name, self.proc, self.root, self.url, self.headers = name, proc, root, root + path, headers
        self.slow, self.settle, self.ledger = slow, settle, ledger

    def wait_settled(self, seconds=120):
        """until the backlog metric is 0: work put off belongs to the run"""
        if not self.settle:
            return
        end = time.time() + seconds
        while time.time() < end:
            try:
                text = urllib.request.urlopen(self.root + "/metrics", timeout=5).read().decode()
            except OSError:
                text = ""
            values = [float(l.split()[-1]) for l in text.splitlines() if l.startswith(self.settle)]
            if values and sum(values) == 0:
                return
            time.sleep(0.1)
        sys.exit(f"{self.name}: {self.settle} did not come to 0 within {seconds} s")

    def rows(self):
        """calls in the ledger, None without one"""
        if not self.ledger or not os.path.exists(self.ledger):
            return None
        db = sqlite3.connect(f"file:{self.ledger}?mode=ro", uri=True, timeout=10)
        try:
            return db.execute("SELECT count(*) FROM calls").fetchone()[0]
        finally:
            db.close()


class Bench:
    """One scenario: a mock upstream, some targets before it, measured in turn."""

    def __init__(self, args, scenario, mock="", workers=1, spin=False, tls=False):
        self.args, self.scenario, self.workers, self.tls = args, scenario, workers, tls
        self.dir = os.path.join(args.dir, scenario)
        self.pin = workers == 1 and os.cpu_count() > 1
        self.procs, self.targets, self.results = [], [], []
        self.uport = args.port
        os.makedirs(self.dir, exist_ok=True)
        if spin:
            for c in range(os.cpu_count()):
                self.start("sh -c 'while :; do :; done'", f"spin{c}", str(c), idle=True)
        tls_flags = f" -C {args.cert} -K {args.key}" if tls else ""
        cmd = f"{args.build}/bench/bench-mock -p {self.uport} {mock}"
        self.mock_proc = self.start(cmd + tls_flags, "mock", self.load_cpus())
        if tls:  # its counters over a plain port of another process would be another's: asked with TLS too
            time.sleep(0.3)
        else:
            wait_http(f"http://127.0.0.1:{self.uport}/health", self.mock_proc.log)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for p in reversed(self.procs):
            p.stop()

    # one worker: the proxy alone on CPU 0, everything else on CPU 1, so that its CPU cannot hide on another core
    def load_cpus(self):
        return "1" if self.pin else None

    def proxy_cpus(self):
        return "0" if self.pin else None

    def start(self, cmd, name, cpus=None, env=None, idle=False):
        p = Proc(cmd, os.path.join(self.dir, name), cpus, env, idle, self.args.realtime)
        self.procs.append(p)
        return p

    def add_target(self, t):
        port, d = self.uport + 1 + len(self.targets), os.path.join(self.dir, t["name"])
        os.makedirs(d, exist_ok=True)
        values = {**t.get("vars", {}), "w": self.workers, "port": port, "uport": self.uport, "dir": d, "here": HERE,
                  "build": self.args.build, "rivals": self.args.rivals, "npm": self.args.npm, "ca": self.args.cert,
                  "scheme": "https" if self.tls else "http", "host": "localhost" if self.tls else "127.0.0.1",
                  "reuseport": "reuseport" if self.workers > 1 else ""}

        def fill(s):
            for _ in range(2):  # a value may hold another's name
                for k, v in values.items():
                    s = s.replace("{%s}" % k, str(v))
            return s
        for out, source in t.get("files", {}).items():
            with open(os.path.join(d, out), "w") as f:
                f.write(fill(open(os.path.join(HERE, source)).read()))
        env = {k: fill(v) for k, v in t.get("env", {}).items()}
        proc, root = self.start(fill(t["cmd"]), t["name"], self.proxy_cpus(), env), f"http://127.0.0.1:{port}"
        wait_http(root + t.get("health", "/health"), proc.log)
        target = Target(t["name"], proc, root, t.get("path", "/v1/chat/completions"), [fill(h) for h in t.get("headers", [])],
                        t.get("slow", False), t.get("settle"), fill(t["ledger"]) if "ledger" in t else None)
        self.targets.append(target)
        return target

    def mock_stats(self):
        import ssl
        context = ssl._create_unverified_context() if self.tls else None
        scheme = "https" if self.tls else "http"
        return json.load(urllib.request.urlopen(f"{scheme}://127.0.0.1:{self.uport}/__stats", context=context))

    def wait_quiet(self):
        """waits (bounded) until other work on the machine is low"""
        end = time.time() + self.args.quiet_wait
        while True:
            with Guard(self.procs) as g:
                time.sleep(0.4)
            if g.foreign < self.args.quiet or time.time() > end:
                return
            time.sleep(1.0)

    def load_command(self, target, mode, body, *flags):
        headers = [x for h in ["authorization: Bearer sk-bench-0123456789"] + target.headers for x in ("-H", h)]
        return [f"{self.args.build}/dray", "bench", mode, "--json", "-b", os.path.join(self.args.bodies, body + ".json"),
                *map(str, flags), *headers, target.url]

    def wrk_command(self, target, body, seconds, connections):
        env = {"BODY": os.path.join(self.args.bodies, body + ".json"), "HDRS": ";".join(target.headers)}
        return ["env", *(f"{k}={v}" for k, v in env.items()), "wrk", f"-t{1 if self.pin else 2}", f"-c{connections}",
                f"-d{max(1, round(seconds))}s", "-s", os.path.join(HERE, "post.lua"), target.url]

    def spawn(self, cmd):
        pre = (["taskset", "-c", self.load_cpus()] if self.pin else []) + (REALTIME if self.args.realtime else [])
        p = subprocess.Popen(pre + cmd, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True)
        p.sid = p.pid
        return p

    @staticmethod
    def result_of(p, timeout):
        try:
            out = p.communicate(timeout=timeout)[0]
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, signal.SIGKILL)
            out = p.communicate()[0]
        lines = [l for l in out.splitlines() if l.startswith("{")]
        if not lines:
            sys.exit(f"no result from: {' '.join(p.args)}: {out[:200]}")
        return json.loads(lines[-1])

    def measure_once(self, target, cmd, key):
        self.wait_quiet()
        cpu, workers, mock, rows = target.proc.cpu(), target.proc.cpu_workers(), self.mock_stats(), target.rows()
        p = self.spawn(cmd)
        with Guard(self.procs + [p]) as g:
            r = self.result_of(p, 300)
            target.wait_settled()
        cpu, workers = target.proc.cpu() - cpu, target.proc.cpu_workers() - workers
        after = self.mock_stats()
        return {**key, "foreign": round(g.foreign, 3), "steal": round(g.steal, 3), "cpu_s": round(cpu, 3), "worker_cpu_s": round(workers, 3),
                "upstream_requests": after["requests"] - mock["requests"], "upstream_connections": after["accepted"] - mock["accepted"] - 1,
                "upstream_handshakes": after["handshakes"] - mock["handshakes"], "upstream_resumed": after["resumed"] - mock["resumed"],
                "rows": None if rows is None else target.rows() - rows, "r": r}

    def measure(self, target, cmd, round_number, **key):
        """one run, repeated once when other work on the machine disturbed it; the quieter one counts"""
        key = {"scenario": self.scenario, "target": target.name, "round": round_number, "workers": self.workers, **key}
        best = None
        for _ in range(self.args.retries + 1):
            x = self.measure_once(target, cmd, key)
            if best is None or x["foreign"] < best["foreign"]:
                best = x
            if x["foreign"] < self.args.foreign:
                break
        self.record(best)
        return best

    def record(self, x):
        self.results.append(x)
        with open(self.args.out, "a") as f:
            f.write(json.dumps(x) + "\n")

    def rounds(self, n, command, **key):
        """command(target) -> argv; every target once a round, in rotating order"""
        found = []
        for r in range(n):
            k = r % len(self.targets)
            for t in self.targets[k:] + self.targets[:k]:
                say(f"{self.scenario} {' '.join(str(v) for v in key.values())} round {r + 1}/{n} {t.name}")
                found.append(self.measure(t, command(t), r, **key))
        return found


def say(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def median(values):
    values = [v for v in values if v is not None]
    return statistics.median(values) if values else float("nan")
