"""metrics.json: the classification report, and the decision threshold."""

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score

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


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7])
def test_threshold_metrics_are_those_of_the_second_label(threshold: float) -> None:
    labels, preds = [0, 1, 1, 0, 1], [0, 1, 0, 1, 1]
    metrics = compute(labels, preds, num_labels=2, threshold=threshold)
    decided = {0.3: [1] * 5, 0.5: preds, 0.7: [0] * 5}[threshold]
    assert metrics.at_threshold["precision"] == pytest.approx(
        precision_score(labels, decided, zero_division=0), abs=6e-4
    )
    assert metrics.at_threshold["recall"] == pytest.approx(recall_score(labels, decided), abs=6e-4)
    assert metrics.at_threshold["macro_f1"] == pytest.approx(f1_score(labels, decided, average="macro"), abs=6e-4)


def test_a_probability_equal_to_the_threshold_is_positive() -> None:
    results = make_results(np.array([0, 1]), np.full((2, 2), 0.5), threshold=0.5)
    assert compute_metrics(results, BOOTSTRAP, baselines={}, slices=[], suspects=[]).at_threshold["recall"] == 1


def test_mistakes_are_counted() -> None:
    assert compute([0, 1, 1], [0, 0, 0], num_labels=2).mistakes == {"rows": 3, "wrong": 2}
