#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# demo.sh BIN: mounts a local demo at ./mnt, says what to try, unmounts on Ctrl-C.
#
# Always --local: sandboxes on this machine, no account, nothing that costs money.
# shellcheck disable=SC2317 # end() is called by a trap
set -u
cd "$(dirname "$0")/.." || exit
bin=$1
mnt=$PWD/mnt

die() {
    printf 'make run: %s\n' "$1" >&2
    exit 1
}

is_mounted() {
    grep -qF " $mnt fuse" /proc/self/mounts
}

[ -e /dev/fuse ] || die '/dev/fuse is missing; as root: modprobe fuse'
(: <>/dev/fuse) 2>/dev/null || die '/dev/fuse cannot be opened; as root: chmod 666 /dev/fuse'
# A mount whose program died answers nothing and may be replaced; e2bfs does that.
if is_mounted && timeout 5 test -e "$mnt/.e2b"; then
    die "mnt is mounted already (another make run?); to end it: fusermount3 -u mnt"
fi
mkdir -p "$mnt" 2>/dev/null || is_mounted || die 'mnt cannot be made here'

# In a session of its own, so that Ctrl-C reaches this script alone and unmounting is orderly.
PATH=$PWD/$bin:$PATH setsid "$bin/e2bfs" --local -f "$mnt" &
pid=$!
end() {
    trap '' INT TERM HUP
    kill -TERM "$pid" 2>/dev/null
    wait "$pid"
    rmdir "$mnt" 2>/dev/null
    echo
    exit 0
}
trap end INT TERM HUP

# Its own words say why, if it ends instead.
until is_mounted && timeout 5 test -e "$mnt/.e2b/version"; do
    kill -0 "$pid" 2>/dev/null || { wait "$pid"; exit; }
    sleep 0.1
done
id=$(cd "$mnt" && printf '%s\n' * | head -n 1)

cat <<TEXT

A demo account with sandboxes on this machine is mounted at ./mnt.  In another terminal:

  ls mnt                                      one directory per sandbox
  cat mnt/$id/info.json
  cat mnt/*/metrics
  ls -l mnt/$id/home/              the sandbox's own files
  echo hello > mnt/$id/home/hello
  cp mnt/$id/fs/etc/passwd /tmp/   out of it
  df mnt/$id
  $bin/e2b-inspect exec mnt/$id/home -- uname -a
  echo 'extend 10m' > mnt/$id/ctl
  echo kill > mnt/$id/ctl          ends the sandbox
  cat mnt/.e2b/README

Ctrl-C here unmounts.
TEXT
wait "$pid"
status=$?
rmdir "$mnt" 2>/dev/null
exit $status
