"""Metrics with their intervals, as metrics.json and headline.json hold them: of one model, and of all seeds."""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, SupportsFloat

from stages.metrics.names import SPLITS, metric_name

DECIMALS = 10  # of numbers in files: enough for any comparison, and without the noise of floating point
SHOWN = 3  # decimals wherever people read a metric, so that every command and document shows the same digits


@dataclass(frozen=True)
class MetricValue:
    """A metric of one model with its interval, as evaluate writes it."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class MetricSummary:
    """A metric over all seeds, as the report writes it.

    Attributes:
        mean: Over the seeds.
        sd: Of the seeds' values; None with one seed.
        low: Lower end of the interval of the mean; None where it has no interval.
        high: Its upper end.
    """

    mean: float
    sd: float | None = None
    low: float | None = None
    high: float | None = None


def exact(number: SupportsFloat) -> float:
    """Return a number as metrics.json holds it; it is rounded for people only where it is shown."""
    return round(float(number), DECIMALS) + 0.0  # never -0.0


def format_value(value: float) -> str:
    """Return a metric as every command and document shows it: `0.812`."""
    return f"{round(value, SHOWN) + 0.0:.{SHOWN}f}"  # never -0.000


def format_change(value: float) -> str:
    """Return a difference of metrics with its sign: `+0.012`."""
    return f"{round(value, SHOWN) + 0.0:+.{SHOWN}f}"


def parse_summaries(report: Mapping[str, Any]) -> dict[str, MetricSummary]:
    """Return every metric of metrics.json or headline.json by its full name (`test.macro_f1`), those of test first.

    An entry without a mean is skipped: a file of another version of the project may hold other things.
    """
    summaries = {}
    for split in SPLITS:
        for metric, entry in (report.get(split) or {}).items():
            if isinstance(entry, Mapping) and (mean := read_number(entry, "mean")) is not None:
                ends = (read_number(entry, key) for key in ("low", "high"))
                summaries[metric_name(split, metric)] = MetricSummary(mean, _deviation(entry), *ends)
    return summaries


def parse_champion(report: Mapping[str, Any]) -> dict[str, MetricSummary]:
    """Return the metrics of the model that ships by full name, those of test first; empty where the file has none.

    metrics.json has them with their intervals; headline.json has each seed's value of the headline metrics.
    """
    champion, seeds = report.get("champion") or {}, report.get("seeds")
    number = seeds.index(champion["seed"]) if isinstance(seeds, list) and champion.get("seed") in seeds else None
    metrics = {}
    for split in SPLITS:
        for metric, entry in (champion.get(split) or {}).items():
            if isinstance(entry, Mapping) and (value := read_number(entry, "value")) is not None:
                ends = (read_number(entry, key) for key in ("low", "high"))
                metrics[metric_name(split, metric)] = MetricSummary(value, None, *ends)
        for metric, entry in (report.get(split) or {}).items():
            values = entry.get("seeds") if isinstance(entry, Mapping) else None
            value = values[number] if isinstance(values, list) and number is not None and number < len(values) else None
            if isinstance(value, int | float):
                metrics.setdefault(metric_name(split, metric), MetricSummary(value))
    return metrics


def _deviation(entry: Mapping[str, Any]) -> float | None:
    """The standard deviation of the seeds' values: metrics.json has it, headline.json has the values."""
    seeds = entry.get("seeds")
    if isinstance(seeds, list) and len(seeds) > 1 and all(isinstance(value, int | float) for value in seeds):
        return exact(statistics.stdev(seeds))
    return read_number(entry, "sd")


def read_number(entry: Mapping[str, Any], key: str) -> float | None:
    """Return a number of an entry; None where it has no number there."""
    value = entry.get(key)
    return float(value) if isinstance(value, int | float) else None
