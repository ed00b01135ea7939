"""Artifacts of a run for Prefect's UI: the plan with what happened to each stage, the metrics, the report."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from pipeline.execution.stage_process import Outcome
from pipeline.planning.plan import StagePlan
from pipeline.repository.results import Metrics, format_metric, read_sound_metrics
from stages.paths import Paths


def write_artifacts(root: Path, plans: Sequence[StagePlan], outcomes: Mapping[str, Outcome], before: Metrics) -> None:
    """Write the artifacts of the current flow run.

    Args:
        root: The project's folder.
        plans: The plan at the start of the run.
        outcomes: How each stage ended that was started, by stage.
        before: The metrics before the run.
    """
    failed = any(outcome.error for outcome in outcomes.values())
    rows = [_row(plan, outcomes.get(plan.stage), failed=failed) for plan in plans]
    create_table_artifact(rows, key="plan", description="The plan, and what happened to each stage")
    after = read_sound_metrics(root)  # a failed run may leave it damaged
    if before or after:
        compared = [_metric_row(name, before, after) for name in dict.fromkeys([*after, *before])]
        create_table_artifact(compared, key="metrics", description="Means over the seeds, before and after this run")
    report = Paths(root).report / "report.md"
    if report.is_file():
        create_markdown_artifact(report.read_text(encoding="utf-8"), key="report", description="The report")


def _row(plan: StagePlan, outcome: Outcome | None, *, failed: bool) -> dict[str, Any]:
    happened, seconds = "nothing to do", None
    if outcome:
        seconds = round(outcome.seconds, 1)
        happened = f"failed: {outcome.error}" if outcome.error else "restored" if outcome.restored else "ran"
    elif failed and plan.state != "fresh":
        happened = "not reached"
    line = plan.as_json()
    return {
        "stage": plan.stage,
        "planned": plan.state,
        "why": "; ".join(line["reasons"]),
        "happened": happened,
        "seconds": seconds,
        "expected": plan.seconds,
    }


def _metric_row(name: str, before: Metrics, after: Metrics) -> dict[str, str]:
    return {
        "metric": name,
        "before": format_metric(before[name]) if name in before else "",
        "after": format_metric(after[name]) if name in after else "",
    }
