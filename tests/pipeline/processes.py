"""The processes that a run in a folder has started, and waiting for what they do."""

import time
from collections.abc import Callable
from pathlib import Path

import psutil

from pipeline.execution import process_tree
from pipeline.execution.stage_process import MARKER


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


def wait_for(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Return when the condition is true; fail where it is still false after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not true after {seconds} s"
        time.sleep(0.05)
