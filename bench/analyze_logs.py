#!/usr/bin/env python3
"""Makes chat logs for bench/analyze.sh: {request, response} lines of about SIZE bytes.

    analyze_logs.py lines COUNT SIZE [--no-usage]    COUNT lines, every text different
    analyze_logs.py stream GIGABYTES SIZE            as many as fit, fast: texts repeat, ids and prompts don't
"""
import json
import random
import sys

WORDS = """the of and customer order invoice please ticket refund delivery account email system model answer with from number total price
shipping status return policy payment update address request message below following text name date amount company product review
positive negative neutral report quarter revenue growth table column""".split()
TASKS = ["Classify the following support ticket into billing, shipping or other.", "Extract the invoice number and the total from this text.",
         "Summarize the following text in two sentences.", "Write a Python function that does this.", "Why does the following happen? Explain step by step.",
         "Translate to German:"]
MODELS = ["gpt-4o", "gpt-4o-mini", "gpt-4.1", "o3-mini"]


def words(n):
    return " ".join(random.choice(WORDS) for _ in range(n))


SYSTEMS = [f"You are a helpful assistant for team {i}. {words(120)}" for i in range(40)]


def line(i, size, usage=True, mark=None):
    name = mark or i
    text, have = [], 0
    while have < size - 1500:
        text.append(words(12) + (', "quoted"' if random.random() < 0.3 else "") + "\n")
        have += len(text[-1]) + 2
    model = random.choice(MODELS)
    used = (random.randint(500, 2500), random.randint(5, 300))
    answer = {"id": f"chatcmpl-{name}", "object": "chat.completion", "created": 1760000000 + i, "model": model,
              "choices": [{"index": 0, "message": {"role": "assistant", "content": words(60)}, "finish_reason": "stop"}]}
    if usage:
        answer["usage"] = {"prompt_tokens": used[0], "completion_tokens": used[1], "total_tokens": sum(used),
                           "prompt_tokens_details": {"cached_tokens": used[0] // 3 if i % 2 else 0}}
    prompt = f"{random.choice(TASKS)}\n\n{name} {''.join(text)}"
    return json.dumps({"request": {"model": model, "messages": [{"role": "system", "content": random.choice(SYSTEMS)}, {"role": "user", "content": prompt}],
                                   "temperature": 0}, "response": answer}) + "\n"


def main():
    random.seed(7)
    out = sys.stdout.buffer
    if sys.argv[1] == "lines":
        for i in range(int(sys.argv[2])):
            out.write(line(i, int(sys.argv[3]), "--no-usage" not in sys.argv).encode())
        return
    pieces = [line(k, int(sys.argv[3]), mark="@@").encode().split(b"@@") for k in range(200)]
    left, i = float(sys.argv[2]) * 1e9, 0
    while left > 0:
        batch = b"".join((b"%d" % (i + k)).join(p) for k, p in enumerate(pieces))
        out.write(batch)
        i += len(pieces)
        left -= len(batch)


main()
