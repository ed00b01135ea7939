"""What rows are worth that belong to groups."""

import numpy as np
import pytest
from scipy import stats

from stages.metrics.effective_rows import weigh_sample

VALUES = np.random.default_rng(0).normal(size=60)


def test_rows_without_groups_count_one_by_one() -> None:
    sample = weigh_sample(VALUES, None, confidence=0.95)
    assert sample.rows == 60
    assert sample == weigh_sample(VALUES, np.arange(60) * 7, confidence=0.95)
    reach = stats.t.ppf(0.975, 59) * np.sqrt(60 / 59)
    assert sample.tail == pytest.approx(stats.norm.cdf(-reach))


def test_a_group_of_equal_rows_counts_about_once() -> None:
    groups = np.repeat(np.arange(12), 5)
    values = np.random.default_rng(1).normal(size=12)[groups]
    sample = weigh_sample(values, groups, confidence=0.9)
    assert sample.rows == pytest.approx(11)  # 12 groups of which the mean is known from themselves
    reach = stats.t.ppf(0.95, 11) * np.sqrt(12 / 11)
    assert sample.tail == pytest.approx(stats.norm.cdf(-reach))


def test_groups_that_err_less_alike_than_by_chance_are_worth_no_more_than_their_rows() -> None:
    values = np.tile([1.0, -1.0], 30)
    sample = weigh_sample(values, np.repeat(np.arange(30), 2), confidence=0.95)
    assert sample.rows == 60


@pytest.mark.parametrize("groups", [None, np.zeros(60, dtype=np.int64)])
def test_rows_without_spread_and_rows_of_one_group_still_give_numbers(groups: np.ndarray | None) -> None:
    for values in (np.zeros(60), VALUES):
        sample = weigh_sample(values, groups, confidence=0.95)
        assert 0 < sample.rows <= 60
        assert 0 < sample.tail < 0.025
    one = weigh_sample(VALUES, np.zeros(60, dtype=np.int64), confidence=0.95)
    assert one.tail < 1e-10  # one group knows nothing of the spread between groups
