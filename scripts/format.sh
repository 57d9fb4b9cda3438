#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# format.sh [--check]: puts all C files into the format of .clang-format, or names those that
# are not in it and exits with 1.
set -eu
cd "$(dirname "$0")/.."
if [ "${1-}" = --check ]; then
    # shellcheck disable=SC2016 # $1 is the inner shell's
    find include src tests -name '*.[ch]' -print0 |
        xargs -0 -r -P 2 -n 20 sh -c 'status=0
            for file; do
                clang-format "$file" | cmp -s - "$file" || { echo "$file"; status=1; }
            done
            exit $status' sh
else
    find include src tests -name '*.[ch]' -print0 | xargs -0 -r clang-format -i
fi
