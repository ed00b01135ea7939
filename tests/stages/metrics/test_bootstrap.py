"""Bootstrap intervals, against scipy's and against what is known of resampling."""

import functools
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from stages.metrics.bootstrap import (
    CHUNK,
    MOST_LEFT_OUT,
    Bootstrap,
    accelerations,
    bca,
    count_cells,
    draw_counts,
    estimate,
    percentiles,
    score_resamples,
)
from stages.metrics.classification import count_scores


def mean_of(values: NDArray[np.float64]) -> Callable[[NDArray[np.number]], dict[str, NDArray[np.float64]]]:
    """From counts of rows, (..., rows), to the mean of their values."""
    return lambda counts: {"mean": counts @ values / counts.sum(-1)}


def test_cells_count_the_rows_of_each_combination_of_values() -> None:
    cells = count_cells(np.array([0, 1, 0, 0]), np.array([1, 1, 1, 0]))
    assert [column.tolist() for column in cells.columns] == [[0, 0, 1], [0, 1, 1]]
    assert cells.sizes.tolist() == [1, 2, 1]


@pytest.mark.parametrize("sizes", [[1, 1, 1, 1, 1, 1], [30, 10, 5, 5, 1, 9]])
def test_a_resample_has_as_many_rows_in_cells_as_likely_as_they_are(sizes: list[int]) -> None:
    rows = np.array(sizes)
    counts = draw_counts(rows, resamples=4000, generator=np.random.default_rng(0))
    share = rows / rows.sum()
    assert (counts.sum(1) == rows.sum()).all()
    assert counts.mean(0) == pytest.approx(rows, rel=0.06)
    assert counts.var(0) == pytest.approx(rows.sum() * share * (1 - share), rel=0.12)


def test_intervals_agree_with_scipys_bootstrap() -> None:
    chance = np.random.default_rng(3)
    values = chance.exponential(size=60)  # skewed, so that all of BCa's corrections count
    ours = estimate(
        mean_of(values),
        np.ones(60, dtype=np.int64),
        Bootstrap(resamples=40_000, confidence=0.9, seed=1),
    )["mean"]
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=40_000, confidence_level=0.9, method="BCa", rng=np.random.default_rng(1)
    )
    assert ours.value == pytest.approx(values.mean())
    assert (ours.low, ours.high) == pytest.approx(theirs.confidence_interval, abs=0.006)
    assert ours.error == pytest.approx(theirs.standard_error, rel=0.02)


def test_acceleration_is_the_skewness_that_the_textbook_gives() -> None:
    values = np.array([1.0, 2.0, 3.0, 10.0])
    deviations = values - values.mean()
    expected = (deviations**3).sum() / (6 * (deviations**2).sum() ** 1.5)
    result = accelerations(mean_of(values), np.ones(4, dtype=np.int64))["mean"]
    assert result == pytest.approx(expected)


@pytest.mark.parametrize(
    ("recalls", "shares", "rows"),
    [((0.98, 0.9), (0.85, 0.15), 400), ((0.75, 0.75), (0.5, 0.5), 200), ((0.6, 0.6, 0.6, 0.6, 0.6), (0.2,) * 5, 150)],
)
def test_intervals_hold_the_truth_as_often_as_they_claim(
    recalls: tuple[float, ...], shares: tuple[float, ...], rows: int
) -> None:
    num_labels = len(recalls)
    labels, preds = np.divmod(np.arange(num_labels**2), num_labels)
    wrong = (1 - np.array(recalls)) / (num_labels - 1)
    chances = np.where(labels == preds, np.array(recalls)[labels], wrong[labels]) * np.array(shares)[labels]
    score = functools.partial(count_scores, labels=labels, preds=preds, num_labels=num_labels)
    truth = score(chances)
    chance = np.random.default_rng(0)
    held = dict.fromkeys(truth, 0)
    simulations = 1000
    for number in range(simulations):
        sizes = chance.multinomial(rows, chances)
        result = estimate(score, sizes, Bootstrap(resamples=400, confidence=0.9, seed=number))
        for name, interval in result.items():
            held[name] += interval.low - 1e-9 <= truth[name] <= interval.high + 1e-9
    for name in ("accuracy", "balanced_accuracy", "macro_f1", "mcc", "kappa"):
        assert held[name] / simulations == pytest.approx(0.9, abs=0.02), name


def test_counts_give_the_distribution_that_rows_give() -> None:
    chance = np.random.default_rng(5)
    labels = chance.integers(3, size=250)
    preds = np.where(chance.random(250) < 0.7, labels, chance.integers(3, size=250))
    cells = count_cells(labels, preds)
    score = functools.partial(count_scores, num_labels=3)
    by_cell = score_resamples(
        functools.partial(score, labels=cells.columns[0], preds=cells.columns[1]),
        cells.sizes,
        resamples=20_000,
        seed=1,
    )
    by_row = score_resamples(
        functools.partial(score, labels=labels, preds=preds),
        np.ones(250, dtype=np.int64),
        resamples=20_000,
        seed=2,
    )
    for name in ("accuracy", "macro_f1", "mcc"):
        of_cells = percentiles(by_cell[name], confidence=0.95)
        assert of_cells == pytest.approx(percentiles(by_row[name], confidence=0.95), abs=0.006)


