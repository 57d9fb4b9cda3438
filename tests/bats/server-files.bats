#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Files through e2b-sandboxd's envd: the Filesystem service and /files, quirks included.

load helpers
load server

setup() {
    setup_environment
    start_server
    id=$(make_sandbox)
}

fs() {
    rpc "$id" "filesystem.Filesystem/$1" "$2"
}

# entry PATH FIELD...: of Stat, as a JSON array
entry() {
    fs Stat "{\"path\":\"$1\"}" | cut -d' ' -f2- | jq -c "[.entry | $2]"
}

@test "what Stat says about every kind of file" {
    sandbox_exec -u root "$id" sh -c '
        cd /home/user && echo hi >f && chown user f && chmod 4755 f && ln -s f link && ln -s no dangling
        mkfifo pipe; mkdir sticky sgid; chmod 1777 sticky; chmod 2755 sgid
        : >none; chmod 000 none; touch -d @0 epoch'
    assert_equal "$(entry /home/user/f '.name,.path,.type,.size,.mode,.permissions,.owner')" \
        '["f","/home/user/f","FILE_TYPE_FILE","3",493,"urwxr-xr-x","user"]'
    assert_equal "$(entry link '.path,.type,.size,.mode,.permissions,.symlinkTarget')" \
        '["/home/user/link","FILE_TYPE_FILE","1",493,"Lrwxrwxrwx","/home/user/f"]'
    # shellcheck disable=SC2088 # the server expands it
    assert_equal "$(entry '~/dangling' '.type,.mode,.permissions,.symlinkTarget')" \
        '[null,null,"Lrwxrwxrwx","/home/user/dangling"]'
    assert_equal "$(entry pipe '.type,.size,.permissions')" '[null,null,"prw-r--r--"]'
    assert_equal "$(entry sticky '.type,.permissions')" '["FILE_TYPE_DIRECTORY","dtrwxrwxrwx"]'
    assert_equal "$(entry sgid .permissions)" '["dgrwxr-xr-x"]'
    assert_equal "$(entry none '.mode,.size,.permissions')" '[null,null,"----------"]'
    assert_equal "$(entry epoch .modifiedTime)" '[null]'
    assert_equal "$(entry /dev/null .permissions)" '["Dcrw-rw-rw-"]'
    assert_equal "$(entry / '.name,.path')" '["/","/"]'
    assert_equal "$(entry '' .path)" '["/home/user"]'
}

@test "failures of Stat, in words that clients parse" {
    while IFS='|' read -r path answer; do
        assert_equal "$path: $(fs Stat "{\"path\":\"$path\"}")" "$path: $answer"
    done <<'TABLE'
/no|404 {"code":"not_found","message":"file not found: lstat /no: no such file or directory"}
/etc/hostname/|500 {"code":"internal","message":"error getting file info: lstat /etc/hostname/: not a directory"}
~bob/x|400 {"code":"invalid_argument","message":"failed to expand path '' for user 'user': cannot expand user-specific home dir"}
TABLE
    for user in bob '' 1000; do
        assert_equal "$(rpc -u "$user" "$id" filesystem.Filesystem/Stat '{"path":"/"}')" \
            "401 {\"code\":\"unauthenticated\",\"message\":\"invalid username: '$user'\"}"
    done
    assert_match "$(rpc -H 'Content-Type: text/plain' "$id" filesystem.Filesystem/Stat '{}')" '^415'
    assert_match "$(fs Stat '')" '^400 .*zero-length payload'
    assert_match "$(fs Stat '[]')" '^400 .*invalid_argument'
    assert_match "$(rpc -H 'Connect-Timeout-Ms: 0' "$id" filesystem.Filesystem/Stat '{}')" \
        '^504 .*deadline_exceeded'
}

