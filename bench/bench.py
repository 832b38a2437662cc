#!/usr/bin/env python3
"""dray beside nginx (and rivals) on this machine: the figures that dray promises, each with its bar.

Rows: wire (2 kB, named and auto; 32 kB; 256 kB), stream, tls, latency, published, reuse, mem. Without a row all are
measured. README.md tells how each figure comes about; results are also appended as JSON lines to --out."""
import argparse, json, os, random, shutil, signal, subprocess, sys, time

import bodies
from harness import HERE, ROOT, Bench, median, say

TABLE = []


def show(what, dray, bar="", good=None, note=""):
    """one line of the table: figure, bar, verdict"""
    TABLE.append((what, dray, bar, "" if good is None else "yes" if good else "NO", note))


def pairs(results, name, other):
    """runs of two targets in the same round"""
    by_round = {x["round"]: x for x in results if x["target"] == other}
    return [(x, by_round[x["round"]]) for x in results if x["target"] == name and x["round"] in by_round]


def undisturbed(args, results):
    """without the runs that other work on the machine disturbed, where enough are left"""
    kept = [x for x in results if x["foreign"] < args.foreign]
    names = {x["target"] for x in results}
    return kept if all(sum(x["target"] == n for x in kept) >= 2 for n in names) else results


def per_request(x, field):
    """CPU microseconds; a proxy without threads named worker counts whole"""
    seconds = x[field] if field == "cpu_s" or x["worker_cpu_s"] else x["cpu_s"]
    return seconds / max(1, x["r"]["ok"]) * 1e6


def bootstrap(values, resamples=4000):
    """95 % interval of the median"""
    rnd = random.Random(1)
    medians = sorted(median(rnd.choices(values, k=len(values))) for _ in range(resamples))
    return medians[int(resamples * 0.025)], medians[int(resamples * 0.975) - 1]


def others(results):
    return [n for n in dict.fromkeys(x["target"] for x in results) if n not in ("nginx", "dray")]


def show_ratio(args, what, results, worker_bar, process_bar):
    """CPU per request relative to nginx, median over rounds"""
    kept = undisturbed(args, results)
    for name in ["dray"] + others(kept):
        p = pairs(kept, name, "nginx")
        if not p:
            continue
        worker = [per_request(a, "worker_cpu_s") / per_request(b, "cpu_s") for a, b in p]
        process = [per_request(a, "cpu_s") / per_request(b, "cpu_s") for a, b in p]
        ours = name == "dray"
        own, ref = median([per_request(a, "cpu_s") for a, _ in p]), median([per_request(b, "cpu_s") for _, b in p])
        note = f"{len(p)} rounds; process {own:.1f} µs, nginx {ref:.1f} µs"
        if any(a["r"]["err"] + a["r"]["http_err"] for a, _ in p):
            note += f"; ERRORS {sum(a['r']['err'] + a['r']['http_err'] for a, _ in p)}"
        if ours:
            show(f"{what}: worker threads' CPU × nginx", f"{median(worker):.2f} [{min(worker):.2f}, {max(worker):.2f}]",
                 f"≤ {worker_bar}", median(worker) <= worker_bar, note)
        show(f"{what}: CPU × nginx" + ("" if ours else f", {name}"), f"{median(process):.2f} [{min(process):.2f}, {max(process):.2f}]",
             f"≤ {process_bar}" if ours and process_bar else "", median(process) <= process_bar if ours and process_bar else None, "" if ours else note)


def check_answers(bench):
    """every target answers 200 to both kinds of request before anything is measured"""
    for t in bench.targets:
        for mode, body in (("closed", "2k"), ("stream", "2k-stream")):
            r = bench.result_of(bench.spawn(bench.load_command(t, mode, body, "-c", 2, "-d", "300ms", "-w", 0)), 60)
            if not r["ok"] or r["http_err"] or r["err"] or (mode == "stream" and r["done"] != r["ok"]):
                sys.exit(f"{t.name} does not answer {body} well: {json.dumps(r)}")
        t.wait_settled()