def test_the_same_seed_draws_the_same_resamples() -> None:
    score = mean_of(np.arange(50.0))
    sizes = np.ones(50, dtype=np.int64)
    first, again, another = (score_resamples(score, sizes, resamples=30, seed=seed)["mean"] for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != another).any()


def test_bca_of_an_unbiased_symmetric_sample_is_its_percentiles() -> None:
    samples = np.linspace(-1, 1, 2001)
    assert bca(samples, 0.0, confidence=0.9) == pytest.approx(percentiles(samples, confidence=0.9), abs=1e-3)


def test_ten_thousand_resamples_of_ten_thousand_rows_need_a_bounded_memory() -> None:
    rows = 10_000
    seen = []

    def score(counts: np.ndarray) -> dict[str, np.ndarray]:
        seen.append(counts.nbytes)
        return {"mean": counts.mean(-1)}

    score_resamples(score, np.ones(rows, dtype=np.int64), resamples=1000, seed=1)
    assert len(seen) > 1
    assert max(seen) <= 8 * CHUNK


def test_bca_shifts_a_biased_sample_as_the_formula_says() -> None:
    samples = np.arange(1000.0)
    value, confidence, acceleration = 600.0, 0.9, 0.05
    bias = stats.norm.ppf((600 + 0.5) / 1000)  # 600 samples are below the value and one is equal, which counts half
    expected = []
    for share in (0.05, 0.95):
        shifted = bias + stats.norm.ppf(share)
        expected.append(np.quantile(samples, stats.norm.cdf(bias + shifted / (1 - acceleration * shifted))))
    assert bca(samples, value, confidence=confidence, acceleration=acceleration) == pytest.approx(expected, abs=1e-9)


def test_bca_of_a_value_beyond_all_samples_is_their_percentiles() -> None:
    samples = np.arange(100.0)
    for value in (-1.0, 0.0, 0.5, 98.5, 99.0, 200.0):  # up to one sample lies beyond the value
        assert bca(samples, value, confidence=0.8, acceleration=0.1) == percentiles(samples, confidence=0.8)
    assert bca(samples, 1.0, confidence=0.8) != percentiles(samples, confidence=0.8)


def test_percentiles_leave_out_half_of_the_rest_at_each_end() -> None:
    assert percentiles(np.arange(101.0), confidence=0.9) == pytest.approx((5, 95))


def test_acceleration_weighs_a_cell_by_its_rows() -> None:
    values = np.array([1.0, 2.0, 10.0])
    sizes = np.array([3, 0, 2])

    def mean(counts: np.ndarray) -> dict[str, np.ndarray]:
        return {"mean": counts @ values / counts.sum(-1)}

    rows = np.repeat(values, sizes)
    deviations = rows - rows.mean()
    expected = (deviations**3).sum() / (6 * (deviations**2).sum() ** 1.5)
    assert accelerations(mean, sizes)["mean"] == pytest.approx(expected)


def test_no_acceleration_for_one_row_equal_rows_or_very_many() -> None:
    score = mean_of(np.array([1.0, 5.0]))
    assert accelerations(score, np.array([1, 0])) == {"mean": 0.0}
    assert accelerations(mean_of(np.ones(4)), np.ones(4, dtype=np.int64)) == {"mean": 0.0}
    many = MOST_LEFT_OUT + 1
    skewed = mean_of(np.arange(many, dtype=np.float64) ** 4)
    assert accelerations(skewed, np.ones(many, dtype=np.int64)) == {"mean": 0.0}
    just = mean_of(np.arange(many - 1, dtype=np.float64) ** 4)
    assert accelerations(just, np.ones(many - 1, dtype=np.int64))["mean"] > 0


def test_an_estimate_is_the_value_its_bca_interval_and_the_spread_of_its_resamples() -> None:
    score = mean_of(np.random.default_rng(0).exponential(size=30))
    sizes = np.ones(30, dtype=np.int64)
    samples = score_resamples(score, sizes, resamples=200, seed=5)["mean"]
    value = float(score(sizes)["mean"])
    result = estimate(score, sizes, Bootstrap(resamples=200, confidence=0.8, seed=5))["mean"]
    acceleration = accelerations(score, sizes)["mean"]
    assert (result.low, result.high) == bca(samples, value, confidence=0.8, acceleration=acceleration)
    assert (result.value, result.error) == (value, samples.std())
