"""The decision threshold of a binary task, tuned on val, and a trial whether it predicts better than no threshold.

A threshold that is best on few rows is often worse on others. So it is tuned on smoothed labels, and it is tried: tuned
on nine tenths of val, it decides the other tenth. It is taken only if the gain in these trials is more than chance.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from stages.metrics.classification import SMALLEST, count_scores
from stages.metrics.ranking import ratio
from stages.metrics.rule import Trial

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MODEL_ROWS = 1_000  # what the model's probabilities weigh, in rows; all labels of val weigh their number of rows
SHIFT_SD = 1.0  # of the prior (normal, mean 0) on the model's error in the log odds of the second label
PARTS = 10  # of val, each decided by a threshold that was tuned on the others
RESAMPLES = 2_000
TIE = 1e-12  # a difference that is only rounding
CELL_LABELS, CELL_PREDS = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])


def try_threshold(
    labels: Ints,
    calibrated: NDArray[np.floating],
    *,
    groups: Ints | None = None,
    untuned: Ints | None = None,
    metric: str,
    seed: int,
) -> Trial | None:
    """Tune the threshold on the second label's probability, and try it.

    Args:
        labels: Labels of val; shape (rows,).
        calibrated: Calibrated probabilities; shape (rows, num_labels).
        groups: Equal for rows that belong together; shape (rows,). None: each row is its own.
        untuned: The labels that are predicted without a threshold; shape (rows,). None: the most probable ones.
        metric: accuracy, macro_f1, mcc, or f1, that of the second label alone.
        seed: Of the parts of val and of the resamples.

    Returns:
        None for more than two classes, or if a label is in fewer than two groups.

    Source:
        Stone, "Cross-validatory choice and assessment of statistical predictions", 1974.
    """
    groups = np.arange(len(labels)) if groups is None else np.unique(groups, return_inverse=True)[1]
    if calibrated.shape[1] != 2 or any(len(np.unique(groups[labels == label])) < 2 for label in (0, 1)):
        return None
    generator = np.random.default_rng(seed)
    part = _parts(labels, groups, generator)
    preds = np.empty(len(labels), dtype=np.int64)
    for number in np.unique(part):
        held_out = part == number
        threshold = tune_threshold(labels[~held_out], calibrated[~held_out], metric=metric)
        preds[held_out] = calibrated[held_out, 1] >= threshold
    untuned = calibrated.argmax(axis=1) if untuned is None else untuned
    cells = 4 * labels + 2 * untuned + preds
    gain, chance = _gain(cells, groups, metric=metric, generator=generator)
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
        metric: accuracy, macro_f1, mcc, or f1, that of the second label alone.

    Source:
        Lipton, Elkan, Naryanaswamy, "Optimal thresholding of classifiers to maximize F1 measure", 2014. The shift:
        Saerens, Latinne, Decaestecker, "Adjusting the outputs of a classifier to new a priori probabilities", 2002.
    """
    positive = calibrated[:, 1].astype(np.float64)
    weight = MODEL_ROWS / (MODEL_ROWS + len(labels))
    smoothed = weight * _shifted(labels, calibrated) + (1 - weight) * labels
    cuts = np.unique(positive)  # at cut k, rows with a probability of cuts[k] or more are predicted positive
    scores = _score(_counts(smoothed, positive, cuts), CELL_LABELS, CELL_PREDS, metric=metric)
    best = np.flatnonzero(scores >= scores.max() - TIE)
    ranges = np.split(best, np.flatnonzero(np.diff(best) > 1) + 1)
    edges = np.concatenate([[0.0], cuts, [1.0]])  # all thresholds from edges[k] to edges[k + 1] predict as cut k does
    bounds = [(edges[cut_range[0]], edges[cut_range[-1] + 1]) for cut_range in ranges]
    low, high = max(bounds, key=lambda bound: bound[1] - bound[0])
    return float((low + high) / 2)


def _score(counts: NDArray[np.number], labels: Ints, preds: Ints, *, metric: str) -> Floats:
    """The metric of counts, (..., cells); shape (...). Labels and predicted labels of the cells are (cells,)."""
    if metric != "f1":
        return count_scores(counts, labels, preds, num_labels=2)[metric]
    hits, either = labels * preds, labels + preds
    return ratio(2 * (counts @ hits), counts @ either)


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


def _parts(labels: Ints, groups: Ints, generator: np.random.Generator) -> Ints:
    """The part of val that each row is in: groups at random, each label spread over the parts; shape (rows,)."""
    shuffled = generator.permutation(int(groups.max()) + 1)
    second = np.bincount(groups, weights=labels)[shuffled] > 0  # whether the group has a row of the second label
    part = np.empty(len(shuffled), dtype=np.int64)
    part[shuffled[np.argsort(second, kind="stable")]] = np.arange(len(shuffled)) % PARTS
    return part[groups]


def _gain(cells: Ints, groups: Ints, *, metric: str, generator: np.random.Generator) -> tuple[float, float]:
    """The gain of the threshold, and the share of resamples of the groups without one.

    Args:
        cells: Label, label without a threshold and label by the threshold of each row, as a number of three bits.
        groups: Of each row, numbered from 0.
        metric: accuracy, macro_f1, mcc, or f1, that of the second label alone.
        generator: Of the resamples.
    """
    contents = np.bincount(8 * groups + cells, minlength=8 * (int(groups.max()) + 1)).reshape(-1, 8)
    contents, sizes = np.unique(contents, axis=0, return_counts=True)  # groups with the same rows are drawn alike
    draws = generator.multinomial(sizes.sum(), sizes / sizes.sum(), size=RESAMPLES)
    counts = np.concatenate([sizes[None, :], draws]) @ contents  # (1 + resamples, 8)
    labels, untuned, decided = np.arange(8) // 4, np.arange(8) // 2 % 2, np.arange(8) % 2
    before, after = (_score(counts, labels, preds, metric=metric) for preds in (untuned, decided))
    gains = after - before
    ties = np.abs(gains[1:]) < TIE
    return float(gains[0]), float(((gains[1:] < 0) & ~ties).mean() + ties.mean() / 2)
