"""AUROC and average precision as means of row values: right in value, and right in how they vary."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from stages.metrics.ranking import auroc, auroc_values, average_precision, average_precision_values


def _rows(rows: int, *, ties: bool) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(4)
    labels = (chance.random(rows) < 0.3).astype(np.int64)
    positive = 1 / (1 + np.exp(-(chance.normal(size=rows) + labels)))
    positive = positive.round(1) if ties else positive
    return labels, np.stack([1 - positive, positive], axis=1)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(
    ("values", "reference"),
    [(auroc_values, roc_auc_score), (average_precision_values, average_precision_score)],
)
def test_the_mean_is_scikit_learns_and_resamples_follow_it(
    values: Callable[..., np.ndarray], reference: Callable[..., float], ties: bool
) -> None:
    labels, probabilities = _rows(500, ties=ties)
    rows = values(labels, probabilities)
    assert rows.mean() == pytest.approx(reference(labels, probabilities[:, 1]))
    chance = np.random.default_rng(1)
    ours, theirs = [], []
    for _ in range(200):
        weights = np.bincount(chance.integers(500, size=500), minlength=500)
        ours.append(weights @ rows / 500)
        theirs.append(reference(labels, probabilities[:, 1], sample_weight=weights))
    assert np.corrcoef(ours, theirs)[0, 1] > 0.99
    assert np.std(ours) == pytest.approx(np.std(theirs), rel=0.05)


def test_delong_variance_of_a_worked_case() -> None:
    # six rows by hand: placements of the positives 1, 2/3, 1 and of the negatives 2/3, 1, 1
    labels = np.array([1, 1, 1, 0, 0, 0])
    scores = np.array([0.9, 0.5, 0.8, 0.6, 0.2, 0.1])
    rows = auroc_values(labels, np.stack([1 - scores, scores], axis=1))
    value = (1 + 2 / 3 + 1) / 3
    assert rows.mean() == pytest.approx(value)
    placements = value + (rows - value) / 2  # each class is half of the rows
    assert placements == pytest.approx([1, 2 / 3, 1, 2 / 3, 1, 1])


def test_one_label_alone_has_no_ranking() -> None:
    assert auroc_values(np.zeros(3, dtype=np.int64), np.full((3, 2), 0.5)).tolist() == [0, 0, 0]


def test_values_of_fixed_numbers() -> None:
    labels = np.array([0, 1, 0, 1, 1])
    positive = np.array([0.1, 0.4, 0.4, 0.8, 0.3])
    probabilities = np.stack([1 - positive, positive], axis=1)
    # pairs of a positive above a negative: 0.4 > 0.1, 0.4 = 0.4 (half), 0.8 > both, 0.3 > 0.1
    assert auroc_values(labels, probabilities).mean() == pytest.approx(4.5 / 6)
    # precision at 0.8: 1 of 1; at 0.4: 2 of 3; at 0.3: 3 of 4
    assert average_precision_values(labels, probabilities).mean() == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)


def test_more_than_two_classes_are_averaged_over_those_that_occur() -> None:
    chance = np.random.default_rng(8)
    labels = chance.integers(3, size=90)
    probabilities = chance.dirichlet(np.ones(4), size=90)  # no row has the fourth label
    for values, reference in ((auroc_values, roc_auc_score), (average_precision_values, average_precision_score)):
        expected = np.mean([reference(labels == label, probabilities[:, label]) for label in range(3)])
        assert values(labels, probabilities).mean() == pytest.approx(expected, abs=1e-9)


def test_two_of_three_classes_are_both_scored() -> None:
    labels = np.array([0, 1, 1, 0])
    probabilities = np.array([[0.5, 0.3, 0.2], [0.2, 0.3, 0.5], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
    expected = np.mean([roc_auc_score(labels == label, probabilities[:, label]) for label in (0, 1)])
    assert auroc_values(labels, probabilities).mean() == pytest.approx(expected)


def test_a_pseudo_value_is_the_derivative_by_the_weight_of_its_row() -> None:
    labels, probabilities = _rows(60, ties=True)
    step = 1e-6
    for values, reference in ((auroc_values, roc_auc_score), (average_precision_values, average_precision_score)):
        value = reference(labels, probabilities[:, 1])
        for row in (0, 7, 23):
            weights = np.ones(60)
            weights[row] += step
            slope = (reference(labels, probabilities[:, 1], sample_weight=weights) - value) / step
            assert values(labels, probabilities)[row] == pytest.approx(value + 60 * slope, abs=1e-4)


@pytest.mark.parametrize(
    ("scores", "auroc", "precision"),
    [([0.1, 0.9], 0.0, 0.5), ([0.9, 0.1], 1.0, 1.0), ([0.5, 0.5], 0.5, 0.5)],
)
def test_one_positive_row_below_above_and_level_with_a_negative_one(
    scores: list[float], auroc: float, precision: float
) -> None:
    labels, positive = np.array([1, 0]), np.array(scores)
    probabilities = np.stack([1 - positive, positive], axis=1)
    assert auroc_values(labels, probabilities).tolist() == [auroc, auroc]
    assert average_precision_values(labels, probabilities).mean() == precision


@pytest.mark.parametrize(
    ("metric", "reference"), [(auroc, roc_auc_score), (average_precision, average_precision_score)]
)
def test_rows_with_weights_are_ranked_as_scikit_learn_does_and_influence_is_the_derivative(
    metric: Callable[..., Any], reference: Callable[..., float]
) -> None:
    labels, probabilities = _rows(60, ties=True)
    scores, weights = probabilities[:, 1], np.random.default_rng(2).uniform(0.2, 2, size=60)
    ranking = metric(weights * labels, weights, scores)
    assert ranking.value == pytest.approx(reference(labels, scores, sample_weight=weights))
    step = 1e-5 * weights.sum()
    for row in (0, 7, 33):  # a further row that is scored like this one, of the class or of another
        for label, influence in ((1, ranking.if_positive[row]), (0, ranking.if_negative[row])):
            moved = reference(
                np.append(labels, label), np.append(scores, scores[row]), sample_weight=np.append(weights, step)
            )
            assert (moved - ranking.value) / 1e-5 == pytest.approx(influence, rel=1e-2, abs=1e-3)


def test_without_rows_of_a_class_nothing_is_ranked() -> None:
    scores = np.array([0.1, 0.9])
    for metric in (auroc, average_precision):
        assert metric(np.zeros(2), np.ones(2), scores).value == 0
    assert auroc(np.ones(2), np.ones(2), scores).value == 0
