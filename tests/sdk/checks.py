#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a user of the official Python SDK does every day, against the server of E2B_API_URL.

Prints a line for each named check; fails if one of them does.  checks.py [WORD...] runs only
the checks whose names contain a word.
"""
import sys
import threading
import time
import traceback

import e2b
from e2b import Sandbox, SandboxQuery, SandboxState

CHECKS = []


def check(name, todo=None):
    """todo: why the server can't do it yet; the check then may fail."""

    def add(function):
        CHECKS.append((name, function, todo))
        return function

    return add


def expect(error, function, *args, **kwargs):
    try:
        function(*args, **kwargs)
    except error as e:
        return e
    raise AssertionError(f"{error.__name__} was expected")


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


# --- life cycle ---------------------------------------------------------------------------


@check("create: the object knows its id and that it runs")
def _(sbx):
    assert sbx.sandbox_id and sbx.is_running()


@check("create: metadata, env vars, timeout arrive")
def _(sbx):
    with Sandbox.create(timeout=120, metadata={"a b": "ü&="}, envs={"WHO": "me"}) as other:
        info = other.get_info()
        assert info.metadata == {"a b": "ü&="}, info
        assert 100 < (info.end_at - info.started_at).total_seconds() < 140
        assert other.commands.run("echo $WHO").stdout == "me\n"


@check("get_info: template, state, times")
def _(sbx):
    info = sbx.get_info()
    assert info.sandbox_id == sbx.sandbox_id and info.state == SandboxState.RUNNING
    assert info.cpu_count > 0 and info.memory_mb > 0 and info.envd_version


@check("set_timeout moves the end")
def _(sbx):
    sbx.set_timeout(1000)
    info = sbx.get_info()
    assert 900 < info.end_at.timestamp() - time.time() < 1100


@check("list: pages of one, all found")
def _(sbx):
    others = [Sandbox.create(metadata={"page": "yes"}) for _ in range(3)]
    pages = Sandbox.list(query=SandboxQuery(metadata={"page": "yes"}), limit=1)
    seen = []
    while pages.has_next:
        items = pages.next_items()
        assert len(items) <= 1
        seen += [s.sandbox_id for s in items]
    assert sorted(seen) == sorted(s.sandbox_id for s in others), seen
    for s in others:
        s.kill()


@check("list: by metadata with odd characters, by state")
def _(sbx):
    other = Sandbox.create(metadata={"k&": "v=ü %"})
    query = SandboxQuery(metadata={"k&": "v=ü %"}, state=[SandboxState.RUNNING])
    assert [s.sandbox_id for s in Sandbox.list(query=query).next_items()] == [other.sandbox_id]
    query.state = [SandboxState.PAUSED]
    assert Sandbox.list(query=query).next_items() == []
    other.kill()


@check("connect: by id, to the same files")
def _(sbx):
    sbx.files.write("shared", "x")
    assert Sandbox.connect(sbx.sandbox_id).files.read("shared") == "x"


@check("pause and connect: files and processes stay")
def _(sbx):
    other = Sandbox.create()
    other.files.write("kept", "here")
    handle = other.commands.run("sleep 1000", background=True)
    other.pause()
    assert other.get_info().state == SandboxState.PAUSED
    again = other.connect()
    assert again.files.read("kept") == "here"
    assert handle.pid in [p.pid for p in again.commands.list()]
    again.kill()


@check("kill: true, then false; not running afterwards")
def _(sbx):
    other = Sandbox.create()
    assert other.kill() and not other.is_running()
    assert Sandbox.kill(other.sandbox_id) is False


@check("get_metrics: a list of samples")
def _(sbx):
    until(lambda: sbx.get_metrics())
    sample = sbx.get_metrics()[-1]
    assert sample.cpu_count > 0 and sample.mem_total > 0 and sample.timestamp


