"""The decision threshold: tuned against a search over all of them, and taken only where it helps on new rows."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from benchmarks.statistics_calibration import BINARIES, threshold_outcome
from stages.evaluate import threshold
from stages.evaluate.threshold import try_threshold, tune_threshold

SCORES = {
    "accuracy": accuracy_score,
    "macro_f1": lambda labels, preds: f1_score(labels, preds, average="macro"),
    "mcc": matthews_corrcoef,
}


def _pairs(positive: np.ndarray) -> np.ndarray:
    return np.stack([1 - positive, positive], axis=1)


def _shifted_model(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and probabilities of a model that says the second label too seldom."""
    chance = np.random.default_rng(2)
    labels = (chance.random(rows) < 0.2).astype(np.int64)
    return labels, (1 / (1 + np.exp(-(chance.normal(size=rows) * 1.5 + 2 * labels - 3)))).round(2)


@pytest.mark.parametrize("metric", SCORES)
def test_without_smoothing_no_other_threshold_is_better(metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threshold, "MODEL_ROWS", 0)
    labels, positive = _shifted_model(300)
    cut = tune_threshold(labels, _pairs(positive), metric=metric)
    best = max(SCORES[metric](labels, positive >= other) for other in np.linspace(0, 1, 201))
    assert SCORES[metric](labels, positive >= cut) == pytest.approx(best)


def test_with_smoothing_few_rows_move_a_calibrated_model_little() -> None:
    positive = np.array([0.02] * 50 + [0.3, 0.4, 0.45, 0.7] + [0.98] * 10)
    labels = np.array([0] * 50 + [1, 1, 1, 1] + [1] * 10)  # three rows below 0.5 have the second label, by chance
    assert 0.3 < tune_threshold(labels, _pairs(positive), metric="accuracy") < 0.5
    many = tune_threshold(np.tile(labels, 200), np.tile(_pairs(positive), (200, 1)), metric="accuracy")
    assert many < 0.3  # with as many rows it is no chance


def test_the_middle_of_the_gap_is_taken() -> None:
    labels = np.array([0, 0, 1, 1])
    assert tune_threshold(labels, _pairs(np.array([0.1, 0.2, 0.8, 0.9])), metric="accuracy") == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("labels", "classes", "groups"),
    [
        ([0, 1, 2], 3, None),
        ([], 2, None),
        ([1, 1, 1], 2, None),
        ([0, 0, 1], 2, None),
        ([0, 0, 1, 1], 2, [0, 1, 2, 2]),
    ],
    ids=["three classes", "no rows", "one label", "a label of one row", "a label of one group"],
)
def test_where_nothing_can_be_tried_there_is_no_threshold(
    labels: list[int], classes: int, groups: list[int] | None
) -> None:
    probabilities = np.full((len(labels), classes), 1 / classes)
    marks = None if groups is None else np.array(groups)
    assert try_threshold(np.array(labels, dtype=np.int64), probabilities, groups=marks, metric="mcc", seed=1) is None


def test_gain_and_threshold_of_a_model_that_says_a_label_too_seldom() -> None:
    labels, positive = _shifted_model(2_000)
    trial = try_threshold(labels, _pairs(positive), metric="macro_f1", seed=3)
    assert trial is not None
    assert trial.taken
    before, after = (f1_score(labels, positive >= cut, average="macro") for cut in (0.5, trial.threshold))
    assert trial.gain == pytest.approx(after - before, abs=0.01)
    assert trial == try_threshold(labels, _pairs(positive), metric="macro_f1", seed=3)


def test_no_row_decided_otherwise_is_no_gain() -> None:
    labels = np.array([0, 1] * 30)
    trial = try_threshold(labels, _pairs(np.where(labels == 1, 0.99, 0.01)), metric="accuracy", seed=1)
    assert trial is not None
    assert (trial.gain, trial.chance, trial.taken) == (0.0, 0.5, False)


def test_copies_of_a_row_are_no_evidence() -> None:
    positive = np.concatenate([np.full(40, 0.02), np.full(40, 0.98), np.full(20, 0.3)])
    labels = np.concatenate([np.zeros(40), np.ones(60)]).astype(np.int64)
    groups = np.concatenate([np.arange(80), np.full(20, 80)])  # the 20 rows below 0.5 are one text
    alone = try_threshold(labels, _pairs(positive), metric="accuracy", seed=1)
    grouped = try_threshold(labels, _pairs(positive), groups=groups, metric="accuracy", seed=1)
    assert alone is not None and grouped is not None  # noqa: PT018
    assert (alone.taken, grouped.taken) == (True, False)


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
@pytest.mark.parametrize("name", [name for name in BINARIES if name.endswith("calibrated")])
def test_a_calibrated_model_is_not_hurt_on_new_rows(name: str, metric: str) -> None:
    outcome = threshold_outcome(BINARIES[name], 92, metric, draws=40, seed=4)
    assert outcome.rule > outcome.most_probable - 0.002
    assert outcome.taken <= (0.2 if metric == "accuracy" else 0.3)


@pytest.mark.parametrize("name", ["13% positive, too low by 1.5", "50% positive, too high by 1"])
def test_where_a_threshold_pays_most_of_its_gain_is_kept(name: str) -> None:
    outcome = threshold_outcome(BINARIES[name], 1_000, "macro_f1", draws=20, seed=5)
    assert outcome.rule - outcome.most_probable > 0.7 * (outcome.best - outcome.most_probable)