@test "listings are sorted, pre-order, as deep as asked" {
    sandbox_exec "$id" sh -c 'cd && mkdir -p t/a/b t/B && touch t/.h t/a/x t/a/b/y && ln -s t here'
    paths() { fs ListDir "{\"path\":\"$1\",\"depth\":$2}" | cut -d' ' -f2- | jq -r '[.entries[]?.path] | join(" ")'; }
    t=/home/user/t
    assert_equal "$(paths $t 0)" "$t/.h $t/B $t/a"
    assert_equal "$(paths t/ 1)" "$t/.h $t/B $t/a"
    assert_equal "$(paths $t 2)" "$t/.h $t/B $t/a $t/a/b $t/a/x"
    assert_equal "$(paths $t 9)" "$t/.h $t/B $t/a $t/a/b $t/a/b/y $t/a/x"
    assert_equal "$(paths /home/user/here 1 | wc -w)" 3
    assert_equal "$(fs ListDir '{"path":"t/B"}')" '200 {}'
    assert_match "$(fs ListDir '{"path":"/etc/hostname"}')" '^400 .*path is not a directory: /etc/hostname'
    assert_match "$(fs ListDir '{"path":"/no"}')" '^404 .*path not found: lstat /no: no such file'
    assert_match "$(fs ListDir '{"path":"t","depth":-1}')" '^400'
    sandbox_exec "$id" python3 -c 'open(b"/home/user/t/B/\xff", "w")'
    assert_match "$(fs ListDir '{"path":"t/B"}')" '^500 .*contains invalid UTF-8'
}

@test "MakeDir, Move and Remove, and their traps" {
    assert_match "$(fs MakeDir '{"path":"d/e"}')" '^200 .*"path":"/home/user/d/e"'
    assert_match "$(fs MakeDir '{"path":"/home/user/d"}')" '^409 .*directory already exists: /home/user/d'
    assert_match "$(fs MakeDir '{"path":"/etc/hostname"}')" '^400 .*already exists but it is not a directory'
    # Move makes parents, even for a source that isn't there; it never replaces a directory.
    assert_match "$(fs Move '{"source":"/no","destination":"/tmp/left/over"}')" '^404 .*source file not found: rename /no'
    assert_match "$(entry /tmp/left .type)" DIRECTORY
    assert_match "$(fs Move '{"source":"/home/user/d/e","destination":"/tmp/left"}')" '^500 .*: file exists'
    assert_match "$(fs Move '{"source":"d/e","destination":"/tmp/left/e"}')" '^200 .*"path":"/tmp/left/e"'
    # Remove is rm -rf; a missing path is fine, a path below a file is not.
    assert_equal "$(fs Remove '{"path":"/tmp/left"}')" '200 {}'
    assert_equal "$(fs Remove '{"path":"/tmp/left"}')" '200 {}'
    assert_match "$(fs Remove '{"path":"/etc/hostname/x"}')" '^500 .*: not a directory'
    assert_match "$(fs Remove '{"path":"/tmp/."}')" '^500 .*: invalid argument'
}

@test "nothing leads out of the sandbox" {
    echo secret >"$T/outside"
    sandbox_exec -u root "$id" ln -s "$T/outside" /tmp/out
    sandbox_exec -u root "$id" ln -s ../../../../../../../.. /tmp/up
    assert_match "$(data "$id" /files?path=/tmp/out)" 'does not exist'
    assert_match "$(data "$id" "/files?path=/tmp/up$T/outside")" 'does not exist'
    assert_match "$(data "$id" "/files?path=/../../../..$T/outside")" 'does not exist'
    assert_equal "$(fs ListDir '{"path":"/tmp/up/home"}' | grep -o '"name":"[a-z]*"')" '"name":"user"'
    # What the server itself uses is not there.
    assert_has "$(start_process "$id" sh -c 'ls /proc/self/fd | wc -w')" '"stdout":"4\n"'
    run sandbox_exec -u root "$id" sh -c 'mount -t tmpfs none /mnt || mknod /tmp/x b 8 0'
    [ "$status" -ne 0 ]
}

