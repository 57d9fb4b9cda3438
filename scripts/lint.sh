#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# lint.sh [--quick]: every static check; --quick leaves out those that take minutes.
# Prints TAP, one line per check, so that the test run can count them.
# shellcheck disable=SC2317 # checks are called by name
set -u
cd "$(dirname "$0")/.." || exit
quick=
[ "${1-}" = --quick ] && quick=yes
number=0 failed=0

# check TITLE COMMAND...: the output is shown only if the command fails.
check() {
    local title=$1 output
    shift
    number=$((number + 1))
    if output=$("$@" 2>&1); then
        printf 'ok %d %s\n' "$number" "$title"
    else
        failed=1
        printf 'not ok %d %s\n' "$number" "$title"
        printf '# %s\n' "${output//$'\n'/$'\n# '}"
    fi
}

man_pages() {
    local pages output
    pages=$(find man -name '*.[1-8]')
    # shellcheck disable=SC2086 # a list of names without spaces
    [ -z "$pages" ] || output=$(mandoc -T lint -W warning $pages 2>&1)
    [ -z "${output-}" ] || { echo "$output"; return 1; }
}

sources=$(find src tests -name '*.c')
tidy() {
    make -s compile_commands.json &&
        xargs -P 2 -n 4 clang-tidy -p . --quiet --warnings-as-errors='*' <<<"$sources"
}
cpp() {
    # shellcheck disable=SC2086 # a list of names without spaces
    cppcheck --quiet --error-exitcode=1 --enable=warning,portability,performance -j 2 \
        --inline-suppr --suppress=missingIncludeSystem --suppress=varFuncNullUB --std=c11 \
        --include=scripts/cppcheck-macros.h -D_GNU_SOURCE -Iinclude -Isrc $sources
}

check 'includes go only where layers allow' scripts/check-layers.sh
check 'shell scripts are clean' shellcheck -x -S style scripts/*.sh .ci/run tests/bats/helpers.bash \
    tests/bats/*.bats tests/bench/*.sh
check 'manual pages are clean' man_pages
check 'C files are in the project format' scripts/format.sh --check
if [ -z "$quick" ]; then
    check 'cppcheck finds nothing' cpp
    check 'clang-tidy finds nothing' tidy
fi
printf '1..%d\n' "$number"
exit $failed
