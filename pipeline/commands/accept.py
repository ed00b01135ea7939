"""`retune accept`: record in dvc.lock that code changed in comments alone, so that DVC runs no stage for it."""

import contextlib
import shutil
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.plan import plan_changes
from pipeline.commands.terminal import console, project_root
from stages.errors import PipelineError
from stages.files import TEMPORARY

if TYPE_CHECKING:
    from pipeline.planning.plan import StagePlan
    from pipeline.repository.lock import RawEntry


def accept(
    targets: Annotated[
        list[str] | None, typer.Argument(help="Stages to accept, with the stages they depend on; default: all.")
    ] = None,
) -> None:
    """Update dvc.lock for code that changed only in comments or layout, without running anything.

    A stage is accepted only if nothing else differs: its command, its other inputs, its parameters, its outputs.

    Example: `retune plan; retune accept`
    """
    from pipeline.execution.workspace import hold

    root = project_root()
    with hold(root, may_wait=False):
        plans = plan_changes(root, targets or ())
        accepted = [plan for plan in plans if plan.acceptable]
        removed = _record(root, accepted)
    for name in removed:
        console.print(f"Removed {name}: no stage in dvc.yaml writes it any more.")
    for plan in accepted:
        console.print(f"{plan.stage}: accepted {', '.join(plan.comments)}")
    refused = [plan for plan in plans if plan.comments and not plan.acceptable]
    if refused:
        raise PipelineError(_refusal(refused))
    if not accepted:
        console.print("Nothing to accept: no stage has code that changed only in comments or layout.")
        return
    console.print("dvc.lock has the new hashes. Commit it; with a remote: dvc push --run-cache")


def _record(root: Path, accepted: "Collection[StagePlan]") -> list[str]:
    """Let DVC write dvc.lock and the run-cache for these stages, as if they had run with the code as it is now.

    What no stage owns any more is removed first, as a run does: DVC would count it among the files of a folder.

    Returns:
        What was removed.

    Raises:
        PipelineError: DVC failed, or the code has changed meanwhile; dvc.lock is as it was.
    """
    from pipeline.execution.workspace import prune
    from pipeline.repository import dvc_command
    from pipeline.repository.project import Project

    if not accepted:
        return []
    with Project(root) as project:
        removed = prune(root, project)
    with _undone_on_failure(root, accepted):
        dvc_command.run(root, "commit", "--force", *(plan.stage for plan in accepted))
        if changed := [name for name, _ in _otherwise_recorded(root, accepted)]:
            raise PipelineError(
                f"A file that {changed[0]} reads was edited meanwhile, so dvc.lock is unchanged. Run again: retune "
                "accept"
            )
    return removed


@contextlib.contextmanager
def _undone_on_failure(root: Path, accepted: "Collection[StagePlan]") -> Iterator[None]:
    """Bring dvc.lock back as it was if the block fails, and remove results recorded for other inputs than planned."""
    from pipeline.repository.project import Project

    lock, copy = root / "dvc.lock", root / f".retune/dvc.lock{TEMPORARY}"
    shutil.copy(lock, copy)  # made beforehand: the disk may be full afterwards
    begun, failed = copy.stat().st_mtime, True
    try:
        yield
        failed = False
    finally:
        if failed:
            with contextlib.suppress(PipelineError), Project(root) as project:  # DVC may have left half of a dvc.lock
                for _, entry in _otherwise_recorded(root, accepted):
                    if entry is not None:
                        project.store.forget(entry, since=begun)
            copy.replace(lock)
        copy.unlink(missing_ok=True)


def _otherwise_recorded(root: Path, accepted: "Collection[StagePlan]") -> "list[tuple[str, RawEntry | None]]":
    """The stages whose entry in dvc.lock has other inputs than planned, each with its entry, if there is one."""
    from pipeline.repository.lock import parse_entry, read_lock

    entries = read_lock(root)
    found = [(plan, entries.get(plan.stage)) for plan in accepted]
    return [(plan.stage, raw) for plan, raw in found if raw is None or parse_entry(raw).deps != plan.deps]


def _refusal(refused: "Iterable[StagePlan]") -> str:
    """Why stages whose code has changed comments are not accepted, in one line."""
    reasons = "; ".join(
        f"{plan.stage} ({', '.join([*plan.reasons, *(f'{name} first' for name in plan.waits_for)])})"
        for plan in refused
    )
    missing = any(" missing" in reason for plan in refused for reason in plan.reasons)
    restore = " Outputs that are missing: dvc checkout, or dvc pull." if missing else ""
    return f"Not accepted, because more has changed than comments or layout: {reasons}. Run them: retune run.{restore}"
