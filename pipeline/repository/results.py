"""Reads the metrics of the last run, and formats them for people."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stages.errors import PipelineError
from stages.metrics.names import SPLITS
from stages.metrics.summary import MetricSummary, parse_summaries
from stages.paths import Paths

SECTIONS = (*SPLITS, "train", "champion", "calibration")  # of these files, wherever one has them
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


def parse_report(text: str, *, name: str) -> dict[str, Any]:
    """The content of a JSON file of results: metrics.json of the report or of evaluate, timing.json, stats.json.

    It may come with a pull request, so it is not read before its form is checked.

    Args:
        text: The text of the file.
        name: How messages name it.

    Raises:
        PipelineError: It is no JSON object, one of its sections is none, or it has a number that is not finite.
    """
    try:
        report = json.loads(text, parse_int=_integer, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError, OverflowError) as error:
        raise _damaged(name) from error
    if not isinstance(report, dict) or not all(isinstance(report.get(key) or {}, dict) for key in SECTIONS):
        raise _damaged(name)
    return report


def format_metric(metric: MetricSummary) -> str:
    """Return `0.812 (0.790 to 0.833)`, or only the mean where there is no interval."""
    interval = format_interval(metric)
    return f"{metric.mean:.3f} ({interval})" if interval else f"{metric.mean:.3f}"


def format_interval(metric: MetricSummary) -> str:
    """Return `0.790 to 0.833`, or nothing where there is no interval."""
    return "" if metric.low is None or metric.high is None else f"{metric.low:.3f} to {metric.high:.3f}"


def _integer(digits: str) -> int:
    value = int(digits)
    float(value)  # raises where no float can hold it
    return value


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"{number} is not finite")
    return value


def _damaged(name: str) -> PipelineError:
    return PipelineError(f"{name} is damaged. Write it again: retune run")
