"""The metrics of label sets as one value per row and seed whose mean over the rows is the metric.

Source:
    As for labels: Hampel 1974, Efron 1982; see `label_values.py`.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.comparison.statistics.metric_values import UNSEEN, MetricValues
from stages.metrics.label_sets import score_sets, set_features, set_losses, slopes_of
from stages.metrics.names import CALIBRATED
from stages.metrics.ranking import average_precision

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

LARGEST = {"log_loss": float(np.log(2)), "brier": 1.0}  # of a row's change that none may have shown: a guess's loss


@dataclass(frozen=True)
class SetSide:
    """What the models of all seeds of one side answer for the same rows.

    Attributes:
        preds: Which labels are predicted; shape (seeds, rows, num_labels).
        probabilities: Of each seed; shape (rows, num_labels) each.
        calibrated: The same as the models ship; None where a temperature is unknown.
    """

    preds: Flags
    probabilities: Sequence[NDArray[np.float32]]
    calibrated: Sequence[NDArray[np.float32]] | None = None


def set_metric_values(labels: Flags, base: SetSide, head: SetSide) -> Iterator[MetricValues]:
    """Yield every metric of sets, then those of probabilities; `labels` of shape (rows, num_labels)."""
    yield from _of_sets(labels, base.preds, head.preds)
    for prefix, sides in (
        ("", (base.probabilities, head.probabilities)),
        (CALIBRATED, (base.calibrated, head.calibrated)),
    ):
        if all(side is not None for side in sides):
            losses = [[set_losses(labels, seed) for seed in side or ()] for side in sides]
            for name, largest in LARGEST.items():
                of_base, of_head = (np.stack([seed[name] for seed in side]) for side in losses)
                change = of_head.mean(axis=0) - of_base.mean(axis=0)
                unseen = np.array([max(float(np.abs(change - change.mean()).max()), largest)])
                yield MetricValues(prefix + name, of_base, of_head, unseen, np.array([UNSEEN]))
    precisions = [[precision_values(labels, seed) for seed in side.probabilities] for side in (base, head)]
    support = labels.sum(axis=0)
    unseen = len(labels) / support[support > 0] / max(1, (support > 0).sum())  # a row with the label, ranked by chance
    unseen = unseen if len(unseen) else np.ones(1)
    of_base, of_head = (np.stack(side) for side in precisions)
    yield MetricValues("average_precision", of_base, of_head, unseen, np.full(len(unseen), UNSEEN / len(unseen)))


def precision_values(labels: Flags, probabilities: NDArray[np.floating]) -> Floats:
    """Return values whose mean is the mean average precision of the labels that a row has, 0 of none; shape (rows,)."""
    total, present = np.zeros(len(labels)), np.flatnonzero(labels.any(axis=0)).tolist()
    for label in present:
        has = labels[:, label]
        ranking = average_precision(
            has.astype(np.float64), np.ones(len(labels)), probabilities[:, label].astype(np.float64)
        )
        total += ranking.value + np.where(has, ranking.if_positive, ranking.if_negative)
    return total / max(1, len(present))


def _of_sets(labels: Flags, base: Flags, head: Flags) -> Iterator[MetricValues]:
    score = functools.partial(score_sets, num_labels=labels.shape[1])
    sides = [[set_features(labels, preds) for preds in side] for side in (base, head)]
    centre = np.mean([features.mean(axis=0) for side in sides for features in side], axis=0)
    slopes = slopes_of(centre, score)
    changes = _possible_changes(labels)
    values = [[_values(features, score(features.mean(axis=0)), slopes) for features in side] for side in sides]
    for name, slope in slopes.items():
        of_base, of_head = (np.stack([seed[name] for seed in side]) for side in values)
        unseen = np.abs(changes @ slope)
        unseen = unseen[unseen > 0] if unseen.any() else np.ones(1)
        yield MetricValues(name, of_base, of_head, unseen, np.full(len(unseen), UNSEEN / len(unseen)))


def _values(features: Floats, scores: Mapping[str, Floats], slopes: Mapping[str, Floats]) -> dict[str, Floats]:
    """The values of one seed; their spread is that around the mean of all models, their mean the seed's own metric."""
    spreads = {name: features @ slope for name, slope in slopes.items()}
    return {name: spread - spread.mean() + float(scores[name]) for name, spread in spreads.items()}


def _possible_changes(labels: Flags) -> Floats:
    """What a row adds to the sums if one more of its answers is wrong: it misses its only label, or has none and gets
    one; for each label that a row has. Shape (2 * labels that occur, sums)."""
    alone = np.eye(labels.shape[1], dtype=np.bool_)[labels.any(axis=0)]
    none = np.zeros_like(alone)
    missed = set_features(alone, none) - set_features(alone, alone)
    added = set_features(none, alone) - set_features(none, none)
    return np.concatenate([missed, added])
