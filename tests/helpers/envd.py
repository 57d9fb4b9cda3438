#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Looks into a sandbox past the programs under test: plain HTTP, nothing of ours but the wire.

envd.py exec [-u USER] ID -- ARGV...   output and exit status of a process in the sandbox
envd.py put [-u USER] ID PATH          stdin into a file
envd.py get ID PATH                    a file to stdout

E2B_API_URL, E2B_SANDBOX_URL and E2B_API_KEY say where.
"""
import argparse
import base64
import http.client
import json
import os
import struct
import sys
import urllib.parse


def request(base, method, path, headers, body=None):
    url = urllib.parse.urlsplit(base)
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    data = response.read()
    if response.status >= 300:
        sys.exit(f"envd.py: {method} {path}: {response.status} {data[:300]!r}")
    return data


def sandbox_headers(sandbox):
    headers = {"X-API-Key": os.environ["E2B_API_KEY"]}
    detail = json.loads(request(os.environ["E2B_API_URL"], "GET", f"/sandboxes/{sandbox}", headers))
    headers = {"E2b-Sandbox-Id": sandbox, "E2b-Sandbox-Port": "49983"}
    if detail.get("envdAccessToken"):
        headers["X-Access-Token"] = detail["envdAccessToken"]
    return headers


def basic(user):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:".encode()).decode()}


def files_path(path, user):
    return "/files?" + urllib.parse.urlencode({"path": path, "username": user})


def run(sandbox, user, argv):
    message = json.dumps({"process": {"cmd": argv[0], "args": argv[1:], "cwd": "/"}, "stdin": False})
    body = struct.pack(">BI", 0, len(message)) + message.encode()
    headers = sandbox_headers(sandbox) | basic(user)
    headers |= {"Content-Type": "application/connect+json", "Connect-Protocol-Version": "1"}
    data = request(os.environ["E2B_SANDBOX_URL"], "POST", "/process.Process/Start", headers, body)
    status = None
    while data:
        flags, length = struct.unpack(">BI", data[:5])
        message, data = json.loads(data[5:5 + length]), data[5 + length:]
        if flags & 2:
            if "error" in message:
                sys.exit(f"envd.py: {message['error']}")
            continue
        event = message["event"]
        for name, out in ("stdout", sys.stdout.buffer), ("stderr", sys.stderr.buffer):
            out.write(base64.b64decode(event.get("data", {}).get(name, "")))
            out.flush()
        if "end" in event:
            status = event["end"].get("exitCode", 0)
    sys.exit(255 if status is None or status < 0 else status)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("verb", choices=["exec", "put", "get"])
    parser.add_argument("-u", dest="user", default="user")
    parser.add_argument("sandbox")
    parser.add_argument("rest", nargs="+")
    args = parser.parse_args()
    if args.verb == "exec":
        run(args.sandbox, args.user, args.rest)
    base, headers = os.environ["E2B_SANDBOX_URL"], sandbox_headers(args.sandbox)
    path = files_path(args.rest[0], args.user)
    if args.verb == "put":
        headers["Content-Type"] = "application/octet-stream"
        request(base, "POST", path, headers, sys.stdin.buffer.read())
    else:
        sys.stdout.buffer.write(request(base, "GET", path, headers))


main()
