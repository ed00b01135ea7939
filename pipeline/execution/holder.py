"""The note of the run that holds a workspace: for a run that has to wait, and for `retune status`."""

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import psutil

from pipeline.repository.memory import read_memory
from stages.files import write_json

HOLDER = ".retune/run.json"


@dataclass(frozen=True)
class Holder:
    """The run that holds a workspace.

    Attributes:
        since: When it began.
        ends: When it is expected to end; None: unknown.
    """

    pid: int
    since: datetime
    ends: datetime | None = None


def note_holder(root: Path) -> None:
    """Note that the run of this process holds the workspace."""
    write_json(root / HOLDER, {"pid": os.getpid(), "since": _now().isoformat(timespec="seconds")})


def note_expected_end(root: Path, seconds: float | None) -> None:
    """Note in how many seconds the run of this process is expected to end, if it holds the workspace; None: unknown."""
    noted = read_memory(root / HOLDER)
    if noted.get("pid") == os.getpid():
        ends = None if seconds is None else (_now() + timedelta(seconds=seconds)).isoformat(timespec="seconds")
        write_json(root / HOLDER, {**noted, "ends": ends})


def read_holder(root: Path) -> Holder | None:
    """The living run that holds this workspace; None if there is none, or its note is damaged."""
    noted = read_memory(root / HOLDER)
    try:
        since = datetime.fromisoformat(noted["since"])
        ends = datetime.fromisoformat(noted["ends"]) if noted.get("ends") else None
        process = psutil.Process(noted["pid"])
        is_it = process.create_time() <= since.timestamp() + 1  # else the number is another process's by now
    except (KeyError, TypeError, ValueError, OverflowError, psutil.Error):
        return None
    return Holder(process.pid, since, ends) if is_it else None


def describe_holder(root: Path) -> str:
    """`Another run uses this workspace`, with its process where the note names it."""
    noted = read_memory(root / HOLDER)
    known = f" (process {noted['pid']}, since {noted['since']})" if {"pid", "since"} <= noted.keys() else ""
    return f"Another run uses this workspace{known}"


def _now() -> datetime:
    return datetime.now().astimezone()
