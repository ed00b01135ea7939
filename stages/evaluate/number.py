"""The evaluation of numbers: the metrics of the predicted numbers, and intervals of single predictions from val."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from stages.evaluate.plots import write_calibration, write_pairs
from stages.metrics.conformal import coverage, half_width
from stages.metrics.number_intervals import measure_numbers
from stages.metrics.summary import MetricValue, exact
from stages.predictions import Predictions
from stages.schema import Evaluate
from stages.targets.rows import ROWS
from stages.targets.target import Target

LEVELS = np.arange(1, 20) / 20  # of confidence, in calibration.csv


def evaluate(
    raw: Mapping[str, Predictions], target: Target, options: Evaluate, *, folder: Path
) -> tuple[Mapping[str, Predictions], dict[str, Any]]:
    """Return the predictions and metrics.json; write the two files that dvc.yaml names for every kind of target.

    confusion.csv has the range of each row's number and of its prediction; calibration.csv the share of the rows of
    test that the intervals of each confidence contain.

    Returns:
        metrics.json: `{"val": {metric: {"value", "low", "high"}}, "test": ..., "calibration": {"half_width",
        "confidence", "coverage": {"value", "low", "high"}}}`. The half width is null where val has too few rows.
    """
    splits = {name: dataclasses.replace(split, decided=split.probabilities[:, 0]) for name, split in raw.items()}
    metrics: dict[str, Any] = {name: _measure(split, options.confidence) for name, split in splits.items()}
    errors = {name: np.abs(split.preds - split.labels) for name, split in splits.items()}
    width = half_width(errors["val"], options.confidence)
    covered = None
    if width is not None and len(errors["test"]):
        covered = {
            name: exact(value)
            for name, value in vars(coverage(errors["test"], width, confidence=options.confidence)).items()
        }
    calibration = {
        "half_width": None if width is None else exact(width),
        "confidence": options.confidence,
        "coverage": covered,
    }
    write_pairs(folder / "confusion.csv", _ranges(splits["test"].labels, target), _ranges(splits["test"].preds, target))
    write_calibration(folder / "calibration.csv", _coverages(errors))
    return splits, metrics | {"calibration": calibration}


def _measure(split: Predictions, confidence: float) -> dict[str, Any]:
    if not len(split):
        return {}
    numbers, preds = split.labels.astype(np.float64), split.preds.astype(np.float64)
    estimates = measure_numbers(numbers, [preds], groups=split.groups, confidence=confidence)
    return {
        name: dataclasses.asdict(MetricValue(exact(value.value), exact(value.low), exact(value.high)))
        for name, value in estimates.items()
    }


def _ranges(numbers: Any, target: Target) -> pa.Array:
    column = pa.array(numbers, pa.float64())
    return pa.array(target.labels, pa.string()).take(pa.array(ROWS[target.kind].index(column, target)))


def _coverages(errors: Mapping[str, Any]) -> list[tuple[str, float, float, int]]:
    rows = len(errors["test"])
    widths = {float(level): half_width(errors["val"], float(level)) for level in LEVELS} if rows else {}
    return [
        ("intervals from val", exact(level), exact((errors["test"] <= width).mean()), rows)
        for level, width in widths.items()
        if width is not None
    ]
