"""Agent CLIs, headless, through dray against a backend of another dialect: "say hi", and one turn with a tool.

They are large and not ours to ship: install @anthropic-ai/claude-code, @openai/codex, opencode-ai, @google/gemini-cli and node@24 with npm in any
folder and name it in $DRAY_CLIS; without it the tests are skipped.
"""
import json
import os
import shutil
import subprocess
import tempfile
import unittest

from lib import Dray, clean_env
from test_dialects import three

CLIS = os.environ.get("DRAY_CLIS", "")
WORD = "marzipan-4711"  # stands in a file that the tool reads
FINAL = "All done here."


def tools_of(dialect, q):
    if dialect == "gemini":
        return [d["name"] for t in q.get("tools", []) for d in t.get("functionDeclarations", [])]
    return [t["name"] if dialect == "anthropic" else t["function"]["name"] for t in q.get("tools") or []]


def has_result(dialect, q):
    text = json.dumps(q.get("contents") or q.get("messages"))
    return {"gemini": '"functionResponse"', "anthropic": '"tool_result"', "openai": '"role": "tool"'}[dialect] in text


def say(x, dialect, q, text, call):
    """One answer with a text, and a call (name, arguments) or none."""
    args = json.dumps(call[1]) if call else ""
    if dialect == "gemini":
        parts = [{"functionCall": {"name": call[0], "args": call[1]}}] if call else [{"text": text}]
        body = {"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}], "modelVersion": "m", "responseId": "r1",
                "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}}
        if ":streamGenerateContent" not in x.request.path:
            x.whole(body)
            return
        x.start()
        x.chunk(b"data: " + json.dumps(body).encode() + b"\r\n\r\n")
        x.end()
    elif dialect == "anthropic":
        block = {"type": "tool_use", "id": f"toolu_{len(args)}", "name": call[0], "input": call[1]} if call else {"type": "text", "text": text}
        message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [block], "stop_reason": "tool_use" if call else "end_turn",
                   "stop_sequence": None, "usage": {"input_tokens": 10, "output_tokens": 5}}
        if not q.get("stream"):
            x.whole(message)
            return
        start = {**block, "input": {}} if call else {"type": "text", "text": ""}
        delta = {"type": "input_json_delta", "partial_json": args} if call else {"type": "text_delta", "text": text}
        x.start()
        for e in ({"type": "message_start", "message": {**message, "content": [], "stop_reason": None}}, {"type": "content_block_start", "index": 0, "content_block": start},
                  {"type": "content_block_delta", "index": 0, "delta": delta}, {"type": "content_block_stop", "index": 0},
                  {"type": "message_delta", "delta": {"stop_reason": message["stop_reason"], "stop_sequence": None}, "usage": {"output_tokens": 5}}, {"type": "message_stop"}):
            x.chunk(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode())
        x.end()
    else:
        calls = [{"id": f"call_{len(args)}", "type": "function", "function": {"name": call[0], "arguments": args}}] if call else None
        base, finish = {"id": "c1", "created": 1750000000, "model": "m"}, "tool_calls" if call else "stop"
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        if not q.get("stream"):
            x.whole({**base, "object": "chat.completion", "choices": [{"index": 0, "message": {"role": "assistant", "content": None if call else text, **({"tool_calls": calls} if call else {})}, "finish_reason": finish}], "usage": usage})
            return
        delta = {"role": "assistant", **({"tool_calls": [{"index": 0, **calls[0]}]} if call else {"content": text})}
        x.start()
        x.sse([{**base, "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": d, "finish_reason": f}]} for d, f in ((delta, None), ({}, finish))]
              + [{**base, "object": "chat.completion.chunk", "choices": [], "usage": usage}])
        x.end()


