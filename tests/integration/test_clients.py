"""The official openai SDK and curl work unchanged: the same values through dray as straight from the provider."""
import json
import os
import re
import shutil
import subprocess
import unittest

from lib import CLIENTS, Client, Dray, Served, Upstream, clean_env, node, openai_ok, provider, request_bytes, status_of

SENT_ARGUMENTS = '{"city":"Paris","temp":21}'


def tool_name(q):
    tools = q.get("tools") or []
    name = tools and (tools[0].get("name") or tools[0]["function"]["name"])
    answered = re.search(r'"role": "tool"|function_call_output', json.dumps(q.get("messages") or q.get("input") or ""))
    return None if answered else name


def chat_with_tools(x, q):
    name = tool_name(q)
    call = {"id": "call_1", "type": "function", "function": {"name": name, "arguments": SENT_ARGUMENTS}}
    text = SENT_ARGUMENTS if q.get("response_format") else "Hello."
    message = {"role": "assistant", "content": None if name else text, "refusal": None, **({"tool_calls": [call]} if name else {})}
    finish = "tool_calls" if name else "stop"
    base = {"id": "chatcmpl-s1", "created": 1750000000, "model": q["model"], "system_fingerprint": None}
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    if not q.get("stream"):
        x.whole({**base, "object": "chat.completion", "usage": usage,
                 "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}]},
                headers=[("x-request-id", "req_sdk"), ("openai-processing-ms", "12")])
        return
    ask = (q.get("stream_options") or {}).get("include_usage")

    def part(delta, finish_reason=None):
        c = {**base, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}]}
        return {**c, "usage": None} if ask else c
    deltas = [{"role": "assistant", "content": None if name else ""}]
    if name:
        deltas.append({"tool_calls": [{"index": 0, **call, "function": {"name": name, "arguments": ""}}]})
        deltas += [{"tool_calls": [{"index": 0, "function": {"arguments": SENT_ARGUMENTS[i:i + 7]}}]} for i in range(0, len(SENT_ARGUMENTS), 7)]
    else:
        deltas += [{"content": text[i:i + 3]} for i in range(0, len(text), 3)]
    items = [part(d) for d in deltas] + [part({}, finish)]
    if ask:
        items.append({**part({}), "choices": [], "usage": usage})
    x.start(headers=[("content-type", "text/event-stream"), ("x-request-id", "req_sdk")])
    x.sse(items)
    x.end()


def responses(x, q):
    name = tool_name(q)
    text = SENT_ARGUMENTS if q.get("text") else "Hello."
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    item = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": name, "arguments": SENT_ARGUMENTS, "status": "completed"} if name else \
        {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}

    def response(status, output, usage):
        return {"id": "resp_s1", "object": "response", "created_at": 1750000000, "status": status, "error": None, "incomplete_details": None,
                "instructions": None, "model": q["model"], "output": output, "parallel_tool_calls": True, "temperature": 1, "tool_choice": "auto",
                "tools": q.get("tools", []), "top_p": 1, "text": q.get("text", {"format": {"type": "text"}}), "usage": usage, "metadata": {}}
    usage = {"input_tokens": 10, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 5, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 15}
    if not q.get("stream"):
        x.whole(response("completed", [item], usage))
        return
    seq = [("response.created", {"response": response("in_progress", [], None)}),
           ("response.output_item.added", {"output_index": 0, "item": {**item, "content": [], "status": "in_progress"}}),
           ("response.content_part.added", {"item_id": "msg_1", "output_index": 0, "content_index": 0, "part": {**part, "text": ""}})]
    seq += [("response.output_text.delta", {"item_id": "msg_1", "output_index": 0, "content_index": 0, "delta": text[i:i + 2], "logprobs": []}) for i in range(0, len(text), 2)]
    seq += [("response.output_text.done", {"item_id": "msg_1", "output_index": 0, "content_index": 0, "text": text, "logprobs": []}),
            ("response.content_part.done", {"item_id": "msg_1", "output_index": 0, "content_index": 0, "part": part}),
            ("response.output_item.done", {"output_index": 0, "item": item}), ("response.completed", {"response": response("completed", [item], usage)})]
    x.start()
    for i, (kind, body) in enumerate(seq):
        x.chunk(f"event: {kind}\ndata: {json.dumps({'type': kind, 'sequence_number': i, **body})}\n\n".encode())
    x.end()