@check("errors: unknown sandbox, wrong key")
def _(sbx):
    expect(e2b.SandboxNotFoundException, Sandbox.connect, "i" + "0" * 19)
    expect(e2b.SandboxNotFoundException, Sandbox.get_info, "i" + "0" * 19)
    expect(e2b.AuthenticationException, Sandbox.create, api_key="e2b_" + "0" * 40)


@check("errors: a dead sandbox's files and commands")
def _(sbx):
    other = Sandbox.create()
    other.kill()
    expect(e2b.SandboxException, other.files.read, "x")
    expect(e2b.SandboxException, other.commands.run, "true")


# --- files --------------------------------------------------------------------------------


@check("files: text, bytes, stream; there and back")
def _(sbx):
    info = sbx.files.write("a/b/text", "grüße\n")
    assert info.path == "/home/user/a/b/text" and info.name == "text", info
    assert sbx.files.read("a/b/text") == "grüße\n"
    blob = bytes(range(256)) * 5000
    sbx.files.write("blob", blob)
    assert bytes(sbx.files.read("blob", format="bytes")) == blob
    assert b"".join(sbx.files.read("blob", format="stream")) == blob


@check("files: empty, and names that are odd")
def _(sbx):
    for name in ("empty", "a b", "ü+%41&=?#", "-rf", "line\nbreak", "'\"\\"):
        sbx.files.write(f"odd/{name}", "")
        assert sbx.files.read(f"odd/{name}") == "", name
        assert sbx.files.exists(f"odd/{name}"), name
    assert len(sbx.files.list("odd")) == 6


@check("files: several in one write")
def _(sbx):
    infos = sbx.files.write_files(
        [{"path": "many/1", "data": "one"}, {"path": "many/2", "data": b"two"}])
    assert [i.path for i in infos] == ["/home/user/many/1", "/home/user/many/2"], infos
    assert sbx.files.read("many/2") == "two"


@check("files: 20 MB there and back")
def _(sbx):
    blob = b"0123456789abcdef" * (20 << 16)
    sbx.files.write("big", blob)
    assert bytes(sbx.files.read("big", format="bytes")) == blob


@check("files: gzip on the way up and down")
def _(sbx):
    sbx.files.write("zipped", "z" * 100000, gzip=True)
    assert sbx.files.read("zipped", gzip=True) == "z" * 100000


@check("files: octet-stream and metadata")
def _(sbx):
    info = sbx.files.write("marked", "m", metadata={"colour": "blue"}, use_octet_stream=True)
    assert sbx.files.get_info("marked").metadata == {"colour": "blue"}, info


@check("files: list with types and depth")
def _(sbx):
    sbx.files.make_dir("tree/x/y")
    sbx.files.write("tree/f", "1")
    assert [(e.name, e.type.value) for e in sbx.files.list("tree")] == [("f", "file"), ("x", "dir")]
    assert [e.path for e in sbx.files.list("tree", depth=2)] == [
        "/home/user/tree/f", "/home/user/tree/x", "/home/user/tree/x/y"]


@check("files: get_info of a file, a directory, a link")
def _(sbx):
    sbx.files.write("info", "12345")
    sbx.commands.run("ln -s info link")
    info = sbx.files.get_info("info")
    assert info.size == 5 and info.permissions == "-rw-r--r--" and info.owner and info.modified_time
    assert sbx.files.get_info("link").symlink_target == "/home/user/info"
    assert sbx.files.get_info(".").type.value == "dir"


@check("files: make_dir twice, exists, rename, remove")
def _(sbx):
    assert sbx.files.make_dir("dir") is True and sbx.files.make_dir("dir") is False
    sbx.files.write("dir/one", "1")
    assert sbx.files.rename("dir/one", "dir/two").path == "/home/user/dir/two"
    assert not sbx.files.exists("dir/one") and sbx.files.exists("dir/two")
    sbx.files.remove("dir")
    assert not sbx.files.exists("dir")


