"""The numbers of all seeds in one: mean, spread and interval of every metric, and the champion."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import stdtrit

from stages.metrics.bootstrap import NORMAL, Bootstrap, Estimate
from stages.metrics.estimates import measure
from stages.metrics.names import lower_is_better
from stages.report.results import SeedResult

Entry = dict[str, float | None]

AGREEMENT = (-1.0, 1.0)
RANGES = {"mcc": AGREEMENT, "kappa": AGREEMENT, "quadratic_kappa": AGREEMENT} | dict.fromkeys(
    ("log_loss", "brier", "mean_absolute_error"), (0.0, math.inf)
)  # all others: 0 to 1


def choose_champion(results: Sequence[SeedResult], metric: str) -> SeedResult:
    """Return the seed with the best `metric` on val; of equals, or without val rows, the first.

    Test takes no part in the choice, so its numbers stay an honest guess at new data.
    """
    sign = -1 if lower_is_better(metric) else 1
    return max(results, key=lambda result: sign * result.metrics["val"].get(metric, {"value": 0.0})["value"])


def summarise(
    results: Sequence[SeedResult], split: str, *, ordered: bool, bootstrap: Bootstrap
) -> tuple[dict[str, Entry], dict[str, float]]:
    """Return every metric of a split over the seeds, and how much of its spread is due to the seeds.

    The interval is for the mean over seeds and counts both sources of chance: the rows (resampled once for all
    seeds, because all seeds saw the same rows) and the seeds (the variance of their mean; see `widen`).

    Args:
        results: One per seed.
        split: val or test.
        ordered: Whether the classes have an order.
        bootstrap: Of the intervals.

    Returns:
        `{metric: {"mean", "sd", "low", "high"}}`, rounded to what the interval supports; sd is null with one seed,
        because nothing is known of it. And per metric the seeds' share (0 to 1) of the variance of a single run's
        result, empty with one seed.
    """
    if not len(results[0].splits[split]):
        return {}, {}
    if len(results) == 1:
        return {name: _entry(one, None) for name, one in _measured(results[0].metrics[split]).items()}, {}
    estimates = measure(
        results[0].splits[split].labels,
        [result.splits[split].probabilities for result in results],
        temperatures=[result.metrics["calibration"]["temperature"] for result in results],
        ordered=ordered,
        bootstrap=bootstrap,
    )
    summary, shares = {}, {}
    for metric, rows in estimates.items():
        sd = float(np.std([result.metrics[split][metric]["value"] for result in results], ddof=1))
        summary[metric] = _entry(
            _clip(metric, widen(rows, sd, seeds=len(results), confidence=bootstrap.confidence)), sd
        )
        both = sd**2 + rows.error**2
        shares[metric] = round(sd**2 / both, 2) if both > 0 else 0.0
    return summary, shares


def widen(rows: Estimate, sd: float, *, seeds: int, confidence: float) -> Estimate:
    """Return the interval of the mean over seeds, widened by the chance of the seeds.

    A few seeds tell their own spread badly, so their part of the variance has `seeds` - 1 degrees of freedom (the
    rows' part has plenty), and the interval is as wide as Student's t says for the two together.

    Args:
        rows: The mean over the seeds, with the interval that other rows would give.
        sd: Of the seeds' results.
        seeds: How many (>= 2).
        confidence: Of the interval (0 to 1).

    Source:
        Satterthwaite, "An approximate distribution of estimates of variance components", 1946.
    """
    of_rows, of_seeds = rows.error**2, sd**2 / seeds
    if of_rows == 0 or of_seeds == 0:
        return rows
    freedom = (of_rows + of_seeds) ** 2 / (of_seeds**2 / (seeds - 1))
    upper = (1 + confidence) / 2
    student = float(stdtrit(freedom, upper)) / NORMAL.inv_cdf(upper)  # how much wider than a normal interval
    error = math.sqrt(of_rows + of_seeds)
    factor = student * error / rows.error
    low, high = rows.value - (rows.value - rows.low) * factor, rows.value + (rows.high - rows.value) * factor
    return Estimate(rows.value, low, high, error)


def rounded(entry: dict[str, float]) -> dict[str, float]:
    """Round a value with an interval (`low`, `high`) to the interval's second digit: what follows is noise."""
    digits = decimals(entry["low"], entry["high"])
    return {name: float(np.round(value, digits)) + 0.0 for name, value in entry.items()}  # + 0.0: never -0.0


def decimals(low: float, high: float) -> int:
    """Return the decimals (2 to 6) that an interval supports: to the second significant digit of its half width."""
    half = (high - low) / 2
    return 4 if half <= 0 else min(6, max(2, math.ceil(-math.log10(half)) + 1))


def champion_entries(champion: SeedResult, split: str) -> dict[str, dict[str, float]]:
    """Return the champion's own metrics of a split, `{metric: {"value", "low", "high"}}`, rounded."""
    return {name: rounded(entry) for name, entry in _raw(champion.metrics[split]).items()}


def _clip(metric: str, one: Estimate) -> Estimate:
    """Widening must not leave the metric's range."""
    lowest, highest = RANGES.get(metric.removeprefix("calibrated_"), (0.0, 1.0))
    return dataclasses.replace(one, low=max(lowest, one.low), high=min(highest, one.high))


def _raw(metrics: dict[str, Any]) -> dict[str, dict[str, float]]:
    return {name: entry for name, entry in metrics.items() if name != "per_class"}


def _measured(metrics: dict[str, Any]) -> dict[str, Estimate]:
    return {name: Estimate(**entry, error=0.0) for name, entry in _raw(metrics).items()}


def _entry(estimate: Estimate, sd: float | None) -> Entry:
    numbers = {"mean": estimate.value, "low": estimate.low, "high": estimate.high}
    entry = rounded(numbers | ({} if sd is None else {"sd": sd}))
    return {"mean": entry["mean"], "sd": entry.get("sd"), "low": entry["low"], "high": entry["high"]}
