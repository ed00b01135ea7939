"""The metrics of predicted numbers as one value per row whose mean is the metric.

A row's value is the metric and the row's influence on it: the derivative of the metric by the row's weight. The values
of all rows have the metric as their mean, and their spread is that of the metric when other rows are drawn, to first
order.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pipeline.comparison.statistics.metric_values import UNSEEN, MetricValues
from stages.metrics.number_influences import number_influences
from stages.metrics.regression import METRICS, number_scores

Floats = NDArray[np.float64]

OF_A_UNIT = frozenset({"mean_absolute_error", "root_mean_squared_error"})
OF_SQUARES = frozenset({"r2", "root_mean_squared_error"})
LARGER = 1.5  # times the largest error: few rows may decide a mean of squares, and not be among the rows at hand
LEAST_UNSEEN = 0.01  # of the spread of the numbers: a row could change as much, however alike the two sides are


def number_metric_values(numbers: Floats, base: Floats, head: Floats) -> Iterator[MetricValues]:
    """Yield every metric of numbers, in units of their standard deviation.

    Args:
        numbers: Of the rows; shape (rows,).
        base: What each of base's seeds predicts; shape (seeds, rows).
        head: The same for head's seeds.
    """
    unit = float(numbers.std()) or float(np.abs(numbers).max()) or 1.0
    centre = numbers.mean()
    labels = (numbers - centre) / unit
    sides = [[number_values(labels, (preds - centre) / unit) for preds in side] for side in (base, head)]
    for name in METRICS:
        of_base, of_head = (np.stack([seed[name] for seed in side]) for side in sides)
        change = of_head.mean(0) - of_base.mean(0)
        largest = max(float(np.abs(change - change.mean()).max()), LEAST_UNSEEN)
        yield MetricValues(
            name,
            of_base,
            of_head,
            np.array([largest]),
            np.array([UNSEEN]),
            unit=unit if name in OF_A_UNIT else 1.0,
            caution=LARGER**2 if name in OF_SQUARES else 1.0,
        )


def number_values(numbers: Floats, preds: Floats) -> dict[str, Floats]:
    """Return the values of each of `METRICS`; arguments and values of shape (rows,)."""
    influences, scores = number_influences(numbers, preds), number_scores(np.ones(len(numbers)), numbers, preds)
    return {name: influences[name] - influences[name].mean() + float(scores[name]) for name in METRICS}
