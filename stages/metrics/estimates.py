"""All metrics of one or more classifiers on the same rows, with intervals, and paired differences of two."""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from stages.metrics.bootstrap import NORMAL, Bootstrap, Estimate, Score, count_cells, estimate
from stages.metrics.calibration import calibration_gaps, scale
from stages.metrics.classification import (
    brier_scores,
    count_scores,
    log_losses,
    mean_scores,
    ratio,
    row_values,
    unit_sums,
)
from stages.metrics.names import CALIBRATED, lower_is_better

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
    bootstrap: Bootstrap,
) -> dict[str, Estimate]:
    """Return every metric as its mean over the models, with an interval for the chance in which rows were drawn.

    Args:
        labels: Label of each row; shape (rows,).
        models: Probabilities from each model for these rows; shape (rows, num_labels) each.
        preds: The labels that each model predicts, by its decision rule; shape (rows,) each. None: the most probable.
        temperatures: Of each model, fitted on val; 1 leaves the probabilities as they are.
        ordered: Whether the classes have an order.
        bootstrap: Of the intervals; rows are resampled within each label.
    """
    num_labels = models[0].shape[1]
    preds = [np.argmax(model, axis=1) for model in models] if preds is None else preds
    cells = count_cells(labels, *preds)
    cell_labels, *cell_preds = cells.columns
    by_count = _average(
        [
            functools.partial(count_scores, labels=cell_labels, preds=column, num_labels=num_labels, ordered=ordered)
            for column in cell_preds
        ]
    )
    estimates = estimate(by_count, cells.sizes, cell_labels, bootstrap)
    if all((column == labels).all() for column in preds):
        estimates = allow_for_unseen_errors(
            estimates, labels, num_labels=num_labels, ordered=ordered, confidence=bootstrap.confidence
        )
    units, strata = group_rows(labels, seed=bootstrap.seed)
    by_row = _average([_row_score(labels, *model, units) for model in zip(models, temperatures, strict=True)])
    by_row_estimates = estimate(by_row, np.ones(len(strata), dtype=np.int64), strata, bootstrap)
    return estimates | {
        name: _center_calibration_error(name, value, bootstrap.confidence) for name, value in by_row_estimates.items()
    }


def difference(
    labels: Ints,
    model: NDArray[np.float32],
    baseline: NDArray[np.float32],
    *,
    preds: Ints | None = None,
    ordered: bool,
    bootstrap: Bootstrap,
) -> dict[str, Estimate]:
    """Return `model` minus `baseline` in each metric that needs no temperature, with paired intervals.

    Args:
        labels: Label of each row; shape (rows,).
        model: Probabilities; shape (rows, num_labels).
        baseline: Probabilities for the same rows; shape (rows, num_labels). It predicts the most probable label.
        preds: The labels that `model` predicts, by its decision rule; shape (rows,). None: the most probable.
        ordered: Whether the classes have an order.
        bootstrap: Of the intervals; each resample holds the same rows for both.
    """
    num_labels = model.shape[1]
    preds = np.argmax(model, axis=1) if preds is None else preds
    cells = count_cells(labels, preds, np.argmax(baseline, axis=1))
    cell_labels, model_preds, baseline_preds = cells.columns
    score = functools.partial(count_scores, labels=cell_labels, num_labels=num_labels, ordered=ordered)
    by_count = _subtract(functools.partial(score, preds=model_preds), functools.partial(score, preds=baseline_preds))
    model_values, baseline_values = row_values(labels, model), row_values(labels, baseline)
    units, strata = group_rows(labels, seed=bootstrap.seed)
    by_row = mean_scores({name: model_values[name] - baseline_values[name] for name in model_values}, units)
    ones = np.ones(len(strata), dtype=np.int64)
    return estimate(by_count, cells.sizes, cell_labels, bootstrap) | estimate(by_row, ones, strata, bootstrap)


