"""Summaries over the seeds: rounding, and the interval of the mean."""

import numpy as np
import pytest
from scipy import stats

from stages.metrics.bootstrap import Estimate
from stages.report.summary import decimals, rounded, widen


@pytest.mark.parametrize(("half", "places"), [(0.5, 2), (0.05, 3), (0.004, 4), (0.0, 4)])
def test_numbers_keep_the_decimals_that_their_interval_supports(half: float, places: int) -> None:
    assert decimals(0.5 - half, 0.5 + half) == places


def test_rounding_never_writes_a_negative_nought() -> None:
    assert str(rounded({"value": -1e-9, "low": -0.1, "high": 0.1})["value"]) == "0.0"


def test_seeds_widen_the_interval_by_the_variance_of_their_mean() -> None:
    rows = Estimate(0.8, 0.7, 0.86, error=0.04)
    wide = widen(rows, 0.06, seeds=4, confidence=0.95)
    assert wide.error == pytest.approx(np.hypot(0.04, 0.03))
    freedom = 0.05**4 / (0.03**4 / 3)
    factor = 1.25 * stats.t.ppf(0.975, freedom) / stats.norm.ppf(0.975)
    assert (wide.value - wide.low) / (rows.value - rows.low) == pytest.approx(factor)
    assert (wide.high - wide.value) / (rows.high - rows.value) == pytest.approx(factor)
    assert widen(rows, 0.0, seeds=4, confidence=0.95) == rows


def test_the_interval_over_few_seeds_holds_the_truth_as_often_as_it_claims() -> None:
    chance = np.random.default_rng(5)
    held = 0
    for _ in range(4000):
        of_rows, of_seeds = chance.normal(0, 0.01), chance.normal(0, 0.02, size=3)
        value = 0.5 + of_rows + of_seeds.mean()
        rows = Estimate(value, value - 0.0196, value + 0.0196, error=0.01)
        wide = widen(rows, float(np.std(of_seeds, ddof=1)), seeds=3, confidence=0.95)
        held += wide.low <= 0.5 <= wide.high
    assert held / 4000 == pytest.approx(0.95, abs=0.02)
