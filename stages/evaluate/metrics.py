"""The numbers of one split: metrics with intervals, and precision, recall and F1 of every class."""

import functools
from typing import Any

import numpy as np

from stages.evaluate.predictions import Predictions
from stages.scores import count_scores, mean_scores, per_class, row_losses
from stages.statistics import Estimate, estimate, group

DECIMALS = 6


def measure(
    predictions: Predictions, labels: list[str], *, resamples: int, confidence: float, seed: int
) -> dict[str, Any]:
    """Return a split's metrics as metrics.json holds them; empty for a split without rows.

    Args:
        predictions: Of the split's rows.
        labels: Names of the classes.
        resamples: Bootstrap resamples per interval, stratified by the given label.
        confidence: Of the intervals (0 to 1).
        seed: Of the bootstrap.

    Returns:
        `{metric: {"value", "low", "high"}, ..., "per_class": {label: {"precision", "recall", "f1", "support"}}}`.
    """
    given, preds = predictions.labels, predictions.preds
    if not len(given):
        return {}
    cells = group(given, preds)
    by_count = functools.partial(count_scores, labels=cells.columns[0], preds=cells.columns[1], num_labels=len(labels))
    by_row = mean_scores(row_losses(given, predictions.probabilities))
    options: dict[str, Any] = {"resamples": resamples, "confidence": confidence, "seed": seed}
    estimates = estimate(by_count, cells.sizes, cells.columns[0], **options)
    estimates |= estimate(by_row, np.ones(len(given), dtype=np.int64), given, **options)
    return {name: _entry(value) for name, value in estimates.items()} | {"per_class": _per_class(predictions, labels)}


def _per_class(predictions: Predictions, labels: list[str]) -> dict[str, dict[str, float]]:
    columns = per_class(predictions.labels, predictions.preds, num_labels=len(labels))
    support = columns.pop("support")
    return {
        label: {name: round(float(values[index]), DECIMALS) for name, values in columns.items()}
        | {"support": int(support[index])}
        for index, label in enumerate(labels)
    }


def _entry(value: Estimate) -> dict[str, float]:
    return {name: round(getattr(value, name), DECIMALS) for name in ("value", "low", "high")}
