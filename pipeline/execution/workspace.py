"""Lets one run at a time use a workspace, and removes what earlier runs left behind."""

import contextlib
import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from pipeline.execution.holder import HOLDER, describe_holder, note_holder
from pipeline.execution.killed_runs import USERS, half_files, leftover_processes, users_alive
from pipeline.execution.process_tree import end_tree
from pipeline.planning.plan import StagePlan
from pipeline.repository import git
from pipeline.repository.durations import note_duration
from pipeline.repository.kept_rows import note_kept
from pipeline.repository.lock import LockConflictError, parse_lock, read_lock, remove_entries
from pipeline.repository.memory import make_memory, read_memory
from pipeline.repository.project import Project
from stages.errors import PipelineError
from stages.files import TEMPORARY, remove_path, write_text
from stages.paths import Paths

LOCK = ".retune/run.lock"
GOOD_LOCK = ".retune/dvc.lock"  # a copy made after each stage: DVC writes dvc.lock in place and may be killed
DAMAGED_LOCK = ".retune/dvc.lock.damaged"
log = logging.getLogger(__name__)


@contextlib.contextmanager
def hold(root: Path, *, wait: bool = False, may_wait: bool = True) -> Iterator[None]:
    """Keep other runs out of this workspace; first repair what a killed run left behind.

    Args:
        root: The project's folder.
        wait: Wait for another run to end instead of failing.
        may_wait: The command has the option --wait, which the message names.

    Raises:
        PipelineError: Another run holds the workspace; the message names its process.
    """
    make_memory(root)
    lock = FileLock(root / LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        if not wait:
            option = ", or add --wait" if may_wait else ""
            raise PipelineError(f"{describe_holder(root)}. Wait for it to end{option}.") from None
        log.info("%s: waiting for it to end.", describe_holder(root))
        lock.acquire()
    try:
        note_holder(root)
        end_leftovers(root)
        _repair(root)
        for path in half_files(root):  # a stage removes its own, but another run may restore its outputs
            remove_path(path)
        yield
    finally:
        (root / HOLDER).unlink(missing_ok=True)
        lock.release()


def active_run(root: Path) -> str | None:
    """The run that holds this workspace now, with its process and start; None: no run does."""
    if not (root / LOCK).is_file():
        return None
    try:
        with FileLock(root / LOCK, blocking=False):
            return None
    except Timeout:
        return describe_holder(root)


def check_idle(root: Path) -> None:
    """Check that no run holds this workspace: a run plans anew after each stage, and would follow other parameters.

    Raises:
        PipelineError: A run does; the message names its process.
    """
    if holder := active_run(root):
        raise PipelineError(f"{holder}, and it reads params.yaml. Wait for it to end, or stop it.")


def end_leftovers(root: Path, *, stage: str | None = None) -> None:
    """End the processes of a killed run, and the stages of a killed `dvc repro`; those of a living one go on.

    The caller holds the workspace, so no living run owns them.

    Args:
        root: The project's folder.
        stage: End only the processes of this stage.
    """
    if leftovers := leftover_processes(root, stage=stage):
        log.warning("Ending %d processes of an earlier run.", len(leftovers))
        end_tree(leftovers)


def prune(root: Path, project: Project) -> list[str]:
    """Remove what no stage owns any more: entries of dvc.lock, and the folders of items that dvc.yaml no longer has.

    A fresh clone has neither, so the digests of folders would differ between machines.

    Returns:
        The stages and the paths that were removed.
    """
    removed = list(project.orphans())
    if removed:
        remove_entries(root, removed)
    for path in project.leftovers():
        if (root / path).exists():
            remove_path(root / path)
            removed.append(path)
            with contextlib.suppress(OSError):  # not empty
                (root / path).parent.rmdir()
    return removed


def note_success(root: Path, stage: str, seconds: float | None, plan: StagePlan | None = None) -> None:
    """Note how long a stage took, how much it did in that time, and which rows are kept now.

    Also copy dvc.lock for a later repair.

    Args:
        root: The project's folder.
        stage: Its name.
        seconds: None: it was restored.
        plan: By which it started; None: unknown.
    """
    if seconds is not None:
        measured = read_memory(Paths(root).timing(stage))
        note_duration(root, stage, seconds, plan.work.done(measured) if plan and plan.work else 0.0)
        if plan and plan.reads and measured.get("rows_kept"):
            note_kept(root, plan.reads)
    with contextlib.suppress(PipelineError, FileNotFoundError):
        text = (root / "dvc.lock").read_text(encoding="utf-8")
        parse_lock(text)
        write_text(root / GOOD_LOCK, text)


def discard_half_outputs(root: Path, stage: str) -> None:
    """Remove the outputs that a failed stage has written; those that equal dvc.lock stay."""
    with Project(root) as project:
        entry = project.locked(stage)
        for out in next(candidate.outs for candidate in project.graph.stages if candidate.name == stage):
            now, before = project.digest(out), entry.outs.get(out) if entry else None
            if now and (before is None or now.md5 != before.md5):
                remove_path(root / out)
            remove_path(root / (out + TEMPORARY))


def _repair(root: Path) -> None:
    """Repair the two files that DVC writes in place, and so leaves damaged if it is killed.

    Raises:
        LockConflictError: dvc.lock has conflict markers, so no killed run damaged it.
    """
    lock = root / "dvc.lock"
    try:
        read_lock(root)
    except LockConflictError:
        raise
    except PipelineError:
        shutil.copyfile(lock, root / DAMAGED_LOCK)
        good = root / GOOD_LOCK
        if good.exists():
            log.warning("dvc.lock is damaged: restoring the copy that was made after the last finished stage.")
            write_text(lock, good.read_text(encoding="utf-8"))
        elif text := _committed_lock(root):
            log.warning("dvc.lock is damaged: restoring it from the last commit.")
            write_text(lock, text)
        else:
            log.warning("dvc.lock is damaged: deleting it. Stages whose results are in the run-cache do not run again.")
            lock.unlink()
    _repair_readers(root / USERS)


def _repair_readers(path: Path) -> None:
    """Remove DVC's list of paths in use if it is damaged, or names a process that is not DVC's (any more)."""
    if path.is_dir():
        shutil.rmtree(path)
        return
    try:
        lists = users_alive(path)
    except ValueError:
        path.unlink()
        return
    if lists and lists[0] != lists[1]:
        path.write_text(json.dumps(lists[1]), encoding="utf-8")


def _committed_lock(root: Path) -> str | None:
    """The text of dvc.lock in the last commit, if there is one and it is sound."""
    text = git.show(root, "HEAD", "dvc.lock")
    with contextlib.suppress(PipelineError):
        return text if parse_lock(text) else None
    return None
