"""The influence of each row on the metrics of predicted numbers: the derivative of the metric by the row's weight.

The spread of the influences is that of the metric when other rows are drawn, to first order.

Source:
    Hampel, "The influence curve and its role in robust estimation", 1974. Spearman: Croux, Dehon, "Influence functions
    of the Spearman and Kendall correlation measures", 2010; here with mid-ranks, so that ties are exact.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FLAT = 1e-12  # share of the mean square: with a smaller variance all numbers are equal


def number_influences(numbers: Floats, preds: Floats, weights: Floats | None = None) -> dict[str, Floats]:
    """Return the influence of each row on each metric of `regression.METRICS`, up to a constant of the metric.

    Args:
        numbers: Of the rows; shape (rows,).
        preds: The predicted numbers; shape (rows,).
        weights: Of the rows (>= 0), with a sum of 1; shape (rows,). None: all are equal.
    """
    weights = np.full(len(numbers), 1 / len(numbers)) if weights is None else weights
    error = preds - numbers
    return {
        "r2": _r2(weights, numbers, error),
        "pearson": _correlation(weights, numbers, preds),
        "spearman": _spearman(weights, numbers, preds),
        "mean_absolute_error": np.abs(error),
        "root_mean_squared_error": _root(weights, error**2),
    }


def _r2(weights: Floats, numbers: Floats, error: Floats) -> Floats:
    squares, deviations = error**2, (numbers - weights @ numbers) ** 2
    if _is_flat(weights, numbers):
        return np.zeros(len(numbers))
    spread = float(weights @ deviations)
    return np.asarray((float(weights @ squares) / spread * deviations - squares) / spread)


def _root(weights: Floats, squares: Floats) -> Floats:
    root = float(weights @ squares) ** 0.5
    return squares / (2 * root) if root > 0 else squares


def _correlation(weights: Floats, numbers: Floats, preds: Floats) -> Floats:
    if _is_flat(weights, numbers) or _is_flat(weights, preds):
        return np.zeros(len(numbers))
    y, p = (_standardise(weights, values)[0] for values in (numbers, preds))
    return np.asarray(y * p - float(weights @ (y * p)) / 2 * (y**2 + p**2))


def _spearman(weights: Floats, numbers: Floats, preds: Floats) -> Floats:
    """The influence through a row's own ranks, and through those of the rows above it, which it shifts."""
    if _is_flat(weights, numbers) or _is_flat(weights, preds):
        return np.zeros(len(numbers))
    (y, y_spread, y_places), (p, p_spread, p_places) = (_standard_ranks(weights, side) for side in (numbers, preds))
    correlation = float(weights @ (y * p))
    of_y = _shift(weights * (p - correlation * y), y_places) / y_spread
    of_p = _shift(weights * (y - correlation * p), p_places) / p_spread
    return np.asarray(y * p - correlation / 2 * (y**2 + p**2) + of_y + of_p)


def _standard_ranks(weights: Floats, values: Floats) -> tuple[Floats, float, NDArray[np.int64]]:
    """Mid-ranks as shares of the rows, with mean 0 and deviation 1; the deviation before; each row's place among the
    different values."""
    places = np.unique(values, return_inverse=True)[1]
    shares = np.bincount(places, weights=weights)
    ranks, spread = _standardise(weights, (np.cumsum(shares) - shares / 2)[places])
    return ranks, spread, places


def _shift(slopes: Floats, places: NDArray[np.int64]) -> Floats:
    """What a row adds to a sum of `slopes` times ranks: it lifts the rows above it by one, those beside it by half."""
    per_value = np.bincount(places, weights=slopes)
    above = per_value.sum() - np.cumsum(per_value)
    return np.asarray((above + per_value / 2)[places])


def _standardise(weights: Floats, values: Floats) -> tuple[Floats, float]:
    """The values with mean 0 and deviation 1, and the deviation before."""
    deviations = values - weights @ values
    spread = float(weights @ deviations**2) ** 0.5
    return deviations / spread, spread


def _is_flat(weights: Floats, values: Floats) -> bool:
    variance = float(weights @ (values - weights @ values) ** 2)
    return variance <= FLAT * max(float(weights @ values**2), 1e-300)