def open_bench(args, scenario, names, **how):
    b = Bench(args, scenario, **how)
    try:
        for n in names:
            b.add_target(args.known[n])
        time.sleep(0.5)
        check_answers(b)
    except BaseException:
        b.__exit__()
        raise
    return b


def row_wire(args):
    with open_bench(args, "wire", args.targets) as b:
        for what, body, worker_bar, process_bar, rounds in (("2 kB, named model", "2k", 1.0, 1.5, args.rounds),
                                                            ("2 kB, auto", "2k-auto", 1.3, 1.8, args.rounds),
                                                            ("32 kB, named model", "32k", 1.3, None, args.rounds),
                                                            ("256 kB, named model", "256k", 1.3, None, args.rounds)):
            def command(t, body=body):
                name = body if t.name == "dray" else body.removesuffix("-auto")  # others route nothing
                return b.wrk_command(t, name, args.seconds, args.connections)
            show_ratio(args, what, b.rounds(rounds, command, body=body), worker_bar, process_bar)
        row_books(args, b)


def row_books(args, b):
    """rows in the ledger = calls that were answered, when the run ends"""
    for t in b.targets:
        if not t.ledger:
            continue
        x = b.measure(t, b.load_command(t, "closed", "2k", "-c", args.connections, "-d", args.seconds, "-w", 0), 0, body="2k", books=True)
        answered = x["r"]["ok"] + x["r"]["http_err"]
        show(f"{t.name}: ledger rows − calls answered, backlog 0", f"{x['rows'] - answered}", "0", x["rows"] == answered,
             f"{x['rows']} rows, {answered} answers, {x['r']['err']} errors")


def row_stream(args):
    with open_bench(args, "stream", args.targets, mock="-n 100 -b 1") as b:
        results = b.rounds(args.rounds, lambda t: b.load_command(t, "stream", "2k-stream", "-c", args.connections, "-d", args.seconds))
        show_ratio(args, "streams of 100 chunks", results, 1.2, None)


def row_tls(args):
    names = [n for n in args.targets if not args.known[n].get("plain")]
    with open_bench(args, "tls", names, tls=True) as b:
        results = b.rounds(args.rounds, lambda t: b.wrk_command(t, "2k", args.seconds, args.connections))
        show_ratio(args, "2 kB, TLS upstream", results, 1.3, None)


def row_latency(args):
    with open_bench(args, "latency", args.targets, spin=True) as b:
        def command(t):
            return b.load_command(t, "open", "2k", "-r", args.slow_rate if t.slow else args.rate, "-c", 512, "-d", args.seconds + 2, "-w", 1)
        results = undisturbed(args, b.rounds(args.latency_rounds, command))
        show_latency(results, f"{args.rate}/s, 2 kB", 10, 1.25)


def show_latency(results, what, p50_bar, p99_bar):
    for name in ["dray"] + others(results):
        p = pairs(results, name, "nginx")
        if not p:
            continue
        p50 = [a["r"]["lat"]["p50"] - b["r"]["lat"]["p50"] for a, b in p]
        p99 = [a["r"]["lat"]["p99"] / b["r"]["lat"]["p99"] for a, b in p]
        own = [median([a["r"]["lat"][k] for a, _ in p]) for k in ("p50", "p99", "p999")]
        ref = [median([b["r"]["lat"][k] for _, b in p]) for k in ("p50", "p99", "p999")]
        note = (f"{len(p)} rounds; p50/p99/p99.9 " + "/".join(f"{v:.0f}" for v in own) + " µs, nginx " + "/".join(f"{v:.0f}" for v in ref)
                + f"; unanswered {sum(a['r']['unanswered'] for a, _ in p)}, errors {sum(a['r']['err'] + a['r']['http_err'] for a, _ in p)}")
        ours, tag = name == "dray" and p50_bar, "" if name == "dray" else f", {name}"
        show(f"{what}: p50 − nginx, µs{tag}", "{:+.1f} [{:+.1f}, {:+.1f}]".format(median(p50), *bootstrap(p50)),
             f"≤ {p50_bar}" if ours else "", median(p50) <= p50_bar if ours else None, note)
        show(f"{what}: p99 / nginx{tag}", "{:.2f} [{:.2f}, {:.2f}]".format(median(p99), *bootstrap(p99)),
             f"≤ {p99_bar}" if ours else "", median(p99) <= p99_bar if ours else None)


