#!/usr/bin/env bash
# dray analyze beside a Python json loop and jq, one core each, the same files in the same run; memory on a long stream.
#   bench/analyze.sh [--quick]     GB=20 sets the length of the stream (2 where it isn't set)
# Rates are input bytes by CPU seconds (user + system), so that other load on the machine counts little; three runs, the best.
set -euo pipefail
cd "$(dirname "$0")/.."
dray=$PWD/${DRAY_BUILD:-build}/dray
count=40000 runs=3 gb=${GB:-2}
[ "${1:-}" = --quick ] && count=5000 runs=1 gb=0.2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 bench/analyze_logs.py lines $count 8000 >"$dir/8kB"
python3 bench/analyze_logs.py lines $((count * 2)) 2000 >"$dir/2kB"
python3 bench/analyze_logs.py lines $count 8000 --no-usage >"$dir/8kB-no-usage"
cat >"$dir/loop.py" <<'PY'
import json, sys
n = i = o = 0
for line in open(sys.argv[1], "rb"):
    u = json.loads(line)["response"].get("usage") or {}
    n += 1
    i += u.get("prompt_tokens", 0)
    o += u.get("completion_tokens", 0)
print(n, i, o)
PY

row() { # NAME FILE COMMAND...: MB/s of CPU time
    local name=$1 file=$2 best=
    shift 2
    for _ in $(seq $runs); do
        local t
        t=$( { TIMEFORMAT='%U %S'; time taskset -c 0 "$@" >/dev/null 2>&1; } 2>&1 | awk '{print $1 + $2}')
        best=$(awk -v a="$t" -v b="${best:-999}" 'BEGIN {print a < b ? a : b}')
    done
    awk -v n="$name" -v b="$(stat -c %s "$file")" -v s="$best" 'BEGIN {printf "%-58s %8.0f MB/s\n", n, b / 1e6 / s}'
}

for f in 8kB 2kB 8kB-no-usage; do
    row "$f lines: count and price (analyze --no-text)" "$dir/$f" "$dray" analyze --no-text --json "$dir/$f"
    row "$f lines: everything (analyze)" "$dir/$f" "$dray" analyze --json "$dir/$f"
    row "$f lines: Python json loop, counting" "$dir/$f" python3 "$dir/loop.py" "$dir/$f"
    command -v jq >/dev/null && row "$f lines: jq, counting" "$dir/$f" jq -n 'reduce inputs as $l ([0,0]; [.[0] + ($l.response.usage.prompt_tokens // 0), .[1] + ($l.response.usage.completion_tokens // 0)])' "$dir/$f"
done
python3 bench/analyze_logs.py stream "$gb" 8000 | { /usr/bin/time -f "stream of $gb GB on standard input: %M kB at most, %U s user" "$dray" analyze --json - >"$dir/out"; }
python3 -c "import json, sys; r = json.load(open(sys.argv[1])); print('    ', r['calls'], 'calls,', r['repeated_prompts']['calls'], 'repeats; notes:', *[n for n in r['notes'] if 'sketch' in n])" "$dir/out"
