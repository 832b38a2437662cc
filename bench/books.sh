#!/usr/bin/env bash
# script/bench books [--calls N]: what booking a call costs, and how fast a large ledger answers (docs/ledger.md).
#   append   all events of a call on the worker; promised: under 1 us
#   run      books thread at 5,000 calls/s; promised: at most 10 us CPU per call, at most 500 bytes on disk
#   reader   the same while a SELECT of a user's runs for a minute: nothing is lost, appending takes as long as before
#   ask      N calls over 100 days (default 1 million; issue: --calls 10000000): each answer under 200 ms
set -euo pipefail
calls=1000000
[ "${1:-}" = --calls ] && calls=$2
build=${DRAY_BUILD:-build}
ninja -C "$build" bench/bench-books >/dev/null
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/append" "$dir/run" "$dir/reader" "$dir/large"
"$build/bench/bench-books" append "$dir/append"
"$build/bench/bench-books" run "$dir/run" 5000 30
"$build/bench/bench-books" reader "$dir/reader" 5000 62
"$build/bench/bench-books" fill "$dir/large" "$calls"
"$build/bench/bench-books" ask "$dir/large"
[ "$calls" -gt 2000000 ] || python3 tests/check_money.py "$dir/large/dray.db"
