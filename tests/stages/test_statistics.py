"""Bootstrap intervals, against scipy's and against what is known of resampling."""

import functools

import numpy as np
import pytest
from scipy import stats

from stages.scores import count_scores, mean_scores
from stages.statistics import bootstrap, estimate, group, percentiles, resample


def test_group_counts_rows_that_agree_in_all_columns() -> None:
    cells = group(np.array([0, 1, 0, 0]), np.array([1, 1, 1, 0]))
    assert [column.tolist() for column in cells.columns] == [[0, 0, 1], [0, 1, 1]]
    assert cells.sizes.tolist() == [1, 2, 1]


@pytest.mark.parametrize("sizes", [[1, 1, 1, 1, 1, 1], [30, 10, 5, 5, 1, 9]])
def test_a_resample_keeps_the_rows_of_each_stratum(sizes: list[int]) -> None:
    strata = np.array([0, 0, 0, 1, 1, 1])
    counts = resample(np.array(sizes), strata, resamples=4000, generator=np.random.default_rng(0))
    for stratum in (0, 1):
        cells = strata == stratum
        rows = np.array(sizes)[cells]
        assert (counts[:, cells].sum(1) == rows.sum()).all()
        assert counts[:, cells].mean(0) == pytest.approx(rows, rel=0.06)
        share = rows / rows.sum()
        assert counts[:, cells].var(0) == pytest.approx(rows.sum() * share * (1 - share), rel=0.12)


def test_intervals_agree_with_scipys_bootstrap() -> None:
    chance = np.random.default_rng(3)
    values = chance.exponential(size=200)
    ours = estimate(
        mean_scores({"mean": values}),
        np.ones(200, dtype=np.int64),
        np.zeros(200, dtype=np.int64),
        resamples=20_000,
        confidence=0.9,
        seed=1,
    )["mean"]
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, confidence_level=0.9, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    assert ours.value == pytest.approx(values.mean())
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.005)


def test_counts_give_the_distribution_that_rows_give() -> None:
    chance = np.random.default_rng(5)
    labels = chance.integers(3, size=250)
    preds = np.where(chance.random(250) < 0.7, labels, chance.integers(3, size=250))
    cells = group(labels, preds)
    score = functools.partial(count_scores, num_labels=3)
    by_cell = bootstrap(
        functools.partial(score, labels=cells.columns[0], preds=cells.columns[1]),
        cells.sizes,
        cells.columns[0],
        resamples=20_000,
        seed=1,
    )
    by_row = bootstrap(
        functools.partial(score, labels=labels, preds=preds),
        np.ones(250, dtype=np.int64),
        labels,
        resamples=20_000,
        seed=2,
    )
    for name in ("accuracy", "macro_f1", "mcc"):
        one, other = percentiles(by_cell[name], confidence=0.95), percentiles(by_row[name], confidence=0.95)
        assert one == pytest.approx(other, abs=0.006)


def test_the_same_seed_draws_the_same_resamples() -> None:
    score = mean_scores({"mean": np.arange(50.0)})
    sizes, strata = np.ones(50, dtype=np.int64), np.zeros(50, dtype=np.int64)
    one, same, other = (bootstrap(score, sizes, strata, resamples=30, seed=seed)["mean"] for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()
