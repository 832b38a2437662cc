#!/bin/sh
# One object with everything that libdray needs and no name that is not its own, in an archive:
# static.sh OUT.a PUBLIC.a ARCHIVE.a…
set -eu
out=$1 public=$2
shift 2
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
ld -r -o "$dir/all.o" --whole-archive "$public" --no-whole-archive --start-group "$@" --end-group
objcopy --wildcard --keep-global-symbol='dray_*' "$dir/all.o" "$dir/dray.o"
rm -f "$out"
ar rcsD "$out" "$dir/dray.o"