@check("files: errors")
def _(sbx):
    expect(e2b.FileNotFoundException, sbx.files.read, "nothing")
    expect(e2b.FileNotFoundException, sbx.files.list, "nothing")
    expect(e2b.FileNotFoundException, sbx.files.get_info, "nothing")
    expect(e2b.FileNotFoundException, sbx.files.rename, "nothing", "other")
    expect(e2b.InvalidArgumentException, sbx.files.read, "/tmp")
    expect(e2b.AuthenticationException, sbx.files.list, "/", user="nobodyknows")


@check("files: as root")
def _(sbx):
    sbx.files.write("/root-file", "r", user="root")
    assert sbx.files.get_info("/root-file", user="root").owner == "root"


@check("files: signed URLs")
def _(sbx):
    import urllib.request

    sbx.files.write("signed", "by url")
    url = sbx.download_url("signed")
    request = urllib.request.Request(url, headers={
        "E2b-Sandbox-Id": sbx.sandbox_id, "E2b-Sandbox-Port": "49983"})
    assert urllib.request.urlopen(request).read() == b"by url"


@check("files: watch_dir, events by polling")
def _(sbx):
    sbx.files.make_dir("watched")
    watcher = sbx.files.watch_dir("watched")
    sbx.files.write("watched/new", "x")
    seen = []

    def written():
        seen.extend((e.name, e.type.value) for e in watcher.get_new_events())
        return ("new", "write") in seen

    until(written)
    assert ("new", "create") in seen, seen
    sbx.files.rename("watched/new", "watched/old")
    until(lambda: ("new", "rename") in [(e.name, e.type.value) for e in watcher.get_new_events()])
    watcher.stop()
    expect(e2b.SandboxException, watcher.get_new_events)


@check("files: watch_dir, recursive")
def _(sbx):
    sbx.files.make_dir("deep/a/b")
    watcher = sbx.files.watch_dir("deep", recursive=True)
    sbx.files.write("deep/a/b/f", "x")
    until(lambda: "a/b/f" in [e.name for e in watcher.get_new_events()])
    watcher.stop()
    expect(e2b.FileNotFoundException, sbx.files.watch_dir, "nowhere")


# --- commands -----------------------------------------------------------------------------


@check("commands: output, error output, status")
def _(sbx):
    result = sbx.commands.run("echo out; echo err >&2")
    assert (result.stdout, result.stderr, result.exit_code) == ("out\n", "err\n", 0)
    error = expect(e2b.CommandExitException, sbx.commands.run, "echo no >&2; exit 7")
    assert error.exit_code == 7 and error.stderr == "no\n"


@check("commands: env, cwd, user")
def _(sbx):
    run = lambda *a, **k: sbx.commands.run(*a, **k).stdout.strip()
    assert run("echo $X", envs={"X": "ü x"}) == "ü x"
    assert run("pwd", cwd="/tmp") == "/tmp"
    assert run("whoami") == "user" and run("whoami", user="root") == "root"
    expect(e2b.InvalidArgumentException, sbx.commands.run, "true", cwd="/no/such")


@check("commands: output as it comes")
def _(sbx):
    out, err = [], []
    sbx.commands.run("for i in 1 2 3; do echo $i; sleep 0.05; done; echo e >&2",
                     on_stdout=out.append, on_stderr=err.append)
    assert "".join(out) == "1\n2\n3\n" and "".join(err) == "e\n"


@check("commands: 5 MB of output")
def _(sbx):
    assert len(sbx.commands.run("head -c 5000000 /dev/zero | tr '\\0' x").stdout) == 5000000


@check("commands: background, wait, list")
def _(sbx):
    handle = sbx.commands.run("sleep 0.3; echo done", background=True)
    assert handle.pid in [p.pid for p in sbx.commands.list()]
    assert handle.wait().stdout == "done\n"
    assert handle.pid not in [p.pid for p in sbx.commands.list()]


@check("commands: stdin, close_stdin")
def _(sbx):
    handle = sbx.commands.run("cat", background=True, stdin=True)
    sbx.commands.send_stdin(handle.pid, "hello ")
    sbx.commands.send_stdin(handle.pid, "world\n")
    sbx.commands.close_stdin(handle.pid)
    assert handle.wait().stdout == "hello world\n"