@test "downloads: ranges and conditions" {
    printf 0123456789 | sandbox_put "$id" /tmp/f
    get() { data "$id" "$@" '/files?path=/tmp/f'; }
    assert_equal "$(get)" '0123456789 200'
    while IFS='|' read -r range answer; do
        assert_equal "$range: $(get -H "Range: $range")" "$range: ${answer//_/$'\n'}"
    done <<'TABLE'
bytes=0-3|0123 206
bytes=5-|56789 206
bytes=-2|89 206
bytes=8-100|89 206
bytes=10-|invalid range: failed to overlap_ 416
bytes=5-2|invalid range_ 416
junk|invalid range_ 416
TABLE
    modified=$(data "$id" -D - -o /dev/null /files?path=/tmp/f | tr -d '\r' | sed -n 's/^Last-Modified: //p')
    assert_equal "$(get -H 'Range: bytes=0-1' -H "If-Unmodified-Since: $modified")" '01 206'
    assert_equal "$(get -H 'If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT')" ' 412'
    assert_equal "$(get -H "If-Modified-Since: $modified")" ' 304'
    assert_equal "$(get -H 'Range: bytes=0-1' -H 'If-Range: Sun, 06 Nov 1994 08:49:37 GMT')" '0123456789 200'
    assert_equal "$(get -H 'Accept-Encoding: gzip' --compressed)" '0123456789 200'
    : | sandbox_put "$id" /tmp/f
    assert_equal "$(get -H 'Range: bytes=0-3')" ' 200'
    assert_match "$(data "$id" -I /files?path=/tmp/f)" 405
}

@test "downloads: what can't be read" {
    get() { data "$id" "/files?path=$1"; }
    assert_equal "$(get /no)" $'{"code":404,"message":"path \'/no\' does not exist"}\n 404'
    assert_match "$(get /tmp)" 'is a directory.* 400'
    assert_match "$(get /etc/hostname/x)" 'not a directory.* 500'
    assert_match "$(get '/etc/hostname&username=nobody2')" "unknown user nobody2.* 401"
    assert_match "$(get '/a&path=/b')" ' 400'
    # A raw semicolon drops the parameter, and the home directory is asked for.
    assert_match "$(get '/etc/hostname;x')" "path '/home/user' is a directory.* 400"
    assert_match "$(data "$id" -H 'Accept-Encoding: gzip' --compressed /files?path=/proc/cpuinfo)" processor
}

@test "uploads truncate first, keep inode and mode, change the owner" {
    post() { data "$id" -H 'Content-Type: application/octet-stream' --data-binary @- "/files?path=$1"; }
    assert_equal "$(echo new | post /tmp/a/b/f)" '[{"name":"f","path":"/tmp/a/b/f","type":"file"}] 200'
    assert_equal "$(entry /tmp/a .owner,.permissions)" '["user","drwxr-xr-x"]'
    assert_equal "$(entry /tmp/a/b/f .owner,.permissions)" '["user","-rw-r--r--"]'
    sandbox_exec "$id" sh -c 'cd /tmp && echo old >g && chmod 751 g && ln g hard && ln -s g soft'
    echo through | post /tmp/soft >/dev/null
    assert_equal "$(sandbox_get "$id" /tmp/hard)" through
    assert_equal "$(entry /tmp/g .permissions)" '["-rwxr-x--x"]'
    assert_match "$(echo x | post /tmp/dir/)" 'path is a directory: /tmp/dir/.* 400'
    assert_match "$(echo x | post /etc/hostname/x/y)" 'path is a file: /etc/hostname.* 500'
    assert_match "$(echo x | post /usr/x)" 'read-only file system.* 500'
    assert_match "$(data "$id" --data x -H 'Content-Type: text/plain' /files?path=/tmp/x)" 'unsupported content type'
    if [ "$(id -u)" -eq 0 ]; then
        sandbox_exec -u root "$id" sh -c 'echo root >/tmp/r'
        echo mine | post /tmp/r >/dev/null
        assert_equal "$(entry /tmp/r .owner)" '["user"]'
    fi
}

