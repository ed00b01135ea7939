"""Differences of two sides: against published methods, by hand, and for every kind of data without a spread."""

import dataclasses
import math

import numpy as np
import pytest
from scipy import optimize, stats

from pipeline.comparison.statistics.differences import Difference, Seeds, compare_values

MANY = 10**9  # units with which Student's quantiles are the normal ones


def flips(broken: int, fixed: int, rows: int, *, unseen: float = 0.0) -> Difference:
    """The difference in accuracy of two models, with so many rows right in base alone and in head alone."""
    value = (fixed - broken) / rows
    changes, weights = (
        np.array([-1.0, 0.0, 1.0, -1.0, 1.0]) - value,
        [broken, rows - broken - fixed, fixed, unseen, unseen],
    )
    return Difference(0.0, value, changes, np.array(weights, dtype=float), rows + 1, Seeds())


def tango(broken: int, fixed: int, rows: int, quantile: float) -> list[float]:
    """Tango's interval, from his closed form of the restricted estimate (Statistics in Medicine, 1998)."""

    def score(delta: float) -> float:
        first, second, third = (
            2 * rows,
            -fixed - broken + (2 * rows - fixed + broken) * delta,
            -broken * delta * (1 - delta),
        )
        share = (math.sqrt(second**2 - 4 * first * third) - second) / (2 * first)
        return (fixed - broken - rows * delta) / math.sqrt(rows * (2 * share + delta * (1 - delta)))

    middle = (fixed - broken) / rows
    return [
        optimize.brentq(lambda delta: score(delta) - quantile, -0.9999, middle - 1e-9),
        optimize.brentq(lambda delta: score(delta) + quantile, middle + 1e-9, 0.9999),
    ]


@pytest.mark.parametrize(("broken", "fixed", "rows"), [(4, 9, 60), (9, 4, 60), (1, 1, 20), (30, 12, 836), (1, 5, 20)])
def test_the_interval_of_accuracy_is_tangos(broken: int, fixed: int, rows: int) -> None:
    quantile = float(stats.t.ppf(0.975, rows))
    assert flips(broken, fixed, rows).interval(0.95) == pytest.approx(tango(broken, fixed, rows, quantile), abs=1e-6)


@pytest.mark.parametrize(("broken", "fixed"), [(4, 9), (6, 16), (25, 15)])
def test_the_p_value_of_accuracy_is_mcnemars(broken: int, fixed: int) -> None:
    statistic = (fixed - broken) / math.sqrt(fixed + broken)
    assert flips(broken, fixed, 500).p_value() == pytest.approx(2 * stats.t.sf(abs(statistic), 500))


def test_rows_right_or_wrong_on_one_side_alone_give_wilsons_interval() -> None:
    rows, found = 50, 3
    interval = flips(0, found, rows).interval(0.95)
    quantile = stats.t.ppf(0.975, rows)
    share, extra = found / rows, quantile**2 / rows
    upper = (share + extra / 2 + quantile * math.sqrt(share * (1 - share) / rows + extra / rows / 4)) / (1 + extra)
    assert interval[1] == pytest.approx(upper)


@pytest.mark.parametrize("rows", [20, 92, 836])
def test_no_differing_row_excludes_only_what_so_many_rows_would_have_shown(rows: int) -> None:
    low, high = flips(0, 0, rows, unseen=0.5).interval(0.95)
    assert low == pytest.approx(-high)
    assert (1 - high) ** rows <= 0.025  # the chance that no row of a true drop of this size shows it
    assert high < 5.5 / rows


def draw(generator: np.random.Generator, *, seeds: tuple[int, int], rows: int = 80) -> Difference:
    shared = generator.normal(size=rows)
    sides = [shared + generator.normal(size=(count, rows)) + generator.normal(0, 0.2, (count, 1)) for count in seeds]
    return compare_values(*sides, (np.array([3.0]), np.array([0.5])))


@pytest.mark.parametrize("seeds", [(1, 1), (2, 2), (1, 3), (5, 2)])
@pytest.mark.parametrize("level", [0.5, 0.05, 0.001])
def test_the_interval_holds_0_just_where_the_p_value_is_above_the_level(seeds: tuple[int, int], level: float) -> None:
    generator = np.random.default_rng(1)
    for _ in range(25):
        difference = draw(generator, seeds=seeds)
        low, high = difference.interval(1 - level)
        assert (low <= 0 <= high) == (difference.p_value() >= level)
        assert difference.p_value(high) == pytest.approx(level, rel=1e-4)
        assert difference.p_value(low) == pytest.approx(level, rel=1e-4)
        assert low < difference.value < high


def test_many_values_per_row_give_students_interval() -> None:
    generator = np.random.default_rng(2)
    base, head = generator.normal(size=(2, 1, 5000))
    low, high = compare_values(base, head, (np.array([1.0]), np.array([0.5]))).interval(0.95)
    expected = stats.ttest_rel(head[0], base[0]).confidence_interval(0.95)
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-3)


@pytest.mark.parametrize("seeds", [2, 4])
def test_seeds_alone_give_students_unpaired_test(seeds: int) -> None:
    generator = np.random.default_rng(3)
    values = generator.normal(size=(2, seeds))
    sides = [np.repeat(side[:, None], 50, axis=1) for side in values]  # every row has the same value
    difference = compare_values(*sides, (np.array([1e-6]), np.array([0.5])))
    few = 1 / math.sqrt(1 + (2 * seeds - 2) ** -2)  # what the spread of few seeds is raised by
    statistic = float(stats.ttest_ind(values[1], values[0]).statistic) * few
    assert difference.p_value() == pytest.approx(2 * stats.t.sf(abs(statistic), 2 * seeds - 2), rel=1e-3)
    assert difference.seeds_share == pytest.approx(1.0)


