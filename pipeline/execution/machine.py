"""What this machine and this process are called in Prefect's API, so that whoever watches a run sees where it is."""

import os
import platform
from pathlib import Path

import psutil

HOST_LABEL, PROCESS_LABEL = "retune.host", "retune.process"  # of a flow run
CLOCK_SECONDS = 60.0  # by which the start of a process may differ: the system's clock may be set in between


def host_name() -> str:
    """The name of this machine."""
    return platform.node() or "unknown"


def workspace_name(root: Path) -> str:
    """This machine and a project's folder on it, as `HOST:FOLDER`."""
    return f"{host_name()}:{root}"


def process_name() -> str:
    """This process, as `NUMBER@START`."""
    return f"{os.getpid()}@{psutil.Process().create_time():.0f}"


def is_alive(name: str) -> bool:
    """Whether a process of this machine lives, by its `process_name`; its number may be another process's by now."""
    number, _, start = name.partition("@")
    try:
        process = psutil.Process(int(number))
        is_zombie = process.status() == psutil.STATUS_ZOMBIE
        return not is_zombie and abs(process.create_time() - float(start)) < CLOCK_SECONDS
    except (ValueError, OverflowError, psutil.NoSuchProcess):
        return False
    except psutil.Error:  # it exists, and belongs to somebody else
        return True
