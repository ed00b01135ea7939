"""The calibration error without what chance adds to it, and its interval.

Even perfectly calibrated probabilities show gaps between confidence and accuracy: .04 on average with 92 rows. So the
observed gaps are read as those of one member of a family: the bins' accuracies are their confidences plus the observed
gaps times a scale, and scale 0 is a perfect model. The value is the calibration error of the member under which the
observed error is as often exceeded as not, and the interval's ends are those under which it is just not chance.

Source:
    Nixon et al., "Measuring calibration in deep learning", 2019 (bins of equal size). Kumar, Liang, Ma, "Verified
    uncertainty calibration", 2019, and Roelofs et al., "Mitigating bias in calibration error estimation", 2022 (the
    bias). Birnbaum, "Median unbiased estimators", 1964.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from stages.metrics.bootstrap import NORMAL, Bootstrap, Estimate
from stages.metrics.calibration import calibration_gaps
from stages.metrics.effective_rows import weigh_sample

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LARGEST_SCALE = 64.0  # of the observed gaps
HALVINGS = 12  # of the search for a scale
TIES = 1e-12


def measure_calibration(
    labels: Ints,
    models: Sequence[NDArray[np.floating]],
    preds: Sequence[Ints],
    *,
    groups: Ints | None,
    bootstrap: Bootstrap,
) -> Estimate:
    """Return the calibration error, its mean over the models, with its interval.

    Args:
        labels: Label of each row; shape (rows,).
        models: Probabilities from each model; shape (rows, num_labels) each.
        preds: The labels that each model predicts; shape (rows,) each.
        groups: Equal for rows that belong together; shape (rows,). None: each row is its own.
        bootstrap: Of the interval; each scale that is tried is simulated `resamples` times.
    """
    gaps = [calibration_gaps(labels, model, preds=column) for model, column in zip(models, preds, strict=True)]
    parts = [
        _measure_one(bins, of_rows, (column == labels) - of_rows, groups, bootstrap)
        for (bins, of_rows), column in zip(gaps, preds, strict=True)
    ]
    values, lows, highs = np.array(parts).T
    value = float(values.mean())
    # root mean squares: one of several perfect models that seems imperfect must not make them all so
    low = max(0.0, value - float(np.sqrt(np.mean((values - lows) ** 2))))
    high = min(1.0, value + float(np.sqrt(np.mean((highs - values) ** 2))))
    return Estimate(value, low, high, (high - low) / 2 / NORMAL.inv_cdf((1 + bootstrap.confidence) / 2))


def _measure_one(
    bins: Ints, gaps: Floats, confidences: Floats, groups: Ints | None, bootstrap: Bootstrap
) -> tuple[float, float, float]:
    """The value and the ends, from each row's bin, its correctness minus its confidence, and its confidence."""
    sizes, sums = np.bincount(bins).astype(np.float64), np.bincount(bins, weights=gaps)
    shares = sizes / len(bins)
    observed = float(np.abs(sums).sum()) / len(bins)
    sample = weigh_sample(np.sign(sums)[bins] * gaps, groups, confidence=bootstrap.confidence)
    in_bins = sample
    if groups is not None:  # a group's rows lie in several bins: each bin is less uncertain than all of them together
        parts = np.unique(groups, return_inverse=True)[1] * len(sizes) + bins
        in_bins = weigh_sample(gaps, parts, confidence=bootstrap.confidence)
    drawn_rows = np.maximum(1, np.round(shares * in_bins.rows)).astype(np.int64)
    wider = max(1.0, in_bins.rows / sample.rows) ** 0.5
    confidence = np.bincount(bins, weights=confidences) / sizes
    # half a row right and half a row wrong in each bin: without it a bin without errors would have none in any member
    steps = (sums + 0.5 - confidence) / (sizes + 1)

    def accuracies(scale: float) -> Floats:
        return np.clip(confidence + scale * steps, 0, 1)

    def exceeded(scale: float) -> float:
        generator = np.random.default_rng(bootstrap.seed)  # the same chance for each scale
        right = generator.binomial(drawn_rows, accuracies(scale), size=(bootstrap.resamples, len(sizes)))
        simulated = np.abs(right / drawn_rows - confidence) @ shares
        ties = np.abs(simulated - observed) <= TIES
        return float(np.mean(np.where(ties, 0.5, simulated > observed)))

    value, low, high = (
        float(np.abs(accuracies(_scale(exceeded, chance)) - confidence) @ shares)
        for chance in (0.5, sample.tail, 1 - sample.tail)
    )
    low, high = value - (value - low) * wider, value + (high - value) * wider
    return value, max(0.0, low), min(1.0, max(high, observed))


def _scale(exceeded: Callable[[float], float], chance: float) -> float:
    """The scale under which the observed error is exceeded with this chance; 0 where it is so with a perfect model."""
    if exceeded(0.0) >= chance:
        return 0.0
    low, high = 0.0, 1.0
    while exceeded(high) < chance and high < LARGEST_SCALE:
        low, high = high, 2 * high
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if exceeded(middle) < chance else (low, middle)
    return (low + high) / 2
