"""The simulated models of numbers are as good, and the rows are, as their task says."""

import numpy as np
import pytest

from benchmarks.statistics_numbers import DISTRIBUTIONS, Task, draw, factor_of
from stages.metrics.regression import number_scores


@pytest.mark.parametrize("errors", ["normal", "exponential", "t with 5 degrees"])
@pytest.mark.parametrize("metric", ["r2", "mean_absolute_error", "root_mean_squared_error"])
def test_the_simulated_loss_is_the_one_that_is_asked_for(metric: str, errors: str) -> None:
    task = Task(1_000_000, errors, seeds=1)
    found = draw(task, factor_of(task, metric, 0.05), np.random.default_rng(3))
    scores = [
        float(number_scores(np.ones(task.rows), found.numbers, preds)[metric])
        for preds in (found.base[0], found.head[0])
    ]
    loss = scores[0] - scores[1] if metric == "r2" else scores[1] - scores[0]
    assert loss == pytest.approx(0.05, abs=0.004)


def test_every_distribution_has_the_mean_and_the_variance_that_it_says() -> None:
    for name, values in DISTRIBUTIONS.items():
        sample = values(np.random.default_rng(0), (2_000_000,))
        assert sample.mean() == pytest.approx(0, abs=0.005), name
        assert sample.var() == pytest.approx(1, abs=0.06), name
