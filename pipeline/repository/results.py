"""Reads the metrics of the last run, and formats them for people."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.errors import PipelineError
from stages.metrics.names import SPLITS
from stages.metrics.summary import MetricSummary, parse_summaries
from stages.paths import Paths
from stages.yaml_file import conflict_line

Metrics = Mapping[str, MetricSummary]  # by full name, such as `test.macro_f1`


def read_metrics(root: Path) -> dict[str, MetricSummary]:
    """Return the metrics of data/report/metrics.json; none if the file is missing.

    Raises:
        PipelineError: The file is damaged.
    """
    path = Paths(root).report / "metrics.json"
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return {}
    return parse_summaries(parse_report(text, name=str(path)))


def read_sound_metrics(root: Path) -> dict[str, MetricSummary]:
    """The same, but none where the file is damaged: for what a run is about to write again."""
    try:
        return read_metrics(root)
    except PipelineError:
        return {}


def parse_report(text: str, *, name: str) -> dict[str, Any]:
    """The content of a metrics.json of the report.

    Args:
        text: The text of the file.
        name: How messages name it.

    Raises:
        PipelineError: It is damaged, or a git merge left conflict markers in it.
    """
    if line := conflict_line(text):
        raise PipelineError(f"{name} line {line} is a conflict marker of a git merge. Write the file again: retune run")
    try:
        report = json.loads(text)
    except ValueError:
        report = None
    if not isinstance(report, dict) or not all(isinstance(report.get(split) or {}, Mapping) for split in SPLITS):
        raise PipelineError(f"{name} is damaged. Write it again: retune run")
    return report


def format_metric(metric: MetricSummary) -> str:
    """Return `0.812 (0.790 to 0.833)`, or only the mean where there is no interval."""
    interval = format_interval(metric)
    return f"{metric.mean:.3f} ({interval})" if interval else f"{metric.mean:.3f}"


def format_interval(metric: MetricSummary) -> str:
    """Return `0.790 to 0.833`, or nothing where there is no interval."""
    return "" if metric.low is None or metric.high is None else f"{metric.low:.3f} to {metric.high:.3f}"
