#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# format.sh [--check]: puts all C files into the format of .clang-format, or names those that
# are not in it and exits with 1.
set -eu
cd "$(dirname "$0")/.."
mode=(-i)
[ "${1-}" = --check ] && mode=(--dry-run -Werror)
find include src tests -name '*.[ch]' -print0 | xargs -0 -r clang-format "${mode[@]}"
