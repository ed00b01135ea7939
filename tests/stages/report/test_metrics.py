"""metrics.json: the classification report, and the decision threshold."""

from typing import Any

import numpy as np

from stages.metrics.bootstrap import Bootstrap
from stages.report.metrics import ClassScore, Metrics, compute_metrics
from tests.stages.report.results import make_results

BOOTSTRAP = Bootstrap(resamples=100, confidence=0.95, seed=1)


def compute(labels: list[int], preds: list[int], num_labels: int, **options: Any) -> Metrics:
    probabilities = np.where(np.array(preds)[:, None] == np.arange(num_labels), 0.6, 0.4 / max(1, num_labels - 1))
    results = make_results(np.array(labels), probabilities, **options)
    return compute_metrics(results, BOOTSTRAP, baselines={}, slices=[], suspects=[])


def test_classes_without_rows_score_zero_and_count_in_no_average() -> None:
    metrics = compute([0, 0, 0, 1], [0, 0, 2, 1], num_labels=3)
    assert metrics.per_class == {
        "class 0": ClassScore(precision=1.0, recall=0.667, f1=0.8, support=3),
        "class 1": ClassScore(precision=1.0, recall=1.0, f1=1.0, support=1),
        "class 2": ClassScore(precision=0.0, recall=0.0, f1=0.0, support=0),
    }
    assert metrics.averages == {
        "macro": ClassScore(precision=1.0, recall=0.833, f1=0.9, support=4),
        "weighted": ClassScore(precision=1.0, recall=0.75, f1=0.85, support=4),
    }


def test_a_label_is_not_confused_with_an_average_or_another_number() -> None:
    metrics = compute([0, 10, 10], [0, 10, 1], num_labels=11)
    assert metrics.per_class["class 10"] == ClassScore(precision=1.0, recall=0.5, f1=0.667, support=2)
    assert metrics.per_class["class 1"].support == 0


def test_mistakes_are_counted() -> None:
    assert compute([0, 1, 1], [0, 0, 0], num_labels=2).mistakes == {"rows": 3, "wrong": 2}
