"""The numbers of all seeds in one: mean, spread and interval of every metric, and the champion."""

import functools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stages.report.results import SeedResult
from stages.scores import count_scores, mean_scores, row_losses
from stages.statistics import bootstrap, group, percentiles

LOWER_IS_BETTER = frozenset({"log_loss"})


def choose_champion(results: Sequence[SeedResult], metric: str) -> SeedResult:
    """Return the seed with the best `metric` on val; of equals, or without val rows, the first.

    Test takes no part in the choice, so its numbers stay an honest guess at new data.
    """
    sign = -1 if metric in LOWER_IS_BETTER else 1
    return max(results, key=lambda result: sign * result.metrics["val"].get(metric, {"value": 0.0})["value"])


def summarise(
    results: Sequence[SeedResult], split: str, *, num_labels: int, resamples: int, confidence: float, seed: int
) -> dict[str, dict[str, float | None]]:
    """Return mean, sd, low and high of every metric of a split, rounded to what the interval supports.

    The interval is for the mean over seeds. It counts both sources of chance: the rows (resampled once for all
    seeds, because all seeds saw the same rows) and the seeds (variance of their mean).

    Args:
        results: One per seed.
        split: val or test.
        num_labels: Classes of the task.
        resamples: Bootstrap resamples.
        confidence: Of the interval (0 to 1).
        seed: Of the bootstrap.

    Returns:
        `{metric: {"mean", "sd", "low", "high"}}`; sd is null with one seed: nothing is known of it.
    """
    if not len(results[0].splits[split]):
        return {}
    samples = _resampled_means(results, split, num_labels=num_labels, resamples=resamples, seed=seed)
    summary = {}
    for metric, rows in samples.items():
        values = np.array([result.metrics[split][metric]["value"] for result in results])
        mean, sd = float(values.mean()), float(values.std(ddof=1)) if len(values) > 1 else None
        low, high = percentiles(rows, confidence=confidence)
        wider = widening(rows, sd or 0.0, seeds=len(values))
        summary[metric] = rounded(mean, sd, mean - (mean - low) * wider, mean + (high - mean) * wider)
    return summary


def widening(rows: NDArray[np.float64], sd: float, *, seeds: int) -> float:
    """Return by how much the rows' interval must widen to hold the chance of the seeds as well (>= 1)."""
    variance = float(np.var(rows))
    return math.sqrt((variance + sd**2 / seeds) / variance) if variance > 0 else 1.0


def rounded(mean: float, sd: float | None, low: float, high: float) -> dict[str, float | None]:
    """Round to the second significant digit of the interval's half width: what follows is noise."""
    digits = decimals(low, high)
    return {
        "mean": round(mean, digits),
        "sd": None if sd is None else round(sd, digits),
        "low": round(low, digits),
        "high": round(high, digits),
    }


def decimals(low: float, high: float) -> int:
    """Return the decimals (2 to 6) that an interval supports."""
    half = (high - low) / 2
    return 4 if half <= 0 else min(6, max(2, math.ceil(-math.log10(half)) + 1))


def _resampled_means(
    results: Sequence[SeedResult], split: str, *, num_labels: int, resamples: int, seed: int
) -> dict[str, NDArray[np.float64]]:
    splits = [result.splits[split] for result in results]
    labels = splits[0].labels
    cells = group(labels, *(one.preds for one in splits))
    given = cells.columns[0]

    def by_count(counts: NDArray[np.number]) -> dict[str, NDArray[np.float64]]:
        score = functools.partial(count_scores, counts, given, num_labels=num_labels)
        return _mean([score(preds) for preds in cells.columns[1:]])

    by_row = mean_scores(_mean([row_losses(labels, one.probabilities) for one in splits]))
    ones = np.ones(len(labels), dtype=np.int64)
    return bootstrap(by_count, cells.sizes, given, resamples=resamples, seed=seed) | bootstrap(
        by_row, ones, labels, resamples=resamples, seed=seed
    )


def _mean(scores: Sequence[dict[str, NDArray[np.float64]]]) -> dict[str, NDArray[np.float64]]:
    return {name: np.mean([score[name] for score in scores], axis=0) for name in scores[0]}
