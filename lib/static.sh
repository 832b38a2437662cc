#!/bin/sh
# One object with everything that libdray needs and no name that is not its own, in an archive:
# static.sh OUT.a MAP PUBLIC.a ARCHIVE.a…
set -eu
out=$1 map=$2 public=$3
shift 3
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
sed -n 's/.*global://p' "$map" | tr -d ' ' | tr ';' '\n' | grep . >"$dir/names"
ld -r -o "$dir/all.o" --whole-archive "$public" --no-whole-archive --start-group "$@" --end-group
objcopy --keep-global-symbols="$dir/names" "$dir/all.o" "$dir/dray.o"
rm -f "$out"
ar rcsD "$out" "$dir/dray.o"
