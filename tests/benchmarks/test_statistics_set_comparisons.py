"""The benchmark of verdicts on label sets, on a few small test sets: what it promises holds."""

import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.statistics_set_comparisons import SHARES, Task, draw, false_alarms, false_passes, margin_of, metric_of
from stages.metrics.label_sets import score_sets, set_features

RUNS = 100
TASKS = [Task(20, "6 labels of 30%"), Task(60, "6 labels of 3 to 40%"), Task(150, "20 labels of 5%")]
TASKS += [Task(150, "6 labels of 30%", group=10)]


def allowed(rate: float) -> float:
    """A share that is above `rate` by chance in 1 of 200 tests."""
    return rate + 2.6 * math.sqrt(rate * (1 - rate) / RUNS)


@pytest.mark.parametrize(("seeds", "shift"), [(1, 0.0), (2, 0.0), (2, 0.1)])
@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_equally_good_configurations_are_seldom_called_different(task: Task, seeds: int, shift: float) -> None:
    rates = false_alarms(replace(task, seeds=seeds, shift=shift), RUNS)
    assert max(rates.values()) <= allowed(0.05), rates


@pytest.mark.parametrize(("seeds", "shared"), [(1, 0.95), (2, 0.5)])
@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_a_loss_of_the_limit_seldom_passes(task: Task, seeds: int, shared: float) -> None:
    rates = false_passes(replace(task, seeds=seeds, shared=shared), RUNS, 0.05)
    assert max(rates.values()) <= allowed(0.025), rates


@pytest.mark.parametrize("labels", SHARES)
@pytest.mark.parametrize("metric", ["micro_f1", "macro_f1", "subset_accuracy"])
def test_the_simulated_loss_is_the_one_that_is_asked_for(metric: str, labels: str) -> None:
    task = Task(100_000, labels, seeds=1)
    found = draw(task, margin_of(task, metric, 0.05), np.random.default_rng(3))
    base, head = (
        float(score_sets(set_features(found.labels, side.preds[0]).sum(0), num_labels=found.labels.shape[1])[metric])
        for side in (found.base, found.head)
    )
    assert base == pytest.approx(metric_of(task, metric, task.margin), abs=0.006)
    assert base - head == pytest.approx(0.05, abs=0.006)
