"""All metrics of one or more classifiers on the same rows, with intervals, and their paired differences."""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.metrics.bootstrap import NORMAL, Estimate, Score, estimate, group
from stages.metrics.calibration import calibration_gaps, scale
from stages.metrics.classification import (
    LOWER_IS_BETTER,
    count_scores,
    mean_scores,
    proper_scores,
    ratio,
    row_values,
    unit_sums,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MOST_UNITS = 10_000
CALIBRATED = ("log_loss", "brier")  # scored again after temperature scaling, as calibrated_log_loss and so on


def are_ordered(labels: list[str], ordered: str) -> bool:
    """Say whether the classes have an order: as told, or for `auto` when all of three or more names are numbers."""
    return ordered == "yes" or (ordered == "auto" and len(labels) > 2 and all(map(_is_number, labels)))


def measure(
    labels: Ints,
    models: Sequence[NDArray[np.float32]],
    *,
    temperatures: Sequence[float],
    ordered: bool,
    resamples: int,
    confidence: float,
    seed: int,
) -> dict[str, Estimate]:
    """Return every metric as its mean over the models, with the interval that other rows would give.

    Args:
        labels: Given label of each row; shape (rows,).
        models: Probabilities of each model on these rows; shape (rows, num_labels) each.
        temperatures: Of each model, fitted on val; 1 leaves the probabilities as they are.
        ordered: Whether the classes have an order.
        resamples: Bootstrap resamples, stratified by the given label (>= 1).
        confidence: Of the intervals (0 to 1).
        seed: Of the bootstrap.
    """
    num_labels = models[0].shape[1]
    options: dict[str, Any] = {"resamples": resamples, "confidence": confidence, "seed": seed}
    preds = [np.argmax(model, axis=1) for model in models]
    cells = group(labels, *preds)
    given = cells.columns[0]
    by_count = _average(
        [
            functools.partial(count_scores, labels=given, preds=column, num_labels=num_labels, ordered=ordered)
            for column in cells.columns[1:]
        ]
    )
    estimates = estimate(by_count, cells.sizes, given, **options)
    if all((column == labels).all() for column in preds):
        estimates = allow_for_unseen_errors(
            estimates, labels, num_labels=num_labels, ordered=ordered, confidence=confidence
        )
    units, strata = group_rows(labels, seed=seed)
    by_row = _average([_row_score(labels, *model, units) for model in zip(models, temperatures, strict=True)])
    by_row_estimates = estimate(by_row, np.ones(len(strata), dtype=np.int64), strata, **options)
    return estimates | {name: _around(name, value, confidence) for name, value in by_row_estimates.items()}


def difference(
    labels: Ints,
    model: NDArray[np.float32],
    other: NDArray[np.float32],
    *,
    ordered: bool,
    resamples: int,
    confidence: float,
    seed: int,
) -> dict[str, Estimate]:
    """Return `model` less `other` in every metric that both can have, with the interval of the paired difference."""
    num_labels = model.shape[1]
    options: dict[str, Any] = {"resamples": resamples, "confidence": confidence, "seed": seed}
    cells = group(labels, np.argmax(model, axis=1), np.argmax(other, axis=1))
    given, first, second = cells.columns
    score = functools.partial(count_scores, labels=given, num_labels=num_labels, ordered=ordered)
    by_count = _less(functools.partial(score, preds=first), functools.partial(score, preds=second))
    values, others = row_values(labels, model), row_values(labels, other)
    units, strata = group_rows(labels, seed=seed)
    by_row = mean_scores({name: values[name] - others[name] for name in values}, units)
    ones = np.ones(len(strata), dtype=np.int64)
    return estimate(by_count, cells.sizes, given, **options) | estimate(by_row, ones, strata, **options)


def group_rows(labels: Ints, *, seed: int, most: int = MOST_UNITS) -> tuple[Ints | None, Ints]:
    """Group many rows at random into about `most` units, within each label, so that units can be resampled for rows.

    Means of random groups vary as the rows do, so the interval is the same but for a percent or two of its width, in
    a fraction of the time: 200,000 rows cost no more than 10,000.

    Returns:
        Each row's unit, shape (rows,), or None where every row is its own; and each unit's label, shape (units,).
    """
    size = -(-len(labels) // most)
    if size < 2:
        return None, labels
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    order = shuffled[np.argsort(labels[shuffled], kind="stable")]  # by label, at random within it
    ranked = labels[order]
    rank = np.arange(len(labels)) - np.searchsorted(ranked, ranked, "left")  # within the label
    starts = rank % size == 0
    units = np.empty(len(labels), dtype=np.int64)
    units[order] = np.cumsum(starts) - 1
    return units, ranked[starts]


def _row_score(labels: Ints, probabilities: NDArray[np.float32], temperature: float, units: Ints | None) -> Score:
    scaled = scale(probabilities, temperature)
    values = row_values(labels, probabilities)
    calibrated = proper_scores(labels, scaled)
    means = mean_scores(values | {f"calibrated_{name}": calibrated[name] for name in CALIBRATED}, units)
    gaps = {"ece": _gap_score(labels, probabilities, units), "calibrated_ece": _gap_score(labels, scaled, units)}

    def score(counts: NDArray[np.number]) -> dict[str, Floats]:
        return means(counts) | {name: one(counts) for name, one in gaps.items()}

    return score


def _gap_score(
    labels: Ints, probabilities: NDArray[np.float32], units: Ints | None
) -> Callable[[NDArray[np.number]], Floats]:
    numbers, gaps = calibration_gaps(labels, probabilities)
    by_bin = np.zeros((len(labels), int(numbers.max()) + 1))
    by_bin[np.arange(len(labels)), numbers] = gaps
    sums, sizes = unit_sums(by_bin, units), unit_sums(np.ones((len(labels), 1)), units)[:, 0]

    def score(counts: NDArray[np.number]) -> Floats:
        weights = counts.astype(np.float64)
        return ratio(np.abs(weights @ sums).sum(-1), weights @ sizes)

    return score


def _around(name: str, value: Estimate, confidence: float) -> Estimate:
    """A calibration error grows by resampling, whatever the rows, so its resamples say how far but not where."""
    if not name.endswith("ece"):
        return value
    distance = NORMAL.inv_cdf((1 + confidence) / 2) * value.error
    return dataclasses.replace(value, low=max(0.0, value.value - distance), high=min(1.0, value.value + distance))


def allow_for_unseen_errors(
    estimates: Mapping[str, Estimate], labels: Ints, *, num_labels: int, ordered: bool, confidence: float
) -> dict[str, Estimate]:
    """Widen the intervals where every row is right: resamples of no errors hold none, and yet there may be some.

    The bound is what the metric would be at the highest error rate that still leaves n rows without an error with
    probability (1 - confidence) / 2: the exact binomial one, and for accuracy Clopper and Pearson's.
    """
    rate = 1 - ((1 - confidence) / 2) ** (1 / len(labels))
    given, preds = np.divmod(np.arange(num_labels**2), num_labels)
    rows = np.bincount(labels, minlength=num_labels)[given]
    counts = np.where(given == preds, rows * (1 - rate), rows * rate / (num_labels - 1))
    bounds = count_scores(counts, given, preds, num_labels=num_labels, ordered=ordered)
    return {
        name: dataclasses.replace(value, **{"high" if name in LOWER_IS_BETTER else "low": float(bounds[name])})
        for name, value in estimates.items()
    }


def _average(scores: Sequence[Score]) -> Score:
    def score(counts: NDArray[np.number]) -> dict[str, Floats]:
        parts = [one(counts) for one in scores]
        return {name: np.mean([part[name] for part in parts], axis=0) for name in parts[0]}

    return score


def _less(first: Score, second: Score) -> Score:
    def score(counts: NDArray[np.number]) -> dict[str, Floats]:
        one, other = first(counts), second(counts)
        return {name: one[name] - other[name] for name in one}

    return score


def _is_number(name: str) -> bool:
    try:
        return math.isfinite(float(name))
    except ValueError:
        return False
