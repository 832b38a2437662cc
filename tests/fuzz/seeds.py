#!/usr/bin/env python3
"""Seeds from recorded traffic: seeds.py NAME DIRECTORY writes one file per record of the shared folder (../shared, $DRAY_SHARED) in the form
that fuzz_NAME reads. Prints how many; none, when the recordings are not there or the fuzzer reads nothing of providers. They are never kept
in the repository."""
import base64
import glob
import hashlib
import json
import os
import re
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
LARGEST = 24000
DIALECT = {"chat": 0, "responses": 1, "messages": 2, "generateContent": 3, "streamGenerateContent": 3, "converse": 4, "converse-stream": 4, "cohere-chat": 5}
REQUEST, ANSWER, STREAM, ERROR, FRAMES, CLEAN = range(6)


def shared():
    for path in (os.environ.get("DRAY_SHARED"), f"{ROOT}/../shared", f"{ROOT}/../../shared"):
        if path and os.path.isdir(path):
            return path
    return None


def records():
    for name in sorted(glob.glob(f"{shared()}/data/traffic/dev/*.jsonl")) if shared() else ():
        with open(name, encoding="utf-8") as f:
            yield from map(json.loads, f)


def events(body):
    """One line an event: name, tab, data."""
    for block in re.split(r"\r?\n\r?\n", body):
        lines = re.split(r"\r?\n", block)
        data = "".join(x[5:].strip() for x in lines if x.startswith("data:"))
        if data:
            yield next((x[6:].strip() for x in lines if x.startswith("event:")), "") + "\t" + data + "\n"


def of_chat(r, n):
    d, request, answer = DIALECT.get(r["api"]), r.get("request") or {}, r["response"]
    if d is None:
        return
    body = answer.get("body") or ""
    if request.get("body") and d < 4:
        yield bytes([REQUEST, d, n % 6]) + request["body"].encode()
        yield bytes([CLEAN, d, n % 2]) + request["body"].encode()
    if answer.get("body_b64"):
        yield bytes([FRAMES, 4, n % 4]) + base64.b64decode(answer["body_b64"])
    elif (answer.get("status") or 200) >= 400:
        yield bytes([ERROR, d, n % 4]) + body.encode()
    elif body.lstrip().startswith(("data:", "event:", ":")):
        yield bytes([STREAM, d, n % 4]) + "".join(events(body)).encode()
    else:
        yield bytes([ANSWER, d, n % 4]) + body.encode()


def of_openai(r, n):
    body = r["response"].get("body") or ""
    if r["api"] not in ("chat", "responses", "completions", "embeddings"):
        return
    if (r.get("request") or {}).get("body"):
        yield b"\0" + r["request"]["body"].encode()
    if not body.lstrip().startswith(("data:", "event:", ":")):
        yield b"\0" + body.encode()
        return
    for event in list(events(body))[n % 3::7]:
        yield bytes([1 | (2 if r["api"] == "responses" else 0)]) + event.split("\t", 1)[1].strip().encode()


def of_sse(r, n):
    body = r["response"].get("body") or ""
    if body.lstrip().startswith(("data:", "event:", ":")):
        yield bytes([n % 251]) * 8 + body[:4000].encode()


def main():
    name, folder = sys.argv[1:]
    make = {"chat": of_chat, "openai": of_openai, "sse": of_sse}.get(name)
    os.makedirs(folder, exist_ok=True)
    count = 0
    for n, r in enumerate(records() if make else ()):
        for seed in make(r, n):
            if len(seed) <= LARGEST:
                with open(f"{folder}/{hashlib.sha1(seed).hexdigest()[:16]}", "wb") as f:
                    f.write(seed)
                count += 1
    print(count)


if __name__ == "__main__":
    main()
