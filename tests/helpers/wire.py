#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Single requests to e2b-sandboxd, for tests of what is on the wire.

wire.py rpc [-u USER] [-H 'NAME: VALUE'] ID METHOD JSON
    one unary call: the HTTP status, a space, the message with sorted keys
wire.py stream [-u USER] [-H ...] [-n COUNT] ID METHOD JSON
    one streaming call: a line for each envelope, its flags, a space, its message;
    after COUNT envelopes the connection is closed; an end without envelope is "broken"
wire.py start [-u USER] [-H ...] ID -- ARGV...
    the same for a process without stdin
wire.py raw METHOD PATH [-i ID] [-H ...] [--content-length N | --chunk N]
    the body from stdin, byte by byte as given, or in chunks of N bytes: the status and the
    body, or "reset"

E2B_API_URL and E2B_API_KEY say where; METHOD is filesystem.Filesystem/Stat and so on.
Bytes of process output are shown decoded, as text.
"""
import argparse
import base64
import http.client
import json
import os
import struct
import sys
import urllib.parse


def connection():
    url = urllib.parse.urlsplit(os.environ["E2B_API_URL"])
    return http.client.HTTPConnection(url.hostname, url.port, timeout=60)


def headers_for(args):
    headers = {}
    if args.id:
        conn = connection()
        conn.request("GET", f"/sandboxes/{args.id}", None, {"X-API-Key": os.environ["E2B_API_KEY"]})
        token = json.loads(conn.getresponse().read()).get("envdAccessToken")
        headers = {"E2b-Sandbox-Id": args.id, "E2b-Sandbox-Port": "49983"}
        if token:
            headers["X-Access-Token"] = token
    if args.user is not None:
        headers["Authorization"] = "Basic " + base64.b64encode(f"{args.user}:".encode()).decode()
    for line in args.header:
        name, value = line.split(":", 1)
        headers[name] = value.strip()
    return headers


def show(message):
    """Canonical JSON, output readable."""
    data = message.get("event", {}).get("data") if isinstance(message, dict) else None
    for name in data or {}:
        data[name] = base64.b64decode(data[name]).decode("utf-8", "replace")
    return json.dumps(message, sort_keys=True, separators=(",", ":"))


def rpc(args):
    conn = connection()
    headers = {"Content-Type": "application/json"} | headers_for(args)
    conn.request("POST", "/" + args.method, args.json.encode(), headers)
    response = conn.getresponse()
    body = response.read().decode("utf-8", "replace")
    try:
        body = show(json.loads(body))
    except ValueError:
        pass
    print(response.status, body)


def stream(args):
    conn = connection()
    headers = {"Content-Type": "application/connect+json"} | headers_for(args)
    message = args.json.encode()
    body = struct.pack(">BI", 0, len(message)) + message
    conn.request("POST", "/" + args.method, body, headers)
    response = conn.getresponse()
    if response.status != 200:
        print(response.status, response.read().decode("utf-8", "replace"))
        return
    count = 0
    while args.count is None or count < args.count:
        try:
            head = response.read(5)
            if len(head) < 5:
                break
            flags, length = struct.unpack(">BI", head)
            text = response.read(length)
        except (OSError, http.client.HTTPException):
            break
        print(flags, show(json.loads(text)), flush=True)
        count += 1
        if flags & 2:
            return
    if args.count is None:
        print("broken")


def start(args):
    args.method = "process.Process/Start"
    process = {"cmd": args.argv[0], "args": args.argv[1:]}
    args.json = json.dumps({"process": process, "stdin": False})
    stream(args)


def raw(args):
    conn = connection()
    try:
        conn.putrequest(args.id_or_method, args.path, skip_accept_encoding=True)
        for name, value in headers_for(args).items():
            conn.putheader(name, value)
        body = sys.stdin.buffer.read()
        if args.chunk:
            conn.putheader("Transfer-Encoding", "chunked")
            pieces = [body[i:i + args.chunk] for i in range(0, len(body), args.chunk)]
            conn.endheaders(iter(pieces), encode_chunked=True)
            response = conn.getresponse()
            print(response.status, response.read().decode("utf-8", "replace"))
            return
        conn.putheader("Content-Length", str(len(body) if args.length is None else args.length))
        conn.endheaders(body)
        if args.length is not None and args.length > len(body):
            conn.sock.shutdown(1)
        response = conn.getresponse()
        print(response.status, response.read().decode("utf-8", "replace"))
    except (ConnectionError, http.client.HTTPException):
        print("reset")


def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(required=True)
    for name, function in (("rpc", rpc), ("stream", stream), ("start", start), ("raw", raw)):
        command = commands.add_parser(name)
        command.set_defaults(function=function, id=None)
        command.add_argument("-u", dest="user")
        command.add_argument("-H", dest="header", action="append", default=[])
        if name == "raw":
            command.add_argument("-i", dest="id")
            command.add_argument("--content-length", dest="length", type=int)
            command.add_argument("--chunk", type=int)
            command.add_argument("id_or_method")
            command.add_argument("path")
            continue
        command.add_argument("-n", dest="count", type=int)
        command.add_argument("id")
        if name == "start":
            command.add_argument("argv", nargs="+")
            continue
        command.add_argument("method")
        command.add_argument("json")
    args = parser.parse_args()
    args.function(args)


main()
