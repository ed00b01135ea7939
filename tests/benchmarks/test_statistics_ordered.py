"""The simulated models of ordered classes are as good, and the rows are, as their task says."""

import numpy as np
import pytest

from benchmarks.statistics_ordered import Task, draw, factor_of, losses


@pytest.mark.parametrize("metric", ["quadratic_kappa", "mean_absolute_error"])
def test_the_simulated_loss_is_the_one_that_is_asked_for(metric: str) -> None:
    task = Task(1_000_000, "as of app reviews", seeds=1)
    found = draw(task, factor_of(task.shares, task.error, metric, 0.05), np.random.default_rng(3))
    assert losses(found, task.classes)[metric] == pytest.approx(0.05, abs=0.004)


def test_classes_are_as_frequent_as_the_task_says() -> None:
    labels = draw(Task(1_000_000, "3% in the first"), 1.0, np.random.default_rng(0)).labels
    assert np.bincount(labels) / len(labels) == pytest.approx([0.03, 0.07, 0.15, 0.3, 0.45], abs=0.002)
