"""Answers against the definitions that OpenAI and Anthropic publish (shared folder), loosened where the providers' own answers break them:
any property may be null, and what is in NEWER may be missing. Events of a stream are checked one by one, each by the schema of its type.

One of each shape is checked (names, types, and the words that tell kinds apart): answers of one shape pass or fail together.
"""
import gzip
import json
import os
import re

import canon

try:
    from jsonschema import Draft7Validator, Draft202012Validator
except ImportError:
    Draft7Validator = Draft202012Validator = None

# Required by the published schema and missing in real answers.
NEWER = {"cache_write_tokens", "logprobs", "container", "context_management", "stop_details", "inference_geo", "output_tokens_details", "iterations", "speed", "caller", "citations",
         "server_tool_use", "service_tier", "diagnostics"}
WORDS = {"type", "object", "status", "role", "finish_reason", "stop_reason", "reason"}


def loosen(o):
    if isinstance(o, dict):
        if o.get("nullable") is True and isinstance(o.get("type"), str):
            o["type"] = [o["type"], "null"]
        if isinstance(o.get("required"), list):
            o["required"] = [r for r in o["required"] if r not in NEWER]
        if isinstance(o.get("properties"), dict):
            for k, v in o["properties"].items():
                loosen(v)
                if isinstance(v, dict):
                    o["properties"][k] = {"anyOf": [v, {"type": "null"}]}
        for k, v in o.items():
            if k != "properties":
                loosen(v)
    elif isinstance(o, list):
        for v in o:
            loosen(v)


def shape(v, key=""):
    if isinstance(v, dict):
        return tuple(sorted((k, shape(w, k)) for k, w in v.items()))
    if isinstance(v, list):
        return tuple(sorted({repr(shape(w)) for w in v}))
    return v if key in WORDS else type(v).__name__


def leaf(e):
    while e.context:
        e = min(e.context, key=lambda x: (-len(x.absolute_path), len(x.message)))
    return "/".join("*" if isinstance(p, int) else str(p) for p in e.absolute_path) + ": " + re.sub(r"\{.*\}|'[^']{60,}'", "...", e.message)[:160]


class Published:
    """problem(dialect, body, stream) tells what the published schema forbids; None when all is well, or the dialect has no schema."""

    def __init__(self, folder):
        with gzip.open(f"{folder}/openai-openapi.json.gz") as f:
            self.openai = json.load(f)
        with gzip.open(f"{folder}/anthropic-messages.schema.json.gz") as f:
            self.anthropic = json.load(f)
        schemas = self.openai["components"]["schemas"]
        self.events = {v["properties"]["type"]["enum"][0]: k for k, v in schemas.items() if re.fullmatch(r"Response\w+Event", k) and "enum" in (v.get("properties") or {}).get("type", {})}
        loosen(self.openai)
        loosen(self.anthropic)
        self.validators, self.seen = {}, {}

    def validator(self, name):
        if name not in self.validators:
            self.validators[name] = (Draft7Validator({"$ref": f"#/definitions/{name}", "definitions": self.anthropic["definitions"]}) if name.startswith("Anthropic") else
                                     Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": self.openai["components"]}))
        return self.validators[name]

    def one(self, name, v):
        key = (name, repr(shape(v)))
        if key not in self.seen:
            self.seen[key] = next((f"{name} {leaf(e)}" for e in self.validator(name).iter_errors(v)), None)
        return self.seen[key]

    def event_schema(self, dialect, j):
        if dialect == "responses":
            return self.events.get(j["type"])
        return {"chat": "CreateChatCompletionStreamResponse", "messages": "AnthropicStreamEvent"}[dialect]

    def problem(self, dialect, body, stream):
        whole = {"chat": "CreateChatCompletionResponse", "responses": "Response", "messages": "AnthropicMessage"}.get(dialect)
        if not whole:
            return None
        if not stream:
            return self.one(whole, json.loads(body))
        for _, data in canon.sse(body):
            j = json.loads(data) if data != "[DONE]" else {"type": "ping"}
            if j.get("type") == "ping" or "error" in j and "object" not in j and dialect != "responses":
                continue
            name = self.event_schema(dialect, j)
            found = self.one(name, j) if name else f"no event is called {j['type']}"
            if found:
                return found
        return None


def published(shared):
    """None without the schemas or Python's jsonschema."""
    folder = f"{shared}/data/traffic/specs"
    return Published(folder) if shared and Draft7Validator and os.path.isdir(folder) else None
