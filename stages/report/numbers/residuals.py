"""Residuals, a row's number minus its prediction: by slice, the largest ones, and those that point to wrong labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.metrics.slices import Slices
from stages.metrics.summary import exact
from stages.report.judged import Judged
from stages.report.mean_error import mean_error

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SUSPECT = 2.5  # robust standard deviations; Leys et al., "Detecting outliers", 2013
TO_SD = 1.4826  # median absolute deviation of a normal distribution, to its standard deviation


@dataclass(frozen=True)
class SliceScore:
    """The residuals of a slice.

    Attributes:
        rows: Rows of the slice.
        mean_absolute_error: Of them.
        mean_residual: Above 0 where the model predicts too little.
        low: Lower end of its interval; all slices together are outside theirs as seldom as a single one is.
        high: Its upper end.
    """

    rows: int
    mean_absolute_error: float
    mean_residual: float
    low: float
    high: float


@dataclass(frozen=True)
class Residual:
    """A row and what was predicted of it: a line of suspects.csv.

    Attributes:
        id: Of the row.
        position: Of the row in rows.parquet.
        split: val or test; with folds also train.
        label: The row's number.
        predicted: The mean over the seeds of what models predict that were not trained on the row.
        residual: The label minus that.
        size: Its distance from the median residual, in robust standard deviations.
    """

    id: str
    position: int
    split: str
    label: float
    predicted: float
    residual: float
    size: float


def score_slices(
    slices: Slices, residuals: Floats, groups: Ints | None, *, confidence: float
) -> dict[str, dict[str, SliceScore]]:
    """Return every slice by column and value, in the order in which they come.

    Args:
        slices: Which rows each has.
        residuals: Of the rows; shape (rows,).
        groups: Equal for rows that belong together; shape (rows,). None: each row is its own.
        confidence: That all intervals together contain the true mean (0 to 1), by Bonferroni.
    """
    scores: dict[str, dict[str, SliceScore]] = {}
    for (column, value), mask in slices.items():
        part, own = residuals[mask], None if groups is None else groups[mask]
        width = mean_error(part, own, tail=(1 - confidence) / 2 / len(slices))
        mean = float(part.mean())
        numbers = (float(np.abs(part).mean()), mean, mean - width, mean + width)
        scores.setdefault(column, {})[value] = SliceScore(int(mask.sum()), *map(exact, numbers))
    return scores


def ranked_residuals(judged: Judged) -> list[Residual]:
    """Return the rows, largest residual first; the answers of `judged` are the predicted numbers."""
    residuals = judged.labels.astype(np.float64) - judged.answers
    sizes = robust_sizes(residuals)
    numbers = np.stack([judged.labels, judged.answers, residuals, sizes], axis=1)  # (rows, 4)
    return [
        Residual(judged.ids[row], int(judged.positions[row]), judged.splits[row], *map(exact, numbers[row].tolist()))
        for row in np.argsort(-np.abs(residuals), kind="stable").tolist()
    ]


def suspects_of(ranked: Sequence[Residual]) -> list[Residual]:
    """Return the rows whose residual is too large for the spread of the others: the label may be wrong."""
    return [row for row in ranked if abs(row.size) > SUSPECT]


def robust_sizes(residuals: Floats) -> Floats:
    """Return residuals less their median, in robust standard deviations; shape (rows,). All 0 without a spread."""
    deviations = residuals - np.median(residuals)
    spread = TO_SD * float(np.median(np.abs(deviations)))
    return deviations / spread if spread > 0 else np.zeros_like(deviations)
