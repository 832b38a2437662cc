"""Any client, any provider: each official SDK gets the same answer whichever dialect the provider speaks."""
import json
import os
import re
import subprocess
import unittest

from lib import CLIENTS, Dray, Upstream, clean_env, node

ARGS = {"city": "Paris"}


def openai_provider(x):
    q = json.loads(x.request.body)
    tool = bool(q.get("tools"))
    call = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": json.dumps(ARGS)}}
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    base = {"id": "chatcmpl-d1", "created": 1750000000, "model": q["model"]}
    finish = "tool_calls" if tool else "stop"
    if not q.get("stream"):
        message = {"role": "assistant", "content": None if tool else "Hello.", **({"tool_calls": [call]} if tool else {})}
        x.whole({**base, "object": "chat.completion", "choices": [{"index": 0, "message": message, "finish_reason": finish}], "usage": usage})
        return
    if tool:
        deltas = [{"role": "assistant", "content": None, "tool_calls": [{"index": 0, **call, "function": {"name": "get_weather", "arguments": ""}}]},
                  {"tool_calls": [{"index": 0, "function": {"arguments": "{\"city\":"}}]}, {"tool_calls": [{"index": 0, "function": {"arguments": " \"Paris\"}"}}]}]
    else:
        deltas = [{"role": "assistant", "content": ""}, {"content": "Hel"}, {"content": "lo."}]
    chunks = [{**base, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": d, "finish_reason": None}]} for d in deltas]
    chunks.append({**base, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    if (q.get("stream_options") or {}).get("include_usage"):
        chunks.append({**base, "object": "chat.completion.chunk", "choices": [], "usage": usage})
    x.start()
    x.sse(chunks)
    x.end()


def anthropic_provider(x):
    q = json.loads(x.request.body)
    tool = bool(q.get("tools"))
    block = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": ARGS} if tool else {"type": "text", "text": "Hello."}
    message = {"id": "msg_d1", "type": "message", "role": "assistant", "model": q["model"], "content": [block],
               "stop_reason": "tool_use" if tool else "end_turn", "stop_sequence": None, "usage": {"input_tokens": 10, "output_tokens": 5}}
    if not q.get("stream"):
        x.whole(message)
        return
    start = {**message, "content": [], "stop_reason": None, "usage": {"input_tokens": 10, "output_tokens": 1}}
    opened = {**block, "input": {}} if tool else {"type": "text", "text": ""}
    pieces = [{"type": "input_json_delta", "partial_json": p} for p in ("{\"city\":", " \"Paris\"}")] if tool else \
        [{"type": "text_delta", "text": p} for p in ("Hel", "lo.")]
    seq = [{"type": "message_start", "message": start}, {"type": "ping"}, {"type": "content_block_start", "index": 0, "content_block": opened}]
    seq += [{"type": "content_block_delta", "index": 0, "delta": p} for p in pieces]
    seq += [{"type": "content_block_stop", "index": 0},
            {"type": "message_delta", "delta": {"stop_reason": message["stop_reason"], "stop_sequence": None}, "usage": {"output_tokens": 5}},
            {"type": "message_stop"}]
    x.start()
    for e in seq:
        x.chunk(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode())
    x.end()


def gemini_provider(x):
    q = json.loads(x.request.body)
    tool = bool(q.get("tools"))
    usage = {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}

    def part(p, finish=None):
        c = {"content": {"role": "model", "parts": [p]}, "index": 0}
        return {"candidates": [{**c, "finishReason": finish} if finish else c], "modelVersion": "m", "responseId": "r1", **({"usageMetadata": usage} if finish else {})}
    parts = [{"functionCall": {"name": "get_weather", "args": ARGS}}] if tool else [{"text": "Hel"}, {"text": "lo."}]
    if ":streamGenerateContent" not in x.request.path:
        whole = part(parts[0], "STOP")
        whole["candidates"][0]["content"]["parts"] = parts
        x.whole(whole)
        return
    x.start()
    for i, p in enumerate(parts):
        x.chunk(b"data: " + json.dumps(part(p, "STOP" if i == len(parts) - 1 else None)).encode() + b"\r\n\r\n")
    x.end()


def also_openai(native):
    """Anthropic and Google have an OpenAI-compatible endpoint beside their own; dray may use either."""
    return lambda x: openai_provider(x) if x.request.path.endswith("/chat/completions") else native(x)


class Dialects(unittest.TestCase):
    def test_sdks(self):
        if not os.path.isdir(f"{CLIENTS}/node_modules/@google/genai") or not node():
            self.skipTest("the SDKs are not installed: script/bootstrap")
        ups = {"openai": Upstream(openai_provider), "anthropic": Upstream(also_openai(anthropic_provider)), "gemini": Upstream(also_openai(gemini_provider))}
        base = {"openai": "/v1", "anthropic": "/v1", "gemini": "/v1beta"}
        lines = "".join(f"  p-{k}: {{kind: {k}, base_url: \"http://127.0.0.1:{u.port}{base[k]}\", api_key: sk-{k}}}\n" for k, u in ups.items())
        with Dray("workers: 1\nproviders:\n" + lines) as dray:
            p = subprocess.run([node(), "drive-dialects.mjs", f"http://127.0.0.1:{dray.port}"], cwd=CLIENTS, env=clean_env(),
                               capture_output=True, text=True, timeout=300)
            found = re.findall(r"^(not ok|ok) - (.*(?:\n    .*)*)", p.stdout, re.M)
            self.assertEqual(len(found), 36, p.stdout + p.stderr)
            for verdict, text in found:
                with self.subTest(text.split("\n")[0]):
                    self.assertEqual(verdict, "ok", text)
            rows = dray.rows("SELECT * FROM calls")
            self.assertEqual({(r["input_tokens"], r["output_tokens"], r["token_source"]) for r in rows}, {(10, 5, "provider")})
            self.assertEqual(len(rows), 36)
        for kind, u in ups.items():
            for r in u.requests:
                said = [r.get(h) for h in ("authorization", "x-api-key", "x-goog-api-key") if r.get(h)]
                self.assertTrue(said and all(f"sk-{kind}" in s for s in said), f"credentials to {kind}: {said}")
            u.close()


if __name__ == "__main__":
    unittest.main()
