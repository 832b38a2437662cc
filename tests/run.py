#!/usr/bin/env python3
"""Runs every test stage and sums up. script/test calls it after script/bootstrap.

    tests/run.py                       all stages
    tests/run.py unit integration      some of them (--list names them)
    tests/run.py integration:wire      one file of the integration tests (test_wire.py)

Every stage yields (passed, failed, skipped) of single tests: a cmocka test, a unittest method, a checked
property. The last line is their sum. DRAY_FULL=1 runs the long forms (every replay mode, 50 kills).
"""
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path.insert(0, os.path.join(HERE, "integration"))
from lib import sanitizer_env  # noqa: E402

JOBS = max(1, min(4, os.cpu_count() or 1))
FUZZ_SECONDS = 20
THREADED = ("net", "books", "gateway")
TEST_TIMEOUT = 900


def run(args, **more):
    return subprocess.run(args, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", **more)


def show_failure(name, output):
    print(f"--- FAILED: {name}\n{output[-6000:].rstrip()}\n---", flush=True)


def one(name, args):
    """A command that passes or fails as a whole."""
    p = run(args)
    if p.returncode:
        show_failure(name, p.stdout)
        return 0, 1, 0
    return 1, 0, 0


def build(folder, *options, env=None):
    """Configures once, then builds. A failed build fails the run: nothing after it would mean anything."""
    env = {**os.environ, **(env or {})}
    path = os.path.join(ROOT, folder)
    if not os.path.exists(os.path.join(path, "build.ninja")):
        p = run(["meson", "setup", folder, *options], env=env)
        if p.returncode:
            show_failure(f"meson setup {folder}", p.stdout)
            return False
    p = run(["ninja", "-C", folder], env=env)
    if p.returncode:
        show_failure(f"build in {folder}", p.stdout)
        return False
    return True


def build_strict():
    """As users build it, with every warning an error. (The sanitizers make gcc warn of what is not there.)"""
    return build("build-strict", "-Dwerror=true")


def build_asan():
    return build("build-asan", "-Db_sanitize=address,undefined", "-Dbuildtype=debug", "-Doptimization=1")


def build_tsan():
    return build("build-tsan", "-Db_sanitize=thread", "-Dbuildtype=debug", "-Doptimization=1")


# ---- unit tests: what meson knows, counted test by test --------------------------------------------------------

def tap_counts(text):
    passed = failed = skipped = 0
    for line in text.splitlines():
        m = re.match(r"\s*(not )?ok\b(.*)", line)
        if not m:
            continue
        if re.search(r"# skip", m.group(2), re.I):
            skipped += 1
        elif m.group(1):
            failed += 1
        else:
            passed += 1
    return passed, failed, skipped


def run_unit(test, launcher=()):
    env = {**os.environ, **sanitizer_env(), **test.get("env", {}), "CMOCKA_MESSAGE_OUTPUT": "TAP"}
    try:
        p = subprocess.run([*launcher, *test["cmd"]], cwd=test.get("workdir") or ROOT, env=env, text=True, errors="replace",
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=TEST_TIMEOUT)
        code, output = p.returncode, p.stdout
    except subprocess.TimeoutExpired as e:
        code, output = -1, f"{e.stdout or ''}\ntimed out after {TEST_TIMEOUT} s"
    passed, failed, skipped = tap_counts(output)
    if code == 77 and not failed:
        skipped += 0 if passed or skipped else 1
    elif code == 0 and not passed + failed + skipped:
        passed = 1
    elif code != 0 and not failed:
        failed = 1  # it crashed, leaked or never reported
    if failed:
        show_failure(test["name"], output)
    return passed, failed, skipped


def unit(folder, wanted=lambda test: True, launcher=()):
    tests = json.loads(run(["meson", "introspect", "--tests", folder]).stdout)
    tests = [t for t in tests if wanted(t)]
    with ThreadPoolExecutor(JOBS) as pool:
        return add(*pool.map(lambda t: run_unit(t, launcher), tests))


# ---- integration tests: each file a process, its cases counted ---------------------------------------------------

def integration(binary, only=None, launcher=()):
    files = sorted(f[5:-3] for f in os.listdir(f"{HERE}/integration") if re.fullmatch(r"test_\w+\.py", f))
    files = [f for f in files if only is None or f in only]
    # Longest first, so that two at a time end together.
    files.sort(key=lambda f: f not in ("replay", "kill"))

    def one_file(name):
        begin = time.monotonic()
        with tempfile.NamedTemporaryFile("r") as result:
            env = {**os.environ, "DRAY_BIN": binary, "PYTHONDONTWRITEBYTECODE": "1"}
            p = run([*launcher, sys.executable, f"{HERE}/integration/suite.py", f"test_{name}", result.name], env=env)
            text = result.read()
        counts = tuple(json.loads(text)) if text else (0, 1, 0)
        if counts[1] or p.returncode:
            show_failure(f"integration {name}", p.stdout)
            counts = counts if counts[1] else (counts[0], 1, counts[2])
        elif counts[2]:
            print("\n".join(x for x in p.stdout.splitlines() if "skipped" in x and "=" not in x[:3]))
        print(f"  {name}: {counts[0]} passed, {counts[1]} failed, {counts[2]} skipped ({time.monotonic() - begin:.0f} s)", flush=True)
        return counts

    with ThreadPoolExecutor(JOBS) as pool:
        return add(*pool.map(one_file, files))


# ---- stages -----------------------------------------------------------------------------------------------------

def stage_build(_):
    return (1, 0, 0) if build_strict() else (0, 1, 0)


def stage_format(_):
    return one("format: run script/format", ["script/format", "--check"])


def stage_layers(_):
    return add(one("layers and sizes", ["script/check-layers"]), one("no path of one machine", ["script/check-paths"]),
               one("documents tell of code that exists", ["script/check-docs"]))


def stage_unit(_):
    return unit("build-asan") if build_asan() else (0, 1, 0)


def stage_integration(only):
    return integration(f"{ROOT}/build-asan/dray", only) if build_asan() else (0, 1, 0)


def stage_tsan(_):
    """Threads: unit tests of the layers that have any, and the integration tests that load several workers."""
    if not build_tsan():
        return 0, 1, 0
    launcher = ["setarch", "-R"]  # the sanitizer of gcc 12 cannot live with the newest kernels' address layout
    if subprocess.run([*launcher, "true"], capture_output=True).returncode:
        launcher = []
    return add(unit("build-tsan", lambda t: t["name"].split("/")[0] in THREADED, launcher),
               integration(f"{ROOT}/build-tsan/dray", ["wire", "kill"], launcher))


def stage_fuzz(_):
    p = run(["script/fuzz", str(FUZZ_SECONDS)])
    passed, failed, skipped = tap_counts(p.stdout)
    if p.returncode or failed:
        show_failure("fuzz", p.stdout)
        failed = failed or 1
    return passed, failed, skipped


STAGES = {"build": stage_build, "format": stage_format, "layers": stage_layers, "unit": stage_unit, "integration": stage_integration,
          "tsan": stage_tsan, "fuzz": stage_fuzz}


def add(*counts):
    return tuple(map(sum, zip((0, 0, 0), *counts)))


def main():
    if sys.argv[1:] == ["--list"]:
        print("\n".join(STAGES))
        return 0
    wanted = {}
    for arg in sys.argv[1:]:
        name, _, part = arg.partition(":")
        if name not in STAGES:
            print(f"no stage {name}: {' '.join(STAGES)}", file=sys.stderr)
            return 2
        wanted.setdefault(name, []).extend([part] if part else [])
    total = (0, 0, 0)
    for name, stage in STAGES.items():
        if wanted and name not in wanted:
            continue
        begin = time.monotonic()
        counts = stage(wanted.get(name) or None)
        print(f"{name}: {counts[0]} passed, {counts[1]} failed, {counts[2]} skipped ({time.monotonic() - begin:.0f} s)", flush=True)
        total = add(total, counts)
    print("{} passed, {} failed, {} skipped".format(*total))
    return 1 if total[1] or not total[0] else 0


if __name__ == "__main__":
    sys.exit(main())
