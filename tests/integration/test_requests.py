"""What dray sends to providers is what their own definitions allow: requests that real clients sent (shared folder), of every dialect, to providers of
every other dialect. OpenAI's and Anthropic's by the published schemas, Gemini's by the members that its SDK's types have.

Skipped, and said so, without the recordings or without Python's jsonschema.
"""
import glob
import gzip
import json
import re
import unittest

import lib
from test_dialects import anthropic_provider, gemini_provider, openai_provider, three

try:
    from jsonschema import Draft7Validator, Draft202012Validator
except ImportError:
    Draft7Validator = Draft202012Validator = None

PER_PROVIDER = 40  # recorded requests of one api of one provider
PATH = {"chat": "/v1/chat/completions", "responses": "/v1/responses", "messages": "/v1/messages", "generateContent": "/v1beta/models/{}:generateContent",
        "streamGenerateContent": "/v1beta/models/{}:streamGenerateContent?alt=sse"}
DIALECT = {"chat": "openai", "responses": "responses", "messages": "anthropic", "generateContent": "gemini", "streamGenerateContent": "gemini"}

# @google/genai 3.1, dist/genai.d.ts: GenerateContentParameters as they stand on the wire.
GEMINI = {
    "": {"contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "safetySettings", "cachedContent", "labels"},
    "content": {"role", "parts"},
    "part": {"text", "thought", "thoughtSignature", "inlineData", "fileData", "functionCall", "functionResponse"},
    "inlineData": {"mimeType", "data", "displayName"}, "fileData": {"mimeType", "fileUri", "displayName"},
    "functionCall": {"id", "name", "args"}, "functionResponse": {"id", "name", "response", "parts"},
    "tool": {"functionDeclarations"}, "declaration": {"name", "description", "parametersJsonSchema"},
    "functionCallingConfig": {"mode", "allowedFunctionNames"}, "thinkingConfig": {"includeThoughts", "thinkingBudget", "thinkingLevel"},
    "generationConfig": {"temperature", "topP", "topK", "candidateCount", "maxOutputTokens", "stopSequences", "seed", "presencePenalty", "frequencyPenalty", "responseLogprobs", "logprobs",
                         "responseMimeType", "responseJsonSchema", "thinkingConfig", "responseModalities"},
}


# gpt-5-codex is at /v1/responses only.
MODEL = {"openai": "p-openai/gpt-5", "responses": "p-openai/gpt-5-codex", "anthropic": "p-anthropic/claude-sonnet-4-5", "gemini": "p-gemini/gemini-2.5-pro"}

# Members of API version 2023-06-01, which dray asks for; the types of the newer one have them no more.
SAMPLING = {"temperature", "top_p", "top_k"}


def only(v, what):
    strange = set(v) - GEMINI[what]
    return [f"{what or 'request'}: {sorted(strange)}"] if strange else []


def gemini_problems(q):
    out = only(q, "") + only(q.get("generationConfig", {}), "generationConfig") + only(q.get("generationConfig", {}).get("thinkingConfig", {}), "thinkingConfig")
    for c in q["contents"] + ([q["systemInstruction"]] if "systemInstruction" in q else []):
        out += only(c, "content")
        out += ["a content without parts"] if not c["parts"] else []
        for p in c["parts"]:
            out += only(p, "part")
            kinds = set(p) & {"text", "inlineData", "fileData", "functionCall", "functionResponse"}
            out += [f"a part of {kinds}"] if len(kinds) != 1 else []
            for k in kinds - {"text"}:
                out += only(p[k], k)
            if "functionCall" in p and not isinstance(p["functionCall"]["args"], dict):
                out.append("args")
            if "functionResponse" in p and not isinstance(p["functionResponse"]["response"], dict):
                out.append("response")
    for t in q.get("tools", []):
        out += only(t, "tool")
        for d in t["functionDeclarations"]:
            out += only(d, "declaration")
    return out + only(q.get("toolConfig", {}).get("functionCallingConfig", {}), "functionCallingConfig")


def leaf(e):
    while e.context:
        e = min(e.context, key=lambda x: (-len(x.absolute_path), len(x.message)))
    return "/".join("*" if isinstance(p, int) else str(p) for p in e.absolute_path) + ": " + re.sub(r"\{.*\}|'[^']{60,}'", "...", e.message)[:160]


def nullable(o):
    if isinstance(o, dict):
        if o.get("nullable") is True and isinstance(o.get("type"), str):
            o["type"] = [o["type"], "null"]
        for v in o.values():
            nullable(v)
    elif isinstance(o, list):
        for v in o:
            nullable(v)


def validators(folder):
    with gzip.open(f"{folder}/openai-openapi.json.gz") as f:
        spec = json.load(f)
    nullable(spec)
    item = spec["components"]["schemas"]["InputItem"]
    item["anyOf"] = item.pop("oneOf")  # a message with parts is of two of its kinds
    with gzip.open(f"{folder}/anthropic-messages.schema.json.gz") as f:
        anthropic = json.load(f)
    responses = Draft202012Validator({"$ref": "#/components/schemas/CreateResponse", "components": spec["components"]})
    chat = Draft202012Validator({"$ref": "#/components/schemas/CreateChatCompletionRequest", "components": spec["components"]})
    messages = Draft7Validator({"$ref": "#/definitions/AnthropicRequest", "definitions": anthropic["definitions"]})
    return {"openai": lambda q: [leaf(e) for e in chat.iter_errors(q)], "responses": lambda q: [leaf(e) for e in responses.iter_errors(q)], "anthropic": lambda q: [leaf(e) for e in messages.iter_errors({k: v for k, v in q.items() if k not in SAMPLING})], "gemini": gemini_problems}


def openai_everywhere(x):
    """OpenAI's provider of test_dialects, and the smallest answer of /v1/responses."""
    if not x.request.path.endswith("/responses"):
        openai_provider(x)
        return
    response = {"id": "resp_1", "object": "response", "status": "completed", "model": "m", "output": [], "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}}
    if not x.request.json().get("stream"):
        x.whole(response)
        return
    x.start()
    x.sse([{"type": "response.completed", "response": response}], done=False)
    x.end()


def recorded(folder):
    """(name, api, path, body) of requests that real clients sent: SDKs and agent CLIs, and those that a provider answered with 200."""
    for name in sorted(glob.glob(f"{folder}/clients/*.jsonl")):
        with open(name, encoding="utf-8") as f:
            for n, line in enumerate(f):
                r = json.loads(line)
                path = r["path"].split("?")[0]
                api = next((a for a, p in PATH.items() if path.endswith(p.split("{}")[-1].split("?")[0]) and "deployments" not in path), None)
                if r["method"] == "POST" and api and r["body"]:
                    yield f"{r['client']} {n}", api, json.dumps(r["body"]), True
    for name in sorted(glob.glob(f"{folder}/dev/*.jsonl")):
        count = {}
        with open(name, encoding="utf-8") as f:
            for line in f:
                r = json.loads(line)
                q = r.get("request") or {}
                if r["api"] in PATH and q.get("body") and r["response"].get("status") == 200:
                    count[r["api"]] = count.get(r["api"], 0) + 1
                    if count[r["api"]] <= PER_PROVIDER:
                        yield r["id"], r["api"], q["body"], False


@unittest.skipUnless(lib.shared(), "the recordings (../shared) are not there")
@unittest.skipUnless(Draft7Validator, "Python's jsonschema is not installed")
class Requests(unittest.TestCase):
    def test_requests(self):
        folder = f"{lib.shared()}/data/traffic"
        check = validators(f"{folder}/specs")
        ups, config = three({"openai": openai_everywhere, "anthropic": anthropic_provider, "gemini": gemini_provider})
        bad, checked, connection = [], {}, []

        def one(dray, name, api, text, kind, client):
            try:
                body = json.loads(text)
            except ValueError:
                return
            model = MODEL[kind]
            if "generate" not in api and "Generate" not in api:
                body["model"] = model
            if not connection:
                connection.append(lib.Client(dray.port, 60))
            connection[0].send(lib.request_bytes("POST", PATH[api].format(model.replace("/", "%2F")), body, {"x-tag": name}))
            m = connection[0].answer()
            if m.get("connection") == "close":
                connection.pop().close()
            if m.status == 400 and client and b"Stored items" not in m.body:
                bad.append(f"{name} {api} -> {kind}: refused, {m.body[:200]!r}")
            key = (DIALECT[api], kind)
            checked[key] = checked.get(key, 0) + (m.status == 200)

        # the config lets x-tag through, so that each provider's request is known by its record
        config = config.replace("api_key:", "forward_headers: [x-tag], api_key:")
        with lib.Dray("translation: drop\n" + config) as dray:
            for name, api, text, client in recorded(folder):
                for kind in MODEL:
                    if DIALECT[api] != kind and (DIALECT[api], kind) != ("responses", "openai"):
                        one(dray, name, api, text, kind, client)
        seen = set()
        for kind, up in ups.items():
            for r in up.requests:
                body = r.json()
                spoken = "responses" if r.path.endswith("/responses") else kind
                problems = check[spoken](body)
                for p in problems[:2]:
                    if (spoken, p) not in seen:
                        bad.append(f"{r.get('x-tag')} -> {spoken}: {p}")
                    seen.add((spoken, p))
            up.close()
        self.assertFalse(bad, f"{len(bad)} problems with {sum(checked.values())} requests:\n" + "\n".join(bad[:60]))
        self.assertGreater(min(checked.values()), 30, checked)


if __name__ == "__main__":
    unittest.main()
