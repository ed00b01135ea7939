"""Who started this stage: whether DVC still lives, and what a run is told.

An orphan must not replace what a later run has written. Killing `dvc repro` leaves the command of the stage running. On
Linux the kernel ends it with its parent; everywhere it checks before it replaces a file.

DVC reads the inputs of a stage when it has ended, so the run that started DVC is told when they have been read.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

import psutil

from stages.errors import OrphanError
from stages.files import check_before_replacing

STAGE = "DVC_STAGE"  # DVC sets both for every command that it runs
ROOT = "DVC_ROOT"
INPUTS_READ = "RETUNE_INPUTS_READ"  # the file that a stage touches when it has read its parameters and its code
COMMAND = "RETUNE_COMMAND"  # the process that DVC started, where another one does its work (`stages/warm.py`)
PR_SET_PDEATHSIG = 1  # Source: prctl(2)


def follow_parent() -> None:
    """End this process with the DVC that runs it, or at the latest before it replaces a file; else do nothing.

    Raises:
        OrphanError: DVC has ended already.
    """
    if STAGE not in os.environ:
        return
    end_with_parent()
    command = _command()
    owner = find_owner(command) if command else None

    def check() -> None:
        if not (command and owner and _is_alive(command) and _is_alive(owner)):
            raise OrphanError(f"DVC, which ran {os.environ[STAGE]}, has ended, so nothing is written. Run it again.")

    check()
    check_before_replacing(check)


def tell_inputs_are_read() -> None:
    """Tell the run that started this stage, if one did, that what is edited from now on is no input of it."""
    if path := os.environ.get(INPUTS_READ):
        Path(path).touch()


def is_started_by_dvc_alone() -> bool:
    """Whether DVC started this stage, and no run that looks afterwards at what DVC records."""
    return STAGE in os.environ and INPUTS_READ not in os.environ


def _command() -> psutil.Process | None:
    """The process that DVC started for this stage; None if it has ended."""
    try:
        return psutil.Process(int(os.environ.get(COMMAND, os.getpid())))
    except psutil.NoSuchProcess:
        return None


def end_with_parent() -> None:
    """Have the kernel end this process with the one that started it, on Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def find_owner(process: psutil.Process) -> psutil.Process | None:
    """The process that runs DVC for this process of a stage; None if it has ended, so that another one adopted it."""
    stage = read_environment(process).get(STAGE)
    child = process
    for ancestor in process.parents():  # the stage's own processes and shells have the same stage
        if read_environment(ancestor).get(STAGE) != stage:
            return None if _has_adopted(ancestor, child) else ancestor
        child = ancestor
    return None


def read_environment(process: psutil.Process) -> dict[str, str]:
    """The environment of a process; empty if it has ended or belongs to another user."""
    try:
        return process.environ()
    except (psutil.Error, OSError):
        return {}


def _has_adopted(parent: psutil.Process, child: psutil.Process) -> bool:
    """Whether a process is not the DVC that started its child, but init, systemd or the like.

    DVC runs in Python, and a command that it starts is in its session, or leads one of its own, as with `setsid`.
    """
    try:
        if parent.pid == 1 and not _is_python(parent):
            return True
        session = os.getsid(child.pid)
        if session == os.getsid(parent.pid):
            return False
        return session != child.pid or not _is_python(parent) or _is_watcher(parent)
    except (psutil.Error, OSError):
        return True


def _is_python(process: psutil.Process) -> bool:
    return any(name in Path(part).name for part in process.cmdline()[:1] for name in ("python", "dvc"))


def _is_watcher(process: psutil.Process) -> bool:
    """Whether it is the process with which `retune run` watches DVC, and which adopts what a killed DVC leaves."""
    return any("process_tree" in part for part in process.cmdline()[:4])


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
