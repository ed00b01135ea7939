"""Every metric of two sides on the same rows, as one value per row and seed whose mean over the rows is the metric."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.comparison.seed_predictions import SeedPredictions
from pipeline.comparison.statistics.label_values import LabelCounts, count_labels, label_values, mean_counts
from stages.metrics.calibration import calibration_gaps
from stages.metrics.classification import brier_scores, count_scores, log_losses, row_values
from stages.metrics.names import CALIBRATED

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ROUNDING = 1e-12  # a smaller change is none
UNSEEN = 0.5  # rows in each direction: changes that no row showed count as if half a row had shown one


@dataclass(frozen=True)
class MetricValues:
    """A metric of both sides.

    Attributes:
        name: Such as `macro_f1`.
        base: Values of rows for each of base's seeds; shape (seeds, rows).
        head: The same for head's seeds.
        unseen: Sizes of changes that a row could show though none did; shape (changes,).
        unseen_rows: Rows that each of them counts as, in each direction.
        unit: What a value of 1 is in the unit of the metric, where the values are in another one.
        caution: How many times as large an unseen change may be where the largest possible loss is asked for.
    """

    name: str
    base: Floats
    head: Floats
    unseen: Floats
    unseen_rows: Floats
    unit: float = 1.0
    caution: float = 1.0

    def for_bounds(self) -> "MetricValues":
        """Return the values by which a large loss is excluded, which needs more care than finding a difference."""
        return replace(self, unseen=self.unseen * self.caution) if self.caution != 1 else self


def metric_values(
    labels: Ints, base: SeedPredictions, head: SeedPredictions, *, num_labels: int, ordered: bool
) -> Iterator[MetricValues]:
    """Yield every metric that rows give.

    Args:
        labels: Label of each row; shape (rows,).
        base: Base's predictions for these rows.
        head: Head's predictions for the same rows.
        num_labels: Number of classes.
        ordered: Whether the classes have an order.
    """
    yield from label_metric_values(labels, base.preds, head.preds, num_labels=num_labels, ordered=ordered)
    rows_per_row = len(labels) / np.unique(labels, return_counts=True)[1]
    values = [list(_probability_metrics(labels, side)) for side in (base, head)]
    for name in values[0][0]:
        if all(name in seed for side in values for seed in side):
            yield _metric(name, values, _unseen_size(name, values, rows_per_row, num_labels))


def label_metric_values(
    labels: Ints, base: Ints, head: Ints, *, num_labels: int, ordered: bool = False
) -> Iterator[MetricValues]:
    """Yield the metrics of labels and predicted labels; `base` and `head` of shape (seeds, rows)."""
    counts = mean_counts([count_labels(labels, preds, num_labels=num_labels) for preds in (*base, *head)])
    present = np.unique(labels)
    confused = np.roll(present, -1) if len(present) > 1 else (present + 1) % num_labels  # each class with the next
    right, wrong = (label_values(counts, present, preds, ordered=ordered) for preds in (present, confused))
    values = [[_label_metrics(labels, preds, counts, num_labels, ordered) for preds in side] for side in (base, head)]
    for name in right:
        yield _metric(name, values, np.abs(right[name] - wrong[name]))


def _metric(name: str, values: Sequence[Sequence[Mapping[str, Floats]]], unseen: Floats) -> MetricValues:
    base, head = (np.stack([seed[name] for seed in side]) for side in values)
    unseen = unseen[unseen > ROUNDING] if (unseen > ROUNDING).any() else np.ones(1)
    return MetricValues(name, base, head, unseen, np.full(len(unseen), UNSEEN / len(unseen)))


def _label_metrics(labels: Ints, preds: Ints, counts: LabelCounts, num_labels: int, ordered: bool) -> dict[str, Floats]:
    """The values of one seed; their spread is that around the mean of all models, their mean the seed's own metric."""
    sizes = np.bincount(labels * num_labels + preds)
    cells = np.flatnonzero(sizes)
    scores = count_scores(sizes[cells], *np.divmod(cells, num_labels), num_labels=num_labels, ordered=ordered)
    values = label_values(counts, labels, preds, ordered=ordered)
    return {name: value - value.mean() + float(scores[name]) for name, value in values.items()}


def _probability_metrics(labels: Ints, side: SeedPredictions) -> Iterator[dict[str, Floats]]:
    for seed, probabilities in side.probabilities.items():
        preds = side.preds_of(seed)
        values = {**row_values(labels, probabilities), "ece": _calibration_values(labels, probabilities, preds)}
        if seed in side.temperatures:
            scaled = side.calibrated(seed)
            values[f"{CALIBRATED}log_loss"] = log_losses(labels, scaled)
            values[f"{CALIBRATED}brier"] = brier_scores(labels, scaled)
            values[f"{CALIBRATED}ece"] = _calibration_values(labels, scaled, preds)
        yield values


def _calibration_values(labels: Ints, probabilities: NDArray[np.float32], preds: Ints) -> Floats:
    """Gaps of confidence and correctness, positive where they add to the calibration error of their bin."""
    bins, gaps = calibration_gaps(labels, probabilities, preds=preds)
    return np.asarray(np.sign(np.bincount(bins, weights=gaps))[bins] * gaps)


def _unseen_size(
    name: str, values: Sequence[Sequence[Mapping[str, Floats]]], rows_per_row: Floats, num_labels: int
) -> Floats:
    """How much a row could change: as one that a side ranks by chance, elsewhere at least as the row that changed most.

    Args:
        name: Of a metric of probabilities.
        values: Of each side and seed.
        rows_per_row: All rows per row of each class that occurs; shape (classes,).
        num_labels: Number of classes.
    """
    averaged = len(rows_per_row) if num_labels > 2 else 1
    ranked = {"auroc": rows_per_row / averaged / 2, "average_precision": rows_per_row / averaged}
    if name in ranked:
        return ranked[name]
    base, head = (np.mean([seed[name] for seed in side], axis=0) for side in values)
    change = head - base
    largest = float(np.abs(change - change.mean()).max())
    return np.array([max(largest, np.log(num_labels) if name.endswith("log_loss") else 1.0)])
