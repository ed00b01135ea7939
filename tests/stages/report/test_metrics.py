"""metrics.json: the classification report, and its averages."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score

from stages.metrics.bootstrap import Bootstrap
from stages.metrics.classification import count_scores
from stages.metrics.summary import exact
from stages.report.every_metrics import Findings
from stages.report.metrics import ClassScore, Metrics, compute_metrics
from stages.report.results import Results
from stages.report.seeds import only_answer
from tests.stages.report.results import make_results

BOOTSTRAP = Bootstrap(resamples=100, confidence=0.95, seed=1)
NOTHING = Findings(baselines={}, slices={}, suspects=[], notes=[])


def compute(labels: list[int], preds: list[int], num_labels: int) -> Metrics:
    probabilities = np.where(np.array(preds)[:, None] == np.arange(num_labels), 0.6, 0.4 / max(1, num_labels - 1))
    results = make_results(np.array(labels), probabilities)
    return compute_metrics(results, BOOTSTRAP, NOTHING)


def test_a_class_without_rows_scores_zero_and_counts_in_an_average_if_it_is_predicted() -> None:
    metrics = compute([0, 0, 0, 1], [0, 0, 2, 1], num_labels=3)
    assert metrics.per_class == {
        "class 0": ClassScore(precision=1.0, recall=exact(2 / 3), f1=0.8, support=3),
        "class 1": ClassScore(precision=1.0, recall=1.0, f1=1.0, support=1),
        "class 2": ClassScore(precision=0.0, recall=0.0, f1=0.0, support=0),
    }
    assert metrics.averages == {
        "macro": ClassScore(precision=exact(2 / 3), recall=exact(5 / 6), f1=0.6, support=4),
        "weighted": ClassScore(precision=1.0, recall=0.75, f1=0.85, support=4),
    }


@pytest.mark.parametrize(
    ("labels", "preds"),
    [
        ([0, 1, 2, 0], [0, 1, 2, 1]),
        ([0, 0, 0, 1], [0, 0, 2, 1]),
        ([0, 0, 1, 1], [0, 0, 1, 0]),
        ([0, 1, 2, 2], [0, 1, 1, 1]),
        ([0, 0, 0], [1, 2, 1]),
        ([2], [2]),
    ],
    ids=["all seen", "predicted, no rows", "neither", "never predicted", "all wrong", "one row"],
)
def test_the_averages_are_the_metrics_of_the_same_name(labels: list[int], preds: list[int]) -> None:
    averages = compute(labels, preds, num_labels=4).averages
    scores = count_scores(np.ones(len(labels)), np.array(labels), np.array(preds), num_labels=4)
    assert averages["macro"].f1 == pytest.approx(scores["macro_f1"])
    assert averages["macro"].f1 == pytest.approx(f1_score(labels, preds, average="macro", zero_division=0))
    assert averages["macro"].recall == pytest.approx(scores["balanced_accuracy"])
    assert averages["macro"].precision == pytest.approx(
        precision_score(labels, preds, average="macro", zero_division=0)
    )
    assert averages["weighted"].f1 == pytest.approx(scores["weighted_f1"])
    assert averages["weighted"].recall == pytest.approx(scores["accuracy"])


def test_a_label_is_not_confused_with_an_average_or_another_number() -> None:
    metrics = compute([0, 10, 10], [0, 10, 1], num_labels=11)
    assert metrics.per_class["class 10"] == ClassScore(precision=1.0, recall=0.5, f1=exact(2 / 3), support=2)
    assert metrics.per_class["class 1"].support == 0


def test_mistakes_are_counted() -> None:
    assert compute([0, 1, 1], [0, 0, 0], num_labels=2).mistakes == {"rows": 3, "wrong": 2}


@pytest.mark.parametrize(
    ("labels", "preds", "answer"),
    [
        ([0, 0, 1, 2], [1, 1, 1, 1], 1),
        ([0, 1], [0, 0], 0),
        ([0, 0, 0], [0, 0, 0], None),  # all rows are of one class, and the model is right: no sign of a collapse
        ([1], [0], None),
        ([0, 1, 1], [0, 0, 1], None),
    ],
)
@pytest.mark.parametrize("val", [False, True])
def test_a_model_has_collapsed_if_it_predicts_one_label_for_rows_of_several(
    labels: list[int], preds: list[int], answer: int | None, val: bool
) -> None:
    assert only_answer(_results_of(labels, preds, labels[:val], preds[:val]).champion) == answer


def test_a_test_of_one_class_does_not_make_a_good_model_look_collapsed() -> None:
    assert only_answer(_results_of([0, 0, 0], [0, 0, 0], [0, 1, 2], [0, 1, 2]).champion) is None


def _results_of(labels: list[int], preds: list[int], val_labels: list[int], val_preds: list[int]) -> Results:
    test, val = (
        make_results(np.array(rows, dtype=np.int64), np.eye(3)[columns].reshape(-1, 3))
        for rows, columns in ((labels, preds), (val_labels, val_preds))
    )
    test.champion.predictions["val"] = val.predictions
    return test
