"""The benchmark of verdicts on ordered classes, on a few small test sets: what it promises holds."""

import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.statistics_ordered import Task, draw, factor_of, false_alarms, false_passes, losses

RUNS = 100
TASKS = [Task(rows, shares) for rows in (20, 150) for shares in ("even", "3% in the first", "3 classes")]
TASKS += [Task(150, group=10)]


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


@pytest.mark.parametrize("metric", ["quadratic_kappa", "mean_absolute_error"])
def test_the_simulated_loss_is_the_one_that_is_asked_for(metric: str) -> None:
    task = Task(1_000_000, "as of app reviews", seeds=1)
    found = draw(task, factor_of(task.shares, task.error, metric, 0.05), np.random.default_rng(3))
    assert losses(found, task.classes)[metric] == pytest.approx(0.05, abs=0.004)


def test_classes_are_as_frequent_as_the_task_says() -> None:
    labels = draw(Task(1_000_000, "3% in the first"), 1.0, np.random.default_rng(0)).labels
    assert np.bincount(labels) / len(labels) == pytest.approx([0.03, 0.07, 0.15, 0.3, 0.45], abs=0.002)
