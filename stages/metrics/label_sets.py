"""Metrics of label sets: each row has any number of the labels, none included.

The metrics are functions of sums over rows, so that rows can be given weights. A row without labels for which none is
predicted is right: its F1 is 1. Macro averages leave out a label that no row has and none is predicted to have.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from stages.metrics.classification import clip
from stages.metrics.ranking import ratio

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

STEP = 1e-6  # by which a sum is changed for its derivative
MEANS = ("sample_f1", "subset_accuracy", "hamming_loss")  # means over rows; the last columns of `set_features`


def set_features(labels: Flags, preds: Flags) -> Floats:
    """Return what each row adds to the sums that `score_sets` takes; shape (rows, 3 * num_labels + 4).

    Args:
        labels: Which labels each row has; shape (rows, num_labels).
        preds: Which labels are predicted; shape (rows, num_labels).
    """
    hits, sizes = labels & preds, labels.sum(1) + preds.sum(1)
    sample_f1 = np.where(sizes == 0, 1.0, ratio(2 * hits.sum(1), sizes))
    wrong = labels != preds
    means = (sample_f1, ~wrong.any(1), wrong.mean(1), np.ones(len(labels)))
    return np.hstack([hits, labels, preds, np.stack(means, axis=1)]).astype(np.float64)


def score_sets(sums: Floats, *, num_labels: int) -> dict[str, Floats]:
    """Return the metrics of label sets from sums over rows.

    Args:
        sums: Of the columns of `set_features`; shape (..., 3 * num_labels + 4).
        num_labels: Number of labels.

    Returns:
        micro_f1, macro_f1, micro_precision, micro_recall, sample_f1, subset_accuracy, hamming_loss; shape (...) each.

    Source:
        Tsoumakas, Katakis, Vlahavas, "Mining multi-label data", 2010 (all but the macro average's exception).
    """
    hits, support, predicted = (sums[..., start : start + num_labels] for start in num_labels * np.arange(3))
    f1 = ratio(2 * hits, support + predicted)
    all_hits, all_support, all_predicted = hits.sum(-1), support.sum(-1), predicted.sum(-1)
    scores = {
        "micro_f1": ratio(2 * all_hits, all_support + all_predicted),
        "macro_f1": ratio(f1.sum(-1), (support + predicted > 0).sum(-1)),
        "micro_precision": ratio(all_hits, all_predicted),
        "micro_recall": ratio(all_hits, all_support),
    }
    means = {name: ratio(sums[..., 3 * num_labels + column], sums[..., -1]) for column, name in enumerate(MEANS)}
    return scores | means


def score_label(sums: Floats, label: int, *, num_labels: int) -> dict[str, Floats]:
    """Return f1, precision and recall of one label from the sums that `score_sets` takes; shape (...) each."""
    hits, support, predicted = (sums[..., start + label] for start in num_labels * np.arange(3))
    return {
        "f1": ratio(2 * hits, support + predicted),
        "precision": ratio(hits, predicted),
        "recall": ratio(hits, support),
    }


def slopes_of(sums: Floats, score: Callable[[Floats], dict[str, Floats]]) -> dict[str, Floats]:
    """Return the derivative of each metric of `score` by each of the sums that it takes; both of shape (sums,)."""
    more, less = (score(sums[None] + step * np.eye(len(sums))) for step in (STEP, -STEP))
    return {name: (more[name] - less[name]) / (2 * STEP) for name in more}


def set_losses(labels: Flags, probabilities: NDArray[np.floating]) -> dict[str, Floats]:
    """Return the log loss and the Brier score of each row, means over its labels; shape (rows,) each.

    Args:
        labels: Which labels each row has; shape (rows, num_labels).
        probabilities: Of each label; shape (rows, num_labels).
    """
    values = probabilities.astype(np.float64)
    right = clip(np.where(labels, values, 1 - values), probabilities.dtype)
    return {"log_loss": np.asarray(-np.log(right).mean(1)), "brier": np.asarray(((values - labels) ** 2).mean(1))}


def label_confusions(labels: Flags, preds: Flags) -> NDArray[np.int64]:
    """Return for each label how many rows have it not or have it, by whether it is predicted; (num_labels, 2, 2).

    The first index in a label's table is 1 where rows have the label, the second where it is predicted.
    """
    cells = 2 * labels.astype(np.int64) + preds
    counts = np.stack([(cells == cell).sum(0) for cell in range(4)], axis=1)
    return counts.reshape(-1, 2, 2)
