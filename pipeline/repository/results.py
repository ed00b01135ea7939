"""Reads the metrics of the last run, and formats them for people."""

from collections.abc import Mapping
from pathlib import Path

from stages.errors import PipelineError
from stages.files import read_json
from stages.metrics.summary import MetricSummary, parse_summaries
from stages.paths import Paths

Metrics = Mapping[str, MetricSummary]  # by full name, such as `test.macro_f1`


def read_metrics(root: Path) -> dict[str, MetricSummary]:
    """Return the metrics of data/report/metrics.json; none if the file is missing.

    Raises:
        PipelineError: The file is damaged.
    """
    path = Paths(root).report / "metrics.json"
    try:
        report = read_json(path)
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise PipelineError(f"{path} is damaged. Write it again: retune run report") from error
    return parse_summaries(report)


def format_metric(metric: MetricSummary) -> str:
    """Return `0.812 (0.790 to 0.833)`, or only the mean where there is no interval."""
    interval = format_interval(metric)
    return f"{metric.mean:.3f} ({interval})" if interval else f"{metric.mean:.3f}"


def format_interval(metric: MetricSummary) -> str:
    """Return `0.790 to 0.833`, or nothing where there is no interval."""
    return "" if metric.low is None or metric.high is None else f"{metric.low:.3f} to {metric.high:.3f}"
