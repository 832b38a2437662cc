"""What an answer says, whatever its dialect: read() gives (text, tool calls, stop, input tokens, output tokens, error), written apart from
dray's own readers; grammar() the first rule of a client dialect that an answer breaks.

`stop` is one of stop, length, filter, tools; tool calls imply tools. Tokens are None where the provider told none.
"""
import json
import re
import struct
from collections import namedtuple

Said = namedtuple("Said", "text tools stop input output error")
OPENAI_STOPS = {"length": "length", "max_tokens": "length", "model_length": "length", "content_filter": "filter", "tool_calls": "tools", "function_call": "tools", "tool_use": "tools"}
ANTHROPIC_STOPS = {"max_tokens": "length", "model_context_window_exceeded": "length", "refusal": "filter", "tool_use": "tools"}
GEMINI_STOPS = {2: "length", 3: "filter", "MAX_TOKENS": "length", **{k: "filter" for k in ("SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "MODEL_ARMOR")}}
BEDROCK_STOPS = {"max_tokens": "length", "model_context_window_exceeded": "length", "tool_use": "tools", "guardrail_intervened": "filter", "content_filtered": "filter"}
COHERE_STOPS = {"MAX_TOKENS": "length", "TOOL_CALL": "tools", "ERROR_TOXIC": "filter"}


def sse(body):
    """(event, data) of each server-sent event."""
    for block in re.split(r"\r\n\r\n|\n\n|\r\r", body.decode()):
        event, data = "", []
        for line in re.split(r"\r\n|\n|\r", block):
            name, _, value = line.partition(":")
            value = value[1:] if value.startswith(" ") else value
            if name == "event":
                event = value
            elif name == "data":
                data.append(value)
        if data:
            yield event, "\n".join(data)


def frames(raw):
    """(event type, payload) of each frame of an AWS event stream."""
    while raw:
        total, head = struct.unpack(">II", raw[:8])
        headers, payload, names = raw[12:12 + head], raw[12 + head:total - 4], {}
        while headers:
            n = headers[0]
            size = struct.unpack(">H", headers[n + 2:n + 4])[0]
            names[headers[1:n + 1].decode()] = headers[n + 4:n + 4 + size].decode()
            headers = headers[n + 4 + size:]
        yield names.get(":event-type") or names.get(":exception-type"), json.loads(payload)
        raw = raw[total:]


def arguments(text):
    """A call's arguments; what is no JSON object is kept as text, as dray's readers promise."""
    try:
        v = json.loads(text or "{}")
    except ValueError:
        return {"arguments": text}
    return v if isinstance(v, dict) else {"arguments": text}


def said(text, tools, stop, usage=(None, None), error=None):
    return Said(text, [(n, a if isinstance(a, dict) else arguments(a)) for n, a in tools], "tools" if tools and stop in ("stop", "tools") else stop, *usage, error)


# ---- OpenAI chat ----

def chat_usage(u):
    """Total tokens decide: some providers leave reasoning out of the output, some audio out of the input."""
    if not isinstance(u, dict) or (u.get("prompt_tokens") is None and u.get("input_tokens") is None):
        return (None, None)
    inp, out = u.get("prompt_tokens", u.get("input_tokens")), u.get("completion_tokens", u.get("output_tokens")) or 0
    reasoning = (u.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0
    audio = (u.get("prompt_tokens_details") or {}).get("audio_tokens") or 0
    missing = (u.get("total_tokens") or 0) - inp - out
    if missing > 0 and missing == audio:
        inp += missing
    elif missing > 0 and reasoning in (0, missing):
        out += missing
    return (inp, out)


def chat_text(content):
    if isinstance(content, list):
        return "".join(p.get("text", "") for p in content if p.get("type") == "text")
    return content or ""


def chat_whole(j):
    c = j["choices"][0]
    m = c.get("message") or {}
    tools = [(t["function"]["name"], t["function"].get("arguments")) for t in m.get("tool_calls") or []]
    if m.get("function_call"):
        tools.append((m["function_call"]["name"], m["function_call"].get("arguments")))
    return said(chat_text(m.get("content")) + (m.get("refusal") or ""), tools, OPENAI_STOPS.get(c.get("finish_reason"), "stop"), chat_usage(j.get("usage")))


def chat_stream(body):
    text, tools, stop, usage, error, done = "", [], "stop", None, None, False
    for _, data in sse(body):
        if data == "[DONE]":
            done = True
            continue
        j = json.loads(data)
        if j.get("error"):
            error = j["error"]
            continue
        usage = j.get("usage") or (j.get("x_groq") or {}).get("usage") or usage
        for c in j.get("choices") or []:
            if c.get("index", 0) != 0:
                continue
            d = c.get("delta") or {}
            text += chat_text(d.get("content")) + (d.get("refusal") or "")
            for t in d.get("tool_calls") or []:
                f, i = t.get("function") or {}, t.get("index")
                open_one = next((x for x in reversed(tools) if x["index"] == i), None)
                if f.get("name") and (open_one is None or (t.get("id") and t["id"] != open_one["id"])):
                    open_one = {"index": i, "id": t.get("id"), "name": f["name"], "args": ""}
                    tools.append(open_one)
                if open_one:
                    open_one["args"] += f.get("arguments") or ""
            if c.get("finish_reason") is not None:
                stop = OPENAI_STOPS.get(c["finish_reason"], "stop")
    if not done and error is None:
        error = "no end"
    return said(text, [(t["name"], t["args"]) for t in tools], stop, chat_usage(usage), error)


# ---- Anthropic ----

def messages_usage(u):
    """The totals leave out what compactions took, which is billed all the same."""
    steps = [u] + [i for i in u.get("iterations") or [] if i.get("type") == "compaction"]
    return (sum(x["input_tokens"] + (x.get("cache_read_input_tokens") or 0) + (x.get("cache_creation_input_tokens") or 0) for x in steps), sum(x["output_tokens"] for x in steps))


def messages_whole(j):
    return said("".join(b["text"] for b in j["content"] if b["type"] == "text"), [(b["name"], b["input"]) for b in j["content"] if b["type"] == "tool_use"],
                ANTHROPIC_STOPS.get(j.get("stop_reason"), "stop"), messages_usage(j["usage"]))


def messages_stream(body):
    text, tools, stop, usage, error, done = "", {}, "stop", {}, None, False
    for _, data in sse(body):
        j = json.loads(data)
        kind = j["type"]
        if kind == "message_start":
            error = {"type": "api_error"} if text or tools else None  # a second answer begins within the first
            if error:
                break
            usage.update(j["message"]["usage"])
        elif kind == "content_block_start":
            b = j["content_block"]
            if b["type"] == "tool_use":
                tools[j["index"]] = [b["name"], json.dumps(b["input"]) if b.get("input") else ""]
            text += b.get("text", "") if b["type"] == "text" else ""
        elif kind == "content_block_delta":
            d = j["delta"]
            text += d.get("text", "") if d["type"] == "text_delta" else ""
            if d["type"] == "input_json_delta" and j["index"] in tools:
                tools[j["index"]][1] += d["partial_json"]
        elif kind == "message_delta":
            usage.update({k: v for k, v in (j.get("usage") or {}).items() if v is not None})
            stop = ANTHROPIC_STOPS.get(j["delta"].get("stop_reason"), "stop")
        elif kind == "message_stop":
            done = True
        elif kind == "error":
            error = j["error"]
    if not done and error is None:
        error = "no end"
    return said(text, list(tools.values()), stop, messages_usage(usage) if "input_tokens" in usage else (None, None), error)


# ---- Gemini ----

def gemini_usage(u):
    if not u:
        return (None, None)
    return (u.get("promptTokenCount", 0) + u.get("toolUsePromptTokenCount", 0), u.get("candidatesTokenCount", u.get("responseTokenCount", 0)) + u.get("thoughtsTokenCount", 0))


def gemini_chunks(chunks):
    text, tools, stop, usage, error, done = "", [], None, None, None, False
    for j in chunks:
        if "error" in j:
            error = j["error"]
        usage = j.get("usageMetadata") or usage
        if (j.get("promptFeedback") or {}).get("blockReason"):
            stop, done = "filter", True
        for c in j.get("candidates") or []:
            if c.get("index", 0) != 0:
                continue
            for p in (c.get("content") or {}).get("parts") or []:
                if "functionCall" in p:
                    tools.append((p["functionCall"]["name"], p["functionCall"].get("args") or {}))
                elif not p.get("thought"):
                    text += p.get("text", "")
            if c.get("finishReason"):
                stop, done = GEMINI_STOPS.get(c["finishReason"], "stop"), True
    if not done and error is None:
        error = "no end"
    return said(text, tools, stop or "stop", gemini_usage(usage), error)


def gemini_stream(body):
    return gemini_chunks(json.loads(d) for _, d in sse(body))


# ---- Responses ----

def responses_object(r):
    text, tools = "", []
    for i in r["output"]:
        if i["type"] == "message":
            text += "".join(p.get("text", "") + p.get("refusal", "") for p in i["content"])
        elif i["type"] == "function_call":
            tools.append((i["name"], i["arguments"]))
    why = (r.get("incomplete_details") or {}).get("reason")
    stop = "filter" if why == "content_filter" else "length" if r["status"] == "incomplete" else "stop"
    u = r.get("usage") or {}
    return said(text, tools, stop, (u.get("input_tokens"), u.get("output_tokens")), r.get("error"))


def responses_stream(body):
    last = {}
    for _, data in sse(body):
        last = json.loads(data)
    if last.get("type") in ("response.completed", "response.incomplete", "response.failed"):
        return responses_object(last["response"])
    return said("", [], "stop", error=last or "no end")


# ---- Bedrock, Cohere ----

def bedrock_usage(u):
    def one(*names):
        return next((u[n] for n in names if u.get(n) is not None), 0)
    return (u["inputTokens"] + one("cacheReadInputTokens", "cacheReadInputTokenCount") + one("cacheWriteInputTokens", "cacheWriteInputTokenCount"), u["outputTokens"]) if u else (None, None)


def bedrock_whole(j):
    """Text with citations is text; what the provider's own tools did is no call."""
    content = j["output"]["message"]["content"]
    text = "".join(b.get("text", "") + "".join(c.get("text", "") for c in b.get("citationsContent", {}).get("content", [])) for b in content)
    return said(text, [(b["toolUse"]["name"], b["toolUse"]["input"]) for b in content if "toolUse" in b and b["toolUse"].get("type") != "server_tool_use"],
                BEDROCK_STOPS.get(j["stopReason"], "stop"), bedrock_usage(j.get("usage")))


def bedrock_stream(raw):
    text, tools, stop, usage, error = "", {}, "stop", None, "no end"
    for kind, j in frames(raw):
        call = j.get("start", {}).get("toolUse") if kind == "contentBlockStart" else None
        if call and call.get("type") != "server_tool_use":
            tools[j["contentBlockIndex"]] = [call["name"], ""]
        elif kind == "contentBlockDelta":
            text += j["delta"].get("text", "")
            if "toolUse" in j["delta"] and j["contentBlockIndex"] in tools:
                tools[j["contentBlockIndex"]][1] += j["delta"]["toolUse"]["input"]
        elif kind == "messageStop":
            stop = BEDROCK_STOPS.get(j["stopReason"], "stop")
        elif kind == "metadata":
            usage, error = j.get("usage"), None
    return said(text, list(tools.values()), stop, bedrock_usage(usage), error)


def cohere_usage(u):
    u = (u or {}).get("billed_units") or (u or {}).get("tokens")
    return (int(u.get("input_tokens", 0)), int(u.get("output_tokens", 0))) if u else (None, None)


def cohere_whole(j):
    m = j["message"]
    return said(chat_text(m.get("content")), [(t["function"]["name"], t["function"]["arguments"]) for t in m.get("tool_calls") or []],
                COHERE_STOPS.get(j["finish_reason"], "stop"), cohere_usage(j.get("usage")))


def cohere_stream(body):
    text, tools, stop, usage, error = "", {}, "stop", None, "no end"
    for _, data in sse(body):
        if data == "[DONE]":
            continue
        j = json.loads(data)
        m = ((j.get("delta") or {}).get("message") or {})
        if j["type"] == "content-delta":
            text += m["content"].get("text", "")
        elif j["type"] == "tool-call-start":
            f = m["tool_calls"]["function"]
            tools[j["index"]] = [f["name"], f.get("arguments") or ""]
        elif j["type"] == "tool-call-delta":
            tools[j["index"]][1] += m["tool_calls"]["function"]["arguments"]
        elif j["type"] == "message-end":
            stop, usage, error = COHERE_STOPS.get(j["delta"]["finish_reason"], "stop"), j["delta"].get("usage"), None
    return said(text, list(tools.values()), stop, cohere_usage(usage), error)


READERS = {"chat": (chat_whole, chat_stream), "responses": (responses_object, responses_stream), "messages": (messages_whole, messages_stream),
           "gemini": (lambda j: gemini_chunks([j]), gemini_stream), "bedrock": (bedrock_whole, bedrock_stream), "cohere": (cohere_whole, cohere_stream)}


def read(dialect, body, stream):
    whole, streamed = READERS[dialect]
    return streamed(body) if stream else whole(json.loads(body))


# ---- the rules of the four client dialects ----

class Broken(Exception):
    pass


def must(condition, rule):
    if not condition:
        raise Broken(rule)


def shape(v, rule, **members):
    """`v` is an object with members of these types (a tuple of types, or a set of values)."""
    must(isinstance(v, dict), f"{rule}: an object")
    for name, want in members.items():
        must(name in v, f"{rule}: has {name}")
        good = v[name] in want if isinstance(want, set) else isinstance(v[name], want) and not (isinstance(v[name], bool) and want is int)
        must(good, f"{rule}.{name} is {want}, not {v[name]!r}"[:200])


NONE = type(None)


def chat_grammar_usage(u):
    shape(u, "usage", prompt_tokens=int, completion_tokens=int, total_tokens=int, prompt_tokens_details=dict, completion_tokens_details=dict)
    must(u["total_tokens"] == u["prompt_tokens"] + u["completion_tokens"], "usage sums up")


def chat_grammar_calls(calls, whole):
    ids = [t["id"] for t in calls if "id" in t]
    must(len(set(ids)) == len(ids), "tool call ids differ")
    for t in calls:
        shape(t, "tool call", id=str, type={"function"}, function=dict)
        must(t["id"], "a tool call has an id")
        shape(t["function"], "function", name=str, arguments=str)
        must(not whole or isinstance(json.loads(t["function"]["arguments"]), dict), "arguments are an object")


def grammar_chat(j):
    shape(j, "completion", id=str, object={"chat.completion"}, created=int, model=str, choices=list)
    must(j["id"] and j["choices"], "an id and choices")
    for i, c in enumerate(j["choices"]):
        shape(c, "choice", index={i}, message=dict, logprobs=(dict, NONE), finish_reason={"stop", "length", "tool_calls", "content_filter"})
        shape(c["message"], "message", role={"assistant"}, content=(str, NONE), refusal=(str, NONE))
        if "tool_calls" in c["message"]:
            must(c["message"]["tool_calls"], "tool_calls is not empty")
            chat_grammar_calls(c["message"]["tool_calls"], True)
    if "usage" in j:
        chat_grammar_usage(j["usage"])


def grammar_chat_stream(body):
    got = [d for _, d in sse(body)]
    ids, finished, roles, opened, usages = set(), set(), set(), {}, 0
    error = '"error"' in got[-1]
    must(error or got[-1] == "[DONE]", "ends with [DONE]")
    must(all(not e for e, _ in sse(body)), "events have no name")
    for d in got[:-1]:
        j = json.loads(d)
        shape(j, "chunk", id=str, object={"chat.completion.chunk"}, created=int, model=str, choices=list)
        ids.add(j["id"])
        must(not usages, "nothing comes behind the usage")
        if not j["choices"]:
            chat_grammar_usage(j["usage"])
            usages += 1
        for c in j["choices"]:
            shape(c, "choice", index=int, delta=dict, finish_reason=(str, NONE))
            must(c["index"] not in finished, "nothing comes behind the finish_reason")
            must(("role" in c["delta"]) == (c["index"] not in roles), "the first delta has the role")
            roles.add(c["index"])
            for t in c["delta"].get("tool_calls", []):
                shape(t, "tool call", index=int, function=dict)
                key = (c["index"], t["index"])
                if key not in opened:
                    must(t["index"] == sum(k[0] == c["index"] for k in opened), "calls are counted up")
                    chat_grammar_calls([t], False)
                    opened[key] = t["id"]
                else:
                    must("id" not in t and "name" not in t["function"], "a call is named once")
            if c["finish_reason"] is not None:
                finished.add(c["index"])
    must(len(set(opened.values())) == len(opened), "tool call ids differ")
    must(len(ids) <= 1, "one id")
    must(error or 0 in finished, "there is a finish_reason")
    must(error or usages == 1, "usage comes when asked for")


def messages_grammar_usage(u):
    shape(u, "usage", input_tokens=int, output_tokens=int, cache_creation_input_tokens=int, cache_read_input_tokens=int)
    must(all(u[k] >= 0 for k in ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")), "no tokens below nought")


def grammar_block(b, whole):
    shape(b, "block", type={"text", "thinking", "redacted_thinking", "tool_use"})
    shape(b, b["type"], **{"text": {"text": str}, "thinking": {"thinking": str, "signature": str}, "redacted_thinking": {"data": str},
                           "tool_use": {"id": str, "name": str, "input": dict}}[b["type"]])
    must(b["type"] != "text" or not whole or b["text"], "no empty text")
    must(b["type"] != "tool_use" or b["id"], "an id")


MESSAGE_STOPS = {"end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal", "model_context_window_exceeded"}


def grammar_messages(j):
    shape(j, "message", id=str, type={"message"}, role={"assistant"}, model=str, content=list, stop_reason=MESSAGE_STOPS, stop_sequence=(str, NONE), usage=dict)
    must(j["id"], "an id")
    for b in j["content"]:
        grammar_block(b, True)
    ids = [b["id"] for b in j["content"] if b["type"] == "tool_use"]
    must(len(set(ids)) == len(ids), "tool ids differ")
    must((j["stop_reason"] == "stop_sequence") == (j["stop_sequence"] is not None), "the stop sequence is told")
    messages_grammar_usage(j["usage"])


DELTAS = {"text": {"text_delta"}, "thinking": {"thinking_delta", "signature_delta"}, "tool_use": {"input_json_delta"}, "redacted_thinking": set()}


def grammar_messages_stream(body):
    state, index, block, partial = "begin", 0, None, ""
    for event, data in sse(body):
        j = json.loads(data)
        kind = j["type"]
        must(event == kind, "the event's name is its type")
        if kind == "ping":
            continue
        if kind == "error":
            shape(j["error"], "error", type=str, message=str)
            state = "over"
            continue
        must(state != "over", "nothing comes behind the end")
        if kind == "message_start":
            must(state == "begin", "message_start comes first")
            shape(j["message"], "message", id=str, type={"message"}, role={"assistant"}, model=str, content=list, stop_reason=NONE, stop_sequence=NONE, usage=dict)
            messages_grammar_usage(j["message"]["usage"])
            must(j["message"]["content"] == [], "a message starts empty")
            state = "between"
        elif kind == "content_block_start":
            must(state == "between" and j["index"] == index, "blocks follow each other")
            block, partial, state = j["content_block"], "", "block"
            grammar_block(block, False)
            must(block["type"] != "tool_use" or block["input"] == {}, "a call's input comes in pieces")
        elif kind == "content_block_delta":
            must(state == "block" and j["index"] == index and j["delta"]["type"] in DELTAS[block["type"]], f"a {j['delta']['type']} in its block")
            partial += j["delta"].get("partial_json", "")
        elif kind == "content_block_stop":
            must(state == "block" and j["index"] == index, "a block ends once")
            must(block["type"] != "tool_use" or isinstance(json.loads(partial or "{}"), dict), "a call's input is an object")
            index, state = index + 1, "between"
        elif kind == "message_delta":
            must(state == "between", "message_delta comes between blocks")
            shape(j["delta"], "delta", stop_reason=MESSAGE_STOPS, stop_sequence=(str, NONE))
            messages_grammar_usage(j["usage"])
            state = "told"
        else:
            must(kind == "message_stop" and state == "told", f"{kind} has its place")
            state = "over"
    must(state == "over", "the message ends")


FINISH_REASONS = {"STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "LANGUAGE", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MALFORMED_FUNCTION_CALL"}


def grammar_gemini_chunk(j, whole):
    shape(j, "answer", candidates=list, modelVersion=str, responseId=str)
    for c in j["candidates"]:
        shape(c, "candidate", content=dict, index=int)
        shape(c["content"], "content", role={"model"}, parts=list)
        for p in c["content"]["parts"]:
            must(len(set(p) & {"text", "functionCall", "inlineData"}) == 1, "a part is one thing")
            if "functionCall" in p:
                shape(p["functionCall"], "functionCall", id=str, name=str, args=dict)
        must(not whole or c.get("finishReason") in FINISH_REASONS, "a finishReason")
    if "usageMetadata" in j:
        u = j["usageMetadata"]
        shape(u, "usageMetadata", promptTokenCount=int, candidatesTokenCount=int, totalTokenCount=int)
        must(u["totalTokenCount"] == u["promptTokenCount"] + u["candidatesTokenCount"] + u.get("thoughtsTokenCount", 0), "usage sums up")


def grammar_gemini(j):
    grammar_gemini_chunk(j, True)
    ids = [p["functionCall"]["id"] for p in j["candidates"][0]["content"]["parts"] if "functionCall" in p]
    must(len(set(ids)) == len(ids), "call ids differ")


def grammar_gemini_stream(body):
    chunks = [json.loads(d) for _, d in sse(body)]
    for i, j in enumerate(chunks):
        if "error" in j:
            must(i == len(chunks) - 1, "nothing comes behind an error")
            shape(j["error"], "error", code=int, message=str, status=str)
            return
        grammar_gemini_chunk(j, False)
        finish = [c for c in j["candidates"] if c["index"] == 0 and c.get("finishReason")]
        must(bool(finish) == (i == len(chunks) - 1), "the last chunk has the finishReason")
    must(chunks[-1]["candidates"][0]["finishReason"] in FINISH_REASONS, "a finishReason")


def grammar_item(i):
    shape(i, "item", type={"message", "function_call", "reasoning"}, id=str)
    if i["type"] == "message":
        shape(i, "message", role={"assistant"}, status=str, content=list)
        for p in i["content"]:
            shape(p, "part", type={"output_text", "refusal"})
            if p["type"] == "output_text":
                shape(p, "output_text", text=str, annotations=list)
    elif i["type"] == "function_call":
        shape(i, "function_call", call_id=str, name=str, arguments=str, status=str)
    else:
        shape(i, "reasoning", summary=list)


def grammar_responses(r, status=frozenset({"completed", "incomplete", "failed"})):
    shape(r, "response", id=str, object={"response"}, created_at=int, status=set(status), model=str, output=list, error=(dict, NONE), incomplete_details=(dict, NONE),
          instructions=(str, list, NONE), metadata=(dict, NONE), parallel_tool_calls=bool, temperature=(int, float, NONE), tool_choice=(str, dict), tools=list, top_p=(int, float, NONE))
    for i in r["output"]:
        grammar_item(i)
    calls = [i["call_id"] for i in r["output"] if i["type"] == "function_call"]
    must(len(set(calls)) == len(calls), "call ids differ")
    must(len({i["id"] for i in r["output"]}) == len(r["output"]), "item ids differ")
    if r.get("usage"):
        u = r["usage"]
        shape(u, "usage", input_tokens=int, output_tokens=int, total_tokens=int, input_tokens_details=dict, output_tokens_details=dict)
        must(u["total_tokens"] == u["input_tokens"] + u["output_tokens"], "usage sums up")


# What an event about an item has besides type, sequence_number, output_index, item_id; and the event that tells the whole of its deltas.
RESPONSE_EVENTS = {
    "response.content_part.added": {"content_index": int, "part": dict},
    "response.content_part.done": {"content_index": int, "part": dict},
    "response.output_text.delta": {"content_index": int, "delta": str, "logprobs": list},
    "response.output_text.done": {"content_index": int, "text": str, "logprobs": list},
    "response.refusal.delta": {"content_index": int, "delta": str},
    "response.refusal.done": {"content_index": int, "refusal": str},
    "response.reasoning_summary_part.added": {"summary_index": int, "part": dict},
    "response.reasoning_summary_part.done": {"summary_index": int, "part": dict},
    "response.reasoning_summary_text.delta": {"summary_index": int, "delta": str},
    "response.reasoning_summary_text.done": {"summary_index": int, "text": str},
    "response.function_call_arguments.delta": {"delta": str},
    "response.function_call_arguments.done": {"name": str, "arguments": str},
}
RESPONSE_ENDS = ("response.completed", "response.incomplete", "response.failed")


class ResponsesStream:
    """The state of a stream; each kind of event has its place, and what is told again is what was told."""

    def __init__(self):
        self.items, self.done, self.open, self.part, self.told, self.closed = [], [], None, None, "", set()

    def added(self, j):
        must(self.open is None, "an item is added when the one before is done")
        must(j["output_index"] == len(self.items), "items are counted up")
        grammar_item(j["item"])
        must(not j["item"].get("content") and not j["item"].get("summary") and not j["item"].get("arguments"), "an item starts empty")
        must(j["item"].get("status", "in_progress") == "in_progress", "an item that is added is in progress")
        self.items.append(j["item"]["id"])
        self.open, self.part, self.told, self.closed = j["item"], None, "", set()

    def item_done(self, j):
        item = j["item"]
        must(self.open is not None and item["id"] == self.open["id"] and j["output_index"] == len(self.items) - 1, "an item is added before it is done")
        grammar_item(item)
        must(item["type"] == self.open["type"] and item.get("status", "completed") == "completed", "an item that is done is complete")
        must(self.part is None, "its parts are done before an item is")
        whole = "".join(p.get("text", p.get("refusal", "")) for p in item.get("content") or item.get("summary") or []) + item.get("arguments", "")
        must(whole == self.told, "an item is what its deltas told")
        must("arguments" not in item or "arguments" in self.closed, "arguments are done before their item")
        self.done.append(item)
        self.open = None

    def within(self, kind, j):
        must(kind in RESPONSE_EVENTS, f"an event called {kind}")
        shape(j, kind, output_index=int, item_id=str, **RESPONSE_EVENTS[kind])
        must(self.open is not None and j["item_id"] == self.open["id"] and j["output_index"] == len(self.items) - 1, f"{kind} is in its item")
        what, step = kind.split(".")[1:]
        if what.endswith("part"):
            must((self.part is None) == (step == "added"), "parts open and close")
            self.part = j["part"] if step == "added" else None
            if step == "done":
                must(j["part"].get("text", j["part"].get("refusal")) == self.told, "a part is what its deltas told")
            return
        must(what == "function_call_arguments" or self.part is not None, f"{kind} is in a part")
        must((what == "function_call_arguments") == (self.open["type"] == "function_call") and what.startswith("reasoning") == (self.open["type"] == "reasoning"), f"{kind} fits its item")
        if step == "delta":
            must(j["delta"], "no empty delta")
            self.told += j["delta"]
        else:
            must(j.get("text", j.get("refusal", j.get("arguments"))) == self.told, f"{kind} is what its deltas told")
            self.closed.add(kind.split("_")[-1].split(".")[0])

    def over(self, kind, response):
        grammar_responses(response, {kind.split(".")[1]})
        failed = kind == "response.failed"
        must(self.open is None or failed, "every item is done")
        must(response["output"] == self.done, "the response has the items that were told")
        must(bool(response["error"]) == failed, "what failed has an error")


def grammar_responses_stream(body):
    state, number, s = "begin", 0, ResponsesStream()
    for event, data in sse(body):
        j = json.loads(data)
        kind = j["type"]
        must(event == kind, "the event's name is its type")
        must(state != "over", "nothing comes behind the end")
        must(state != "failed" or kind == "response.failed", "only response.failed comes behind an error")
        must(j.get("sequence_number") == number, "events are counted up")
        number += 1
        if kind == "error":
            shape(j, kind, code=(str, NONE), message=str, param=(str, NONE))
            state = "failed"
        elif kind in ("response.created", "response.in_progress"):
            must(number == (1 if kind == "response.created" else 2), f"{kind} comes first")
            grammar_responses(j["response"], {"in_progress"})
        elif kind in RESPONSE_ENDS:
            s.over(kind, j["response"])
            state = "over"
        elif kind == "response.output_item.added":
            s.added(j)
        elif kind == "response.output_item.done":
            s.item_done(j)
        else:
            s.within(kind, j)
    must(state == "over", "the response ends in completed, incomplete or failed")


GRAMMAR = {"chat": (grammar_chat, grammar_chat_stream), "responses": (grammar_responses, grammar_responses_stream),
           "messages": (grammar_messages, grammar_messages_stream), "gemini": (grammar_gemini, grammar_gemini_stream)}


def grammar(dialect, body, stream):
    """The first rule that is broken, None when there is none."""
    whole, streamed = GRAMMAR[dialect]
    try:
        streamed(body) if stream else whole(json.loads(body))
    except Broken as e:
        return str(e)
    except (KeyError, IndexError, TypeError, ValueError) as e:
        return repr(e)
    return None
