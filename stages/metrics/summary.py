"""Metrics with their intervals, as metrics.json holds them: of one model, and of all seeds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, SupportsFloat

from stages.metrics.names import SPLITS, metric_name

DECIMALS = 10  # of numbers in files: enough for any comparison, and without the noise of floating point


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


def parse_summaries(report: Mapping[str, Any]) -> dict[str, MetricSummary]:
    """Return every metric of the report's metrics.json by its full name (`test.macro_f1`), those of test first.

    An entry without a mean is skipped: metrics.json of another version of the project may hold other things.
    """
    summaries = {}
    for split in SPLITS:
        for metric, entry in (report.get(split) or {}).items():
            if isinstance(entry, Mapping) and (mean := read_number(entry, "mean")) is not None:
                ends = (read_number(entry, key) for key in ("sd", "low", "high"))
                summaries[metric_name(split, metric)] = MetricSummary(mean, *ends)
    return summaries


def read_number(entry: Mapping[str, Any], key: str) -> float | None:
    """Return a number of an entry; None where it has no number there."""
    value = entry.get(key)
    return float(value) if isinstance(value, int | float) else None
