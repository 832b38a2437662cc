#!/usr/bin/env python3
"""libdray from Python, with ctypes: which model would this go to?

  python3 dray.py dray.yaml < prompt-or-request

DRAY_LIB names the library when it is not where the system looks (build/lib/libdray.so)."""
import ctypes
import json
import os
import sys


class Router:
    def __init__(self, config, model=None, table=None):
        self.lib = ctypes.CDLL(os.environ.get("DRAY_LIB", "libdray.so.0"))
        size, text = ctypes.c_size_t, ctypes.c_char_p
        self.lib.dray_open.restype = ctypes.c_void_p
        self.lib.dray_open.argtypes = [text, size, text, size, text, size, text, size]
        self.lib.dray_close.argtypes = [ctypes.c_void_p]
        self.lib.dray_route.argtypes = [ctypes.c_void_p, text, size, text, size, ctypes.POINTER(size)]
        error = ctypes.create_string_buffer(400)
        self.router = self.lib.dray_open(config, len(config), model, len(model or b""), table, len(table or b""), error,
                                         len(error))
        if not self.router:
            raise ValueError(error.value.decode())

    def route(self, request):
        room, needed = 8192, ctypes.c_size_t()
        while True:
            out = ctypes.create_string_buffer(room)
            status = self.lib.dray_route(self.router, request, len(request), out, room, ctypes.byref(needed))
            if status != 2:  # DRAY_NO_ROOM
                break
            room = needed.value
        if status:
            raise ValueError(out.value.decode())
        return json.loads(out.value)

    def close(self):
        self.lib.dray_close(self.router)
        self.router = None


def main():
    with open(sys.argv[1], "rb") as f:
        router = Router(f.read())
    decision = router.route(sys.stdin.buffer.read())
    print(json.dumps(decision))
    router.close()


if __name__ == "__main__":
    main()
