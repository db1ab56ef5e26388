#!/usr/bin/env bash
# Builds libmoonlatch and its tests with ThreadSanitizer, in build/tsan, and runs them.
set -euo pipefail

cd "$(dirname "$0")/.."

dir=build/tsan
tests=(library_calls library_breaks library_leases)

if [ ! -e "$dir/build.ninja" ]; then
    CC=clang meson setup "$dir" --buildtype=debugoptimized -Db_sanitize=thread -Db_lundef=false
fi
ninja -C "$dir" "${tests[@]/#/test/}"
for test in "${tests[@]}"; do
    TSAN_OPTIONS=halt_on_error=1 "$dir/test/$test"
done
