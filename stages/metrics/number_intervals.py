"""Metrics of predicted numbers with their intervals, of one model or of several on the same rows, and differences.

The rows give a distribution of further rows. Two rows' worth of it are rows that err by more than any row at hand, or
whose number lies farther out: a mean of squares depends on few rows, which a small test set may not have. Each interval
comes from tilting this distribution along the metric's influence values (see `tilting.py`); its ends are the metric of
the tilted rows, so they lie within its range.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from stages.metrics.bootstrap import Estimate
from stages.metrics.effective_rows import weigh_sample
from stages.metrics.number_influences import number_influences
from stages.metrics.regression import METRICS, number_scores
from stages.metrics.row_intervals import MOST_ROWS, UNSEEN_ROWS
from stages.metrics.tilting import mean_ends

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

WITH_UNIT = ("mean_absolute_error", "root_mean_squared_error")  # the other metrics are the same in any unit
FARTHER = 2.0  # times as far as the row: chosen by benchmarks/statistics_number_intervals.py


@dataclass(frozen=True)
class Atoms:
    """A distribution of rows with numbers: the rows themselves, then some of them with larger errors or numbers.

    Attributes:
        rows: How many of the atoms are rows as they are.
        numbers: Of the atoms; shape (atoms,).
        models: What each model predicts for them; shape (models, atoms).
        weights: Of the atoms, with a sum of 1; shape (atoms,).
        groups: Equal for rows that belong together; shape (rows,). None: each row is its own.
        unit: Of numbers and predictions: a power of two, so that no digit is lost, near the largest number.
    """

    rows: int
    numbers: Floats
    models: Floats
    weights: Floats
    groups: Ints | None
    unit: float


def measure_numbers(
    numbers: Floats, models: Sequence[Floats], *, groups: Ints | None = None, confidence: float
) -> dict[str, Estimate]:
    """Return every metric as its mean over the models, with an interval for the chance in which rows were drawn.

    Args:
        numbers: Of the rows; shape (rows,).
        models: The numbers that each model predicts; shape (rows,) each.
        groups: Equal for rows that belong together; shape (rows,). None: each row is its own.
        confidence: Of the intervals (0 to 1).
    """
    preds = np.stack(models)
    return _estimate(_atoms(numbers, preds, preds.mean(0), groups), np.full(len(preds), 1 / len(preds)), confidence)


def number_differences(
    numbers: Floats, model: Floats, baseline: Floats, *, groups: Ints | None = None, confidence: float
) -> dict[str, Estimate]:
    """Return `model` minus `baseline` in every metric, with paired intervals; other arguments as `measure_numbers`.

    An interval is at least that of Student's t around the difference. A constant near the mean is as good as a constant
    can be, so a tilted family, whose mean moves away from it to either side, may have no member with a smaller lead.
    """
    atoms = _atoms(numbers, np.stack([model, baseline]), model, groups)
    estimates = _estimate(atoms, np.array([1.0, -1.0]), confidence)
    reach = -float(ndtri(weigh_sample(model, groups, confidence=confidence).tail))
    return {
        name: Estimate(e.value, min(e.low, e.value - reach * e.error), max(e.high, e.value + reach * e.error), e.error)
        for name, e in estimates.items()
    }


def _atoms(numbers: Floats, models: Floats, expected: Floats, groups: Ints | None) -> Atoms:
    """The rows, and two rows' worth of others: a third errs by more, a third as much to the other side, and of a third
    the number and the predictions are farther from the mean. Of many rows, as many are taken as suffice.

    Args:
        numbers: Of the rows; shape (rows,).
        models: What each model predicts; shape (models, rows).
        expected: What the errors are measured from; shape (rows,).
        groups: Of the rows; shape (rows,).
    """
    rows, centre = len(numbers), float(numbers.mean())  # a sum of squares loses fewer digits around it
    unit = 2.0 ** math.frexp(float(np.abs(numbers - centre).max()))[1]
    taken = np.unique(np.linspace(0, rows - 1, min(rows, MOST_ROWS)).round().astype(np.int64))
    y, preds, middle = ((values - centre) / unit for values in (numbers, models, expected[taken]))
    error = y[taken] - middle
    larger, opposite = middle + FARTHER * error, middle - FARTHER * error
    out = y[taken] + (FARTHER - 1) * (middle - middle.mean())
    of_models = preds[:, taken]
    of_models_out = of_models + (FARTHER - 1) * (of_models - of_models.mean(1, keepdims=True))
    weights = np.concatenate([np.ones(rows), np.full(3 * len(taken), UNSEEN_ROWS / (3 * len(taken)))])
    return Atoms(
        rows,
        np.concatenate([y, larger, opposite, out]),
        np.concatenate([preds, of_models, of_models, of_models_out], axis=1),
        weights / weights.sum(),
        groups,
        unit,
    )


def _estimate(atoms: Atoms, signs: Floats, confidence: float) -> dict[str, Estimate]:
    """Each metric, summed over the models with a sign or share of each, with its interval."""
    influences = [number_influences(atoms.numbers, preds, atoms.weights) for preds in atoms.models]
    seen = np.where(np.arange(len(atoms.weights)) < atoms.rows, 1 / atoms.rows, 0.0)
    members, errors = [seen], {}
    for name in METRICS:
        influence = signs @ np.stack([of_model[name] for of_model in influences])
        of_rows = influence[: atoms.rows]
        sample = weigh_sample(of_rows, atoms.groups, confidence=confidence)
        members += mean_ends(influence, atoms.weights, float(of_rows.mean()), sample)
        errors[name] = float(of_rows.std()) / math.sqrt(sample.rows)
    weights = np.stack(members)  # (1 + 2 * metrics, atoms)
    scores = [number_scores(weights, atoms.numbers, preds) for preds in atoms.models]
    estimates = {}
    for place, name in enumerate(METRICS):
        unit = atoms.unit if name in WITH_UNIT else 1.0
        values = unit * (signs @ np.stack([of_model[name] for of_model in scores]))
        value, ends = float(values[0]), values[1 + 2 * place : 3 + 2 * place].tolist()
        estimates[name] = Estimate(value, min(value, *ends), max(value, *ends), unit * errors[name])
    return estimates
