#!/usr/bin/env bash
# Builds one of the test builds, runs its tests, and closes with a line that says
# how many passed. Everything after the build's name goes to `meson test`.
#
#     tools/test.sh gcc  [ARGUMENT...]    build/test: gcc
#     tools/test.sh asan [ARGUMENT...]    build/asan: clang, ASan and UBSan
#
# tools/setup.sh test installs what this needs.
set -euo pipefail

cd "$(dirname "$0")/.."

build=${1-}
case $build in
gcc)
    dir=build/test
    export CC=gcc
    options=()
    ;;
asan)
    dir=build/asan
    export CC=clang
    # clang puts the sanitizers' runtime into executables only: hence b_lundef.
    options=('-Db_sanitize=address,undefined' -Db_lundef=false -Dc_args=-fno-sanitize-recover=all)
    export UBSAN_OPTIONS=${UBSAN_OPTIONS-print_stacktrace=1}
    ;;
*)
    echo 'usage: tools/test.sh gcc|asan [ARGUMENT...]' >&2
    exit 2
    ;;
esac
shift

if [ ! -e "$dir/build.ninja" ]; then
    meson setup "$dir" --buildtype=debugoptimized --werror "${options[@]}"
fi
ninja -C "$dir"

# A log of an earlier run must not be counted.
rm -f "$dir/meson-logs/testlog.json"

# More than two at a time would disturb the tests that measure time.
status=0
meson test -C "$dir" --no-rebuild --print-errorlogs --num-processes 2 "$@" || status=1
tools/tally.py "$dir" || status=1
exit "$status"
