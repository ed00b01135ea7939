"""The benchmark of verdicts on numbers, on a few small test sets: what it promises holds."""

import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.statistics_numbers import DISTRIBUTIONS, Task, draw, factor_of, false_alarms, false_passes
from stages.metrics.regression import number_scores

RUNS = 100
TASKS = [Task(rows, errors) for rows in (20, 150) for errors in ("normal", "exponential", "t with 3 degrees")]
TASKS += [Task(150, "t with 5 degrees", group=10)]


def allowed(rate: float) -> float:
    """A share that is above `rate` by chance in 1 of 200 tests."""
    return rate + 2.6 * math.sqrt(rate * (1 - rate) / RUNS)


@pytest.mark.parametrize(("seeds", "shift"), [(1, 0.0), (2, 0.0), (2, 0.2)])
@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_equally_good_configurations_are_seldom_called_different(task: Task, seeds: int, shift: float) -> None:
    rates = false_alarms(replace(task, seeds=seeds, shift=shift), RUNS)
    assert max(rates.values()) <= allowed(0.05), rates


@pytest.mark.parametrize(("seeds", "shared"), [(1, 0.95), (2, 0.5)])
@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_a_loss_of_the_limit_seldom_passes(task: Task, seeds: int, shared: float) -> None:
    rates = false_passes(replace(task, seeds=seeds, shared=shared), RUNS, 0.05)
    assert max(rates.values()) <= allowed(0.025), rates


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
