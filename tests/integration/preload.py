"""The preloaded shim (shim.c): dray under a clock that runs ahead, or on a slow disk."""
import atexit
import os
import shutil
import subprocess
import tempfile

from lib import HERE, sanitizer_env

_built = []


def shim_env(clock=None, disk_ms=None):
    """Environment for Dray(env=…). `clock` is (offset in seconds, factor)."""
    if not _built:
        folder = tempfile.mkdtemp(prefix="dray-shim-")
        atexit.register(shutil.rmtree, folder, True)
        _built.append(os.path.join(folder, "shim.so"))
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-Wall", "-o", _built[0], os.path.join(HERE, "shim.c"), "-ldl"], check=True)
    env = {"LD_PRELOAD": _built[0], "ASAN_OPTIONS": sanitizer_env()["ASAN_OPTIONS"] + ":verify_asan_link_order=0"}
    if clock:
        env["DRAY_SHIM_CLOCK"] = f"{clock[0]},{clock[1]}"
    if disk_ms:
        env["DRAY_SHIM_DISK_MS"] = str(disk_ms)
    return env
