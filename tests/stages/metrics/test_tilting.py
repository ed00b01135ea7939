"""The interval of a mean by tilting, against exact probabilities."""

import numpy as np
import pytest
from scipy import stats

from stages.metrics.effective_rows import Sample
from stages.metrics.tilting import Tilted, mean_ends

TAIL = 0.025


@pytest.mark.parametrize("right", [1, 5, 20, 29])
def test_of_right_and_wrong_rows_the_ends_are_those_of_the_binomial_distribution(right: int) -> None:
    values, weights = np.array([0.0, 1.0]), np.array([0.3, 0.7])
    low, high = (member[1] for member in mean_ends(values, weights, right / 30, Sample(30, TAIL)))
    below = stats.binom.cdf(right - 1, 30, low) + stats.binom.pmf(right, 30, low) / 2
    above = stats.binom.sf(right, 30, high) + stats.binom.pmf(right, 30, high) / 2
    assert 1 - below == pytest.approx(TAIL, abs=0.02)  # with half of the chance of the value itself
    assert 1 - above == pytest.approx(TAIL, abs=0.02)


def test_a_mean_at_the_end_of_its_range_leaves_that_end_and_has_an_exact_other_one() -> None:
    values, weights = np.array([0.0, 1.0]), np.array([0.001, 0.999])
    low, high = (member[1] for member in mean_ends(values, weights, 1.0, Sample(50, TAIL)))
    assert high == 1
    assert 0.5 * low**50 == pytest.approx(TAIL, rel=1e-3)
    low, high = (member[1] for member in mean_ends(values, weights[::-1], 0.0, Sample(50, TAIL)))
    assert low == 0
    assert 0.5 * (1 - high) ** 50 == pytest.approx(TAIL, rel=1e-3)


@pytest.mark.parametrize("rows", [8, 80])
def test_of_skewed_values_each_end_leaves_out_its_chance(rows: int) -> None:
    generator = np.random.default_rng(0)
    values = generator.exponential(size=60) ** 1.5  # what a row may be
    weights = np.full(60, 1 / 60)
    observed = float(values.mean()) * 1.2
    for side, member in enumerate(mean_ends(values, weights, observed, Sample(rows, TAIL))):
        means = (generator.multinomial(rows, member, size=100_000) @ values) / rows
        beyond = np.mean(means >= observed) if side == 0 else np.mean(means <= observed)
        assert beyond == pytest.approx(TAIL, abs=0.005)


def test_for_many_rows_it_is_the_normal_interval() -> None:
    values = np.random.default_rng(1).normal(size=20_000)
    weights = np.full(20_000, 1 / 20_000)
    low, high = (float(member @ values) for member in mean_ends(values, weights, values.mean(), Sample(20_000, TAIL)))
    reach = 1.96 * values.std() / np.sqrt(20_000)
    assert (low, high) == pytest.approx((values.mean() - reach, values.mean() + reach), abs=reach / 50)


def test_values_without_spread_have_one_mean() -> None:
    low, high = mean_ends(np.ones(5), np.full(5, 0.2), 1.0, Sample(5, TAIL))
    assert (low == high).all()


def test_a_member_has_the_mean_that_its_cumulants_say() -> None:
    family = Tilted(np.array([-1.0, 0.0, 3.0]), np.array([0.5, 0.3, 0.2]))
    for tilt in (-2.0, 0.0, 0.7):
        _, mean, variance = family.cumulants(tilt)
        member = family.at(tilt)
        assert member @ family.values == pytest.approx(mean)
        assert member @ (family.values - mean) ** 2 == pytest.approx(variance)
    assert family.at(np.inf).tolist() == [0, 0, 1]
    assert family.at(-np.inf).tolist() == [1, 0, 0]
