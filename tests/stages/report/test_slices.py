"""Slices: the weakest first, by mistakes beyond those of their labels and beyond chance."""

import dataclasses

import numpy as np
import pytest

from stages.metrics.classification import count_scores
from stages.predictions import Predictions
from stages.report.slices import SliceScore, score_slices, weakness
from tests.stages.report.results import make_results


def _predictions(labels: np.ndarray, wrong: np.ndarray, num_labels: int = 2) -> Predictions:
    preds = np.where(wrong, (labels + 1) % num_labels, labels)
    return make_results(labels, np.eye(num_labels)[preds]).predictions


def _score(predictions: Predictions, slices: dict[str, np.ndarray]) -> dict[str, SliceScore]:
    """Scores by value of one column, the weakest first."""
    masks = {("part", name): mask for name, mask in slices.items()}
    scores = score_slices(masks, predictions, "macro_f1", confidence=0.95)["part"]
    assert list(scores) == sorted(scores, key=lambda name: (*weakness(scores[name]), name))
    return scores


def test_a_slice_has_its_rows_mistakes_and_metric() -> None:
    chance = np.random.default_rng(1)
    labels = chance.integers(2, size=200)
    wrong = chance.random(200) < 0.2
    half = np.arange(200) < 100
    predictions = _predictions(labels, wrong)
    score = _score(predictions, {"first": half, "second": ~half})["first"]
    assert (score.rows, score.wrong) == (100, wrong[:100].sum())
    rates = np.array(
        [(wrong[labels == label].sum() + wrong.mean()) / ((labels == label).sum() + 1) for label in (0, 1)]
    )
    assert score.expected == pytest.approx(rates[labels[:100]].sum())
    assert score.excess == pytest.approx((score.wrong - score.expected) / 100)
    expected = count_scores(np.ones(100), labels[:100], predictions.preds[:100], num_labels=2)["macro_f1"]
    assert score.value == pytest.approx(expected)
    assert score.low < score.excess < score.high


def test_rows_of_hard_classes_do_not_make_a_slice_weak() -> None:
    labels = np.repeat([0, 1], [800, 200])
    wrong = np.zeros(1000, dtype=bool)
    wrong[:8], wrong[800:900] = True, True  # 1% of class 0, half of class 1
    easy = np.arange(1000) % 40 == 20  # 25 rows, all but one right; among them one of the other class
    hard = (np.arange(1000) >= 800) & ~easy  # all of its mistakes are those of its class
    odd = (np.arange(1000) >= 8) & (np.arange(1000) < 60) & ~easy
    labels[20], wrong[20] = 1, True
    wrong[odd] = np.arange(odd.sum()) % 4 == 0  # a quarter of these rows of the easy class is wrong
    scores = _score(_predictions(labels, wrong), {"one mistake": easy, "hard": hard, "odd": odd})
    assert next(iter(scores)) == "odd"
    assert scores["odd"].low > 0
    assert scores["hard"].low < 0 < scores["hard"].high
    assert scores["one mistake"].low < 0
    assert abs(scores["hard"].excess) < 0.1 < scores["hard"].wrong / scores["hard"].rows


@pytest.mark.parametrize(
    "kind", ["equal sizes", "many sizes", "classes of other difficulty", "hardly a mistake", "groups"]
)
def test_of_thirty_equal_slices_the_weakest_is_not_called_weak(kind: str) -> None:
    chance = np.random.default_rng(8)
    missed = 0
    for _ in range(200):
        sizes = chance.integers(5, 80, size=30) if kind == "many sizes" else np.full(30, 30)
        part = np.repeat(np.arange(30), sizes)
        labels = chance.integers(3, size=len(part))
        rates = {"classes of other difficulty": [0.02, 0.1, 0.5], "hardly a mistake": [0.01, 0.01, 0.02]}
        wrong = chance.random(len(part)) < np.array(rates.get(kind, [0.2, 0.2, 0.2]))[labels]
        predictions = _predictions(labels, wrong, num_labels=3)
        if kind == "groups":  # six rows of a group are mostly right or wrong together
            groups = np.arange(len(part)) // 6
            wrong = np.where(chance.random(len(part)) < 0.8, (chance.random(len(part)) < 0.2)[groups], wrong)
            predictions = dataclasses.replace(_predictions(labels, wrong, num_labels=3), groups=groups)
        scores = _score(predictions, {str(number): part == number for number in range(30)})
        missed += any(score.low > 0 or score.high < 0 for score in scores.values())
    assert missed <= 0.08 * 200  # 5%, and chance


def test_a_weak_slice_of_many_rows_comes_before_a_small_one_that_looks_worse() -> None:
    chance = np.random.default_rng(3)
    part = np.concatenate([np.repeat(np.arange(28), 40), np.full(200, 28), np.full(3, 29)])
    labels = chance.integers(2, size=len(part))
    wrong = chance.random(len(part)) < np.where(part == 28, 0.3, 0.1)
    wrong[part == 29] = [True, True, False]
    scores = _score(_predictions(labels, wrong), {str(number): part == number for number in range(30)})
    assert next(iter(scores)) == "28"
    assert scores["29"].excess > scores["28"].excess > scores["28"].shrunk > scores["29"].shrunk
    assert scores["28"].low > 0


def test_a_model_without_a_mistake_has_no_weak_slice() -> None:
    labels = np.array([0, 1] * 20)
    scores = _score(_predictions(labels, labels < 0), {"a": labels == 0, "b": labels == 1})
    for score in scores.values():
        assert (score.wrong, score.expected, score.excess, score.shrunk, score.low) == (0, 0, 0, 0, 0)
        assert 0.1 < score.high < 0.3  # 20 rows can't exclude mistakes


def test_without_slices_there_are_no_scores() -> None:
    assert score_slices({}, _predictions(np.array([0]), np.array([False])), "mcc", confidence=0.95) == {}
