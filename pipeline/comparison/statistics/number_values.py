"""The metrics of predicted numbers as one value per row whose mean is the metric.

A row's value is the metric and the row's influence on it: the derivative of the metric by the row's weight. The values
of all rows have the metric as their mean, and their spread is that of the metric when other rows are drawn, to first
order.

Source:
    Hampel, "The influence curve and its role in robust estimation", 1974. Spearman: Croux, Dehon, "Influence functions
    of the Spearman and Kendall correlation measures", 2010; here with mid-ranks, so that ties are exact.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from pipeline.comparison.statistics.metric_values import UNSEEN, MetricValues
from stages.metrics.regression import METRICS, number_scores

Floats = NDArray[np.float64]

FLAT = 1e-12  # share of the sum of squares: with a smaller variance all numbers are equal
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
    error = preds - numbers
    influences: Mapping[str, Floats] = {
        "r2": _r2(numbers, error),
        "pearson": _correlation(numbers, preds),
        "spearman": _spearman(numbers, preds),
        "mean_absolute_error": np.abs(error),
        "root_mean_squared_error": _root(error**2),
    }
    scores = number_scores(np.ones(len(numbers)), numbers, preds)
    return {name: values - values.mean() + float(scores[name]) for name, values in influences.items()}


def _r2(numbers: Floats, error: Floats) -> Floats:
    squares, deviations = error**2, (numbers - numbers.mean()) ** 2
    spread = float(deviations.mean())
    if spread <= FLAT * float((numbers**2).mean()) or spread == 0:
        return np.zeros(len(numbers))
    return np.asarray((float(squares.mean()) / spread * deviations - squares) / spread)


def _root(squares: Floats) -> Floats:
    root = float(squares.mean()) ** 0.5
    return squares / (2 * root) if root > 0 else squares


def _correlation(numbers: Floats, preds: Floats) -> Floats:
    if _is_flat(numbers) or _is_flat(preds):
        return np.zeros(len(numbers))
    y, p = ((values - values.mean()) / values.std() for values in (numbers, preds))
    return np.asarray(y * p - float((y * p).mean()) / 2 * (y**2 + p**2))


def _spearman(numbers: Floats, preds: Floats) -> Floats:
    """The influence through a row's own ranks, and through those of the rows above it, which it shifts."""
    if _is_flat(numbers) or _is_flat(preds):
        return np.zeros(len(numbers))
    (y, y_spread, y_places), (p, p_spread, p_places) = (_standard_ranks(values) for values in (numbers, preds))
    correlation = float((y * p).mean())
    shifted = _shift(p - correlation * y, y_places) / y_spread + _shift(y - correlation * p, p_places) / p_spread
    return np.asarray(y * p - correlation / 2 * (y**2 + p**2) + shifted)


def _standard_ranks(values: Floats) -> tuple[Floats, float, NDArray[np.int64]]:
    """Mid-ranks as shares of the rows, with mean 0 and deviation 1; the deviation before; each row's place among the
    different values."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = ((np.cumsum(counts) - counts / 2) / len(values))[places]
    spread = float(ranks.std())
    return (ranks - ranks.mean()) / spread, spread, places


def _shift(slopes: Floats, places: NDArray[np.int64]) -> Floats:
    """What a row adds to a mean of `slopes` times ranks: it lifts the rows above it by one, those beside it by half."""
    per_value = np.bincount(places, weights=slopes) / len(slopes)
    above = per_value.sum() - np.cumsum(per_value)
    return np.asarray((above + per_value / 2)[places])


def _is_flat(values: Floats) -> bool:
    return float(values.var()) <= FLAT * max(float((values**2).mean()), 1e-300)
