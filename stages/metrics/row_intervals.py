"""Intervals of the metrics of probabilities: means over rows, and the ranking metrics AUROC and average precision.

The rows give a distribution of further rows: what the model says of a row, and the row's label. Two rows' worth of it
have a label drawn from what the model says, calibrated: so an error of a kind that no row showed has a chance too. The
interval comes from tilting this distribution (see `tilting.py`); a ranking metric is tilted by its influence values,
and its ends are the metric of the tilted rows, so they lie within its range.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.metrics.bootstrap import Estimate
from stages.metrics.classification import brier_scores, clip, log_losses, ranks
from stages.metrics.effective_rows import weigh_sample
from stages.metrics.ranking import RankingMetric, auroc, average_precision, ranked_classes
from stages.metrics.tilting import mean_ends

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

UNSEEN_ROWS = (
    2.0  # worth of rows whose label is drawn from the model's probabilities; chosen by benchmarks/statistics.py
)
MOST_ROWS = 2_000  # of which labels are drawn; of more rows, as many are taken at equal steps
LEAST_CHANCE = 1e-6  # of a label, so that none is impossible
RANKING: Mapping[str, RankingMetric] = {"auroc": auroc, "average_precision": average_precision}


@dataclass(frozen=True)
class LabelledRows:
    """A distribution of rows with labels: the rows themselves, then some of them with every label.

    Attributes:
        labels: Label of each row; shape (rows,).
        drawn: Rows that also get a label drawn from the model's probabilities; shape (drawn,).
        weights: Of the rows, then of the drawn rows with each label, with a sum of 1; shape (rows + drawn * labels,).
        num_labels: Number of classes.
    """

    labels: Ints
    drawn: Ints
    weights: Floats
    num_labels: int

    def join(self, of_rows: Floats, of_drawn: Floats) -> Floats:
        """Return values of the rows, (rows,), and of drawn rows with each label, (drawn, num_labels), as atoms."""
        return np.concatenate([of_rows, of_drawn.ravel()])

    def by_row(self, weights: Floats) -> tuple[Floats, Floats]:
        """Return the weight of each row, (rows,), and that of the drawn rows with each label, (drawn, num_labels)."""
        rows = len(self.labels)
        drawn = weights[rows:].reshape(-1, self.num_labels)
        total = weights[:rows].copy()
        total[self.drawn] += drawn.sum(1)
        return total, drawn

    def of_class(self, weights: Floats, drawn: Floats, label: int) -> Floats:
        """Return the weight that each row has with a label; shape (rows,)."""
        rows = np.where(self.labels == label, weights[: len(self.labels)], 0.0)
        rows[self.drawn] += drawn[:, label]
        return rows


def label_rows(labels: Ints, calibrated: Sequence[NDArray[np.floating]]) -> LabelledRows:
    """Return the distribution of further rows.

    Args:
        labels: Label of each row; shape (rows,).
        calibrated: Calibrated probabilities from each model; shape (rows, num_labels) each.
    """
    rows, num_labels = calibrated[0].shape
    drawn = np.unique(np.linspace(0, rows - 1, min(rows, MOST_ROWS)).round().astype(np.int64))
    chances = np.mean([model[drawn] for model in calibrated], axis=0, dtype=np.float64) + LEAST_CHANCE
    chances *= UNSEEN_ROWS / len(drawn) / chances.sum(1, keepdims=True)
    weights = np.concatenate([np.ones(rows), chances.ravel()]) / (rows + UNSEEN_ROWS)
    return LabelledRows(labels, drawn, weights, num_labels)


def measure_mean(
    name: str,
    rows: LabelledRows,
    models: Sequence[NDArray[np.floating]],
    *,
    baseline: NDArray[np.floating] | None = None,
    groups: Ints | None,
    confidence: float,
) -> Estimate:
    """Return log_loss, brier or top_3_accuracy, its mean over the models, with its interval.

    Args:
        name: Of the metric.
        rows: From `label_rows`.
        models: Probabilities from each model; shape (rows, num_labels) each.
        baseline: Probabilities of which the metric is subtracted; shape (rows, num_labels). None: nothing is.
        groups: Equal for rows that belong together; shape (rows,). None: each row is its own.
        confidence: Of the interval (0 to 1).
    """
    of_rows = np.mean([_row_values(name, model, rows.labels) for model in models], axis=0)
    of_drawn = np.mean([_label_values(name, model[rows.drawn]) for model in models], axis=0)
    if baseline is not None:
        of_rows = of_rows - _row_values(name, baseline, rows.labels)
        of_drawn = of_drawn - _label_values(name, baseline[rows.drawn])
    atoms = rows.join(of_rows, of_drawn)
    sample = weigh_sample(of_rows, groups, confidence=confidence)
    value = float(of_rows.mean())
    means = [float(weights @ atoms) for weights in mean_ends(atoms, rows.weights, value, sample)]
    ends = np.clip(means, atoms.min(), atoms.max()).tolist()  # a sum of weights is 1 but for rounding
    return Estimate(value, min(value, *ends), max(value, *ends), float(of_rows.std()) / math.sqrt(sample.rows))


def measure_ranking(
    name: str,
    rows: LabelledRows,
    models: Sequence[NDArray[np.floating]],
    *,
    baseline: NDArray[np.floating] | None = None,
    groups: Ints | None,
    confidence: float,
) -> Estimate:
    """Return auroc or average_precision, its mean over the models, with its interval; arguments as `measure_mean`.

    Rows of one class alone have nothing to rank: the metric is 0, and its interval the whole range.
    """
    classes = ranked_classes(rows.labels, rows.num_labels)
    if not classes:
        return Estimate(0.0, 0.0 if baseline is None else -1.0, 1.0, 0.0)
    seen = np.concatenate(
        [np.full(len(rows.labels), 1 / len(rows.labels)), np.zeros(rows.drawn.size * rows.num_labels)]
    )

    def rank(weights: Floats) -> float:
        subtracted = 0.0 if baseline is None else _rank(name, rows, weights, [baseline], classes)
        return _rank(name, rows, weights, models, classes) - subtracted

    value = rank(seen)
    influence = _influence(name, rows, models, classes)
    if baseline is not None:
        influence = influence - _influence(name, rows, [baseline], classes)
    of_rows = influence[: len(rows.labels)]
    sample = weigh_sample(of_rows, groups, confidence=confidence)
    weights = mean_ends(influence, rows.weights, float(of_rows.mean()), sample)
    ends = [rank(member) for member in weights]
    return Estimate(value, min(value, *ends), max(value, *ends), float(of_rows.std()) / math.sqrt(sample.rows))


def _row_values(name: str, model: NDArray[np.floating], labels: Ints) -> Floats:
    """The value of each row; shape (rows,)."""
    if name == "top_3_accuracy":
        return (ranks(labels, model) < 3).astype(np.float64)
    return log_losses(labels, model) if name == "log_loss" else brier_scores(labels, model)


def _label_values(name: str, model: NDArray[np.floating]) -> Floats:
    """The value that each row would have with each label; shape (rows, num_labels)."""
    if name == "top_3_accuracy":
        order = np.argsort(-model, axis=1, kind="stable")
        return (np.argsort(order, axis=1) < 3).astype(np.float64)
    probabilities = model.astype(np.float64)
    if name == "log_loss":
        return np.asarray(-np.log(clip(probabilities, model.dtype)))
    return np.asarray((probabilities**2).sum(1)[:, None] - 2 * probabilities + 1)


def _rank(
    name: str, rows: LabelledRows, weights: Floats, models: Sequence[NDArray[np.floating]], classes: Sequence[int]
) -> float:
    """The ranking metric of rows with weights: its mean over classes and models."""
    total, drawn = rows.by_row(weights)
    values = [
        RANKING[name](rows.of_class(weights, drawn, label), total, model[:, label].astype(np.float64)).value
        for model in models
        for label in classes
    ]
    return min(1.0, float(np.mean(values)))  # but for rounding it is no more


def _influence(name: str, rows: LabelledRows, models: Sequence[NDArray[np.floating]], classes: Sequence[int]) -> Floats:
    """The metric's influence value of each atom; shape (atoms,)."""
    total, drawn = rows.by_row(rows.weights)
    of_rows = np.zeros(len(rows.labels))
    of_drawn = np.zeros((len(rows.drawn), rows.num_labels))
    for model in models:
        for label in classes:
            positive = rows.of_class(rows.weights, drawn, label)
            ranking = RANKING[name](positive, total, model[:, label].astype(np.float64))
            of_rows += np.where(rows.labels == label, ranking.if_positive, ranking.if_negative)
            of_drawn += ranking.if_negative[rows.drawn, None]
            of_drawn[:, label] += (ranking.if_positive - ranking.if_negative)[rows.drawn]
    return rows.join(of_rows, of_drawn) / (len(models) * len(classes))