@test "an upload that breaks leaves what had arrived" {
    echo 'old content' | sandbox_put "$id" /tmp/f
    head -c 1000 /dev/zero | tr '\0' z | python3 "$HELPERS/wire.py" raw -i "$id" \
        -H 'Content-Type: application/octet-stream' --content-length 5000 POST /files?path=/tmp/f
    partial() { [ "$(sandbox_get "$id" /tmp/f | tr -d z | wc -c)" = 0 ] && [ "$(sandbox_get "$id" /tmp/f | wc -c)" = 1000 ]; }
    wait_until 10 partial
}

@test "forms: every part called file, to its name or to the path" {
    form() { data "$id" "$@"; }
    printf one >"$T/one"
    : >"$T/two"
    assert_match "$(form -F "file=@$T/one;filename=sub/1" -F "file=@$T/two" -F x=y /files)" \
        '^\[.*"/home/user/sub/1".*"/home/user/two".*\] 200$'
    assert_equal "$(sandbox_get "$id" /home/user/sub/1)" one
    assert_equal "$(entry two .size)" '[null]'
    assert_match "$(form -F "file=@$T/one" /files?path=/tmp/three)" ' 200$'
    assert_equal "$(sandbox_get "$id" /tmp/three)" one
    assert_match "$(form -F "file=@$T/one" -F "file=@$T/one" /files)" ' 400$'
    assert_equal "$(form -F x=y /files)" '[] 200'
}

@test "forms: wherever the network cuts them" {
    printf -- '--boundary\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\n%s\r\n' \
        1 one 2 '' 3 three >"$T/form"
    printf -- '--boundary--\r\n' >>"$T/form"
    for n in 1 7 64 71; do
        assert_match "$(python3 "$HELPERS/wire.py" raw -i "$id" --chunk "$n" \
            -H 'Content-Type: multipart/form-data; boundary=boundary' POST /files <"$T/form")" \
            '^200 .*/home/user/1".*/home/user/2".*/home/user/3"'
        assert_equal "$(sandbox_get "$id" 1) $(sandbox_get "$id" 2) $(sandbox_get "$id" 3)" 'one  three'
    done
    printf -- '--boundary\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\none\r\n--boundary--\r\n' >"$T/form"
    for n in 1 64 73; do
        assert_match "$(python3 "$HELPERS/wire.py" raw -i "$id" --chunk "$n" \
            -H 'Content-Type: multipart/form-data; boundary=boundary' POST /files?path=/tmp/one <"$T/form")" '^200 '
        assert_equal "$(sandbox_get "$id" /tmp/one)" one
    done
}

@test "metadata of a file lives until the next upload" {
    post() { data "$id" "$@" -H 'Content-Type: application/octet-stream' --data-binary x /files?path=/tmp/f; }
    assert_match "$(post -H 'X-Metadata-Colour: blue')" '"metadata":.*"colour".*"blue"'
    assert_equal "$(entry /tmp/f .metadata)" '[{"colour":"blue"}]'
    post >/dev/null
    assert_equal "$(entry /tmp/f .metadata)" '[null]'
}

@test "composing takes its sources along" {
    printf one | sandbox_put "$id" /tmp/1
    printf two | sandbox_put "$id" /tmp/2
    compose() { data "$id" -H 'Content-Type: application/json' --data "$1" /files/compose; }
    assert_match "$(compose '{"source_paths":["/tmp/1","/tmp/2"],"destination":"/tmp/new/12"}')" ' 200$'
    assert_equal "$(sandbox_get "$id" /tmp/new/12)" onetwo
    assert_match "$(compose '{"source_paths":["/tmp/1"],"destination":"/tmp/x"}')" 'source file not found: /tmp/1.* 404$'
    assert_match "$(compose '{"source_paths":["/tmp/new/12"],"destination":"/tmp/new/12"}')" ' 400$'
    assert_match "$(compose '{"source_paths":["/tmp/new"],"destination":"/tmp/x"}')" 'not a regular file.* 400$'
    # An alias of the destination passes the check, and then the result is deleted.
    assert_match "$(compose '{"source_paths":["/tmp/new/../new/12"],"destination":"/tmp/new/12"}')" ' 200$'
    assert_match "$(data "$id" /files?path=/tmp/new/12)" 404
}

