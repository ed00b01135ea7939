"""Levels of comparisons on the same rows."""

import numpy as np
import pytest
from scipy.special import ndtr

from pipeline.comparison.statistics.looks import fresh_rows, next_level


def test_the_levels_are_those_of_lord_worked_out_by_hand() -> None:
    share = 1 / np.arange(1, 8) ** 1.6 / 2.2857656  # of zeta(1.6)
    assert next_level([], rate=0.05) == pytest.approx(0.05 * share[0])
    assert next_level([0.5, 0.5], rate=0.05) == pytest.approx(0.05 * share[2])
    assert next_level([0.001], rate=0.05) == pytest.approx(0.05 * share[1])  # the first discovery gives nothing back
    assert next_level([0.001, 0.001, 0.5], rate=0.05) == pytest.approx(0.05 * (share[3] + share[1]))


def test_all_levels_together_are_at_most_the_rate() -> None:
    assert sum(next_level([0.9] * number, rate=0.05) for number in range(200)) < 0.05


def test_a_series_without_a_true_difference_seldom_has_a_false_verdict() -> None:
    generator = np.random.default_rng(1)

    def any_false() -> bool:
        p_values = (2 * ndtr(-np.abs(generator.normal(size=50)))).tolist()
        return any(p <= next_level(p_values[:number], rate=0.05) for number, p in enumerate(p_values))

    assert np.mean([any_false() for _ in range(150)]) < 0.1


def test_fresh_rows_that_detect_as_much() -> None:
    assert fresh_rows(836, next_level([], rate=0.05), rate=0.05) == 836
    assert fresh_rows(836, next_level([0.5] * 50, rate=0.05), rate=0.05) < 836 / 2
    assert fresh_rows(836, 0.05, rate=0.05) == 836  # never more than there are
