"""What every integration test uses: a dray to start and stop, scripted upstreams, a raw HTTP client, the ledger.

Nothing here sleeps to let something happen: until() polls a condition with a generous limit.
"""
import contextlib
import gzip
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
FIXTURES = os.path.join(ROOT, "tests", "fixtures")
CLIENTS = os.path.join(ROOT, "tests", "clients")
PATIENCE = 20.0  # seconds until a condition that should hold at once counts as failed
REPORT = re.compile(r"AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:|Assertion .* failed|invariant broken")


def dray_bin():
    """The binary under test: $DRAY_BIN, else the sanitized build, else the plain one."""
    for path in (os.environ.get("DRAY_BIN"), f"{ROOT}/build-asan/dray", f"{ROOT}/build/dray"):
        if path and os.path.exists(path):
            return os.path.abspath(path)
    raise RuntimeError("no dray binary: set DRAY_BIN or build one")


def shared():
    """The folder of recordings that may lie beside the checkout; None when it does not."""
    for path in (os.environ.get("DRAY_SHARED"), f"{ROOT}/../shared", f"{ROOT}/../../shared"):
        if path and os.path.isdir(path):
            return os.path.abspath(path)
    return None


def until(condition, what="condition", patience=PATIENCE):
    """Polls until `condition()` is true and returns its value; fails when patience is over."""
    end = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {patience:g} s: {what}")
        time.sleep(0.01)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# ---- HTTP messages -----------------------------------------------------------------------------------------

class Message:
    """A request or answer as it came: start line, headers in order, body; `raw_head` as bytes."""

    def __init__(self, raw_head):
        self.raw_head = raw_head
        lines = raw_head.decode("latin-1").split("\r\n")
        self.start = lines[0]
        self.headers = [(n.lower(), v.strip()) for n, _, v in (x.partition(":") for x in lines[1:] if x)]
        self.body = b""
        self.complete = False  # the body ended as its framing says

    def get(self, name, default=None):
        return next((v for n, v in self.headers if n == name), default)

    def all(self, name):
        return [v for n, v in self.headers if n == name]

    def json(self):
        return json.loads(self.body)


class Reader:
    """Reads HTTP/1.1 messages from a socket."""

    def __init__(self, sock):
        self.sock, self.buf = sock, b""

    def more(self):
        data = self.sock.recv(65536)
        self.buf += data
        return data

    def head(self):
        """Next head, None at end of connection."""
        while b"\r\n\r\n" not in self.buf:
            try:
                if not self.more():
                    return None
            except ConnectionResetError:
                return None
        head, self.buf = self.buf.split(b"\r\n\r\n", 1)
        return Message(head)

    def take(self, n):
        while len(self.buf) < n:
            if not self.more():
                raise EOFError
        data, self.buf = self.buf[:n], self.buf[n:]
        return data

    def line(self):
        while b"\r\n" not in self.buf:
            if not self.more():
                raise EOFError
        line, self.buf = self.buf.split(b"\r\n", 1)
        return line

    def chunks(self):
        while True:
            n = int(self.line().split(b";")[0], 16)
            if n == 0:
                while self.line():
                    pass
                return
            yield self.take(n)
            self.take(2)

    def body(self, m, to_end):
        """Fills m.body; `to_end`: without a length it goes to the end of the connection (answers)."""
        parts = []
        try:
            if "chunked" in m.get("transfer-encoding", "").lower():
                for piece in self.chunks():
                    parts.append(piece)
            elif m.get("content-length") is not None:
                left = int(m.get("content-length"))
                while left:
                    if not self.buf and not self.more():
                        raise EOFError
                    piece, self.buf = self.buf[:left], self.buf[left:]
                    parts.append(piece)
                    left -= len(piece)
            elif to_end:
                parts.append(self.buf)
                while self.more():
                    parts.append(self.buf)
                    self.buf = b""
            m.complete = True
        except (EOFError, ConnectionResetError):
            pass
        m.body = b"".join(parts)
        return m


