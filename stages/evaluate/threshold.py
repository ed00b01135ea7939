"""The decision threshold of a binary task, tuned on val, and a trial whether it predicts better than the most probable
label.

A threshold that is best on few rows is often worse on others. So it is tuned on smoothed labels, and it is tried: tuned
on nine tenths of val, it decides the other tenth. It is taken only if the gain in these trials is more than chance.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from stages.metrics.classification import SMALLEST, count_scores

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MODEL_ROWS = 1_000  # what the model's probabilities weigh, in rows; all labels of val weigh their number of rows
SHIFT_SD = 1.0  # of the prior (normal, mean 0) on the model's error in the log odds of the second label
FOLDS = 10
RESAMPLES = 2_000
MOST_CHANCE = 0.1  # a threshold is taken if its gain would be chance less often
CELL_LABELS, CELL_PREDS = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])


@dataclass(frozen=True)
class Trial:
    """What a tuned threshold gained on rows of val that it was not tuned on.

    Attributes:
        threshold: Tuned on all rows (0 to 1).
        gain: Its metric minus that of the most probable label.
        chance: Share of resamples of the rows that have no gain (0 to 1); those with equal metrics count half.
    """

    threshold: float
    gain: float
    chance: float

    @property
    def taken(self) -> bool:
        """Whether the gain is more than chance."""
        return self.chance < MOST_CHANCE


def try_threshold(labels: Ints, calibrated: NDArray[np.floating], *, metric: str, seed: int) -> Trial | None:
    """Tune the threshold on the second label's probability, and try it.

    Args:
        labels: Labels of val; shape (rows,).
        calibrated: Calibrated probabilities; shape (rows, num_labels).
        metric: accuracy, macro_f1 or mcc.
        seed: Of the parts of val and of the resamples.

    Returns:
        None for more than two classes, or if a label has fewer than two rows.

    Source:
        Stone, "Cross-validatory choice and assessment of statistical predictions", 1974.
    """
    if calibrated.shape[1] != 2 or np.bincount(labels, minlength=2).min() < 2:
        return None
    generator = np.random.default_rng(seed)
    fold = _folds(labels, generator)
    preds = np.empty(len(labels), dtype=np.int64)
    for number in range(min(FOLDS, len(labels))):
        held_out = fold == number
        threshold = tune_threshold(labels[~held_out], calibrated[~held_out], metric=metric)
        preds[held_out] = calibrated[held_out, 1] >= threshold
    gain, chance = _gain(labels, calibrated.argmax(axis=1), preds, metric=metric, generator=generator)
    return Trial(tune_threshold(labels, calibrated, metric=metric), gain, chance)


def tune_threshold(labels: Ints, calibrated: NDArray[np.floating], *, metric: str) -> float:
    """Return the threshold (0 to 1) on the second label's probability that is best by `metric` on smoothed labels.

    A smoothed label is the mean of the row's label and of the probability that the model gives it once its log odds
    are shifted to expect as many rows of the second label as there are. With few rows the model weighs more, because
    their best threshold is mostly chance; with many the labels do, because a model can be wrong in other ways than a
    shift. Of equally good thresholds it is the middle of the widest range of them, where new rows change the result
    least.

    Args:
        labels: Labels of val, of both classes; shape (rows,).
        calibrated: Calibrated probabilities; shape (rows, 2).
        metric: accuracy, macro_f1 or mcc.

    Source:
        Lipton, Elkan, Naryanaswamy, "Optimal thresholding of classifiers to maximize F1 measure", 2014; Saerens, Latinne,
        Decaestecker, "Adjusting the outputs of a classifier to new a priori probabilities", 2002 (the shift).
    """
    positive = calibrated[:, 1].astype(np.float64)
    weight = MODEL_ROWS / (MODEL_ROWS + len(labels))
    smoothed = weight * _shifted(labels, calibrated) + (1 - weight) * labels
    cuts = np.unique(positive)  # at cut k, rows with a probability of cuts[k] or more are predicted positive
    scores = count_scores(_counts(smoothed, positive, cuts), CELL_LABELS, CELL_PREDS, num_labels=2)[metric]
    best = np.flatnonzero(scores >= scores.max() - 1e-12)
    ranges = np.split(best, np.flatnonzero(np.diff(best) > 1) + 1)
    edges = np.concatenate([[0.0], cuts, [1.0]])  # all thresholds from edges[k] to edges[k + 1] predict as cut k does
    bounds = [(edges[cut_range[0]], edges[cut_range[-1] + 1]) for cut_range in ranges]
    low, high = max(bounds, key=lambda bound: bound[1] - bound[0])
    return float((low + high) / 2)


def _shifted(labels: Ints, calibrated: NDArray[np.floating]) -> Floats:
    """The second label's probabilities, their log odds shifted to the most probable error; shape (rows,)."""
    logits = np.log(np.maximum(calibrated, SMALLEST).astype(np.float64))
    log_odds = logits[:, 1] - logits[:, 0]

    def shifted(shift: float) -> Floats:
        return np.asarray(1 / (1 + np.exp(-np.clip(log_odds + shift, -500, 500))))

    def slope(shift: float) -> float:  # of minus the log posterior; it rises
        return float(shifted(shift).sum() - labels.sum() + shift / SHIFT_SD**2)

    furthest = SHIFT_SD**2 * len(labels) + 1
    return shifted(float(brentq(slope, -furthest, furthest)))


def _counts(smoothed: Floats, positive: Floats, cuts: Floats) -> Floats:
    """Rows of each cell at each cut, and at one more where no row is predicted positive; shape (cuts + 1, 4)."""
    order = np.argsort(positive, kind="stable")
    below = np.append(np.searchsorted(positive[order], cuts, "left"), len(positive))  # rows below each cut
    columns = []
    for weights in (1 - smoothed, smoothed):
        total = np.concatenate([[0.0], np.cumsum(weights[order])])
        columns += [total[below], total[-1] - total[below]]
    return np.stack(columns, axis=1)


def _folds(labels: Ints, generator: np.random.Generator) -> Ints:
    """The part of val that each row is in, at random, with each label spread evenly over the parts; shape (rows,)."""
    shuffled = generator.permutation(len(labels))
    by_label = shuffled[np.argsort(labels[shuffled], kind="stable")]
    fold = np.empty(len(labels), dtype=np.int64)
    fold[by_label] = np.arange(len(labels)) % FOLDS
    return fold


def _gain(
    labels: Ints, argmax: Ints, preds: Ints, *, metric: str, generator: np.random.Generator
) -> tuple[float, float]:
    """The gain of `preds` over `argmax`, and the share of resamples of the rows without one."""
    cells = np.arange(8)  # label, most probable label, label by the threshold
    sizes = np.bincount(4 * labels + 2 * argmax + preds, minlength=8)
    resamples = generator.multinomial(len(labels), sizes / len(labels), size=RESAMPLES)
    counts = np.concatenate([sizes[None, :], resamples])
    before, after = (
        count_scores(counts, cells // 4, column, num_labels=2)[metric] for column in (cells // 2 % 2, cells % 2)
    )
    gains = after - before
    ties = np.abs(gains[1:]) < 1e-12
    return float(gains[0]), float(((gains[1:] < 0) & ~ties).mean() + ties.mean() / 2)
