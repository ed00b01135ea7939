"""Mean, standard deviation and interval of every metric over all seeds."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from scipy.special import stdtrit

from stages.metrics.bootstrap import NORMAL, Bootstrap, Estimate
from stages.metrics.names import value_range
from stages.metrics.seeds import seed_variance
from stages.metrics.summary import MetricSummary, MetricValue, exact
from stages.report.seeds import AllSeeds

Seeds = TypeVar("Seeds", bound=AllSeeds[Any])


def summarise_seeds(
    results: Seeds, split: str, bootstrap: Bootstrap, measure: Callable[[Seeds, str, Bootstrap], Mapping[str, Estimate]]
) -> tuple[dict[str, MetricSummary], dict[str, float]]:
    """Return every metric of a split over the seeds, and how much of its variance is due to the seeds.

    The interval is that of the mean over the seeds. It includes two sources of randomness: the rows (resampled once
    for all seeds, because all seeds were evaluated on the same rows) and the seeds (see `widen`).

    Args:
        results: Of all seeds.
        split: val or test.
        bootstrap: Of the intervals.
        measure: Returns the estimates of the mean over the seeds, from the arguments before it.

    Returns:
        The summary by metric. And by metric the seeds' share (0 to 1) of the variance of a single run's value; empty
        with one seed.
    """
    first, *others = results.seeds
    if not len(first.predictions[split]):
        return {}, {}
    if not others:
        return {name: summary_of(value, None) for name, value in first.metrics[split].items()}, {}
    summaries, shares = {}, {}
    for metric, mean in measure(results, split, bootstrap).items():
        spread = Spread.of(
            mean, [seed.metrics[split][metric] for seed in results.seeds], confidence=bootstrap.confidence
        )
        widened = _clip(metric, widen(mean, spread, confidence=bootstrap.confidence))
        summaries[metric] = summary_of(widened, spread.sd)
        shares[metric] = round(spread.share, 2)
    return summaries, shares


@dataclass(frozen=True)
class Spread:
    """How a metric varies over the seeds, and over the rows.

    Attributes:
        seeds: Number of seeds (>= 2).
        sd: Standard deviation of the seeds' values.
        of_seeds: Variance between the seeds, without the chance in which rows they were measured on.
        of_seed: Variance of one seed's value over the rows, as the mean over the seeds.
        of_mean: Variance of the seeds' mean over the rows.
    """

    seeds: int
    sd: float
    of_seeds: float
    of_seed: float
    of_mean: float

    @classmethod
    def of(cls, mean: Estimate, seeds: Sequence[MetricValue], *, confidence: float) -> "Spread":
        """Return the spread of a metric from the interval of the seeds' mean and those of the seeds."""
        width = 2 * NORMAL.inv_cdf((1 + confidence) / 2)  # of a normal interval, in standard errors
        of_seed = sum(((seed.high - seed.low) / width) ** 2 for seed in seeds) / len(seeds)
        of_mean = ((mean.high - mean.low) / width) ** 2
        values = [seed.value for seed in seeds]
        of_seeds = seed_variance(values, of_seed=of_seed, of_mean=of_mean)
        return cls(len(seeds), float(np.std(values, ddof=1)), of_seeds, of_seed, of_mean)

    @property
    def share(self) -> float:
        """Share (0 to 1) of the variance of a single run's value that is due to its seed."""
        variance = self.of_seeds + self.of_seed
        return self.of_seeds / variance if variance > 0 else 0.0


def widen(mean: Estimate, spread: Spread, *, confidence: float) -> Estimate:
    """Return the interval of the mean over the seeds, widened by the variance between the seeds.

    The standard deviation of a few seeds is itself uncertain. So the variance of the seeds has `seeds` - 1 degrees of
    freedom, that of the rows has many, and the width comes from Student's t with the degrees of freedom of their sum.

    Args:
        mean: The mean over the seeds, with its interval due to the rows alone.
        spread: Of the metric.
        confidence: Of the interval (0 to 1).

    Source:
        Satterthwaite, "An approximate distribution of estimates of variance components", 1946.
    """
    if spread.of_mean == 0 or spread.sd == 0:
        return mean
    variance = spread.of_mean + spread.of_seeds / spread.seeds
    uncertain = (spread.sd**2 / spread.seeds) ** 2 / (spread.seeds - 1)
    freedom = max(spread.seeds - 1, variance**2 / uncertain)
    upper = (1 + confidence) / 2
    student = float(stdtrit(freedom, upper)) / NORMAL.inv_cdf(upper)  # how much wider than a normal interval
    factor = student * math.sqrt(variance / spread.of_mean)
    low, high = mean.value - (mean.value - mean.low) * factor, mean.value + (mean.high - mean.value) * factor
    return Estimate(mean.value, low, high, math.sqrt(variance))


def _clip(metric: str, estimate: Estimate) -> Estimate:
    """Keep the widened interval within the metric's range."""
    lowest, highest = value_range(metric)
    return dataclasses.replace(estimate, low=max(lowest, estimate.low), high=min(highest, estimate.high))


def summary_of(estimate: Estimate | MetricValue, sd: float | None) -> MetricSummary:
    """Return a metric as metrics.json has it over all seeds."""
    value, low, high = exact(estimate.value), exact(estimate.low), exact(estimate.high)
    return MetricSummary(value, None if sd is None else exact(sd), low, high)
