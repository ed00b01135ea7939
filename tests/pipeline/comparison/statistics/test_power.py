"""What a comparison could have detected: against the power in simulations."""

import numpy as np
import pytest

from pipeline.comparison.statistics.differences import Difference, Seeds, compare_values
from pipeline.comparison.statistics.power import min_detectable, needed
from tests.pipeline.comparison.statistics.test_differences import flips


def power(difference: Difference, true: float, level: float, runs: int = 400) -> float:
    """How often a difference with these changes is found if it is `true`."""
    expected, rows = difference.at(true), difference.units - 1
    weights = expected.weights / expected.weights.sum()
    shares = weights[0] + weights[3], weights[1], weights[2] + weights[4]
    draws = np.random.default_rng(1).multinomial(rows, shares, size=runs)
    return float(np.mean([flips(b, f, rows, unseen=0.5).p_value() < level for b, _, f in draws]))


@pytest.mark.parametrize("level", [0.05, 0.005])
@pytest.mark.parametrize(
    ("broken", "fixed", "rows"), [(0, 0, 92), (1, 0, 92), (2, 2, 92), (4, 3, 92), (10, 10, 92), (30, 30, 836)]
)
def test_it_is_found_8_times_out_of_10_however_few_rows_differ(
    broken: int, fixed: int, rows: int, level: float
) -> None:
    difference = flips(broken, fixed, rows, unseen=0.5)
    smallest = min_detectable(difference, level=level)
    assert smallest is not None
    assert power(difference, smallest, level) == pytest.approx(0.8, abs=0.09)
    assert power(difference, smallest / 2, level) < 0.5


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(("rows", "loss", "lost"), [(40, 8.0, 0.05), (40, 8.0, 0.5), (200, 8.0, 0.5), (200, 1.2, 0.05)])
def test_it_is_found_in_both_directions_of_a_comparison(rows: int, loss: float, lost: float, sign: int) -> None:
    """Even if one row can lose more than any row can gain, or the other way round."""
    changes = np.random.default_rng(0).choice([0.0, 0.5, -loss], size=rows, p=[0.85 - lost, 0.15, lost])
    unseen = sign * np.array([1.0, -loss]), np.array([0.5, 0.5])
    difference = compare_values(np.zeros((1, rows)), sign * changes[None], unseen)
    smallest = min_detectable(difference, level=0.05)
    assert smallest is not None
    assert smallest < difference.changes.max()


def test_a_tiny_test_set_detects_nothing() -> None:
    assert min_detectable(flips(0, 0, 3, unseen=0.5), level=0.05) is None


def test_twice_the_difference_needs_a_quarter_of_the_rows() -> None:
    rows = [needed(flips(20 - more, 20 + more, 400), rows=400, seeds=(1, 1), level=0.05).rows for more in (2, 4)]
    assert rows[0] == pytest.approx(4 * (rows[1] or 0), rel=0.05)
    # the textbook number for 40 of 400 rows that differ (Connor, 1987): (1.96 + 0.84)**2 * 0.1 / 0.01**2
    assert rows[0] == pytest.approx(7849, rel=0.03)


def test_seeds_are_named_where_they_are_what_is_missing() -> None:
    difference = flips(0, 80, 4000)
    seeds = Seeds(spread=0.0004, interaction=0.0, degrees=2)
    unsure = Difference(0.0, difference.value, difference.changes, difference.weights, difference.units, seeds)
    found = needed(unsure, rows=4000, seeds=(2, 2), level=0.05)
    assert found.rows is None  # more rows do not help: seeds alone vary by more
    assert found.seeds == 18  # 2.8**2 * 2 * 0.0004 / 0.02**2 is 15.7, and the rows take their part
    assert needed(difference, rows=4000, seeds=(1, 1), level=0.05).seeds is None