def row_published(args):
    """agentgateway's published setting: open loop, 3,000/s, 32 connections, 1 kB"""
    with open_bench(args, "published", args.targets, spin=True) as b:
        results = b.rounds(args.rounds, lambda t: b.load_command(t, "open", "1k", "-r", 100 if t.slow else 3000, "-c", 32, "-d", args.seconds + 2, "-w", 1))
        show_latency(undisturbed(args, results), "3,000/s, 32 connections, 1 kB", None, None)


def row_reuse(args):
    """steady 10 calls/s over all workers, answers after 300 ms: how many go up on a connection that stood already"""
    seconds = 10 if args.quick else 40
    with open_bench(args, "reuse", ["nginx", "dray"], mock="-l 300000", workers=min(os.cpu_count(), 4)) as b:
        for t in b.targets:
            say(f"reuse {t.name}")
            r, after = steady(b, t, 5), b.mock_stats()  # warm
            before, r = after, steady(b, t, seconds)
            after = b.mock_stats()
            calls, opened = after["requests"] - before["requests"], after["accepted"] - before["accepted"] - 1
            share = 1 - opened / max(1, calls)
            b.record({"scenario": "reuse", "target": t.name, "calls": calls, "opened": opened, "r": r})
            ours = t.name == "dray"
            show(f"10 calls/s: on a reused upstream connection{'' if ours else ', ' + t.name}", f"{share:.2%}", "≥ 99 %" if ours else "",
                 share >= 0.99 if ours else None, f"{calls} calls, {opened} connections opened")


def steady(b, t, seconds):
    """10 calls/s from four clients, so that every worker has some"""
    clients = [b.spawn(b.load_command(t, "open", "2k", "-r", 2.5, "-c", 4, "-d", seconds, "-w", 0)) for _ in range(4)]
    return [b.result_of(p, seconds + 60)["ok"] for p in clients]


def row_mem(args):
    """growth of PSS over the fresh process: idle keep-alive connections, then open streams"""
    n = args.streams
    with Bench(args, "mem", mock="-n 100 -d 2000000") as b:
        for name in args.targets:
            b.add_target(args.known[name])
        time.sleep(0.5)
        for t in b.targets:
            say(f"mem {t.name}")
            fresh = t.proc.pss_kb()
            idle, ri = hold(b, t, "idle", "512", n, 4)
            streams, rs = hold(b, t, "stream", "2k-stream", n, 5)
            t.wait_settled()
            b.record({"scenario": "mem", "target": t.name, "n": n, "fresh": fresh, "idle": idle, "streams": streams, "held": ri.get("held"), "err": ri["err"] + rs["err"],
                      "http_err": ri["http_err"] + rs["http_err"]})
            ours, tag = t.name == "dray", "" if t.name == "dray" else f", {t.name}"
            note = f"{n} connections, held {ri.get('held')}; fresh {fresh / 1024:.1f} MB, errors {ri['err'] + rs['err'] + ri['http_err'] + rs['http_err']}"
            for what, kb, bar in (("idle connection", (idle - fresh) / n, 1.5), ("open stream", (streams - fresh) / n, 8)):
                show(f"kB per {what}{tag}", f"{kb:.2f}", f"< {bar}" if ours else "", kb < bar if ours else None, note)


def hold(b, t, mode, body, n, seconds):
    p = b.spawn(b.load_command(t, mode, body, "-c", n, "--ramp", "1500ms", "-w", 0, "-d", seconds))
    time.sleep(seconds / 2 + 2)
    pss = t.proc.pss_kb()
    return pss, b.result_of(p, seconds + 90)


ROWS = {"wire": row_wire, "stream": row_stream, "tls": row_tls, "latency": row_latency, "published": row_published, "reuse": row_reuse,
        "mem": row_mem}


