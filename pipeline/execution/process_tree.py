"""Runs a command and ends its whole process tree with it: `python -m pipeline.execution.process_tree -- COMMAND ...`.

The tree ends when the command ends, at the timeout, on SIGTERM, SIGINT or SIGHUP, and when standard input is closed:
the process that started this one holds the other end, so the tree ends even if that process is killed with SIGKILL.
On Linux this process adopts orphans of the tree (a stage whose `dvc` was killed); elsewhere orphans are not found.
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

TIMED_OUT = 124  # exit codes, the same as those of coreutils' `timeout`
STOPPED = 143
GRACE = 5.0  # seconds between SIGTERM and SIGKILL
PR_SET_CHILD_SUBREAPER = 36  # Source: prctl(2)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code (128 + N where signal N ended it), or TIMED_OUT or STOPPED."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.execution.process_tree", description=__doc__)
    parser.add_argument("--timeout", type=float, help="seconds after which the whole tree is ended")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    wakeup = _wake_on_signals()
    child = subprocess.Popen(options.command, stdin=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + options.timeout if options.timeout else None
    reason = _wait(child, wakeup, deadline)
    grace = 0.0 if reason is None else GRACE
    while left := _living_children():  # repeated: a process may have started another one meanwhile
        end_tree(left, grace=grace)
        grace = 0.0
    code = child.wait()
    return reason if reason is not None else (code if code >= 0 else 128 - code)


def end_tree(processes: Sequence[psutil.Process], *, grace: float = GRACE) -> None:
    """End the processes and those that they start meanwhile: SIGTERM, `grace` seconds, SIGKILL."""
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
    """Every process that this one started or adopted, without zombies."""
    living = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE:
                living.append(process)
    return living


def _wake_on_signals() -> int:
    """Return a file descriptor that becomes readable when a child ends or a signal asks this process to stop."""
    readable, writable = os.pipe()
    os.set_blocking(writable, False)
    signal.set_wakeup_fd(writable)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for stop in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(stop, lambda *_: None)
    return readable


def _wait(child: subprocess.Popen[bytes], wakeup: int, deadline: float | None) -> int | None:
    """Wait for the child; return None if it ended by itself, else the exit code for the reason to end it."""
    watched = [wakeup, sys.stdin.fileno()]
    while child.poll() is None:
        remaining = None if deadline is None else deadline - time.monotonic()
        if remaining is not None and remaining <= 0:
            return TIMED_OUT
        ready, _, _ = select.select(watched, [], [], remaining)
        if sys.stdin.fileno() in ready and not os.read(sys.stdin.fileno(), 1024):
            return STOPPED
        if wakeup in ready and set(os.read(wakeup, 1024)) - {signal.SIGCHLD}:
            return STOPPED
    return None


if __name__ == "__main__":
    sys.exit(main())
