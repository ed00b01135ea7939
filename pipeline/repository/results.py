"""Reads the numbers of a finished run for people: metric, value, interval."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.errors import PipelineError
from stages.files import read_json
from stages.paths import Paths

SPLITS = ("test", "val")


@dataclass(frozen=True)
class Metric:
    """One number with its interval, where it has one."""

    value: float
    low: float | None = None
    high: float | None = None
    sd: float | None = None


Metrics = Mapping[str, Metric]  # `test/macro_f1` -> its value


def read_metrics(root: Path) -> dict[str, Metric]:
    """The metrics of data/report/metrics.json; empty if there are none yet.

    Raises:
        PipelineError: The file is damaged.
    """
    path = Paths(root).report / "metrics.json"
    try:
        values = read_json(path)
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise PipelineError(f"{path} is damaged. Write it again with: retune run report") from error
    found = {}
    for split in SPLITS:
        for name, metric in (values.get(split) or {}).items():
            if isinstance(metric, Mapping) and isinstance(metric.get("mean"), (int, float)):
                found[f"{split}/{name}"] = Metric(*(_number(metric, key) for key in ("mean", "low", "high", "sd")))  # type: ignore[arg-type]
    return found


def format_metric(metric: Metric) -> str:
    """`0.812 (0.790 to 0.833)`."""
    return f"{metric.value:.3f}{f' ({format_interval(metric)})' if metric.low is not None else ''}"


def format_interval(metric: Metric) -> str:
    """`0.790 to 0.833`, or nothing."""
    return "" if metric.low is None or metric.high is None else f"{metric.low:.3f} to {metric.high:.3f}"


def _number(metric: Mapping[str, Any], key: str) -> float | None:
    value = metric.get(key)
    return float(value) if isinstance(value, (int, float)) else None
