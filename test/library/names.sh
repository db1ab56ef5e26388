#!/bin/sh
# Checks what programs see of libmoonlatch: the names that moonlatch.h has, and no others; and that
# the header is C++ as well.
#
#     names.sh LIBRARY.so LIBRARY.a
set -eu

header=$(dirname "$0")/../../include/moonlatch.h
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Functions of the header: names before a parenthesis, but for the types of callbacks.
grep -v '^typedef' "$header" | grep -oE '\bmoonlatch_[a-z0-9_]+\(' | grep -oE '[a-z0-9_]+' |
    grep -v '^moonlatch_on_' | sort -u >"$work/header"

nm -D --defined-only "$1" | awk '$2 == "T" {sub(/@.*/, "", $3); print $3}' | sort >"$work/shared"
nm --defined-only "$2" | awk '$2 ~ /^[A-Z]$/ {print $3}' | grep -v '^__' | sort >"$work/static"
diff "$work/header" "$work/shared"
diff "$work/header" "$work/static"

if command -v g++ >/dev/null; then
    echo '#include "moonlatch.h"
int main() { return moonlatch_status_text(MOONLATCH_OK) == nullptr; }' >"$work/program.cc"
    g++ -Wall -Wextra -Werror -I"$(dirname "$header")" -fsyntax-only "$work/program.cc"
fi
