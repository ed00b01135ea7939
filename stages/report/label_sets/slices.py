"""Slices of label sets: parts of the rows with more wrong answers than the labels of their rows explain."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.metrics.label_sets import score_sets, set_features
from stages.metrics.slices import Slices
from stages.metrics.summary import exact
from stages.predictions import Predictions
from stages.report.mean_error import mean_error

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class SliceScore:
    """How the model does on a slice; an answer is about one row and one label.

    Attributes:
        rows: Rows of the slice.
        micro_f1: On them.
        wrong_share: Share of wrong answers (the Hamming loss).
        expected_share: The same, if its answers were wrong as often as all that are alike; see `expected_wrong`.
        excess: Share of wrong answers beyond that (-1 to 1).
        low: Lower end of the excess's interval; all slices together are outside theirs as seldom as a single one is.
        high: Its upper end.
    """

    rows: int
    micro_f1: float
    wrong_share: float
    expected_share: float
    excess: float
    low: float
    high: float


def score_slices(slices: Slices, predictions: Predictions, *, confidence: float) -> dict[str, dict[str, SliceScore]]:
    """Return every slice by column and value, that with the most wrong answers beyond its labels' first.

    Args:
        slices: Which rows of `predictions` each has.
        predictions: Of the champion.
        confidence: That all intervals together contain the true excess (0 to 1), by Bonferroni.
    """
    labels, preds, groups = predictions.labels, predictions.preds, predictions.groups
    wrong = (labels != preds).mean(axis=1)
    expected = expected_wrong(labels, preds)
    features = set_features(labels, preds)
    scores = {}
    for key, mask in slices.items():
        excess = wrong[mask] - expected[mask]
        own = None if groups is None else groups[mask]
        width = mean_error(excess, own, tail=(1 - confidence) / 2 / len(slices))
        mean = float(excess.mean())
        f1 = score_sets(features[mask].sum(axis=0), num_labels=labels.shape[1])["micro_f1"]
        numbers = (f1, wrong[mask].mean(), expected[mask].mean(), mean, max(-1.0, mean - width), min(1.0, mean + width))
        scores[key] = SliceScore(int(mask.sum()), *map(exact, numbers))
    by_column: dict[str, dict[str, SliceScore]] = {}
    for column, value in sorted(scores, key=lambda key: (-scores[key].low, -scores[key].excess, *key)):
        by_column.setdefault(column, {})[value] = scores[column, value]
    return by_column


def expected_wrong(labels: Flags, preds: Flags) -> Floats:
    """Return for each row the share of wrong answers, if each were wrong as often as all that are alike.

    Answers are alike where they are about the same label, and the row has it, or has it not, as well.

    Args:
        labels: Which labels each row has; shape (rows, num_labels).
        preds: Which labels are predicted; shape (rows, num_labels).

    Returns:
        Shape (rows,).
    """
    wrong = labels != preds
    missed, added = ((wrong & flags).sum(0) / np.maximum(1, flags.sum(0)) for flags in (labels, ~labels))
    return np.asarray(np.where(labels, missed, added).mean(axis=1))
