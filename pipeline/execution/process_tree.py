"""Run a command and let nothing of it outlive us: `python -m pipeline.execution.process_tree -- COMMAND ...`.

The command's whole process tree ends when the command ends, when the time is over, on SIGTERM, and when standard
input is closed: whoever started us holds its other end, so even its SIGKILL reaches the tree. On Linux we adopt what
the tree loses (a stage whose `dvc` was killed); elsewhere only processes that still have their parent are found.
"""

import argparse
import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

import psutil

TIMED_OUT = 124  # exit codes, as `timeout` of coreutils has them
STOPPED = 143
GRACE = 5.0  # seconds between SIGTERM and SIGKILL
PR_SET_CHILD_SUBREAPER = 36  # Source: prctl(2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code (128 + N where signal N ended it), or TIMED_OUT or STOPPED."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.execution.process_tree", description=__doc__)
    parser.add_argument("--timeout", type=float, help="seconds until the whole tree is ended")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    wakeup = _wake_on_signals()
    child = subprocess.Popen(options.command, stdin=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + options.timeout if options.timeout else None
    reason = _wait(child, wakeup, deadline)
    grace = 0.0 if reason is None else GRACE
    while left := _living_children():  # again, for what was just being started when we looked
        end_tree(left, grace=grace)
        grace = 0.0
    code = child.wait()
    return reason if reason is not None else (code if code >= 0 else 128 - code)


def end_tree(processes: Sequence[psutil.Process], *, grace: float = GRACE) -> None:
    """End the processes and what they start meanwhile: SIGTERM, `grace` seconds, SIGKILL."""
    alive = list(processes)
    if grace:
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()
        _, alive = psutil.wait_procs(alive, timeout=grace)
    while alive:
        more = []
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                more += process.children(recursive=True)
                process.kill()
        psutil.wait_procs(alive, timeout=grace or GRACE)
        alive = [*more, *(psutil.Process().children(recursive=True) if more else ())]


def _living_children() -> list[psutil.Process]:
    """All that we started and adopted; who is only waiting for us to read its exit code is left out."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _wake_on_signals() -> int:
    """Return a file descriptor that becomes readable when a child ends or somebody wants us to stop."""
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for stop in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(stop, lambda *_: None)
    return readable


def _wait(child: subprocess.Popen[bytes], wakeup: int, deadline: float | None) -> int | None:
    """Wait for the child; return None when it ended by itself, else why it must end."""
    watched = [wakeup, sys.stdin.fileno()]
    while child.poll() is None:
        rest = None if deadline is None else deadline - time.monotonic()
        if rest is not None and rest <= 0:
            return TIMED_OUT
        ready, _, _ = select.select(watched, [], [], rest)
        if sys.stdin.fileno() in ready and not os.read(sys.stdin.fileno(), 1024):
            return STOPPED
        if wakeup in ready and set(os.read(wakeup, 1024)) - {signal.SIGCHLD}:
            return STOPPED
    return None


if __name__ == "__main__":
    sys.exit(main())
