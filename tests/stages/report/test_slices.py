"""Slices: the weakest first, by mistakes beyond those of their labels and beyond chance."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from stages.metrics.classification import count_scores
from stages.predictions import Predictions
from stages.report.slices import SliceScore, score_slices, weakness
from tests.stages.report.results import make_results

ROOT = Path(__file__).parents[3]


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


def test_mistakes_of_rare_labels_do_not_explain_themselves() -> None:
    labels = np.arange(100)  # each row is the only one of its label
    wrong = labels < 20
    weak = labels < 25
    predictions = _predictions(labels, wrong, num_labels=100)
    score = _score(predictions, {"weak": weak, "others": ~weak})["weak"]
    assert score.expected == pytest.approx((20 * (1 + 0.2) + 5 * (0 + 0.2)) / 2)  # and not 20 of 20
    assert score.low > 0


@pytest.mark.parametrize("file", ["docs/numbers.md", "stages/report/render/templates/notes.j2"])
def test_what_expected_means_is_said_with_the_row_that_is_added(file: str) -> None:
    assert "Each label gets one extra row, wrong as often as all rows are" in " ".join(
        (ROOT / file).read_text().split()
    )


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


def test_slices_that_differ_by_chance_alone_are_ordered_by_their_excess_mistakes() -> None:
    part = np.repeat([0, 1, 2], [60, 60, 4])
    wrong = np.zeros(len(part), dtype=bool)
    wrong[:8], wrong[60:66], wrong[120:121] = True, True, True
    scores = _score(_predictions(np.arange(len(part)) % 2, wrong), {str(number): part == number for number in range(3)})
    assert {score.shrunk for score in scores.values()} == {0.0}
    assert list(scores) == ["0", "2", "1"]
    assert scores["2"].excess > scores["0"].excess


def test_a_model_without_a_mistake_has_no_weak_slice() -> None:
    labels = np.array([0, 1] * 20)
    scores = _score(_predictions(labels, labels < 0), {"a": labels == 0, "b": labels == 1})
    for score in scores.values():
        assert (score.wrong, score.expected, score.excess, score.shrunk, score.low) == (0, 0, 0, 0, 0)
        assert 0.1 < score.high < 0.3  # 20 rows can't exclude mistakes


def test_without_slices_there_are_no_scores() -> None:
    assert score_slices({}, _predictions(np.array([0]), np.array([False])), "mcc", confidence=0.95) == {}