@unittest.skipUnless(os.path.isdir(f"{CLIS}/node_modules/.bin"), "the agent CLIs are not installed ($DRAY_CLIS)")
class Clis(unittest.TestCase):
    def setUp(self):
        self.home = tempfile.mkdtemp(prefix="dray-cli-")
        self.work = os.path.join(self.home, "work")
        os.makedirs(self.work)
        self.file = os.path.join(self.work, "note.txt")
        with open(self.file, "w", encoding="utf-8") as f:
            f.write(f"The word is {WORD}.\n")
        self.use_tool = False
        self.results = []  # requests that brought a tool's result
        self.ups, config = three({d: self.backend(d) for d in ("openai", "anthropic", "gemini")})
        self.dray = Dray(config)

    def tearDown(self):
        self.dray.stop()
        for u in self.ups.values():
            u.close()
        shutil.rmtree(self.home, ignore_errors=True)

    def backend(self, dialect):
        arguments = {"Read": {"file_path": self.file}, "read": {"filePath": self.file}, "read_file": {"file_path": self.file, "absolute_path": self.file},
                     "exec_command": {"cmd": f"cat {self.file}"}, "shell_command": {"command": f"cat {self.file}"}, "shell": {"command": ["cat", self.file]}}

        def handler(x):
            q = json.loads(x.request.body)
            names = tools_of(dialect, q)
            name = next((n for n in arguments if n in names), None)
            if has_result(dialect, q):
                self.results.append(x.request.body.decode())
            say(x, dialect, q, FINAL, (name, arguments[name]) if self.use_tool and name and not has_result(dialect, q) else None)
        return handler

    def run_cli(self, *args, env=None):
        where = {"HOME": self.home, "CI": "1", "NO_COLOR": "1", "DISABLE_TELEMETRY": "1", "DISABLE_AUTOUPDATER": "1", "DISABLE_ERROR_REPORTING": "1", "OPENCODE_DISABLE_AUTOUPDATE": "1",
                 "OPENCODE_DISABLE_MODELS_FETCH": "1", "PATH": f"{CLIS}/node_modules/node/bin:{CLIS}/node_modules/.bin:" + os.environ["PATH"], **(env or {})}
        p = subprocess.run([f"{CLIS}/node_modules/.bin/{args[0]}", *args[1:]], cwd=self.work, env=clean_env(where), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=150)
        return p.stdout + p.stderr

    def both(self, run, backend):
        """"Say hi", then one turn with a tool, whose result must have reached the backend."""
        for self.use_tool in (False, True):
            with self.subTest("a tool turn" if self.use_tool else "say hi"):
                self.results.clear()
                try:
                    said = run(f"p-{backend}/m")
                except subprocess.TimeoutExpired:
                    if self.ups[backend].requests:
                        raise
                    self.skipTest("the CLI did not come as far as a request (some want the network when they start)")
                self.assertIn(FINAL, said, said[-1500:])
                self.assertEqual(any(WORD in r for r in self.results), self.use_tool)
        self.assertTrue(self.ups[backend].requests)
        self.assertEqual({r["error"] for r in self.dray.rows() if r["model"]}, {None})

    def claude(self, model):
        return self.run_cli("claude", "-p", "Say hi", "--model", model, "--output-format", "json", "--max-turns", "4", "--allowedTools", "Read",
                            env={"ANTHROPIC_BASE_URL": f"http://127.0.0.1:{self.dray.port}", "ANTHROPIC_AUTH_TOKEN": "key", "ANTHROPIC_SMALL_FAST_MODEL": model})

    def codex(self, model):
        os.makedirs(f"{self.home}/.codex", exist_ok=True)
        with open(f"{self.home}/.codex/config.toml", "w", encoding="utf-8") as f:
            f.write(f'model = "{model}"\nmodel_provider = "gw"\n[model_providers.gw]\nname = "gw"\nbase_url = "http://127.0.0.1:{self.dray.port}/v1"\nenv_key = "GW"\nwire_api = "responses"\n[analytics]\nenabled = false\n')
        return self.run_cli("codex", "exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "Say hi", env={"GW": "key"})

    def opencode(self, model):
        with open(f"{self.work}/opencode.json", "w", encoding="utf-8") as f:
            json.dump({"$schema": "https://opencode.ai/config.json", "autoupdate": False, "share": "disabled", "model": f"gw/{model}", "small_model": f"gw/{model}",
                       "provider": {"gw": {"npm": "@ai-sdk/openai-compatible", "name": "gw", "options": {"baseURL": f"http://127.0.0.1:{self.dray.port}/v1", "apiKey": "key"},
                                           "models": {model: {"name": "x", "limit": {"context": 100000, "output": 4096}}}}}}, f)
        return self.run_cli("opencode", "run", "--model", f"gw/{model}", "Say hi", env={"OPENCODE_CONFIG": f"{self.work}/opencode.json", "PWD": self.work})

    def gemini(self, model):
        os.makedirs(f"{self.home}/.gemini", exist_ok=True)
        with open(f"{self.home}/.gemini/settings.json", "w", encoding="utf-8") as f:
            json.dump({"security": {"auth": {"selectedType": "gemini-api-key"}}, "telemetry": {"enabled": False}, "privacy": {"usageStatisticsEnabled": False}, "general": {"disableAutoUpdate": True}}, f)
        return self.run_cli("gemini", "-m", model, "-p", "Say hi", "--output-format", "json", "--approval-mode", "yolo",
                            env={"GOOGLE_GEMINI_BASE_URL": f"http://127.0.0.1:{self.dray.port}", "GEMINI_API_KEY": "key", "GEMINI_CLI_TRUST_WORKSPACE": "true"})

    def test_claude_code_on_gemini(self):
        self.both(self.claude, "gemini")

    def test_claude_code_on_openai(self):
        self.both(self.claude, "openai")

    def test_codex_on_anthropic(self):
        self.both(self.codex, "anthropic")

    def test_opencode_on_gemini(self):
        self.both(self.opencode, "gemini")

    def test_gemini_cli_on_anthropic(self):
        self.both(self.gemini, "anthropic")


if __name__ == "__main__":
    unittest.main()
