#!/usr/bin/env bash
# Checks that all C code is formatted as .clang-format says.
#
#     tools/format.sh          says what is not, and fails
#     tools/format.sh --fix    formats it in place
#
# Versions of clang-format differ in taste: Debian 12's, 14, is the one that counts.
set -euo pipefail

cd "$(dirname "$0")/.."

case ${1-} in
'') mode=(--dry-run -Werror) ;;
--fix) mode=(-i) ;;
*)
    echo 'usage: tools/format.sh [--fix]' >&2
    exit 2
    ;;
esac

git ls-files -z -- '*.[ch]' | xargs -0 --no-run-if-empty clang-format-14 "${mode[@]}"
