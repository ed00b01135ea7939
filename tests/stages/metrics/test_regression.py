"""Metrics of numbers agree with scikit-learn and SciPy; intervals of single predictions hold on new rows."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from stages.metrics.conformal import coverage, half_width
from stages.metrics.regression import METRICS, number_scores

CASES = {
    "plain": ([3.0, -0.5, 2.0, 7.0], [2.5, 0.0, 2.0, 8.0]),  # the example of scikit-learn's r2_score: 0.9486
    "far from 0": ([1e6 + 3, 1e6 + 1, 1e6 + 2, 1e6 + 9], [1e6 + 2, 1e6 + 2, 1e6 + 2.5, 1e6 + 5]),
    "ties": ([1.0, 1.0, 2.0, 2.0, 3.0], [5.0, 5.0, 5.0, 6.0, 1.0]),
    "worse than the mean": ([1.0, 2.0, 3.0], [3.0, 1.0, -2.0]),
}


def ones(values: list[float]) -> np.ndarray:
    return np.ones(len(values))


@pytest.mark.parametrize(("numbers", "preds"), CASES.values(), ids=CASES)
def test_metrics_are_those_of_scikit_learn_and_scipy(numbers: list[float], preds: list[float]) -> None:
    scores = number_scores(ones(numbers), np.array(numbers), np.array(preds))
    assert scores["r2"] == pytest.approx(metrics.r2_score(numbers, preds), abs=1e-8)
    assert scores["pearson"] == pytest.approx(stats.pearsonr(numbers, preds).statistic, abs=1e-8)
    assert scores["spearman"] == pytest.approx(stats.spearmanr(numbers, preds).statistic, abs=1e-12)
    assert scores["mean_absolute_error"] == pytest.approx(metrics.mean_absolute_error(numbers, preds))
    assert scores["root_mean_squared_error"] == pytest.approx(metrics.root_mean_squared_error(numbers, preds))


def test_a_weight_counts_a_row_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    numbers, preds = random.normal(size=(2, 40)).round(1)
    weights = random.integers(0, 4, size=(3, 40))
    weighted = number_scores(weights.astype(float), numbers, preds)
    for row, counts in enumerate(weights):
        repeated = np.repeat(numbers, counts), np.repeat(preds, counts)
        alone = number_scores(np.ones(counts.sum()), *repeated)
        for name in METRICS:
            assert weighted[name][row] == pytest.approx(alone[name], abs=1e-10), name


@pytest.mark.parametrize(
    ("numbers", "preds", "zero"),
    [
        ([1.0, 2.0, 3.0], [2.0, 2.0, 2.0], ("pearson", "spearman")),
        ([2.0, 2.0, 2.0], [1.0, 2.0, 3.0], ("r2", "pearson", "spearman")),
    ],
    ids=["constant predictions", "constant numbers"],
)
def test_what_has_no_spread_scores_0(numbers: list[float], preds: list[float], zero: tuple[str, ...]) -> None:
    scores = number_scores(ones(numbers), np.array(numbers), np.array(preds))
    assert [scores[name] for name in zero] == [0.0] * len(zero)


@pytest.mark.parametrize(("rows", "confidence", "rank"), [(19, 0.95, 19), (39, 0.95, 38), (9, 0.8, 8), (99, 0.55, 55)])
def test_the_width_is_the_order_statistic_of_the_method(rows: int, confidence: float, rank: int) -> None:
    errors = np.random.default_rng(0).permutation(rows) + 1.0
    assert half_width(errors, confidence) == rank


@pytest.mark.parametrize("rows", [0, 18])
def test_too_few_rows_give_no_width(rows: int) -> None:
    assert half_width(np.arange(rows, dtype=float), 0.95) is None


def test_coverage_is_exact_and_holds_on_new_rows() -> None:
    counted = coverage(np.arange(10.0), 6.5, confidence=0.95)
    interval = stats.binomtest(7, 10).proportion_ci(0.95, method="exact")
    assert (counted.value, counted.low, counted.high) == pytest.approx((0.7, interval.low, interval.high))
    random = np.random.default_rng(3)
    draws = np.abs(random.normal(size=(2_000, 60)))
    inside = [np.mean(draw[50:] <= half_width(draw[:50], 0.9)) for draw in draws]
    assert np.mean(inside) == pytest.approx(46 / 51, abs=0.01)  # ceil(51 * 0.9) of 51
