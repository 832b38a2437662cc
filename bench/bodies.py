#!/usr/bin/env python3
"""Writes chat request bodies of about 0.5, 1, 2, 32 and 256 kB to a folder: NAME.json (a named model), NAME-auto.json
(model "auto") and NAME-stream.json (named, streamed). Always the same bytes."""
import json, os, random, sys

SIZES = (("512", 512), ("1k", 1024), ("2k", 2048), ("32k", 32768), ("256k", 262144))
WORDS = ("the router picks a model for each request and streams the answer back to the client while it logs "
         "tokens cost latency and errors in \"quoted\" text with newlines\n tabs\t and some unicode: é ü 漢字 → fine").split(" ")


def text(rnd, n):
    s = ""
    while len(s) < n:
        s += rnd.choice(WORDS) + " "
    return s[:n]


def tool(rnd, i):
    parameters = {"type": "object", "properties": {"path": {"type": "string"}, "n": {"type": "integer"}}, "required": ["path"]}
    return {"type": "function", "function": {"name": f"tool_{i}", "description": text(rnd, 80), "parameters": parameters}}


def body(rnd, size, model, stream):
    b = {"model": model, "messages": [{"role": "system", "content": "You are a helpful assistant."}], "temperature": 0.7,
         "max_tokens": 256, "user": "user-1234"}
    if stream:
        b["stream_options"] = {"include_usage": True}
    if size > 1000:
        b["tools"] = [tool(rnd, i) for i in range(2 if size < 8000 else 12)]
    b["stream"] = stream  # after the messages, as the common SDKs send it
    for i in range(1 << 20):
        left = size - len(json.dumps(b, ensure_ascii=False).encode())
        if left < 60:
            return json.dumps(b, ensure_ascii=False).encode()
        b["messages"].append({"role": ("user", "assistant")[i % 2], "content": text(rnd, min(left - 45, 900))})


def write_all(folder):
    os.makedirs(folder, exist_ok=True)
    for name, size in SIZES:
        for suffix, model, stream in (("", "gpt-4o-mini", False), ("-auto", "auto", False), ("-stream", "gpt-4o-mini", True)):
            with open(os.path.join(folder, f"{name}{suffix}.json"), "wb") as f:
                f.write(body(random.Random(7), size, model, stream))


if __name__ == "__main__":
    write_all(sys.argv[1])
