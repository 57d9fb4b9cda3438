#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An envd that belongs to an attacker: each directory of its /tmp is a trick.

hostile.py PORTFILE    serves until it is killed; its port is written to PORTFILE
"""
import base64
import gzip
import json
import os
import struct
import sys
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FOREVER = 1 << 40
HUGE = (1 << 63) - 1
ESCAPE = "\x1b]0;pwned\x07\x9b31m\u202e\nforged line"
flips = {}


def entry(name, kind="FILE", size=5, mode=None, **more):
    letter = {"FILE": "-", "DIRECTORY": "d", "SYMLINK": "L"}[kind]
    return {"name": name, "type": "FILE_TYPE_" + kind, "size": str(size), "owner": "user",
            "permissions": letter + "rwxrwxrwx" if mode is None else mode, "group": "user",
            "modifiedTime": "2025-01-02T03:04:05Z"} | more


def flip(key, *values):
    """Another answer at each question."""
    flips[key] = flips.get(key, -1) + 1
    return values[flips[key] % len(values)]


# --- listings: the entries of /tmp/NAME ----------------------------------------------------------

LISTS = {
    "name-slash": [entry("a/b")],
    "name-absolute": [entry("/etc/passwd")],
    "name-dot": [entry(".")],
    "name-dotdot": [entry("..", "DIRECTORY")],
    "name-empty": [entry("")],
    "name-nul": [entry("a\0b")],
    "name-long": [entry("x" * 256)],
    "name-twice": [entry("a"), entry("a", "DIRECTORY")],
    "name-number": [entry("a") | {"name": 7}],
    "name-controls": [entry(ESCAPE.replace("\n", ""), "DIRECTORY")],
    "size-negative": [entry("a", size=-1)],
    "size-over": [entry("a", size=1 << 63)],
    "size-huge": [entry("a", size=HUGE)],
    "size-text": [entry("a") | {"size": "5;rm"}],
    "mode-odd": [entry("a", mode="?rwxrwxrwx")],
    "mode-setuid": [entry("a", mode="ugrwxrwxrwx")],
    "time-garbage": [entry("a", modifiedTime="yesterday")],
    "time-far": [entry("a", modifiedTime="9999-12-31T23:59:59.999999999Z"),
                 entry("b", modifiedTime="0001-01-01T00:00:00Z")],
    "list-object": {"a": 1},
    "list-nulls": [None, None],
    "owner-tricks": [entry("a", owner="root\n", group="\x1b[2J")],
    "link-long": [entry("l", "SYMLINK")],
    "link-nul": [entry("l", "SYMLINK")],
    "link-empty": [entry("l", "SYMLINK")],
    "link-out": [entry("l", "SYMLINK")],
    "link-endless": [entry("l", "SYMLINK")],
    "link-frame": [entry("l", "SYMLINK")],
    "link-no-end": [entry("l", "SYMLINK")],
    "link-base64": [entry("l", "SYMLINK")],
    "make-dir": [], "make-file": [], "make-error": [],
    "change-kind": [entry("a")],
    "many": [entry("f%07d" % n) for n in range(200000)],
} | {name: [entry("a")] for name in (
    "body-long", "body-short", "body-other-range", "body-whole", "body-bomb", "body-redirect",
    "body-headers", "body-multipart", "body-negative-range", "body-chunks")}


def listing(path):
    name = path.removeprefix("/tmp").strip("/").split("/")[0]
    if path == "/":
        return [entry("tmp", "DIRECTORY"), entry("etc", "DIRECTORY")]
    if path == "/tmp":
        return [entry(n, "DIRECTORY") for n in (*LISTS, *RAW_LISTS, "deep", "flip")]
    if name == "deep":
        return [entry("d" * 200, "DIRECTORY")]
    if name == "flip":
        return [flip(path, entry("a"), entry("a", "DIRECTORY"), entry("a", "SYMLINK"))]
    return LISTS[name]


def endless(handler, piece):
    handler.head(200, {"Content-Type": "application/json"}, FOREVER)
    while True:
        handler.wfile.write(piece)


RAW_LISTS = {
    "list-endless": lambda h: endless(h, json.dumps(entry("a")).encode() * 1000),
    "list-spaces": lambda h: endless(h, b" " * 65536),
    "list-nested": lambda h: h.answer(200, b"[" * 1000000),
    "list-surrogate": lambda h: h.answer(200, b'{"entries":[{"name":"\\ud800"}]}'),
    "list-utf8": lambda h: h.answer(200, b'{"entries":[{"name":"\xff"}]}'),
    "list-redirect": lambda h: h.answer(307, b"", {"Location": f"http://127.0.0.1:{PORT}/stolen"}),
    "error-escape": lambda h: h.error(ESCAPE),
    "error-long": lambda h: h.error("x" * 1000000),
    "error-errno": lambda h: h.error("open /tmp/x: errno -1"),
}

# --- bodies of GET /files ------------------------------------------------------------------------


def ranged(handler, body, content_range, length=None, **more):
    handler.head(206, {"Content-Range": content_range} | more, len(body) if length is None else length)
    handler.wfile.write(body)


BODIES = {
    "body-long": lambda h: ranged(h, b"x" * 5000, "bytes 0-4/5"),
    "body-short": lambda h: ranged(h, b"xx", "bytes 0-4/5", 2),
    "body-other-range": lambda h: ranged(h, b"other", "bytes 5-9/5"),
    "body-negative-range": lambda h: ranged(h, b"x", "bytes -5-4/99999999999999999999"),
    "body-whole": lambda h: h.answer(200, b"x" * 5000000),
    "body-bomb": lambda h: h.answer(200, gzip.compress(bytes(100000000)),
                                    {"Content-Encoding": "gzip"}),
    "body-redirect": lambda h: h.answer(302, b"", {"Location": f"http://127.0.0.1:{PORT}/stolen"}),
    "body-headers": lambda h: h.answer(200, b"12345", {f"X-{n}": "x" * 8000 for n in range(90)}),
    "body-multipart": lambda h: h.answer(206, b"--x\r\n\r\n12345\r\n--x--",
                                         {"Content-Type": "multipart/byteranges; boundary=x"}),
    "body-chunks": lambda h: (h.head(200, {"Transfer-Encoding": "chunked"}),
                              h.wfile.write(b"ffffffffffffffff\r\nhello")),
    "size-huge": lambda h: ranged(h, b"hello", "bytes 0-4/5"),
}

# --- what programs in the sandbox print ----------------------------------------------------------


def found(kind, name="a", size=0, mode="755"):
    columns = [kind, mode, "user", "user", "1000", "1000", str(size), "1", "1", "0", "1", "1", "1", ""]
    return "\t".join(columns).encode() + b"\0" + name.encode() + b"\0"


def frame(message, flags=0):
    data = message if isinstance(message, bytes) else json.dumps(message).encode()
    return struct.pack(">BI", flags, len(data)) + data


def printed(data):
    return frame({"event": {"data": {"stdout": base64.b64encode(data).decode()}}})


START = frame({"event": {"start": {"pid": 7}}})
END = frame({"event": {"end": {"exitCode": 0, "exited": True, "status": "exit status 0"}}})
DONE = frame({}, 2)

OUTPUTS = {
    "link-long": lambda: START + printed(b"x" * 5000) + END + DONE,
    "link-nul": lambda: START + printed(b"a\0b\n") + END + DONE,
    "link-empty": lambda: START + printed(b"") + END + DONE,
    "link-out": lambda: START + printed(b"../../../../../../../../../../etc/hostname\n") + END + DONE,
    "link-frame": lambda: START + struct.pack(">BI", 0, 0xffffffff) + b"x" * 1000,
    "link-no-end": lambda: START + printed(b"target\n"),
    "link-base64": lambda: START + frame({"event": {"data": {"stdout": "!!!"}}}) + END + DONE,
    "make-dir": lambda: START + printed(found("f")) + END + DONE,
    "make-file": lambda: START + printed(found("d")) + END + DONE,
    "make-error": lambda: START + frame({"event": {"data": {
        "stderr": base64.b64encode(ESCAPE.encode()).decode()}}}) + frame(
        {"event": {"end": {"exitCode": 1, "exited": True, "status": "exit status 1"}}}) + DONE,
    "change-kind": lambda: START + printed(found("d")) + END + DONE,
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def head(self, status, headers, length=None):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def answer(self, status, body, headers=None):
        self.head(status, {"Content-Type": "application/json"} | (headers or {}), len(body))
        self.wfile.write(body)

    def error(self, text):
        self.answer(500, json.dumps({"code": "internal", "message": text}).encode())

    def trick(self, path):
        return path.removeprefix("/tmp").strip("/").split("/")[0]

    def run(self, body):
        argv = json.loads(body[5:])["process"]
        words = " ".join([argv["cmd"], *argv.get("args", [])])
        name = next((n for n in (*OUTPUTS, "link-endless") if f"/tmp/{n}/" in words), None)
        if name == "link-endless":
            self.head(200, {"Content-Type": "application/connect+json"}, FOREVER)
            self.wfile.write(START)
            while True:
                self.wfile.write(printed(b"x" * 60000))
        out = OUTPUTS[name]() if name else START + printed(b"user\n") + END + DONE
        self.answer(200, out, {"Content-Type": "application/connect+json"})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urllib.parse.urlsplit(self.path)
        if url.path == "/stolen":
            open(sys.argv[1] + ".stolen", "a").write(str(self.headers))
            self.answer(200, b"{}")
        elif url.path == "/process.Process/Start":
            self.run(body)
        elif url.path == "/filesystem.Filesystem/ListDir":
            path = json.loads(body)["path"]
            if self.trick(path) in RAW_LISTS:
                RAW_LISTS[self.trick(path)](self)
            else:
                self.answer(200, json.dumps({"entries": listing(path)}).encode())
        elif url.path == "/filesystem.Filesystem/Stat":
            path = json.loads(body)["path"]
            parent, name = os.path.split(path)
            kinds = {e["name"]: e for e in listing(parent) if e} if path != "/" else {}
            e = kinds.get(name, entry(name, "DIRECTORY" if path.count("/") < 3 else "FILE"))
            self.answer(200, json.dumps({"entry": e}).encode())
        elif url.path == "/files":
            self.answer(507, json.dumps({"code": 507, "message": ESCAPE}).encode())
        else:
            self.answer(200, b"{}")

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        if url.path == "/stolen":
            open(sys.argv[1] + ".stolen", "a").write(str(self.headers))
        path = urllib.parse.parse_qs(url.query).get("path", [""])[0]
        name = self.trick(path)
        BODIES.get(name, lambda h: h.answer(200, b"12345"))(self)

    def handle(self):
        try:
            super().handle()
        except (BrokenPipeError, ConnectionResetError):
            pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
PORT = server.server_address[1]
with open(sys.argv[1] + ".part", "w", encoding="ascii") as out:
    print(PORT, file=out)
os.rename(sys.argv[1] + ".part", sys.argv[1])
server.serve_forever()