@check("commands: stdin through the handle")
def _(sbx):
    handle = sbx.commands.run("cat", background=True, stdin=True)
    handle.send_stdin("by handle\n")
    handle.close_stdin()
    assert handle.wait().stdout == "by handle\n"


@check("commands: connect to a running one")
def _(sbx):
    handle = sbx.commands.run("read x; echo got $x", background=True, stdin=True)
    handle.disconnect()
    again = sbx.commands.connect(handle.pid)
    sbx.commands.send_stdin(handle.pid, "it\n")
    assert again.wait().stdout == "got it\n"
    expect(e2b.NotFoundException, sbx.commands.connect, 999999)


@check("commands: kill")
def _(sbx):
    handle = sbx.commands.run("sleep 1000", background=True)
    assert handle.kill() is True
    expect(e2b.CommandExitException, handle.wait)
    assert sbx.commands.kill(999999) is False


@check("commands: time limit")
def _(sbx):
    begin = time.monotonic()
    expect(e2b.TimeoutException, sbx.commands.run, "sleep 30", timeout=1)
    assert time.monotonic() - begin < 10


@check("commands: ten at once")
def _(sbx):
    results = []
    threads = [threading.Thread(target=lambda i=i: results.append(
        sbx.commands.run(f"sleep 0.1; echo {i}").stdout)) for i in range(10)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(results) == sorted(f"{i}\n" for i in range(10))


# --- terminals ----------------------------------------------------------------------------


@check("pty: a shell, its size, input, the end")
def _(sbx):
    handle = sbx.pty.create(e2b.PtySize(rows=30, cols=100))
    output = []
    sbx.pty.send_stdin(handle.pid, b"stty size; exit 4\n")
    error = expect(e2b.CommandExitException, handle.wait, on_pty=output.append)
    assert error.exit_code == 4
    assert b"30 100" in b"".join(output), output


@check("pty: resize, connect, kill")
def _(sbx):
    handle = sbx.pty.create(e2b.PtySize(rows=30, cols=100))
    sbx.pty.resize(handle.pid, e2b.PtySize(rows=50, cols=120))
    handle.disconnect()
    again = sbx.pty.connect(handle.pid)
    sbx.pty.send_stdin(handle.pid, b"stty size; exit\n")
    output = []
    again.wait(on_pty=output.append)
    assert b"50 120" in b"".join(output), output
    other = sbx.pty.create(e2b.PtySize(rows=30, cols=100))
    assert sbx.pty.kill(other.pid) is True


# --- snapshots ----------------------------------------------------------------------------


@check("snapshot: create, list, start from it, delete", todo="the server has no snapshots yet")
def _(sbx):
    sbx.files.write("in-snapshot", "s")
    snapshot = sbx.create_snapshot()
    assert snapshot.snapshot_id in [s.snapshot_id for s in sbx.list_snapshots().next_items()]
    with Sandbox.create(snapshot.snapshot_id) as copy:
        assert copy.files.read("in-snapshot") == "s"
    assert Sandbox.delete_snapshot(snapshot.snapshot_id) is True


def main():
    words = sys.argv[1:]
    chosen = [c for c in CHECKS if not words or any(w in c[0] for w in words)]
    failed = 0
    print(f"1..{len(chosen)}")
    for number, (name, function, todo) in enumerate(chosen, 1):
        sbx = Sandbox.create(timeout=600)
        try:
            function(sbx)
            print(f"ok {number} python: {name}", flush=True)
        except Exception:
            note = f" # TODO {todo}" if todo else ""
            failed += not todo
            print(f"not ok {number} python: {name}{note}", flush=True)
            if todo:
                continue
            print("".join("# " + line for line in traceback.format_exc().splitlines(True)))
        finally:
            sbx.kill()
    return failed > 0


sys.exit(main())
