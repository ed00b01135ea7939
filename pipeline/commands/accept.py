"""`retune accept`: record in dvc.lock that code changed in comments alone, so that DVC runs no stage for it."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.plan import plan_changes
from pipeline.commands.terminal import console, project_root
from stages.errors import PipelineError

if TYPE_CHECKING:
    from pipeline.planning.plan import StagePlan


def accept(
    targets: Annotated[
        list[str] | None, typer.Argument(help="Stages to accept, with all that they need; default: all.")
    ] = None,
) -> None:
    """Record in dvc.lock that code has changed in comments or layout alone, without running anything.

    A stage is accepted only if nothing else differs: its command, its other inputs, its parameters, its outputs.

    Example: `retune plan; retune accept`
    """
    from pipeline.execution.workspace import hold

    root = project_root()
    with hold(root):
        plans = plan_changes(root, targets or ())
        accepted = [plan for plan in plans if plan.acceptable]
        _record(root, accepted)
    for plan in accepted:
        console.print(f"{plan.stage}: accepted {', '.join(plan.comments)}")
    refused = [plan for plan in plans if plan.comments and not plan.acceptable]
    if refused:
        raise PipelineError(_refusal(refused))
    if not accepted:
        console.print("Nothing to accept: no stage has code that changed in comments or layout alone.")
        return
    console.print("dvc.lock has the new hashes. Commit it; with a remote: dvc push --run-cache")


def _record(root: Path, accepted: "Iterable[StagePlan]") -> None:
    """Let DVC write dvc.lock and the run-cache for these stages, as if they had run with the code as it is now.

    Raises:
        PipelineError: DVC failed, or the code has changed meanwhile.
    """
    from pipeline.repository import dvc_command
    from pipeline.repository.project import Project

    planned = {plan.stage: {path: digest.md5 for path, digest in plan.deps.items()} for plan in accepted}
    if not planned:
        return
    dvc_command.run(root, "commit", "--force", *planned)
    with Project(root) as project:
        entries = {name: project.locked(name) for name in planned}
    recorded = {
        name: {path: digest.md5 for path, digest in entry.deps.items()} for name, entry in entries.items() if entry
    }
    changed = [name for name in planned if planned[name] != recorded.get(name)]
    if changed:
        raise PipelineError(
            f"A file that {changed[0]} reads was edited while it was accepted. Undo that: git checkout -- dvc.lock. "
            "Then: retune accept"
        )


def _refusal(refused: "Iterable[StagePlan]") -> str:
    """Why stages whose code has changed comments are not accepted, in one line."""
    reasons = "; ".join(
        f"{plan.stage} ({', '.join([*plan.reasons, *(f'{name} first' for name in plan.waits_for)])})"
        for plan in refused
    )
    missing = any(" missing" in reason for plan in refused for reason in plan.reasons)
    restore = " Outputs that are missing: dvc checkout, or dvc pull." if missing else ""
    return f"Not accepted, because more has changed than comments or layout: {reasons}. Run them: retune run.{restore}"
