#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""terminal.py PRESSES COMMAND: types COMMAND into an interactive bash, then Ctrl-C as it hangs.

Fails unless the prompt is back within half a second after at most so many presses, and the
shell still works then.
"""
import os
import pty
import select
import signal
import sys
import time

PROMPT = b"ready> "
PRESSES, COMMAND = int(sys.argv[1]), sys.argv[2]
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
    sys.exit(f"{COMMAND}: {why}; the terminal showed {shell.seen!r}")


def main():
    shell = Shell()
    if shell.wait_for(PROMPT, 10 * slow) is None:
        give_up(shell, "no prompt at the start")
    shell.type(COMMAND.encode() + b"\n")
    if shell.wait_for(PROMPT, 0.4) is not None:
        give_up(shell, "did not wait for the server")
    took = None
    for press in range(1, PRESSES + 1):
        shell.type(b"\x03")
        took = shell.wait_for(PROMPT, 0.5 * slow)
        if took is not None:
            break
    else:
        give_up(shell, f"no prompt within 0.5 s after Ctrl-C, {PRESSES} times")
    shell.type(b"echo still $((40 + 2))\n")
    if shell.wait_for(b"still 42", 10 * slow) is None:
        give_up(shell, "the shell is not well after Ctrl-C")
    shell.type(b"exit\n")
    os.close(shell.fd)
    os.waitpid(shell.pid, 0)
    print(f"{COMMAND}: prompt {took * 1000:.0f} ms after press {press}")


main()