class Client:
    """One connection to dray (or to anything), for exact bytes or whole requests."""

    def __init__(self, port, timeout=60):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = Reader(self.sock)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        self.sock.close()

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def head(self):
        m = self.reader.head()
        if m:
            m.status = int(m.start.split(" ")[1])
        return m

    def answer(self, method="POST"):
        """The next whole answer, None when the connection ended before one."""
        m = self.head()
        while m and m.status == 100:
            m = self.head()
        if m and method != "HEAD" and m.status not in (204, 304):
            self.reader.body(m, True)
        return m

    def request(self, method, path, body=None, headers=(), chunked=None):
        """`body` bytes, or an object sent as JSON; `chunked` is a list of pieces."""
        self.send(request_bytes(method, path, body, headers, chunked))
        return self.answer(method)

    def closed(self):
        """Whether the peer has closed, waiting for it."""
        try:
            while True:
                if not self.reader.more():
                    return True
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False


def over_connections(port, items, ask, threads=8):
    """Calls ask(client, item) for every item, over some keep-alive connections at once. It returns the answer; behind one that
    says close, and where there was none (None), stands a new connection."""
    work, lock = iter(items), threading.Lock()

    def worker():
        c = Client(port, 120)
        while True:
            with lock:
                item = next(work, None)
            if item is None:
                c.close()
                return
            m = ask(c, item)
            if m is None or m.get("connection") == "close":
                c.close()
                c = Client(port, 120)
    running = [threading.Thread(target=worker) for _ in range(threads)]
    for t in running:
        t.start()
    for t in running:
        t.join()


class Served(unittest.TestCase):
    """A case whose setUpClass starts an upstream (cls.up) and a dray in front of it (cls.dray)."""

    @classmethod
    def tearDownClass(cls):
        try:
            cls.dray.stop()
        finally:
            cls.up.close()


def request_bytes(method, path, body=None, headers=(), chunked=None):
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    headers = dict(headers)
    lines = [f"{method} {path} HTTP/1.1", "host: dray.test"]
    if body is not None or chunked is not None:
        lines.append("content-type: " + headers.pop("content-type", "application/json"))
    if chunked is not None:
        lines.append("transfer-encoding: chunked")
    elif body is not None:
        lines.append(f"content-length: {len(body)}")
    lines += [f"{n}: {v}" for n, v in headers.items()]
    out = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    if chunked is not None:
        return out + b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunked) + b"0\r\n\r\n"
    return out + (body or b"")


def events(body):
    """The data of every server-sent event, in order, as text."""
    out = []
    for block in re.split(rb"\r?\n\r?\n", body):
        data = [x[5:].strip() for x in re.split(rb"\r?\n", block) if x.startswith(b"data:")]
        if data:
            out.append(b"\n".join(data).decode())
    return out


# ---- upstreams ---------------------------------------------------------------------------------------------

class Exchange:
    """What a handler of an Upstream gets: the request, and the ways to answer it."""

    def __init__(self, sock, request):
        self.sock, self.request = sock, request
        self.closing = False

    def raw(self, data):
        self.sock.sendall(data)

    def head(self, status=200, headers=(), reason="X"):
        self.raw((f"HTTP/1.1 {status} {reason}\r\n" + "".join(f"{n}: {v}\r\n" for n, v in headers) + "\r\n").encode("latin-1"))

    def whole(self, body, status=200, headers=()):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        headers = list(headers)
        if not any(n.lower() == "content-type" for n, _ in headers):
            headers.append(("content-type", "application/json"))
        self.raw((f"HTTP/1.1 {status} X\r\n" + "".join(f"{n}: {v}\r\n" for n, v in headers) +
                  f"content-length: {len(body)}\r\n\r\n").encode("latin-1") + (b"" if self.request.method == "HEAD" else body))

    def start(self, status=200, headers=(("content-type", "text/event-stream"),)):
        self.head(status, list(headers) + [("transfer-encoding", "chunked")])

    def chunk(self, data):
        if data:
            self.raw(b"%x\r\n%s\r\n" % (len(data), data))

    def end(self):
        self.raw(b"0\r\n\r\n")

    def sse(self, items, done=True):
        for x in items:
            self.chunk(b"data: " + (x if isinstance(x, bytes) else json.dumps(x).encode()) + b"\n\n")
        if done:
            self.chunk(b"data: [DONE]\n\n")

    def cut(self):
        """Closes without ending the answer."""
        self.closing = True

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.closing = True

    def gone(self, patience=PATIENCE):
        """Seconds until the other side closed; None when it did not."""
        begin = time.monotonic()
        self.sock.settimeout(patience)
        try:
            while self.sock.recv(4096):
                pass
        except ConnectionResetError:
            pass
        except TimeoutError:
            return None
        return time.monotonic() - begin


