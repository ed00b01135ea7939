"""A head of each kind learns what is in the features, with few rows or one label too, and is scored by the metrics."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import cohen_kappa_score, f1_score, r2_score

from stages.extrapolate.heads import HEADS
from stages.targets.target import KINDS, METRICS

random = np.random.default_rng(0)
FEATURES = random.normal(size=(400, 6))
LABELS: dict[str, NDArray[Any]] = {
    "classes": (FEATURES[:, 0] > 0).astype(np.int64) + (FEATURES[:, 1] > 0),
    "ordered": np.digitize(FEATURES[:, 0], [-0.7, 0.7]),
    "label_set": FEATURES[:, :3] > 0.3,
    "number": FEATURES @ np.arange(6) + 7,
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_head_learns_and_has_every_metric_of_its_kind(kind: str) -> None:
    head, labels = HEADS[kind], LABELS[kind]  # type: ignore[index]
    answers = head.predict(FEATURES[:300], labels[:300], np.arange(300), FEATURES[300:])
    scores = head.score(np.ones((1, 100)), labels[300:], answers)
    assert answers.shape == labels[300:].shape
    assert scores[METRICS[kind][0]][0] > 0.7  # type: ignore[index]
    assert set(METRICS[kind]) <= set(scores)  # type: ignore[index]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [1, 2])
def test_one_label_alone_is_answered(kind: str, rows: int) -> None:
    labels = np.repeat(LABELS[kind][:1], rows, axis=0)
    answers = HEADS[kind].predict(FEATURES[:rows], labels, np.arange(rows), FEATURES[10:20])  # type: ignore[index]
    np.testing.assert_allclose(answers, np.repeat(labels[:1], 10, axis=0))


@pytest.mark.parametrize("width", [10, 40, 160])
@pytest.mark.parametrize("noise", [0.3, 1.0, 3.0])
def test_more_rows_do_no_harm_to_a_number(noise: float, width: int) -> None:
    """A strength that is the same for all numbers of rows overfits where rows are as many as features."""
    rows, sizes = 600, [20, 40, 80, 160, 320]
    errors = np.zeros(len(sizes))
    for seed in range(6):
        chance = np.random.default_rng(seed)
        features = chance.normal(size=(rows, width))
        numbers = features[:, :5].sum(axis=1) / 5**0.5 + noise * chance.normal(size=rows)
        features /= np.sqrt((features**2).sum(axis=1).mean())
        for place, size in enumerate(sizes):
            answers = HEADS["number"].predict(features[:size], numbers[:size], np.arange(size), features[400:])
            errors[place] += np.abs(answers - numbers[400:]).mean() / 6
    assert (np.diff(errors) < 0.02 * errors[0]).all()
    assert errors[-1] < errors[0]


def test_scores_are_those_of_scikit_learn_also_where_rows_count_twice() -> None:
    twice = np.r_[np.full(50, 2.0), np.zeros(50)][None]
    labels, answers = random.integers(0, 4, 100), random.integers(0, 3, 100)
    score = HEADS["ordered"].score(twice, labels, answers)
    assert score["macro_f1"][0] == pytest.approx(f1_score(labels[:50], answers[:50], average="macro"))
    assert score["quadratic_kappa"][0] == pytest.approx(
        cohen_kappa_score(labels[:50], answers[:50], weights="quadratic")
    )
    flags, guesses = random.random((100, 3)) < 0.4, random.random((100, 3)) < 0.4
    of_sets = HEADS["label_set"].score(twice, flags, guesses)
    assert of_sets["micro_f1"][0] == pytest.approx(f1_score(flags[:50], guesses[:50], average="micro"))
    numbers = random.normal(size=(2, 100))
    assert HEADS["number"].score(twice, *numbers)["r2"][0] == pytest.approx(r2_score(*numbers[:, :50]))


@pytest.mark.filterwarnings("error")
def test_more_classes_than_half_the_rows_are_no_warning_of_a_library() -> None:
    labels = np.arange(60) % 40
    assert HEADS["classes"].predict(FEATURES[:60], labels, np.arange(60), FEATURES[:60]).shape == (60,)
