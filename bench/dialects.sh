#!/usr/bin/env bash
# script/bench dialects: what translation between dialects costs (bench/dialects.c). Exit code 1 past what is promised.
set -euo pipefail
build=${DRAY_BUILD:-build}
ninja -C "$build" bench/bench-dialects >/dev/null
exec "$build/bench/bench-dialects"
