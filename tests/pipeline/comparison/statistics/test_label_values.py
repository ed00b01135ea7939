"""Metrics of labels as one value per row: against the derivatives of the metrics themselves."""

import numpy as np
import pytest

from pipeline.comparison.statistics.label_values import count_labels, label_values, mean_counts
from stages.metrics.classification import count_scores


def draw(num_labels: int, rows: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and predictions of which 7 of 10 are right; the last of many classes does not occur."""
    generator = np.random.default_rng(num_labels)
    labels, other = generator.integers(0, num_labels - (num_labels > 4), (2, rows))
    return labels, np.where(generator.random(rows) < 0.7, labels, other)


@pytest.mark.parametrize("num_labels", [2, 5, 9])
def test_every_metric_of_labels_is_the_mean_of_values_and_they_are_its_derivatives(num_labels: int) -> None:
    labels, preds = draw(num_labels)
    rows, step = len(labels), 1e-5
    values = label_values(count_labels(labels, preds, num_labels=num_labels), labels, preds, ordered=True)

    def scores(weights: np.ndarray) -> dict[str, np.ndarray]:
        return count_scores(weights, labels, preds, num_labels=num_labels, ordered=True)

    score = scores(np.ones(rows))
    assert values.keys() == score.keys()  # a new metric of count_scores needs its values here, or is not paired
    up, down = (scores(np.ones((rows, rows)) + sign * step * np.eye(rows)) for sign in (1, -1))
    for name, value in score.items():
        assert values[name].mean() == pytest.approx(float(value)), name
        assert values[name] == pytest.approx(value + rows * (up[name] - down[name]) / step / 2, abs=1e-4), name


def test_a_row_that_was_not_counted_has_a_value_too() -> None:
    labels, preds = np.array([0, 0, 1, 1]), np.array([0, 0, 1, 1])
    counts = count_labels(labels, preds, num_labels=2)
    assert label_values(counts, np.array([0, 0]), np.array([0, 1]))["accuracy"].tolist() == [1.0, 0.0]
    assert label_values(counts, np.array([0]), np.array([1]))["balanced_accuracy"] == pytest.approx(1 - 4 / 2 / 2)


@pytest.mark.parametrize("name", ["mcc", "kappa", "quadratic_kappa"])
def test_a_metric_that_is_undefined_for_one_class_is_0_for_every_row(name: str) -> None:
    labels = np.zeros(5, dtype=np.int64)
    assert (
        label_values(count_labels(labels, labels, num_labels=2), labels, labels, ordered=True)[name].tolist()
        == [0.0] * 5
    )


def test_counts_of_several_models_are_averaged() -> None:
    labels = np.array([0, 1, 2])
    counts = [count_labels(labels, np.array(preds), num_labels=3) for preds in ([0, 1, 2], [0, 1, 0])]
    mean = mean_counts(counts)
    assert mean.hits.tolist() == [1.0, 1.0, 0.5]
    assert mean.predicted.tolist() == [1.5, 1.0, 0.5]
    assert (mean.support.tolist(), mean.rows, mean.distance) == ([1.0, 1.0, 1.0], 3.0, 2.0)


def test_a_class_that_one_model_predicts_and_no_row_has_lowers_macro_f1_by_its_share() -> None:
    # base predicts all right; head predicts for one row a third class, which no row has
    labels = np.array([0, 0, 0, 1, 1, 1])
    base, head = labels, np.array([0, 0, 0, 1, 1, 2])
    counts = mean_counts([count_labels(labels, preds, num_labels=3) for preds in (base, head)])
    values = [label_values(counts, labels, preds)["macro_f1"].mean() for preds in (base, head)]
    truth = [float(count_scores(np.ones(6), labels, preds, num_labels=3)["macro_f1"]) for preds in (base, head)]
    assert values[1] - values[0] == pytest.approx(truth[1] - truth[0], rel=0.25)  # to first order
