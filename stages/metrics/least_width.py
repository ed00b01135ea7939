"""The least width of an interval: rows that all say the same do not prove that every other row says it too.

A model that predicts one label, or one probability, for every row has a metric without any spread, and so has its lead
over a baseline that predicts the same. Then the interval is that of a share: other rows are of a kind that none of n
rows showed, and may have any value, with a share up to the exact limit of Clopper and Pearson (1934) for 0 of n.
"""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from stages.metrics.bootstrap import Estimate
from stages.metrics.names import SHOWN_STEP, value_range

RANKED_OR_CORRELATED = ("mcc", "kappa", "quadratic_kappa", "auroc", "average_precision")  # of two classes or more


def widen_flat(
    estimates: Mapping[str, Estimate],
    labels: NDArray[np.int64],
    groups: NDArray[np.int64] | None,
    *,
    num_labels: int,
    confidence: float,
    differences: bool = False,
) -> dict[str, Estimate]:
    """Return the estimates, those wider whose interval would be shown as one number.

    Args:
        estimates: By name of the metric, without the split.
        labels: Label of each row; shape (rows,).
        groups: Equal for rows that belong together; shape (rows,). None: each row is its own.
        num_labels: Number of classes.
        confidence: Of the intervals (0 to 1).
        differences: Whether the estimates are differences of two models.
    """
    units = len(labels) if groups is None else len(np.unique(groups))
    unseen = 1 - ((1 - confidence) / 2) ** (1 / units)
    one_class = (labels == labels[0]).all()
    widened = {}
    for name, estimate in estimates.items():
        lowest, highest = _range(name, num_labels)
        if differences:
            lowest, highest = lowest - highest, highest - lowest
        share = 1.0 if one_class and name in RANKED_OR_CORRELATED else unseen
        value = estimate.value
        low, high = min(estimate.low, value), max(estimate.high, value)  # BCa intervals of few rows may miss it
        if high - low < SHOWN_STEP:
            low = min(low, value - share * max(0.0, value - lowest))
            high = max(high, value + share * max(0.0, highest - value))
        widened[name] = Estimate(value, low, high, estimate.error)
    return widened


def _range(name: str, num_labels: int) -> tuple[float, float]:
    lowest, highest = value_range(name)
    if math.isfinite(highest):
        return lowest, highest
    return lowest, num_labels - 1.0 if name == "mean_absolute_error" else 2 * math.log(num_labels)
