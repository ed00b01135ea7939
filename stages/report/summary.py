"""Mean, standard deviation and interval of every metric over all seeds, rounded as the interval supports."""

import dataclasses
import math

import numpy as np
from scipy.special import stdtrit

from stages.metrics.bootstrap import NORMAL, Bootstrap, Estimate
from stages.metrics.estimates import measure
from stages.metrics.names import CALIBRATED
from stages.metrics.summary import MetricSummary, MetricValue
from stages.report.results import Results

AGREEMENT = (-1.0, 1.0)
RANGES = {"mcc": AGREEMENT, "kappa": AGREEMENT, "quadratic_kappa": AGREEMENT} | dict.fromkeys(
    ("log_loss", "brier", "mean_absolute_error"), (0.0, math.inf)
)  # all others: 0 to 1


def summarise_seeds(
    results: Results, split: str, bootstrap: Bootstrap
) -> tuple[dict[str, MetricSummary], dict[str, float]]:
    """Return every metric of a split over the seeds, and how much of its variance is due to the seeds.

    The interval is that of the mean over the seeds. It includes two sources of randomness: the rows (resampled once
    for all seeds, because all seeds were evaluated on the same rows) and the seeds (see `widen`).

    Args:
        results: Of all seeds.
        split: val or test.
        bootstrap: Of the intervals.

    Returns:
        The summary by metric. And by metric the seeds' share (0 to 1) of the variance of a single run's value; empty
        with one seed.
    """
    first, *others = results.seeds
    if not len(first.predictions[split]):
        return {}, {}
    if not others:
        return {
            name: _round_summary(Estimate(**vars(value), error=0.0), None)
            for name, value in first.metrics[split].items()
        }, {}
    estimates = measure(
        first.predictions[split].labels,
        [result.predictions[split].probabilities for result in results.seeds],
        preds=[result.predictions[split].preds for result in results.seeds],
        temperatures=[result.temperature for result in results.seeds],
        ordered=results.ordered,
        bootstrap=bootstrap,
    )
    summaries, shares = {}, {}
    for metric, estimate in estimates.items():
        sd = float(np.std([result.metrics[split][metric].value for result in results.seeds], ddof=1))
        wide = widen(estimate, sd, seeds=len(results.seeds), confidence=bootstrap.confidence)
        summaries[metric] = _round_summary(_clip(metric, wide), sd)
        variance = sd**2 + estimate.error**2
        shares[metric] = round(sd**2 / variance, 2) if variance > 0 else 0.0
    return summaries, shares


def widen(estimate: Estimate, sd: float, *, seeds: int, confidence: float) -> Estimate:
    """Return the interval of the mean over the seeds, widened by the variance between the seeds.

    The standard deviation of a few seeds is itself uncertain. So the variance of the seeds has `seeds` - 1 degrees of
    freedom, that of the rows has many, and the width comes from Student's t with the degrees of freedom of their sum.

    Args:
        estimate: The mean over the seeds, with the interval and the error due to the rows alone.
        sd: Standard deviation of the seeds' values.
        seeds: Number of seeds (>= 2).
        confidence: Of the interval (0 to 1).

    Source:
        Satterthwaite, "An approximate distribution of estimates of variance components", 1946.
    """
    of_rows, of_seeds = estimate.error**2, sd**2 / seeds
    if of_rows == 0 or of_seeds == 0:
        return estimate
    freedom = (of_rows + of_seeds) ** 2 / (of_seeds**2 / (seeds - 1))
    upper = (1 + confidence) / 2
    student = float(stdtrit(freedom, upper)) / NORMAL.inv_cdf(upper)  # how much wider than a normal interval
    error = math.sqrt(of_rows + of_seeds)
    factor = student * error / estimate.error
    value = estimate.value
    return Estimate(value, value - (value - estimate.low) * factor, value + (estimate.high - value) * factor, error)


def round_metrics(metrics: dict[str, MetricValue]) -> dict[str, MetricValue]:
    """Round each metric to the digits that its interval supports."""
    return {name: MetricValue(**rounded(vars(metric))) for name, metric in metrics.items()}


def rounded(entry: dict[str, float]) -> dict[str, float]:
    """Round a value and its interval (`low`, `high`) to the interval's second digit; further digits are noise."""
    digits = decimals(entry["low"], entry["high"])
    return {name: float(np.round(value, digits)) + 0.0 for name, value in entry.items()}  # + 0.0: never -0.0


def decimals(low: float, high: float) -> int:
    """Return the decimals (2 to 6) that an interval supports: to the second significant digit of its half width."""
    half = (high - low) / 2
    return 4 if half <= 0 else min(6, max(2, math.ceil(-math.log10(half)) + 1))


def _clip(metric: str, estimate: Estimate) -> Estimate:
    """Keep the widened interval within the metric's range."""
    lowest, highest = RANGES.get(metric.removeprefix(CALIBRATED), (0.0, 1.0))
    return dataclasses.replace(estimate, low=max(lowest, estimate.low), high=min(highest, estimate.high))


def _round_summary(estimate: Estimate, sd: float | None) -> MetricSummary:
    entry = rounded({"mean": estimate.value, "low": estimate.low, "high": estimate.high, "sd": sd or 0.0})
    return MetricSummary(entry["mean"], None if sd is None else entry["sd"], entry["low"], entry["high"])
