"""Reads the metrics of the last run or of a commit, and formats them for people.

The report writes two files. headline.json is small: git keeps it, and DVC shows it. metrics.json has every number and
is in DVC's cache, like the report. Commits of earlier versions have metrics.json alone, in git.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.repository import git
from stages.errors import PipelineError
from stages.metrics.names import SPLITS
from stages.metrics.summary import MetricSummary, parse_summaries
from stages.paths import Paths
from stages.yaml_file import conflict_line

Metrics = Mapping[str, MetricSummary]  # by full name, such as `test.macro_f1`
HEADLINE, ALL_METRICS = Paths().headline.as_posix(), Paths().all_metrics.as_posix()
IN_GIT = (HEADLINE, ALL_METRICS)  # the first that a commit has is what git knows of its metrics


def read_metrics(root: Path) -> dict[str, MetricSummary]:
    """Return every metric of the workspace; the headline alone if metrics.json is not here; none without a run.

    Raises:
        PipelineError: A file is damaged.
    """
    headline, report = (_read(path) for path in (Paths(root).headline, Paths(root).all_metrics))
    return parse_summaries(report if report is not None and belongs(report, headline) else headline or {})


def read_sound_metrics(root: Path) -> dict[str, MetricSummary]:
    """The same, but none where a file is damaged: for what a run is about to write again."""
    try:
        return read_metrics(root)
    except PipelineError:
        return {}


def metrics_of_commit(root: Path, commit: str) -> dict[str, Any]:
    """Return what git knows of a commit's metrics: the content of headline.json; empty if it is missing or damaged."""
    for path in IN_GIT:
        text = git.show(root, commit, path)
        if text is not None:
            return parse_report(text) or {}
    return {}


def parse_report(text: str) -> dict[str, Any] | None:
    """Return the content of headline.json or metrics.json; None if it is damaged."""
    try:
        report = json.loads(text)
    except ValueError:
        return None
    if not isinstance(report, dict) or not all(isinstance(report.get(split) or {}, Mapping) for split in SPLITS):
        return None
    return report


def damage_of(name: str, text: str) -> str:
    """What is wrong with a metrics file that `parse_report` can't read, and what to do, in one line."""
    if line := conflict_line(text):
        return f"{name} line {line} is a conflict marker of a git merge. Write the file again: retune run"
    return f"{name} is damaged. Write it again: retune run"


def belongs(report: Mapping[str, Any], headline: Mapping[str, Any] | None) -> bool:
    """Whether metrics.json is of the same run as headline.json: not after `git checkout` without `dvc checkout`."""
    metrics = parse_summaries(report)
    return all(
        name in metrics and metrics[name].mean == metric.mean
        for name, metric in parse_summaries(headline or {}).items()
    )


def _read(path: Path) -> dict[str, Any] | None:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None
    report = parse_report(text)
    if report is None:
        raise PipelineError(damage_of(str(path), text))
    return report


def format_metric(metric: MetricSummary) -> str:
    """Return `0.812 (0.790 to 0.833)`, or only the mean where there is no interval."""
    interval = format_interval(metric)
    return f"{metric.mean:.3f} ({interval})" if interval else f"{metric.mean:.3f}"


def format_interval(metric: MetricSummary) -> str:
    """Return `0.790 to 0.833`, or nothing where there is no interval."""
    return "" if metric.low is None or metric.high is None else f"{metric.low:.3f} to {metric.high:.3f}"
