"""The linear models of the folds, at the edges of what data can be."""

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from stages.crossfit.linear import HEADS, fit_classes, fit_label_set, fit_number

CHANCE = np.random.default_rng(0)


def features(labels: Any, noise: float = 0.5) -> np.ndarray:
    """Return features of which the first is the label, and one is constant."""
    values = CHANCE.normal(scale=noise, size=(len(labels), 6))
    values[:, 0] += np.asarray(labels)
    values[:, 5] = 3.0
    return values.astype(np.float32)


def test_classes_are_those_of_sklearn_with_a_strength_chosen_on_val() -> None:
    labels = CHANCE.integers(2, size=300)
    rows = features(labels)
    train, val, own = (rows[:150], labels[:150]), (rows[150:200], labels[150:200]), rows[200:]
    answers = fit_classes(train, val, own, outputs=2)
    sd = rows[:150].std(axis=0)
    sd[5] = np.inf
    scaled = (rows - rows[:150].mean(axis=0)) / sd
    candidates = [
        LogisticRegression(C=10.0**power, max_iter=500).fit(scaled[:200], labels[:200]).predict_proba(scaled[200:])
        for power in range(-5, 2)
    ]
    assert min(np.abs(answers - candidate).max() for candidate in candidates) < 2e-3


@pytest.mark.parametrize("present", [[1], [0, 2]])
def test_a_class_without_rows_gets_no_probability(present: list[int]) -> None:
    labels = CHANCE.choice(present, size=80)
    answers = fit_classes((features(labels), labels), (features(labels), labels), features([0, 1, 2]), outputs=4)
    absent = [label for label in range(4) if label not in present]
    assert (answers[:, absent] == 0).all()
    assert answers.sum(axis=1) == pytest.approx(np.ones(3), abs=1e-5)


def test_a_label_that_val_alone_has_is_no_error() -> None:
    train, val = np.array([0, 1] * 20), np.array([0, 1, 2])
    answers = fit_classes((features(train), train), (features(val), val), features([0, 1]), outputs=3)
    assert np.isfinite(answers).all()


def test_a_label_of_a_set_that_every_row_or_none_has_is_certain() -> None:
    flags = np.stack([np.ones(60), np.zeros(60), CHANCE.integers(2, size=60)], axis=1).astype(np.bool_)
    rows = features(flags[:, 2])
    answers = fit_label_set((rows, flags), (rows, flags), rows, outputs=3)
    assert (answers[:, 0] == 1).all()
    assert (answers[:, 1] == 0).all()
    assert ((answers[:, 2] > 0.5) == flags[:, 2]).mean() > 0.7


def test_numbers_come_in_their_own_unit() -> None:
    numbers = 1e6 + 10 * CHANCE.normal(size=200)
    rows = features((numbers - 1e6) / 10, noise=0.05)
    answers = fit_number((rows[:100], numbers[:100]), (rows[100:150], numbers[100:150]), rows[150:], outputs=1)
    assert answers.shape == (50, 1)
    assert np.abs(answers[:, 0] - numbers[150:]).mean() < 2


def test_every_kind_has_a_model() -> None:
    assert set(HEADS) == {"classes", "ordered", "label_set", "number"}


@pytest.mark.filterwarnings("error")
def test_more_classes_than_half_the_rows_are_no_warning_of_a_library() -> None:
    labels = np.arange(60) % 40
    rows = (features(labels), labels)
    assert fit_classes(rows, rows, rows[0], outputs=40).shape == (60, 40)