def test_what_rows_and_seeds_have_in_common_is_counted_once() -> None:
    # Three rows; base has one seed, head two. The variances below are of a mean of three rows.
    base, head = np.array([[1.0, 3.0, 2.0]]), np.array([[2.0, 2.0, 3.0], [4.0, 10.0, 7.0]])
    difference = compare_values(base, head, (np.array([1.0]), np.array([0.0])))
    interaction = (1 / 9 + 3) / 2 - 7 / 9  # of head's seeds on average, minus that of their mean 3, 6 and 5
    spread = 98 / 9  # of head's means 7 / 3 and 7, 1 degree of freedom
    assert difference.value == pytest.approx(8 / 3)
    assert difference.seeds.degrees == 1
    assert difference.seeds.spread == pytest.approx(spread * 1.5)
    assert difference.seeds.interaction == pytest.approx(2 * interaction * 1.5)
    assert difference.seeds.variance == pytest.approx((spread - 2 * interaction) * 1.5)


def test_rows_and_seeds_have_a_quantile_each() -> None:
    seeds = Seeds(spread=2.0, interaction=0.5, degrees=4)
    quantile = stats.t.ppf(0.975, 4)
    assert seeds.reach(1.96, 0.025) == pytest.approx(quantile**2 * 2.0 * (1 + 1 / 16) - 1.96**2 * 0.5)
    assert Seeds(spread=0.01, interaction=0.5, degrees=4).reach(1.96, 0.025) == 0.0  # never less than rows alone
    assert Seeds().reach(1.96, 0.025) == 0.0


def test_one_seed_per_side_has_no_known_spread() -> None:
    difference = draw(np.random.default_rng(4), seeds=(1, 1))
    assert (difference.seeds, difference.seeds_share) == (Seeds(), None)


@pytest.mark.parametrize("seeds", [(1, 2), (2, 1), (2, 2), (1, 4), (7, 1)])
@pytest.mark.parametrize("rows", [1, 20, 100, 1000])
def test_few_degrees_of_freedom_of_the_seeds_give_numbers_for_any_number_of_rows(
    seeds: tuple[int, int], rows: int
) -> None:
    """One side with two seeds and one with one have a single degree, whose quantiles are the largest."""
    generator = np.random.default_rng(rows)
    base, head = ((generator.random((count, rows)) < 0.8).astype(float) for count in seeds)
    difference = compare_values(base, head, (np.ones(1), np.full(1, 0.5)))
    low, high = difference.interval(0.95)
    assert -math.inf < low < difference.value < high < math.inf
    assert (low <= 0 <= high) == (difference.p_value() >= 0.05)


def test_earlier_seeds_add_degrees_unless_they_are_another_kind_of_model() -> None:
    own = Seeds(spread=2.0, interaction=0.5, degrees=2)
    assert own.pool(1.0, 8) == Seeds(spread=1.2, interaction=0.5, degrees=10)
    assert own.pool(0.1, 8) == own  # 20 times as far apart as the earlier ones: by more than chance
    assert Seeds().pool(1.0, 8) == Seeds(spread=1.0, degrees=8)


def test_rows_that_belong_together_are_one_unit() -> None:
    generator = np.random.default_rng(5)
    values = generator.normal(size=(1, 40))
    repeated = np.repeat(values, 6, axis=1)
    once = compare_values(0 * values, values, (np.array([1.0]), np.array([0.0])))
    units = np.repeat(np.arange(40), 6)
    together = compare_values(0 * repeated, repeated, (np.array([1.0]), np.array([0.0])), units=units)
    apart = compare_values(0 * repeated, repeated, (np.array([1.0]), np.array([0.0])))
    assert together.units == 40
    assert together.interval(0.95) == pytest.approx(once.interval(0.95))
    assert apart.interval(0.95)[1] - apart.value < 0.5 * (once.interval(0.95)[1] - once.value)


def test_units_of_different_sizes_count_by_their_rows() -> None:
    units = np.array([0, 0, 0, 1])
    difference = compare_values(
        np.zeros((1, 4)), np.array([[1.0, 1.0, 1.0, 0.0]]), (np.ones(1), np.ones(1)), units=units
    )
    assert difference.value == pytest.approx(0.75)


@pytest.mark.parametrize("seeds", [1, 2])
@pytest.mark.parametrize("rows", [1, 2, 20])
@pytest.mark.parametrize("change", [-1.0, 0.0, 1.0])
def test_no_data_give_an_interval_without_width(seeds: int, rows: int, change: float) -> None:
    base = np.full((seeds, rows), float(change < 0))
    difference = compare_values(base, base + change, (np.ones(1), np.full(1, 0.5)))
    low, high = difference.interval(0.95)
    assert low < difference.value < high
    assert high - low > 0.1 / rows
    assert 0 < difference.p_value() <= 1


def test_ten_rows_of_0_against_1_do_not_give_certainty() -> None:
    difference = compare_values(np.zeros((1, 10)), np.ones((1, 10)), (np.ones(1), np.full(1, 0.5)))
    assert difference.p_value() > 1e-4
    assert difference.interval(0.95)[0] > 0


def test_what_is_expected_of_a_true_difference_has_it_as_its_value() -> None:
    difference = draw(np.random.default_rng(6), seeds=(1, 1))
    for true in (-0.3, 0.0, 0.3):
        expected = difference.at(true)
        assert expected.value == pytest.approx(true, abs=1e-6)
        assert expected.weights @ expected.changes == pytest.approx(0.0, abs=1e-6)
        assert dataclasses.replace(expected, changes=difference.changes, weights=difference.weights).units == 80