def group_rows(labels: Ints, *, seed: int, most: int = MOST_UNITS) -> tuple[Ints | None, Ints]:
    """Group many rows at random into about `most` units, each of one label, to be resampled in place of the rows.

    Means of random groups vary as the rows do, so an interval's width changes by only a percent or two, and 200,000
    rows take no more time than 10,000.

    Returns:
        Each row's unit, shape (rows,), or None where each row is a unit; and each unit's label, shape (units,).
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


def allow_for_unseen_errors(
    estimates: Mapping[str, Estimate], labels: Ints, *, num_labels: int, ordered: bool, confidence: float
) -> dict[str, Estimate]:
    """Widen the intervals of a model without an error, because resamples of rows without errors have none either.

    The bound is the metric's value at the highest error rate that still leaves all n rows without an error with
    probability (1 - confidence) / 2. For accuracy this is the exact binomial bound of Clopper and Pearson.
    """
    rate = 1 - ((1 - confidence) / 2) ** (1 / len(labels))
    cell_labels, preds = np.divmod(np.arange(num_labels**2), num_labels)
    rows = np.bincount(labels, minlength=num_labels)[cell_labels]
    counts = np.where(cell_labels == preds, rows * (1 - rate), rows * rate / (num_labels - 1))
    bounds = count_scores(counts, cell_labels, preds, num_labels=num_labels, ordered=ordered)
    return {
        name: dataclasses.replace(value, **{"high" if lower_is_better(name) else "low": float(bounds[name])})
        for name, value in estimates.items()
    }


def _row_score(labels: Ints, probabilities: NDArray[np.float32], temperature: float, units: Ints | None) -> Score:
    scaled = scale(probabilities, temperature)
    values = row_values(labels, probabilities)
    values[f"{CALIBRATED}log_loss"] = log_losses(labels, scaled)
    values[f"{CALIBRATED}brier"] = brier_scores(labels, scaled)
    means = mean_scores(values, units)
    errors = {
        "ece": _calibration_error(labels, probabilities, units),
        f"{CALIBRATED}ece": _calibration_error(labels, scaled, units),
    }

    def score(counts: NDArray[np.number]) -> dict[str, Floats]:
        return means(counts) | {name: error(counts) for name, error in errors.items()}

    return score


def _calibration_error(
    labels: Ints, probabilities: NDArray[np.float32], units: Ints | None
) -> Callable[[NDArray[np.number]], Floats]:
    bins, gaps = calibration_gaps(labels, probabilities)
    by_bin = np.zeros((len(labels), int(bins.max()) + 1))
    by_bin[np.arange(len(labels)), bins] = gaps
    sums, sizes = unit_sums(by_bin, units), unit_sums(np.ones((len(labels), 1)), units)[:, 0]

    def score(counts: NDArray[np.number]) -> Floats:
        weights = counts.astype(np.float64)
        return ratio(np.abs(weights @ sums).sum(-1), weights @ sizes)

    return score


def _center_calibration_error(name: str, value: Estimate, confidence: float) -> Estimate:
    """Centre the interval of a calibration error on its value: resampling makes this metric larger, for any rows."""
    if not name.endswith("ece"):
        return value
    distance = NORMAL.inv_cdf((1 + confidence) / 2) * value.error
    return dataclasses.replace(value, low=max(0.0, value.value - distance), high=min(1.0, value.value + distance))


def _average(scores: Sequence[Score]) -> Score:
    def average(counts: NDArray[np.number]) -> dict[str, Floats]:
        results = [score(counts) for score in scores]
        return {name: np.mean([result[name] for result in results], axis=0) for name in results[0]}

    return average


def _subtract(first: Score, second: Score) -> Score:
    def subtract(counts: NDArray[np.number]) -> dict[str, Floats]:
        minuend, subtrahend = first(counts), second(counts)
        return {name: minuend[name] - subtrahend[name] for name in minuend}

    return subtract


def _is_number(name: str) -> bool:
    try:
        return math.isfinite(float(name))
    except ValueError:
        return False
