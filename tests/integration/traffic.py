"""Mixed traffic for tests of the books: requests of many kinds, sent by several processes, the same for a seed."""
import json
import multiprocessing
import random

from lib import Client, request_bytes

SECRET = "the zebra's passphrase is quagga-7"  # in every prompt: must be nowhere in the books
PROMPTS = (
    "Classify the sentiment of this review as positive or negative: {}",
    "Extract the invoice number and the total as JSON from this text: {}",
    "Summarize the following report in two sentences: {}",
    "Translate into German: {}",
    "Write a Python function that parses this format and add tests: {}",
    "Prove step by step that the following holds, and state every assumption: {}",
    "Make a project plan with milestones, risks and owners for: {}",
    "What is the capital of the country described here? {}",
    "{}",
)
WORDS = "order river quarter margin shipment bridge harvest engine ledger window permit valley copper signal meadow".split()


def prompt(rnd):
    n = rnd.choice((5, 20, 60, 200, 900, 2500))
    return rnd.choice(PROMPTS).format(SECRET + " " + " ".join(rnd.choice(WORDS) for _ in range(n)))


def maybe(rnd, share, make):
    return make() if rnd.random() < share else None


def shape(rnd, models):
    """One request: path, body, headers."""
    body = {"model": rnd.choice(models), "messages": [{"role": "user", "content": prompt(rnd)}]}
    if rnd.random() < 0.3:
        body["messages"].insert(0, {"role": "system", "content": f"You are assistant {rnd.randrange(5)}. {SECRET}"})
    if rnd.random() < 0.25:
        body["stream"] = True
    if rnd.random() < 0.3:
        body["max_tokens"] = rnd.choice((1, 50, 4000))
    if rnd.random() < 0.2:
        body["tools"] = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]
    if rnd.random() < 0.3:
        body["metadata"] = {"app": rnd.choice(("mail", "shop"))}
    headers = {
        "authorization": "Bearer " + rnd.choice(("key-one", "key-two", "key-bot")),
        "x-app": maybe(rnd, 0.6, lambda: rnd.choice(("web", "mobile", ""))),
        "x-env": maybe(rnd, 0.6, lambda: rnd.choice(("prod", "test"))),
        "x-dray-user": maybe(rnd, 0.5, lambda: rnd.choice(("ann", "bob", "c\tl", "d" * 600))),
        "x-dray-tags": maybe(rnd, 0.4, lambda: rnd.choice(("night", "night, eu", "eu"))),
        "x-dray-task": maybe(rnd, 0.1, lambda: rnd.choice(("code", "qa"))),
        "x-dray-stakes": maybe(rnd, 0.15, lambda: rnd.choice(("low", "high"))),
        "x-dray-tier": maybe(rnd, 0.05, lambda: rnd.choice(("light", "frontier"))),
        "x-dray-max-cost-usd": maybe(rnd, 0.1, lambda: "0.02"),
    }
    return "/v1/chat/completions", body, {k: v for k, v in headers.items() if v is not None}


def shapes(seed, count, models):
    rnd = random.Random(seed)
    return [shape(rnd, models) for _ in range(count)]


def wire(s):
    path, body, headers = s
    return request_bytes("POST", path, json.dumps(body).encode(), headers)


def one_process(args):
    port, raw, count, seed = args
    rnd, out = random.Random(seed), []
    with Client(port) as c:
        for _ in range(count):
            i = rnd.randrange(len(raw))
            c.send(raw[i])
            m = c.answer()
            out.append((m.get("x-dray-call-id"), i, m.status))
    return out


def send(port, some, count, processes=3, seed=0):
    """Sends `count` calls drawn from the shapes; list of (call id, index of its shape, status)."""
    raw = [wire(s) for s in some]
    parts = [(port, raw, count // processes + (k < count % processes), seed * 100 + k) for k in range(processes)]
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        return [x for part in pool.map(one_process, parts) for x in part]
