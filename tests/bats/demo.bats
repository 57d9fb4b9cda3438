#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# What stands behind `make run`: the demo, and the script that installs packages.

load helpers

setup() {
    setup_environment # no server, no account
    # A checkout of its own: the demo mounts at ./mnt.
    mkdir -p "$T/src"
    cp -r "$BATS_TEST_DIRNAME/../../scripts" "$T/src"
    ln -s "$BUILD_DIR/bin" "$T/src/bin"
    MNT=$T/src/mnt
}

demo_says() {
    grep -q 'Ctrl-C here unmounts' "$T/demo.out"
}

start_demo() {
    "$T/src/scripts/demo.sh" bin >"$T/demo.out" 2>&1 3>&- &
    demo=$!
    wait_until 30 demo_says
}

@test "the demo mounts at ./mnt, says what to try, and unmounts when told" {
    start_demo
    is_mounted
    id=$(ls "$MNT" | head -n 1)
    grep -q "cat mnt/$id/info.json" "$T/demo.out"
    # What it says to try works.
    assert_equal "$(jq -r .sandboxID "$MNT/$id/info.json")" "$id"
    ls -l "$MNT/$id/home/" >/dev/null
    echo hello >"$MNT/$id/home/hello"
    df "$MNT/$id" >/dev/null
    assert_equal "$(e2b-inspect exec "$MNT/$id/home" -- cat hello)" hello
    echo 'extend 10m' >"$MNT/$id/ctl"
    kill -TERM $demo
    wait_until 20 process_gone $demo
    run ! is_mounted
    [ ! -e "$MNT" ]
}

@test "a second demo says that the first is there, in one sentence" {
    start_demo
    assert_one_sentence 1 "$T/src/scripts/demo.sh" bin
    assert_match "$stderr" 'fusermount3 -u'
    kill -TERM $demo
    wait_until 20 process_gone $demo
}

@test "a mount point that is in the way is one sentence" {
    touch "$MNT"
    assert_one_sentence '[1-6]' "$T/src/scripts/demo.sh" bin
    assert_match "$stderr" mnt
}

# stub NAME SCRIPT: a program that stands before the real one.
stub() {
    mkdir -p "$T/stubs"
    printf '#!/bin/sh\n%s\n' "$2" >"$T/stubs/$1"
    chmod +x "$T/stubs/$1"
}

install_deps() {
    PATH=$T/stubs:$PATH "$T/src/scripts/install-deps.sh" run
}

@test "installing is silent when everything is there" {
    run "$T/src/scripts/install-deps.sh" run
    assert_equal "$status:$output" 0:
}

@test "no network is one clear sentence" {
    stub dpkg-query 'exit 1'
    stub id 'echo 0'
    stub apt-get 'echo "E: Could not resolve deb.example" >&2; exit 100'
    run install_deps
    assert_equal "$status" 1
    assert_match "${lines[-1]}" 'no network'
}

@test "no permission is one clear sentence with the command to run" {
    stub dpkg-query 'exit 1'
    stub id 'echo 1000'
    stub sudo 'exit 1'
    assert_one_sentence 1 install_deps
    assert_match "$stderr" 'as root: apt-get install gcc'
}

@test "another system is one clear sentence" {
    mkdir "$T/stubs"
    for tool in bash dirname id sed grep; do
        ln -s "$(command -v $tool)" "$T/stubs/$tool"
    done
    run env PATH="$T/stubs" bash "$T/src/scripts/install-deps.sh" run
    assert_equal "$status" 1
    assert_match "$output" 'not Debian'
}
