#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# as-user.sh BUILD COMMAND...: runs COMMAND in a copy of the tests as an ordinary user.
#
# For root only.  Everything happens in a private mount namespace: a device node for FUSE that
# everybody may open, an account that exists nowhere else, and mounts that vanish with it.
# BUILD is the tree with the programs (build/release); E2B_BUILD names the copy of it.
set -eu
cd "$(dirname "$0")/.."

if [ "${1-}" != --inside ]; then
    exec unshare --mount --propagation private -- "$0" --inside "$@"
fi
shift
build=$1
shift
user=e2btest uid=61853
dir=$(mktemp -d "${TMPDIR:-/tmp}/e2b-user.XXXXXX")
trap 'cd / && umount -l "$dir" && rmdir "$dir"' EXIT
# Not "nodev": the node below is to be used.
mount -t tmpfs -o mode=755,size=6g e2b-user "$dir"

for file in passwd group; do
    cp "/etc/$file" "$dir/$file"
done
echo "$user:x:$uid:$uid::$dir/home:/bin/bash" >>"$dir/passwd"
echo "$user:x:$uid:" >>"$dir/group"
for file in passwd group; do
    mount --bind "$dir/$file" "/etc/$file"
done

mknod -m 666 "$dir/fuse" c 10 229
mount --bind "$dir/fuse" /dev/fuse

mkdir -p "$dir/home" "$dir/tmp" "$dir/src/scripts" "$dir/src/$build"
cp -r tests README.md Makefile "$dir/src"
cp -r scripts/. "$dir/src/scripts"
for part in bin lib helpers; do
    [ -e "$build/$part" ] && cp -r "$build/$part" "$dir/src/$build"
done
chmod -R u+rwX,go+rX "$dir/src"
chown -R "$uid:$uid" "$dir/home" "$dir/tmp" "$dir/src"

cd "$dir/src"
status=0
setpriv --reuid=$uid --regid=$uid --clear-groups -- env HOME="$dir/home" USER=$user \
    LOGNAME=$user TMPDIR="$dir/tmp" XDG_RUNTIME_DIR= E2B_BUILD="$build" "$@" || status=$?
exit $status
