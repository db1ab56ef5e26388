#!/bin/sh
# Makes a static library of which programs see what begins with PREFIX, and nothing else: the parts
# are linked into one object, whose other symbols become its own.
#
#     tools/archive.sh OUTPUT PREFIX PART.a...
set -eu

output=$1
prefix=$2
shift 2

object=${output%.a}.o
rm -f "$output"
ld -r -o "$object" --whole-archive "$@"
objcopy --wildcard --keep-global-symbol="${prefix}*" "$object"
ar rcs "$output" "$object"
rm -f "$object"
