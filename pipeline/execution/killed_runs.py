"""Finds what killed runs leave behind: processes, half-written files, and paths that DVC still takes for in use."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from dvc.rwlock import SCHEMA
from voluptuous import Invalid

from pipeline.execution.stage_process import MARKER, STAGE_MARKER
from stages.files import TEMPORARY
from stages.parent import ROOT, STAGE, find_owner, read_environment

USERS = ".dvc/tmp/rwlock"  # DVC's list of paths in use
HALF_FILES = [
    f"{folder}*{TEMPORARY}" for folder in ("data/", "data/*/", "data/*/*/", ".retune/", "params.yaml", "dvc.lock")
]


def leftover_processes(root: Path, *, stage: str | None = None) -> list[psutil.Process]:
    """The processes of killed runs, and the stages of a killed `dvc repro`; those of this process's own run are not.

    No run may be active in this workspace: its processes would be among them.

    Args:
        root: The project's folder.
        stage: Only the processes of this stage.
    """
    family = {process.pid for process in psutil.Process().parents()} | {os.getpid()}
    others = [process for process in psutil.process_iter() if process.pid not in family]
    return [process for process in others if _is_of_run(process, root, stage) or _is_orphan(process, root, stage)]


def half_files(root: Path) -> Iterator[Path]:
    """What a killed process was writing; nothing while a stage runs here that a person started with `dvc repro`."""
    if not _is_used_by_dvc(root):
        for pattern in HALF_FILES:
            yield from root.glob(pattern)


def users_alive(path: Path) -> tuple[Any, Any] | None:
    """DVC's list of paths in use as it is, and without processes that are not DVC's (any more); None: no such file.

    Raises:
        ValueError: The list is damaged.
    """
    try:
        users = SCHEMA(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except Invalid as error:
        raise ValueError(str(error)) from error
    writers, readers = users["write"], users["read"]
    alive = {
        "write": {name: user for name, user in writers.items() if _is_dvc(user["pid"])},
        "read": {
            name: living for name, all_of in readers.items() if (living := [u for u in all_of if _is_dvc(u["pid"])])
        },
    }
    return users, alive


def _is_of_run(process: psutil.Process, root: Path, stage: str | None) -> bool:
    marks = {MARKER: str(root.resolve()), **({STAGE_MARKER: stage} if stage else {})}
    return marks.items() <= read_environment(process).items()


def _is_orphan(process: psutil.Process, root: Path, stage: str | None) -> bool:
    """Whether DVC started the process for a stage of this project, and has ended."""
    variables = read_environment(process)
    is_ours = ROOT in variables and Path(variables[ROOT]).resolve() == root.resolve()
    return is_ours and stage in (None, variables.get(STAGE)) and find_owner(process) is None


def _is_used_by_dvc(root: Path) -> bool:
    """Whether a command of a stage runs here: one that a person started with `dvc repro`, beside this run."""
    return any(
        ROOT in variables and Path(variables[ROOT]).resolve() == root.resolve()
        for variables in map(read_environment, psutil.process_iter())
    )


def _is_dvc(pid: int) -> bool:
    """Whether a process runs that may be DVC: the number of one that was killed may be another's by now."""
    try:
        return any("dvc" in part for part in psutil.Process(pid).cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess, ValueError, OverflowError):
        return False
    except psutil.AccessDenied:
        return True
