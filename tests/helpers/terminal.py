#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""terminal.py COMMAND: types COMMAND into an interactive bash, then Ctrl-C once it hangs.

Fails unless the prompt is back within half a second, and the shell still works after it.
"""
import os
import pty
import select
import signal
import sys
import time

PROMPT = b"ready> "
slow = float(os.environ.get("E2B_TEST_SLOW", "1"))


class Shell:
    def __init__(self):
        self.seen = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.environ |= {"PS1": PROMPT.decode(), "TERM": "dumb"}
            os.execlp("bash", "bash", "--norc", "--noprofile", "-i")

    def type(self, text):
        os.write(self.fd, text)

    def wait_for(self, text, seconds):
        """Seconds until `text` came; None if it did not."""
        start = time.monotonic()
        while text not in self.seen:
            left = start + seconds - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                return None
            self.seen += os.read(self.fd, 65536)
        self.seen = self.seen.partition(text)[2]
        return time.monotonic() - start


def give_up(shell, why):
    os.kill(shell.pid, signal.SIGKILL)
    sys.exit(f"{sys.argv[1]}: {why}; the terminal showed {shell.seen!r}")


def main():
    shell = Shell()
    if shell.wait_for(PROMPT, 10 * slow) is None:
        give_up(shell, "no prompt at the start")
    shell.type(sys.argv[1].encode() + b"\n")
    if shell.wait_for(PROMPT, 0.4) is not None:
        give_up(shell, "did not wait for the server")
    shell.type(b"\x03")
    took = shell.wait_for(PROMPT, 20 * slow)
    if took is None:
        give_up(shell, "no prompt within 20 s after Ctrl-C")
    if took > 0.5 * slow:
        give_up(shell, f"the prompt came {took:.2f} s after Ctrl-C")
    shell.type(b"echo still $((40 + 2))\n")
    if shell.wait_for(b"still 42", 10 * slow) is None:
        give_up(shell, "the shell is not well after Ctrl-C")
    shell.type(b"exit\n")
    os.close(shell.fd)
    os.waitpid(shell.pid, 0)
    print(f"{sys.argv[1]}: prompt after {took * 1000:.0f} ms")


main()