class Upstream:
    """A provider whose every byte the test decides. A handler is chosen by the header x-scenario (which
    the provider's forward_headers lets through), else `handler`. Each request is kept in `requests`."""

    def __init__(self, handler=None, tls=None):
        """`tls`: an ssl.SSLContext to serve with; handshakes that succeed are kept in `handshakes`."""
        self.handler = handler or openai_ok
        self.tls = tls
        self.handshakes = []
        self.scenarios = dict(SCENARIOS)
        self.requests = []
        self.connections = 0
        self.lock = threading.Lock()
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(512)
        self.port = self.listener.getsockname()[1]
        self.base = f"https://localhost:{self.port}/v1" if tls else f"http://127.0.0.1:{self.port}/v1"
        self.open = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        # shutdown wakes the accepting thread, close alone does not
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with self.lock:
            for s in list(self.open):
                with contextlib.suppress(OSError):
                    s.shutdown(socket.SHUT_RDWR)

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.connections += 1
                self.open.add(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self.tls:
                plain, sock = sock, self.tls.wrap_socket(sock, server_side=True)
                with self.lock:
                    self.open.discard(plain)
                    self.open.add(sock)
                    self.handshakes.append({"version": sock.version(), "reused": sock.session_reused, "cipher": sock.cipher()[0]})
            reader = Reader(sock)
            while True:
                m = reader.head()
                if not m:
                    return
                m.method, m.path, _ = m.start.split(" ", 2)
                reader.body(m, False)
                m.connection = id(sock)
                m.time = time.monotonic()
                with self.lock:
                    self.requests.append(m)
                x = Exchange(sock, m)
                self.scenarios.get(m.get("x-scenario"), self.handler)(x)
                if x.closing:
                    return
        except (OSError, EOFError, ValueError):
            pass
        finally:
            with self.lock:
                self.open.discard(sock)
            sock.close()

    def last(self):
        with self.lock:
            return self.requests[-1]

    def clear(self):
        with self.lock:
            self.requests.clear()


USAGE = {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19,
         "prompt_tokens_details": {"cached_tokens": 4}, "completion_tokens_details": {"reasoning_tokens": 2}}


def chunk_of(model, delta, finish=None, usage="absent"):
    c = {"id": "chatcmpl-t1", "object": "chat.completion.chunk", "created": 1700000000, "model": model,
         "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    if usage != "absent":
        c["usage"] = usage
    return c


def chat_stream(q, words=("Hel", "lo ", "there.")):
    """The chunks of a chat stream, usage as the request asked for it."""
    model, ask = q.get("model", "?"), (q.get("stream_options") or {}).get("include_usage")
    mark = None if ask else "absent"
    out = [chunk_of(model, {"role": "assistant", "content": ""}, usage=mark)]
    out += [chunk_of(model, {"content": w}, usage=mark) for w in words]
    out.append(chunk_of(model, {}, "stop", usage=mark))
    if ask:
        out.append({**chunk_of(model, {}), "choices": [], "usage": USAGE})
    return out


def chat_answer(q, text="Hello there."):
    return {"id": "chatcmpl-t1", "object": "chat.completion", "created": 1700000000, "model": q.get("model"),
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
            "usage": USAGE}


def openai_ok(x):
    """A well-behaved OpenAI-dialect provider."""
    q = json.loads(x.request.body or b"{}")
    path = x.request.path.split("?")[0]
    if path.endswith("/chat/completions"):
        if q.get("stream"):
            x.start()
            x.sse(chat_stream(q))
            x.end()
        else:
            x.whole(chat_answer(q), headers=[("x-request-id", "req_up")])
    elif path.endswith("/embeddings"):
        n = len(q["input"]) if isinstance(q["input"], list) else 1
        x.whole({"object": "list", "model": q["model"], "usage": {"prompt_tokens": 5, "total_tokens": 5},
                 "data": [{"object": "embedding", "index": i, "embedding": [0.5, -0.25]} for i in range(n)]})
    elif path.endswith("/completions"):
        x.whole({"id": "cmpl-t1", "object": "text_completion", "created": 1700000000, "model": q["model"],
                 "choices": [{"index": 0, "text": "ok", "logprobs": None, "finish_reason": "stop"}],
                 "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}})
    else:
        x.whole({"error": {"message": "no such path", "type": "invalid_request_error", "param": None, "code": None}}, 404)


def status_of(status, headers=()):
    def handler(x):
        x.whole({"error": {"message": f"scripted {status}", "type": "scripted", "param": None, "code": None}}, status, headers)
    return handler


def hang(x):
    x.gone(120)
    x.cut()


def stream_cut(x):
    q = json.loads(x.request.body)
    x.start()
    x.sse(chat_stream(q)[:3], done=False)
    x.cut()


def stream_nodone(x):
    x.start()
    x.sse(chat_stream(json.loads(x.request.body)), done=False)
    x.end()


def stream_stall(x):
    """Begins a stream and goes silent until the other side goes."""
    x.start()
    x.sse(chat_stream(json.loads(x.request.body))[:2], done=False)
    x.gone(120)
    x.cut()


def length_cut(x):
    x.head(200, [("content-type", "application/json"), ("content-length", "500")])
    x.raw(b'{"id":"chatcmpl-t1","object":"chat.completion","choi')
    x.cut()


def garbage(x):
    x.raw(b"\x16\x03\x01 this is not HTTP\x00\r\n\r\n")
    x.cut()


def bad_json(x):
    x.whole(b'{"id": "x", ', 200)


def reset(x):
    x.reset()


SCENARIOS = {"ok": openai_ok, "hang": hang, "stream-cut": stream_cut, "stream-nodone": stream_nodone,
             "stream-stall": stream_stall, "length-cut": length_cut, "garbage": garbage, "bad-json": bad_json,
             "reset": reset, "429": status_of(429, [("retry-after", "7")]), "500": status_of(500),
             "503": status_of(503), "401": status_of(401), "400": status_of(400), "422": status_of(422)}


# ---- dray --------------------------------------------------------------------------------------------------

def sanitizer_env():
    return {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=99:allocator_may_return_null=1",
            "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1:exitcode=99",
            "TSAN_OPTIONS": f"halt_on_error=0:exitcode=99:second_deadlock_stack=1:suppressions={ROOT}/tests/tsan.supp"}


def clean_env(extra=None):
    """The environment without anything that would configure dray, so that a developer's keys stay out."""
    keep = {k: v for k, v in os.environ.items()
            if not re.search(r"_API_KEY|_BASE_URL|^DRAY_|PROXY|^AWS_|^AZURE_|^GOOGLE_", k, re.I)}
    return {**keep, **sanitizer_env(), **(extra or {})}


class Dray:
    """`dray serve` in a directory of its own. `config` is YAML in which {port} stands for the port."""

    def __init__(self, config=None, env=None, args=(), directory=None):
        self.dir = directory or tempfile.mkdtemp(prefix="dray-test-")
        self.own_dir = directory is None
        self.port = free_port()
        self.env = clean_env(env)
        self.args = list(args)
        if config is None:
            self.env["DRAY_LISTEN"] = f"127.0.0.1:{self.port}"
        else:
            with open(os.path.join(self.dir, "dray.yaml"), "w", encoding="utf-8") as f:
                f.write(f"listen: 127.0.0.1:{self.port}\n" + config)
        self.log_path = os.path.join(self.dir, "dray.log")
        self.process = None
        self.start()

    def start(self, wait=True):
        self.log_file = open(self.log_path, "ab")
        self.process = subprocess.Popen([dray_bin(), "serve", *self.args], cwd=self.dir, env=self.env,
                                        stdin=subprocess.DEVNULL, stdout=self.log_file, stderr=self.log_file)
        if wait:
            until(self.ready, "dray answers /healthz")

    def ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"dray ended with {self.process.returncode}:\n{self.log()[-4000:]}")
        try:
            with Client(self.port, 5) as c:
                m = c.request("GET", "/healthz")
                return m and m.status == 200
        except OSError:
            return False

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def __enter__(self):
        return self

    def __exit__(self, kind, *exc):
        if kind:
            self.kill()
            self.remove()
        else:
            self.stop()

    def stop(self, remove=True, asked=False):
        """Stops gracefully; fails on a bad exit code, on any report of a sanitizer, and when it had ended before
        (unless `asked`: the test itself had told it to)."""
        running = self.process.poll() is None
        if running:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("dray did not stop within 60 s of SIGTERM:\n" + self.log()[-3000:]) from None
        finally:
            self.log_file.close()
        log = self.log()
        if remove:
            self.remove()
        report = REPORT.search(log)
        if report:
            raise AssertionError("dray reported:\n" + log[max(0, report.start() - 300):report.start() + 6000])
        if code != 0 or not (running or asked):
            raise AssertionError(f"dray ended {'' if running else 'by itself '}with {code}:\n{log[-3000:]}")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.log_file.close()

    def remove(self):
        if self.own_dir:
            shutil.rmtree(self.dir, ignore_errors=True)

    # -- asking it --

    def call(self, body, path="/v1/chat/completions", headers=(), method="POST", **more):
        with Client(self.port) as c:
            return c.request(method, path, body, headers, **more)

    def get(self, path, headers=()):
        with Client(self.port) as c:
            return c.request("GET", path, None, headers)

    def metric(self, name):
        """Sum of a Prometheus metric over its labels, None when absent."""
        values = re.findall(rf"^{re.escape(name)}(?:\{{[^}}]*\}})? (\S+)$", self.get("/metrics").body.decode(), re.M)
        return sum(map(float, values)) if values else None

    def settle(self, patience=PATIENCE):
        """Waits until every event is in the store."""
        until(lambda: self.metric("dray_books_backlog_events") == 0, "the books' backlog is 0", patience)

    @property
    def db(self):
        return os.path.join(self.dir, "dray.db")

    def rows(self, sql="SELECT * FROM calls ORDER BY time", args=(), settle=True):
        """Rows of the ledger as dicts."""
        if settle and self.process.poll() is None:
            self.settle()
        db = sqlite3.connect(f"file:{self.db}?mode=ro", uri=True, timeout=20)
        try:
            db.row_factory = sqlite3.Row
            return [dict(r) for r in db.execute(sql, args)]
        finally:
            db.close()

    def row(self, call_id):
        """The ledger's row of a call, waiting until it has ended there. `call_id` may be an answer."""
        if isinstance(call_id, Message):
            call_id = call_id.get("x-dray-call-id")
        found = self.rows("SELECT * FROM calls WHERE id = ?", (call_id,))
        if len(found) != 1:
            raise AssertionError(f"{len(found)} ledger rows for call {call_id}")
        return found[0]

    def attempts(self, m):
        """The attempts of the call that `m` answers, in order."""
        return self.rows("SELECT a.* FROM attempts a JOIN calls c ON c.time = a.time WHERE c.id = ? ORDER BY a.n", (m.get("x-dray-call-id"),))


def provider(up, name="up", more=""):
    """A provider's line of configuration."""
    return (f"  {name}: {{kind: openai, base_url: \"{up.base}\", api_key: sk-upstream-{name}, "
            f"forward_headers: [x-replay-id, x-replay-mode, x-scenario, x-tag]{more}}}\n")


CHAT = {"model": "up/m1", "messages": [{"role": "user", "content": "Say hello."}]}


def chat(model="up/m1", text="Say hello.", **more):
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


def run_dray(*args, stdin=b"", cwd=None, env=None, timeout=60):
    """Runs a command to its end: (exit code, stdout, stderr) as text; fails on a sanitizer's report."""
    p = subprocess.run([dray_bin(), *args], input=stdin, capture_output=True, cwd=cwd, env=clean_env(env), timeout=timeout)
    err = p.stderr.decode(errors="replace")
    if REPORT.search(err):
        raise AssertionError(err[:6000])
    return p.returncode, p.stdout.decode(errors="replace"), err


def gzipped(data):
    return gzip.compress(data)


def node():
    """A node new enough for the SDKs: the one that npm brought, else the system's."""
    for arch in ("x64", "arm64"):
        path = f"{CLIENTS}/node_modules/node-linux-{arch}/bin/node"
        if os.path.exists(path):
            return path
    return shutil.which("node")