def embeddings(x, q):
    n = len(q["input"]) if isinstance(q["input"], list) else 1
    vector = "AAAAPwAAgL4=" if q.get("encoding_format") == "base64" else [0.5, -0.25]
    x.whole({"object": "list", "model": q["model"], "usage": {"prompt_tokens": 5, "total_tokens": 5},
             "data": [{"object": "embedding", "index": i, "embedding": vector} for i in range(n)]})


def sdk_provider(x):
    q = json.loads(x.request.body or b"{}")
    path = x.request.path
    if path.endswith("/chat/completions"):
        chat_with_tools(x, q)
    elif path.endswith("/responses"):
        responses(x, q)
    elif path.endswith("/embeddings"):
        embeddings(x, q)
    else:
        openai_ok(x)


class Once:
    """Fails the first call of every second pair: direct and through dray each see one 503 and then an answer."""

    def __init__(self):
        self.n = 0

    def __call__(self, x):
        self.n += 1
        if self.n % 2:
            status_of(503, [("retry-after-ms", "10")])(x)
        else:
            sdk_provider(x)


class OpenAI(Served):
    @classmethod
    def setUpClass(cls):
        cls.up = Upstream(sdk_provider)
        cls.up.scenarios["once-503"] = Once()
        cls.up.scenarios["ok"] = sdk_provider
        cls.dray = Dray("workers: 1\nproviders:\n" + provider(cls.up) + provider(cls.up, "other") +
                        "models:\n  m: {provider: up, model: m}\n  vendor/named: {provider: up, model: m}\n"
                        "tiers:\n  light: {targets: [up/small]}\n  mid: {targets: [up/middle]}\n  frontier: {targets: [up/big]}\n")

    def test_sdk(self):
        if not os.path.isdir(f"{CLIENTS}/node_modules/openai") or not node():
            self.skipTest("the openai SDK is not installed: script/bootstrap")
        p = subprocess.run([node(), "drive-openai.mjs", self.up.base, f"http://127.0.0.1:{self.dray.port}/v1"], cwd=CLIENTS,
                           env=clean_env(), capture_output=True, text=True, timeout=300)
        lines = re.findall(r"^(not ok|ok) - (.*(?:\n    .*)*)", p.stdout, re.M)
        self.assertGreater(len(lines), 30, p.stdout + p.stderr)
        for verdict, text in lines:
            with self.subTest(text.split("\n")[0]):
                self.assertEqual(verdict, "ok", text)

    def test_curl(self):
        if not shutil.which("curl"):
            self.skipTest("no curl")
        p = subprocess.run(["curl", "-sS", "-i", f"http://127.0.0.1:{self.dray.port}/v1/chat/completions", "-H", "content-type: application/json",
                            "-d", '{"model":"auto","messages":[{"role":"user","content":"Classify as spam or ham: win a prize"}]}'],
                           capture_output=True, text=True, timeout=60)
        self.assertEqual(p.returncode, 0, p.stderr)
        self.assertRegex(p.stdout, r"HTTP/1\.1 200")
        self.assertRegex(p.stdout, r"(?i)x-dray-tier: light")

    def test_azure_path(self):
        """The Azure client's path names the model."""
        with Client(self.dray.port) as c:
            c.send(request_bytes("POST", "/openai/deployments/m/chat/completions?api-version=2024-10-21", {"messages": [{"role": "user", "content": "x"}]}))
            self.assertEqual(c.answer().status, 200)
        self.assertEqual(json.loads(self.up.last().body)["model"], "m")


if __name__ == "__main__":
    unittest.main()
