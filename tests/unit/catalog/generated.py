#!/usr/bin/env python3
"""src/catalog/models.inc is what script/catalog makes of the price lists; skipped where they are not."""
import os
import subprocess
import sys

root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..")
for shared in (os.environ.get("DRAY_SHARED"), os.path.join(root, "..", "shared"), os.path.join(root, "..", "..", "shared")):
    prices = shared and os.path.join(shared, "data", "prices")
    if prices and os.path.isdir(prices):
        break
else:
    print("skipped: no ../shared/data/prices")
    sys.exit(77)
made = subprocess.run([os.path.join(root, "script", "catalog"), os.path.join(prices, "litellm-model_prices_and_context_window.json"),
                       os.path.join(prices, "models-dev.jsonl")], capture_output=True, text=True, check=True).stdout
with open(os.path.join(root, "src", "catalog", "models.inc"), encoding="utf-8") as f:
    if f.read() != made:
        sys.exit("src/catalog/models.inc is not what script/catalog makes")
