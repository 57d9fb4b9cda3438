#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# install-deps.sh run|test|coverage: installs the Debian packages that are missing.
#
# Quick and silent when everything is there.  Needs root or sudo only when something is not.
# Packages are listed here and nowhere else.
set -u

die() {
    printf 'install-deps: %s\n' "$1" >&2
    exit 1
}

# To build and to run the three programs.
run_packages=(
    gcc libc6-dev make pkg-config
    libfuse3-dev fuse3 libcurl4-openssl-dev libjansson-dev libmicrohttpd-dev nettle-dev zlib1g-dev
    uthash-dev bubblewrap ca-certificates
)

# What the tests use besides: the harness, the checkers, and the programs that act as users.
test_packages=(
    bats jq python3 expect procps psmisc util-linux mount passwd
    clang libclang-rt-14-dev llvm clang-tidy clang-format cppcheck shellcheck mandoc valgrind
    curl dash attr rsync git file libc6-dbg
)

coverage_packages=(gcovr)

case "${1-}" in
run) packages=("${run_packages[@]}") ;;
test) packages=("${run_packages[@]}" "${test_packages[@]}") ;;
coverage) packages=("${run_packages[@]}" "${test_packages[@]}" "${coverage_packages[@]}") ;;
*) die 'usage: install-deps.sh run|test|coverage' ;;
esac

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    die "this is not Debian: install by hand what these packages hold: ${packages[*]}"
fi

# One question for all of them; unknown ones are on stderr, removed ones say "deinstall".
installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${packages[@]}" 2>/dev/null |
    sed -n 's/ installed$//p')
missing=()
for package in "${packages[@]}"; do
    grep -qxF -- "$package" <<<"$installed" || missing+=("$package")
done
# Only the smallest Debian lacks this link; without it nobody but root can unmount.
mtab=/etc/mtab
[ ${#missing[@]} -eq 0 ] && [ -e $mtab ] && exit 0

if [ "$(id -u)" -eq 0 ]; then
    as_root=(env)
elif command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
    as_root=(sudo)
elif [ ${#missing[@]} -eq 0 ]; then
    die "no permission to make $mtab; as root: ln -s ../proc/self/mounts $mtab"
else
    die "no permission to install packages; as root: apt-get install ${missing[*]}"
fi
[ -e $mtab ] || "${as_root[@]}" ln -s ../proc/self/mounts $mtab ||
    die "$mtab cannot be made"
[ ${#missing[@]} -eq 0 ] && exit 0

log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 \
        "$@" </dev/null >>"$log" 2>&1
}

printf 'installing %d packages: %s\n' ${#missing[@]} "${missing[*]}"
install=(install -y --no-install-recommends "${missing[@]}")
# The package lists may be missing or old; they are fetched only if the first try says so.
if apt "${install[@]}" || { apt update && apt "${install[@]}"; }; then
    exit 0
fi
if grep -qE 'Could not resolve|Temporary failure|Could not connect|Failed to fetch' "$log"; then
    die 'no network: Debian packages could not be fetched'
fi
tail -n 5 "$log" >&2
die "apt-get could not install: ${missing[*]}"
