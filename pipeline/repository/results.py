"""Reads the results of the last run, and formats metrics for people."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.errors import PipelineError
from stages.files import read_json
from stages.metrics.failures import describe_failures
from stages.metrics.names import headline_metrics, metric_name
from stages.metrics.summary import MetricSummary, format_value, parse_champion, parse_summaries
from stages.paths import Paths

Metrics = Mapping[str, MetricSummary]  # by full name, such as `test.macro_f1`


@dataclass(frozen=True)
class RunResults:
    """The results of a run: those of the model that ships, and the means over the seeds.

    Attributes:
        means: Over the seeds, by full name.
        model: Of the model that ships, by full name; empty where an older version wrote the file.
        seed: Of the model that ships; None where it is unknown.
        seeds: That the means are of; empty where they are unknown.
        metric: That leads (`evaluate.metric`); None where it is unknown.
        failures: What makes the model useless, a sentence each.
    """

    means: Metrics
    model: Metrics
    seed: int | None
    seeds: list[int]
    metric: str | None
    failures: list[str]

    @classmethod
    def parse(cls, report: Mapping[str, Any]) -> "RunResults":
        """Read the contents of data/report/metrics.json, which another version of the project may have written."""
        champion, seeds = report.get("champion"), report.get("seeds")
        return cls(
            means=parse_summaries(report),
            model=parse_champion(report),
            seed=champion.get("seed") if isinstance(champion, Mapping) else None,
            seeds=list(seeds) if isinstance(seeds, list) else [],
            metric=report.get("metric"),
            failures=describe_failures(report),
        )

    @property
    def headline(self) -> list[str]:
        """The full names of the metrics of test that lead, `evaluate.metric` first."""
        names = [metric_name("test", name) for name in headline_metrics(self.metric or "macro_f1")]
        return [name for name in names if name in self.means]


def read_results(root: Path) -> RunResults:
    """Return the results in data/report/metrics.json; empty ones if the file is missing.

    Raises:
        PipelineError: The file is damaged.
    """
    path = Paths(root).report / "metrics.json"
    try:
        report = read_json(path)
    except FileNotFoundError:
        report = {}
    except ValueError as error:
        raise PipelineError(f"{path} is damaged. Write it again: retune run report") from error
    return RunResults.parse(report)


def read_metrics(root: Path) -> Metrics:
    """Return the means over the seeds of the last run; none if there was no run. Raises as `read_results`."""
    return read_results(root).means


def format_metric(metric: MetricSummary) -> str:
    """Return `0.812 (0.790 to 0.833)`, or only the value where there is no interval."""
    interval = format_interval(metric)
    return f"{format_value(metric.mean)} ({interval})" if interval else format_value(metric.mean)


def format_interval(metric: MetricSummary) -> str:
    """Return `0.790 to 0.833`, or nothing where there is no interval."""
    if metric.low is None or metric.high is None:
        return ""
    return f"{format_value(metric.low)} to {format_value(metric.high)}"


def seeds_title(seeds: list[int]) -> str:
    """Return what a mean over these seeds is called: `mean over 3 seeds`, `seed 42`."""
    return f"seed {seeds[0]}" if len(seeds) == 1 else f"mean over {len(seeds) or 'the'} seeds"
