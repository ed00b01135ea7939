"""The linear models of the folds, at the edges of what data can be."""

from importlib import import_module
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from stages.crossfit.linear import HEADS, STRENGTHS, fit_classes, fit_label_set, fit_number
from stages.targets.target import Kind

CHANCE = np.random.default_rng(0)


def features(labels: Any, noise: float = 0.5) -> np.ndarray:
    """Return features of which the first is the label, and one is constant."""
    values = CHANCE.normal(scale=noise, size=(len(labels), 6))
    values[:, 0] += np.asarray(labels)
    values[:, 5] = 3.0
    return values.astype(np.float32)


def test_classes_are_those_of_sklearn_with_one_of_the_strengths() -> None:
    labels = CHANCE.integers(2, size=300)
    rows = features(labels)
    fitted, own = (rows[:200], labels[:200]), rows[200:]
    answers = fit_classes(fitted, np.arange(200), own, outputs=2)
    sd = rows[:200].std(axis=0)
    sd[5] = np.inf
    scaled = (rows - rows[:200].mean(axis=0)) / sd
    candidates = [
        LogisticRegression(C=1 / strength, max_iter=500).fit(scaled[:200], labels[:200]).predict_proba(scaled[200:])
        for strength in STRENGTHS
    ]
    assert min(np.abs(answers - candidate).max() for candidate in candidates) < 2e-3


def simulated(kind: Kind, rows: int, twins: bool, seed: int) -> tuple[Any, Any, Any, Any, Any]:
    """Return features, labels and units of fitted rows, and features and labels of others; few features tell."""
    random = np.random.default_rng([seed, rows])
    values = random.normal(size=(rows + 500, 40)).astype(np.float32)
    number = values[:, :10].sum(axis=1) + 4 * random.normal(size=len(values))
    flags = number > 0
    labels = {"number": number, "classes": flags.astype(np.int64)}[kind]
    distinct = rows // 2 if twins else rows
    places = np.repeat(np.arange(distinct), 2) if twins else np.arange(rows)
    places = places[random.permutation(len(places))]
    return values[places], labels[places], places, values[rows:], labels[rows:]


def loss(kind: str, answers: Any, labels: Any) -> float:
    if kind == "number":
        return float(np.square(answers[:, 0] - labels).mean())
    own = answers[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(own, 1e-7)).mean())


@pytest.mark.parametrize("twins", [False, True], ids=["different rows", "twins"])
@pytest.mark.parametrize("rows", [100, 150])
@pytest.mark.parametrize("kind", ["number", "classes"])
def test_the_chosen_strength_is_little_worse_than_the_best_one(
    kind: Kind, rows: int, twins: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where each row is there twice, which would tell a strength that is far too weak if one of the two stayed."""
    module = "stages.ridge" if kind == "number" else "stages.crossfit.linear"
    strengths = import_module(module).STRENGTHS
    excess = []
    for seed in range(8):
        values, labels, units, others, truth = simulated(kind, rows, twins, seed)

        def loss_with(tried: Any, own: Any = (values, labels), units: Any = units, new: Any = (others, truth)) -> float:
            monkeypatch.setattr(f"{module}.STRENGTHS", tried)
            return loss(kind, HEADS[kind](own, units, new[0], outputs=2), new[1])

        best = min(loss_with(np.array([strength])) for strength in strengths)
        excess.append(loss_with(strengths) / best - 1)
    assert np.mean(excess) < 0.075


@pytest.mark.parametrize("present", [[1], [0, 2]])
def test_a_class_without_rows_gets_no_probability(present: list[int]) -> None:
    labels = CHANCE.choice(present, size=80)
    answers = fit_classes((features(labels), labels), np.arange(80), features([0, 1, 2]), outputs=4)
    absent = [label for label in range(4) if label not in present]
    assert (answers[:, absent] == 0).all()
    assert answers.sum(axis=1) == pytest.approx(np.ones(3), abs=1e-5)


@pytest.mark.parametrize("units", [np.arange(43), np.arange(43) // 40, np.zeros(43, np.int64)], ids=["43", "2", "1"])
def test_a_label_of_one_row_or_one_unit_is_no_error(units: Any) -> None:
    labels = np.array([0, 1] * 20 + [0, 1, 2])
    answers = fit_classes((features(labels), labels), units, features([0, 1]), outputs=3)
    assert np.isfinite(answers).all()


def test_a_label_of_a_set_that_every_row_or_none_has_is_certain() -> None:
    flags = np.stack([np.ones(60), np.zeros(60), CHANCE.integers(2, size=60)], axis=1).astype(np.bool_)
    rows = features(flags[:, 2])
    answers = fit_label_set((rows, flags), np.arange(60), rows, outputs=3)
    assert (answers[:, 0] == 1).all()
    assert (answers[:, 1] == 0).all()
    assert ((answers[:, 2] > 0.5) == flags[:, 2]).mean() > 0.7


def test_numbers_come_in_their_own_unit() -> None:
    numbers = 1e6 + 10 * CHANCE.normal(size=200)
    rows = features((numbers - 1e6) / 10, noise=0.05)
    answers = fit_number((rows[:150], numbers[:150]), np.arange(150), rows[150:], outputs=1)
    assert answers.shape == (50, 1)
    assert np.abs(answers[:, 0] - numbers[150:]).mean() < 2


def test_every_kind_has_a_model() -> None:
    assert set(HEADS) == {"classes", "ordered", "label_set", "number"}


@pytest.mark.filterwarnings("error")
def test_more_classes_than_half_the_rows_are_no_warning_of_a_library() -> None:
    labels = np.arange(60) % 40
    rows = (features(labels), labels)
    assert fit_classes(rows, np.arange(60), rows[0], outputs=40).shape == (60, 40)
