"""The simulated models of label sets are as good, and the rows are, as their task says."""

import numpy as np
import pytest

from benchmarks.statistics_set_comparisons import SHARES, Task, draw, margin_of, metric_of
from stages.metrics.label_sets import score_sets, set_features


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
