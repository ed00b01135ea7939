"""All metrics of one or more classifiers on the same rows, with intervals, and paired differences of two."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stages.metrics.bootstrap import Bootstrap, Estimate, estimate
from stages.metrics.calibration import scale
from stages.metrics.calibration_interval import measure_calibration
from stages.metrics.classification import (
    MANY_LABELS,
    cell_features,
    score_sums,
    unit_sums,
)
from stages.metrics.count_intervals import measure_counts
from stages.metrics.least_width import widen_flat
from stages.metrics.names import CALIBRATED
from stages.metrics.row_intervals import RANKING, label_rows, measure_mean, measure_ranking

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MOST_UNITS = 10_000


def are_ordered(labels: list[str], ordered: str) -> bool:
    """Say whether the classes have an order: by `ordered` (yes, no), or for auto if all of 3 or more are numbers."""
    return ordered == "yes" or (ordered == "auto" and len(labels) > 2 and all(map(_is_number, labels)))


def measure(
    labels: Ints,
    models: Sequence[NDArray[np.float32]],
    *,
    preds: Sequence[Ints] | None = None,
    temperatures: Sequence[float],
    ordered: bool,
    groups: Ints | None = None,
    bootstrap: Bootstrap,
) -> dict[str, Estimate]:
    """Return every metric as its mean over the models, with an interval for the chance in which rows were drawn.

    Args:
        labels: Label of each row; shape (rows,).
        models: Probabilities from each model for these rows; shape (rows, num_labels) each.
        preds: The labels that each model predicts, by its decision rule; shape (rows,) each. None: the most probable.
        temperatures: Of each model, fitted on val; 1 leaves the probabilities as they are.
        ordered: Whether the classes have an order.
        groups: Equal for rows that belong together; shape (rows,). None: each row is its own.
        bootstrap: Of the intervals.
    """
    num_labels = models[0].shape[1]
    preds = [np.argmax(model, axis=1) for model in models] if preds is None else preds
    estimates = measure_counts(
        labels, preds, num_labels=num_labels, ordered=ordered, groups=groups, bootstrap=bootstrap
    )
    calibrated = [scale(model, temperature) for model, temperature in zip(models, temperatures, strict=True)]
    rows = label_rows(labels, calibrated)
    confidence = bootstrap.confidence
    for name in RANKING:
        estimates[name] = measure_ranking(name, rows, models, groups=groups, confidence=confidence)
    for name in mean_metrics(num_labels):
        estimates[name] = measure_mean(name, rows, models, groups=groups, confidence=confidence)
    for name in ("log_loss", "brier"):
        estimates[f"{CALIBRATED}{name}"] = measure_mean(name, rows, calibrated, groups=groups, confidence=confidence)
    for name, probabilities in (("ece", models), (f"{CALIBRATED}ece", calibrated)):
        estimates[name] = measure_calibration(labels, probabilities, preds, groups=groups, bootstrap=bootstrap)
    return widen_flat(estimates, labels, groups, num_labels=num_labels, confidence=confidence)


def difference(
    labels: Ints,
    model: NDArray[np.float32],
    baseline: NDArray[np.float32],
    *,
    preds: Ints | None = None,
    ordered: bool,
    groups: Ints | None = None,
    bootstrap: Bootstrap,
) -> dict[str, Estimate]:
    """Return `model` minus `baseline` in each metric that needs no temperature, with paired intervals.

    Args:
        labels: Label of each row; shape (rows,).
        model: Probabilities; shape (rows, num_labels).
        baseline: Probabilities for the same rows; shape (rows, num_labels). It predicts the most probable label.
        preds: The labels that `model` predicts, by its decision rule; shape (rows,). None: the most probable.
        ordered: Whether the classes have an order.
        groups: Equal for rows that belong together; shape (rows,). None: each row is its own.
        bootstrap: Of the intervals; each resample holds the same rows (or groups) for both. Metrics of probabilities
            are not resampled: they have the intervals of `measure`.
    """
    num_labels = model.shape[1]
    preds = np.argmax(model, axis=1) if preds is None else preds
    units = resampled_units(len(labels), groups, seed=bootstrap.seed)
    sides = [
        unit_sums(cell_features(labels, side, num_labels=num_labels), units)
        for side in (preds, np.argmax(baseline, axis=1))
    ]

    def score(counts: NDArray[np.number]) -> dict[str, Floats]:
        weights = counts.astype(np.float64)
        ours, theirs = (score_sums(weights @ sums, num_labels=num_labels, ordered=ordered) for sums in sides)
        return {name: ours[name] - theirs[name] for name in ours}

    ones = np.ones(len(sides[0]), dtype=np.int64)
    estimates = estimate(score, ones, bootstrap)
    rows, confidence = label_rows(labels, [model]), bootstrap.confidence
    for name in RANKING:
        estimates[name] = measure_ranking(name, rows, [model], baseline=baseline, groups=groups, confidence=confidence)
    for name in mean_metrics(num_labels):
        estimates[name] = measure_mean(name, rows, [model], baseline=baseline, groups=groups, confidence=confidence)
    return widen_flat(estimates, labels, groups, num_labels=num_labels, confidence=confidence, differences=True)


def mean_metrics(num_labels: int) -> tuple[str, ...]:
    """Return the metrics of probabilities that are a mean over the rows."""
    return ("log_loss", "brier", "top_3_accuracy") if num_labels > MANY_LABELS else ("log_loss", "brier")


def resampled_units(rows: int, groups: Ints | None, *, seed: int, most: int = MOST_UNITS) -> Ints | None:
    """Return the unit of each row that is resampled in place of rows, numbered from 0; None: each row is one.

    Units are the groups, and where they are more than `most`, as many units made of them at random: sums over random
    units vary as their rows do, so an interval changes by a percent or two and 200,000 rows take the time of 10,000.
    """
    if groups is None and rows <= most:
        return None
    numbers = np.arange(rows) if groups is None else np.unique(groups, return_inverse=True)[1].astype(np.int64)
    count = int(numbers.max()) + 1
    if count > most:
        numbers = (np.random.default_rng(seed).permutation(count) % most)[numbers]
    return numbers


def _is_number(name: str) -> bool:
    try:
        return math.isfinite(float(name))
    except ValueError:
        return False
