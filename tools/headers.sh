#!/bin/sh
# Checks that every header compiles on its own, and also when it is included
# twice. Run by `meson test`, which gives the compiler as arguments.
set -eu

cd "$(dirname "$0")/.."

if [ $# -eq 0 ]; then
    echo "usage: tools/headers.sh COMPILER [ARGUMENT...]" >&2
    exit 2
fi

status=0
flags=$(pkg-config --cflags libuv luajit hiredis)
headers=$(find client include src test -name node_modules -prune -o -name '*.h' -print | sort)

for header in $headers; do
    # The flags are several words.
    # shellcheck disable=SC2086
    printf '#include "%s"\n#include "%s"\n' "$header" "$header" |
        "$@" -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror $flags -I. -Iinclude -Isrc -fsyntax-only -x c - || {
        echo "$header does not compile on its own" >&2
        status=1
    }
done

exit "$status"
