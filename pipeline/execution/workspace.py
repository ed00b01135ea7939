"""One run at a time in a workspace, and nothing left over from earlier ones."""

import contextlib
import json
import logging
import os
import shutil
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from pipeline.execution.process_tree import end_tree
from pipeline.execution.stage_process import MARKER, STAGE_MARKER
from pipeline.repository.project import HISTORY, Project, parse_lock
from stages.errors import PipelineError
from stages.files import TEMPORARY, read_json, write_json, write_text

HOLDER = ".retune/run.json"
GOOD_LOCK = ".retune/dvc.lock"  # dvc.lock as it was after the last stage: DVC writes it in place and may be killed
log = logging.getLogger(__name__)


@contextlib.contextmanager
def hold(root: Path, *, wait: bool = False) -> Iterator[None]:
    """Be the only run in this workspace; what an earlier one left behind is put right first.

    Args:
        root: The project's folder.
        wait: Wait for a run that is going on instead of failing.

    Raises:
        PipelineError: Another run holds the workspace; the message says which.
    """
    (root / ".retune").mkdir(exist_ok=True)
    lock = FileLock(root / ".retune/run.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        if not wait:
            raise PipelineError(f"{_holder(root)} in this workspace. Wait for it, or add --wait.") from None
        log.info("%s in this workspace: waiting for it.", _holder(root))
        lock.acquire()
    try:
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        write_json(root / HOLDER, {"pid": os.getpid(), "since": now})
        end_leftovers(root)
        _repair(root)
        yield
    finally:
        (root / HOLDER).unlink(missing_ok=True)
        lock.release()


def end_leftovers(root: Path, *, stage: str | None = None) -> None:
    """End what a killed run has left running; we hold the workspace, so nothing of it can be anybody's.

    Args:
        root: The project's folder.
        stage: Only what this stage has left.
    """
    marks = {MARKER: str(root.resolve()), **({STAGE_MARKER: stage} if stage else {})}
    family = {process.pid for process in psutil.Process().parents()} | {os.getpid()}
    leftovers = [process for process in psutil.process_iter() if process.pid not in family and _has(process, marks)]
    if leftovers:
        log.warning("Ending %d processes of an earlier run.", len(leftovers))
        end_tree(leftovers)


def prune(root: Path, project: Project) -> list[str]:
    """Remove what no stage owns any more: lock entries, and the folders of items that `foreach` no longer has.

    A fresh clone has neither, so hashes of folders would differ between machines if they stayed.

    Returns:
        What was removed, by name.
    """
    names = {stage.name for stage in project.graph.stages}
    removed = [name for name in project.locked_names() if name not in names]
    if removed:
        _drop_entries(root / "dvc.lock", names)
    for path in project.leftovers():
        if (root / path).exists():
            _remove(root / path)
            removed.append(path)
            with contextlib.suppress(OSError):  # not empty
                (root / path).parent.rmdir()
    return removed


def note_success(root: Path, stage: str, seconds: float | None) -> None:
    """Keep what the next plan and the next repair need: the time that it took, and dvc.lock as it is now."""
    if seconds is not None:
        try:
            history = read_json(root / HISTORY)
        except (FileNotFoundError, json.JSONDecodeError):
            history = {}
        write_json(root / HISTORY, {**history, stage: round(seconds, 1)})
    with contextlib.suppress(PipelineError, FileNotFoundError):
        text = (root / "dvc.lock").read_text(encoding="utf-8")
        parse_lock(text, name="dvc.lock")
        write_text(root / GOOD_LOCK, text)


def discard_half_outputs(root: Path, stage: str) -> None:
    """Remove what a stage that did not end well has written; what dvc.lock knows stays."""
    with Project(root) as project:
        entry = project.locked(stage)
        for out in next(node.outs for node in project.graph.stages if node.name == stage):
            now, before = project.present(out), entry.outs.get(out) if entry else None
            if now and (before is None or now.md5 != before.md5):
                _remove(root / out)
            _remove(root / (out + TEMPORARY))


def _holder(root: Path) -> str:
    try:
        holder = read_json(root / HOLDER)
        return f"Another run holds the lock (process {holder['pid']}, since {holder['since']})"
    except (FileNotFoundError, json.JSONDecodeError):
        return "Another run holds the lock"


def _has(process: psutil.Process, marks: Mapping[str, str]) -> bool:
    try:
        return marks.items() <= process.environ().items()
    except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
        return False


def _repair(root: Path) -> None:
    """Undo what a kill in the middle of DVC's own writing can leave: both files are written in place."""
    lock, readers = root / "dvc.lock", root / ".dvc/tmp/rwlock"
    try:
        parse_lock(lock.read_text(encoding="utf-8") if lock.exists() else "", name="dvc.lock")
    except (PipelineError, UnicodeDecodeError):
        log.warning("dvc.lock was damaged when an earlier run was killed: taking the last good one.")
        good = root / GOOD_LOCK
        if good.exists():
            write_text(lock, good.read_text(encoding="utf-8"))
        else:
            lock.unlink()
    with contextlib.suppress(FileNotFoundError):
        try:
            json.loads(readers.read_text(encoding="utf-8"))
        except ValueError:
            readers.unlink()


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _drop_entries(lock: Path, names: set[str]) -> None:
    from dvc.utils.serialize import modify_yaml

    with modify_yaml(str(lock)) as data:
        for name in [name for name in data["stages"] if name not in names]:
            del data["stages"][name]
