"""Values of rows for metrics of numbers: their mean is the metric, their spread its derivative, whatever the unit."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.comparison.statistics.differences import compare_values
from pipeline.comparison.statistics.metric_values import MetricValues
from pipeline.comparison.statistics.number_values import OF_A_UNIT, number_metric_values, number_values
from stages.metrics.regression import METRICS, number_scores

Floats = NDArray[np.float64]
STEP = 1e-5


def draw(rows: int, *, ties: bool = False, seed: int = 0) -> tuple[Floats, Floats]:
    generator = np.random.default_rng(seed)
    numbers = generator.normal(size=rows)
    preds = 0.6 * numbers + 0.7 * generator.standard_t(4, size=rows)
    return (np.round(2 * numbers) / 2, np.round(2 * preds) / 2) if ties else (numbers, preds)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("metric", METRICS)
def test_a_rows_value_is_the_derivative_by_its_weight(metric: str, ties: bool) -> None:
    numbers, preds = draw(31, ties=ties)
    values = number_values(numbers, preds)[metric]
    rows = len(numbers)
    more, less = (np.ones((rows, rows)) + sign * STEP * np.eye(rows) for sign in (1, -1))
    scores = [number_scores(weights, numbers, preds)[metric] for weights in (more, less)]
    slopes = rows * (scores[0] - scores[1]) / (2 * STEP)
    assert values - values.mean() == pytest.approx(slopes - slopes.mean(), abs=1e-7)
    assert values.mean() == pytest.approx(number_scores(np.ones(rows), numbers, preds)[metric], abs=1e-12)


CONSTANT = {
    "equal numbers": (np.full(6, 3.0), np.arange(6.0)),
    "one prediction": (np.arange(6.0), np.full(6, 3.0)),
    "all right": (np.arange(6.0), np.arange(6.0)),
    "zeros": (np.zeros(6), np.zeros(6)),
    "large and equal": (np.full(6, 1e9), np.full(6, 1e9) + np.arange(6)),
}


@pytest.mark.parametrize("case", CONSTANT)
def test_numbers_without_a_spread_have_finite_values_of_the_same_mean(case: str) -> None:
    numbers, preds = CONSTANT[case]
    scores = number_scores(np.ones(6), numbers, preds)
    for name, values in number_values(numbers, preds).items():
        assert np.isfinite(values).all(), name
        assert values.mean() == pytest.approx(float(scores[name]), abs=1e-9), name


@pytest.mark.parametrize("case", CONSTANT)
def test_a_comparison_without_a_spread_has_a_finite_interval(case: str) -> None:
    numbers, preds = CONSTANT[case]
    for values in number_metric_values(numbers, preds[None], preds[None, ::-1]):
        low, high = interval(values)
        difference = values.head.mean() - values.base.mean()
        assert -math.inf < low <= difference <= high < math.inf, values.name


@pytest.mark.parametrize("unit", [1e-9, 1e-3, 1e3, 1e12])
@pytest.mark.parametrize("shift", [0.0, 50.0])
def test_the_unit_of_the_numbers_changes_no_verdict(unit: float, shift: float) -> None:
    (numbers, base), (_, head) = draw(60), draw(60, seed=1)
    plain = list(number_metric_values(numbers, base[None], head[None]))
    scaled = number_metric_values(*(unit * (values + shift) for values in (numbers, base[None], head[None])))
    for before, after in zip(plain, scaled, strict=True):
        times = unit if before.name in OF_A_UNIT else 1.0
        assert after.unit == pytest.approx(before.unit * times, rel=1e-6)
        assert interval(after) == pytest.approx(interval(before), rel=1e-5, abs=1e-8)
        assert after.base.mean() * after.unit == pytest.approx(before.base.mean() * before.unit * times, rel=1e-6)


def test_seeds_have_their_own_values_and_the_scores_of_each() -> None:
    numbers, first = draw(40)
    seeds = np.stack([first, 0.5 * first])
    for values in number_metric_values(numbers, seeds, seeds[:1]):
        scores = [float(number_scores(np.ones(40), numbers, preds)[values.name]) for preds in seeds]
        assert (values.base.mean(1) * values.unit).tolist() == pytest.approx(scores)


def test_a_bound_of_squares_is_more_careful_than_an_interval() -> None:
    (numbers, base), (_, head) = draw(60), draw(60, seed=1)
    for values in number_metric_values(numbers, base[None], head[None]):
        wider = interval(values.for_bounds())[1] - interval(values)[1]
        assert (wider > 1e-3) == (values.name in ("r2", "root_mean_squared_error")), values.name


def interval(values: MetricValues) -> tuple[float, float]:
    return compare_values(values.base, values.head, (values.unseen, values.unseen_rows)).interval(0.95)