def print_table():
    say("")
    heads = ("figure", "dray", "bar", "met", "how")
    print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
    for row in TABLE:
        print("| " + " | ".join(row) + " |")
    sys.stdout.flush()


def make_certificate(args):
    """a certificate of its own authority for the TLS mock; proxies get it as their CA"""
    args.cert, args.key = os.path.join(args.dir, "ca.pem"), os.path.join(args.dir, "key.pem")
    if not os.path.exists(args.cert):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", args.key, "-out", args.cert],
                       check=True, stderr=subprocess.DEVNULL)


def arguments():
    p = argparse.ArgumentParser(prog="script/bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(ROWS))
    p.add_argument("--quick", action="store_true", help="short and few rounds: for development, no figure to quote")
    p.add_argument("--targets", default="nginx,dray", help="names in bench/targets.json, comma separated; nginx is the yardstick")
    p.add_argument("--add", action="append", default=[], metavar="NAME=COMMAND", help="another proxy; {port} {uport} {w} {dir} are filled in")
    p.add_argument("--rivals", default="rivals", help="folder with rivals built outside (README.md)")
    p.add_argument("--npm", default=".", help="folder whose node_modules has Portkey")
    p.add_argument("--build", default=os.path.join(ROOT, "build"))
    p.add_argument("--dir", default=None, help="work folder; default BUILD/bench-run")
    p.add_argument("--out", default=None, help="JSON lines; default DIR/results.jsonl")
    p.add_argument("--port", type=int, default=18000, help="first of the ports used")
    p.add_argument("--rounds", type=int)
    p.add_argument("--latency-rounds", type=int)
    p.add_argument("--seconds", type=float)
    p.add_argument("--connections", type=int, default=64)
    p.add_argument("--rate", type=int, default=1000)
    p.add_argument("--slow-rate", type=int, default=100, help="for targets marked slow")
    p.add_argument("--streams", type=int, default=5000)
    p.add_argument("--realtime", action="store_true", help="all that is measured runs as SCHED_RR: other work on the machine can't delay it (root)")
    p.add_argument("--quiet", type=float, default=0.15, help="a run begins when other work uses fewer cores than this")
    p.add_argument("--quiet-wait", type=float, help="... or after so many seconds")
    p.add_argument("--foreign", type=float, default=0.3, help="a run is repeated when other work used more cores than this")
    p.add_argument("--retries", type=int, help="how often a disturbed run is repeated")
    a = p.parse_args()
    unknown = [r for r in a.rows if r not in ROWS]
    if unknown:
        p.error(f"no row {unknown[0]}: {', '.join(ROWS)}")
    defaults = (2, 3, 1.0, 1.0, 0) if a.quick else (7, 15, 3.0, 60.0, 1)
    for name, value in zip(("rounds", "latency_rounds", "seconds", "quiet_wait", "retries"), defaults):
        if getattr(a, name) is None:
            setattr(a, name, value)
    a.dir = os.path.abspath(a.dir or os.path.join(a.build, "bench-run"))
    a.out = os.path.abspath(a.out or os.path.join(a.dir, "results.jsonl"))
    a.build, a.rivals, a.npm, a.bodies = os.path.abspath(a.build), os.path.abspath(a.rivals), os.path.abspath(a.npm), os.path.join(a.dir, "bodies")
    return a


def main():
    a = arguments()
    for name in os.listdir(a.dir) if os.path.isdir(a.dir) else []:
        if os.path.isdir(os.path.join(a.dir, name)):
            shutil.rmtree(os.path.join(a.dir, name))
    os.makedirs(a.dir, exist_ok=True)
    bodies.write_all(a.bodies)
    make_certificate(a)
    a.known = {t["name"]: t for t in json.load(open(os.path.join(HERE, "targets.json")))}
    a.targets = a.targets.split(",")
    for s in a.add:
        name, command = s.split("=", 1)
        a.known[name] = {"name": name, "cmd": command, "health": "/", "plain": True}
        a.targets.append(name)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped too
    try:
        for r in a.rows or ROWS:
            ROWS[r](a)
    finally:
        print_table()


if __name__ == "__main__":
    main()
