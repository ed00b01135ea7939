"""Metrics of predicted numbers, of rows that have weights: a metric's value and its interval come from the same code.

Source:
    r2: 1 - the sum of squared errors / that of the mean of the rows. Spearman: Pearson's correlation of mid-ranks.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

METRICS = ("r2", "pearson", "spearman", "mean_absolute_error", "root_mean_squared_error")


def number_scores(weights: Floats, numbers: Floats, preds: Floats) -> dict[str, Floats]:
    """Return the metrics of weighted rows.

    Args:
        weights: Weight of each row (>= 0); shape (..., rows).
        numbers: Of the rows; shape (rows,).
        preds: The predicted numbers; shape (rows,).

    Returns:
        `METRICS`, each of shape (...). A correlation with a constant, and r2 of rows with one number, are 0.
    """
    centre = numbers.mean()  # a sum of squares loses fewer digits around it
    y, p, error = numbers - centre, preds - centre, preds - numbers
    features = np.stack([np.ones_like(y), y, p, y * y, p * p, y * p, np.abs(error), error * error], axis=1)
    count, sum_y, sum_p, sum_yy, sum_pp, sum_yp, absolute, squared = np.moveaxis(weights @ features, -1, 0)
    spread = sum_yy - sum_y * sum_y / count
    flat = spread <= 1e-12 * np.maximum(sum_yy, 1e-300)
    return {
        "r2": np.where(flat, 0.0, 1 - squared / np.where(flat, 1.0, spread)),
        "pearson": _correlation(count, sum_y, sum_p, sum_yy, sum_pp, sum_yp),
        "spearman": _spearman(weights, numbers, preds),
        "mean_absolute_error": absolute / count,
        "root_mean_squared_error": np.sqrt(squared / count),
    }


def _spearman(weights: Floats, numbers: Floats, preds: Floats) -> Floats:
    ranks = [_mid_ranks(weights, values) for values in (numbers, preds)]
    count = weights.sum(-1)
    y, p = (rank - (count[..., None] + 1) / 2 for rank in ranks)
    sums = [(weights * product).sum(-1) for product in (y, p, y * y, p * p, y * p)]
    return _correlation(count, *sums)


def _mid_ranks(weights: Floats, values: Floats) -> Floats:
    """The mean rank of each row's value, from 1, where a row counts as often as its weight says; shape (..., rows)."""
    distinct, inverse = np.unique(values, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    starts = np.searchsorted(inverse[order], np.arange(len(distinct)))
    per_value = np.add.reduceat(weights[..., order], starts, axis=-1)
    return (np.cumsum(per_value, axis=-1) - per_value / 2 + 0.5)[..., inverse]


def _correlation(count: Floats, sum_y: Floats, sum_p: Floats, sum_yy: Floats, sum_pp: Floats, sum_yp: Floats) -> Floats:
    of_y, of_p = sum_yy - sum_y * sum_y / count, sum_pp - sum_p * sum_p / count
    flat = (of_y <= 1e-12 * np.maximum(sum_yy, 1e-300)) | (of_p <= 1e-12 * np.maximum(sum_pp, 1e-300))
    product = np.sqrt(np.where(flat, 1.0, np.maximum(of_y, 0) * np.maximum(of_p, 0)))
    return np.where(flat, 0.0, np.clip((sum_yp - sum_y * sum_p / count) / product, -1.0, 1.0))
