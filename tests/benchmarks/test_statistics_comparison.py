"""The benchmark of the comparison's verdicts, on a few small test sets: what it promises holds."""

import math
from dataclasses import replace

import pytest

from benchmarks.statistics_comparison import TASKS, Task, false_alarms, false_passes, powers

RUNS = 100
KINDS = [TASKS[0], TASKS[1], TASKS[4], Task(60, classes=5, accuracy=0.75), Task(200, group=20, icc=0.3)]


def allowed(rate: float) -> float:
    """A share that is above `rate` by chance in 1 of 200 tests."""
    return rate + 2.6 * math.sqrt(rate * (1 - rate) / RUNS)


@pytest.mark.parametrize(("seeds", "shift"), [(1, 0.0), (2, 0.3)])
@pytest.mark.parametrize("task", KINDS, ids=lambda task: task.name)
def test_equally_good_configurations_are_seldom_called_different(task: Task, seeds: int, shift: float) -> None:
    rates = false_alarms(replace(task, seeds=seeds, shift=shift), RUNS)
    assert max(rates.values()) <= allowed(0.05), rates


@pytest.mark.parametrize("shared", [0.5, 0.95])
@pytest.mark.parametrize("task", [TASKS[0], TASKS[4]], ids=lambda task: task.name)
def test_a_loss_of_the_limit_seldom_passes(task: Task, shared: float) -> None:
    rates = false_passes(replace(task, seeds=1, shared=shared), RUNS, 0.05)
    assert max(rate for rate in rates.values() if rate is not None) <= allowed(0.025), rates


@pytest.mark.parametrize("metric", ["macro_f1", "accuracy"])
def test_more_true_losses_are_found_than_formerly(metric: str) -> None:
    now, formerly = powers(Task(92, accuracy=0.8, seeds=1), 60, 0.12)[metric]
    assert now.found > formerly.found
    assert now.found > 0.3
    assert now.equal >= formerly.equal - 0.1
