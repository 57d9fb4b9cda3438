#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""signalled.py SIGNAL LIMIT_MS COMMAND...: how fast does a blocked program obey a signal?

Starts COMMAND, waits until it sleeps in the kernel (the server it waits for is stalled, so it
sleeps for good), sends SIGNAL and fails unless it is gone within LIMIT_MS.
"""
import os
import signal
import subprocess
import sys
import time

ASLEEP_SECONDS = 0.15  # the same sleep for so long: it waits for the stalled request


def stat_fields(pid):
    with open(f"/proc/{pid}/stat") as f:
        return f.read().rpartition(")")[2].split()


def cpu_and_state(pid):
    fields = stat_fields(pid)
    with open(f"/proc/{pid}/wchan") as f:
        wchan = f.read()
    return fields[0], fields[11], fields[12], wchan


def wait_until_asleep(child, deadline):
    seen, since = None, time.monotonic()
    while time.monotonic() < deadline:
        if child.poll() is not None:
            sys.exit(f"ended with {child.returncode} instead of waiting for the server")
        now = cpu_and_state(child.pid)
        if now != seen or now[0] not in "SD":
            seen, since = now, time.monotonic()
        elif time.monotonic() - since > ASLEEP_SECONDS:
            return now
        time.sleep(0.005)
    sys.exit("never came to wait for the server")


def main():
    number = getattr(signal, "SIG" + sys.argv[1])
    limit = float(sys.argv[2]) / 1000
    slow = float(os.environ.get("E2B_TEST_SLOW", "1"))
    # A parent that ignores SIGINT (a shell's background job) would pass that on.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    child = subprocess.Popen(sys.argv[3:], stdin=subprocess.DEVNULL,
                             preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    state = wait_until_asleep(child, time.monotonic() + 10 * slow)
    start = time.monotonic()
    child.send_signal(number)
    try:
        child.wait(20)
    except subprocess.TimeoutExpired:
        child.kill()
        sys.exit(f"still there 20 s after SIG{sys.argv[1]}, in {state}")
    took = time.monotonic() - start
    if took > limit * slow:
        sys.exit(f"needed {took * 1000:.0f} ms to obey SIG{sys.argv[1]}, in {state}")
    print(f"gone after {took * 1000:.0f} ms with status {child.returncode}, was in {state[3]}")


main()
