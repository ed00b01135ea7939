"""The processes that a run in a folder has started, and waiting for what they do."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import psutil

from pipeline.execution import process_tree
from pipeline.execution.stage_process import MARKER

T = TypeVar("T")


def processes_of(root: Path) -> list[psutil.Process]:
    """Every living process that a run in this folder has started."""
    processes = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARKER) == str(root) and process.status() != psutil.STATUS_ZOMBIE:
                processes.append(process)
        except (psutil.AccessDenied, psutil.NoSuchProcess):
            continue
    return processes


def is_part(process: psutil.Process, parts: list[str]) -> bool:
    """Does the process run a command that holds these words in this order? The watcher around it does not count."""
    line = process.cmdline()
    holds = any(line[index : index + len(parts)] == parts for index in range(len(line)))
    return holds and process_tree.__file__ not in line


def wait_for(condition: Callable[[], T], seconds: float = 30.0) -> T:
    """Return the condition's value once it is true; fail where it is still false after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{condition.__qualname__} was not true within {seconds} s"
        time.sleep(0.1)
    return value
