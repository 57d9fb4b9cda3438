#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# coverage.sh: unit and bats tests in a tree that counts lines; an HTML report of them.
set -eu
cd "$(dirname "$0")/.."
build=${BUILD:-build}
make=${MAKE:-make}
tree=$build/coverage
"$make" --no-print-directory -j"$(nproc)" B="$tree" COVERAGE=1 test-bins
find "$tree" -name '*.gcda' -delete
for program in "$tree"/unit/test_*; do
    [ -x "$program" ] && { "$program" >/dev/null || echo "failed: $program" >&2; }
done
E2B_BUILD=$tree bats tests/bats || true
gcovr --root . --filter src/ --object-directory "$tree" --html-details "$tree/index.html" \
    --print-summary
echo "report: $tree/index.html"