@test "a gigabyte each way, in flat memory" {
    [ "$SLOW" -eq 1 ] || skip "measures speed and memory"
    head -c 1073741824 /dev/zero | data "$id" -T - -X POST -H 'Content-Type: application/octet-stream' \
        /files?path=/tmp/big >/dev/null
    assert_equal "$(entry /tmp/big .size)" '["1073741824"]'
    bytes=$(data "$id" -o /dev/null -w '%{size_download}' /files?path=/tmp/big)
    assert_equal "$bytes" 1073741824
    peak=$(awk '/^VmHWM/ { print $2 }' "/proc/$SERVER_PID/status")
    [ "$peak" -lt 65536 ] || fail "$peak KiB"
}

@test "compressed requests and answers" {
    up() { python3 "$HELPERS/wire.py" raw -i "$id" -H 'Content-Type: application/octet-stream' \
        -H 'Content-Encoding: gzip' --chunk "$1" POST "/files?path=/tmp/$2"; }
    zeros() { head -c 300000 /dev/zero; }
    # Two members are one stream.
    for n in 1 5 1000; do
        assert_match "$({ echo one | gzip; echo two | gzip; } | up $n f)" '^200 '
        assert_equal "$(sandbox_get "$id" /tmp/f)" $'one\ntwo'
    done
    assert_match "$(zeros | gzip | up 100 zeros)" '^200 '
    assert_equal "$(entry /tmp/zeros .size)" '["300000"]'
    assert_match "$(printf '' | gzip | up 100 empty)" '^200 '
    assert_equal "$(entry /tmp/empty .size)" '[null]'
    assert_match "$(echo 'not gzip' | up 100 f)" '^400 '
    assert_equal "$(sandbox_get "$id" /tmp/f)" $'one\ntwo'
    assert_match "$(echo shorter | gzip | head -c 20 | up 100 f)" '^500 '
    assert_match "$(data "$id" -H 'Content-Type: application/octet-stream' -H 'Content-Encoding: br' \
        --data x /files?path=/tmp/f)" ' 400$'

    stat() { data "$id" -H 'Content-Type: application/json' "$@" /filesystem.Filesystem/Stat; }
    printf '{"path":"/etc"}' | gzip >"$T/packed"
    assert_match "$(stat -D "$T/headers" -H 'Accept-Encoding: gzip, deflate' --compressed --data '{"path":"/etc"}')" \
        '"/etc".* 200$'
    grep -qi '^content-encoding: gzip' "$T/headers"
    assert_match "$(stat -D "$T/headers" -H 'Content-Encoding: gzip' --compressed -H 'Accept-Encoding;' \
        --data-binary "@$T/packed")" '"/etc".* 200$'
    grep -qi '^content-encoding: gzip' "$T/headers"
    assert_match "$(stat -H 'Content-Encoding: gzip' -H 'Accept-Encoding: identity' --data-binary "@$T/packed")" \
        '"/etc".* 200$'
    assert_match "$(stat -H 'Content-Encoding: gzip' --data x)" '"invalid_argument".* 400$'
    assert_match "$(stat -H 'Content-Encoding: br' --data x)" 'unknown compression \\"br\\": supported encodings are gzip.* 501$'
    # Failures are never packed.
    assert_match "$(stat -H 'Accept-Encoding: gzip' --data '{"path":"/no"}')" '"not_found".* 404$'
    assert_equal "$(stream -H 'Connect-Content-Encoding: gzip' "$id" filesystem.Filesystem/WatchDir '{"path":"/tmp"}' -n 1)" \
        '0 {"start":{}}'
}
