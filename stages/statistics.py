"""How sure are we: bootstrap intervals of any metric, from counts (numpy only)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Score = Callable[[NDArray[np.number]], Mapping[str, Floats]]

CHUNK = 4_000_000  # counts held at a time: 32 MB


@dataclass(frozen=True)
class Estimate:
    """A value and its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Cells:
    """Groups of rows that agree in all their columns.

    Args:
        columns: What the rows of a cell share; one array of shape (cells,) per column given.
        sizes: Rows in each cell; shape (cells,).
    """

    columns: tuple[Ints, ...]
    sizes: Ints


def group(*columns: NDArray[np.integer]) -> Cells:
    """Group rows by their values, for example by label and prediction; columns of shape (rows,)."""
    values, sizes = np.unique(np.stack(columns, axis=1).astype(np.int64), axis=0, return_counts=True)
    return Cells(columns=tuple(values.T), sizes=sizes.astype(np.int64))


def bootstrap(
    score: Score, sizes: Ints, strata: NDArray[np.integer], *, resamples: int, seed: int
) -> dict[str, Floats]:
    """Score resamples of the rows, drawn with replacement within each stratum.

    Args:
        score: Function of counts, shape (resamples, cells), to metrics of shape (resamples,).
        sizes: Rows in each cell; ones where every row is its own.
        strata: Stratum of each cell, usually its given label: every resample has the same rows per label.
        resamples: How many (>= 1).
        seed: The same seed draws the same resamples.

    Returns:
        Each metric's values over the resamples; shape (resamples,).
    """
    generator = np.random.default_rng(seed)
    step = max(1, CHUNK // max(1, len(sizes)))
    parts = [
        score(resample(sizes, strata, resamples=min(step, resamples - start), generator=generator))
        for start in range(0, resamples, step)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def resample(sizes: Ints, strata: NDArray[np.integer], *, resamples: int, generator: np.random.Generator) -> Ints:
    """Draw how often each cell occurs in a resample of its stratum's rows; shape (resamples, cells)."""
    counts = np.empty((resamples, len(sizes)), dtype=np.int64)
    for stratum in np.unique(strata):
        cells = np.flatnonzero(strata == stratum)
        rows = int(sizes[cells].sum())
        if rows == len(cells):  # one row per cell: drawing rows is far quicker than a multinomial
            drawn = generator.integers(rows, size=(resamples, rows))
            drawn += np.arange(resamples)[:, None] * rows
            counts[:, cells] = np.bincount(drawn.ravel(), minlength=resamples * rows).reshape(resamples, rows)
        else:
            counts[:, cells] = generator.multinomial(rows, sizes[cells] / rows, size=resamples)
    return counts


def percentiles(samples: Floats, *, confidence: float) -> tuple[float, float]:
    """Return the interval that holds the middle `confidence` (0 to 1) of the samples."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(samples, [tail, 1 - tail])
    return float(low), float(high)


def estimate(
    score: Score, sizes: Ints, strata: NDArray[np.integer], *, resamples: int, confidence: float, seed: int
) -> dict[str, Estimate]:
    """Return each metric on the rows themselves, with its bootstrap interval (arguments as `bootstrap`)."""
    values = score(sizes[None, :])
    samples = bootstrap(score, sizes, strata, resamples=resamples, seed=seed)
    return {
        name: Estimate(float(values[name][0]), *percentiles(samples[name], confidence=confidence)) for name in samples
    }
