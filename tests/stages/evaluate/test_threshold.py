"""The decision threshold against a search over all of them."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

from stages.evaluate.threshold import fit_threshold

SCORES = {
    "accuracy": accuracy_score,
    "macro_f1": lambda labels, preds: f1_score(labels, preds, average="macro"),
    "mcc": matthews_corrcoef,
}


def _pairs(positive: np.ndarray) -> np.ndarray:
    return np.stack([1 - positive, positive], axis=1)


@pytest.mark.parametrize("metric", SCORES)
def test_no_other_threshold_is_better(metric: str) -> None:
    chance = np.random.default_rng(2)
    labels = (chance.random(300) < 0.2).astype(np.int64)
    positive = (1 / (1 + np.exp(-(chance.normal(size=300) * 1.5 + 2 * labels - 2)))).round(2)
    threshold = fit_threshold(labels, _pairs(positive), metric=metric)
    assert threshold is not None
    result = SCORES[metric](labels, positive >= threshold)
    assert result == pytest.approx(max(SCORES[metric](labels, positive >= cut) for cut in np.linspace(0, 1, 201)))


def test_the_middle_of_the_gap_is_taken() -> None:
    labels = np.array([0, 0, 1, 1])
    assert fit_threshold(labels, _pairs(np.array([0.1, 0.2, 0.8, 0.9])), metric="accuracy") == pytest.approx(0.5)


def test_more_classes_have_no_threshold_and_one_label_teaches_none() -> None:
    assert fit_threshold(np.array([0, 1, 2]), np.full((3, 3), 1 / 3), metric="mcc") is None
    assert fit_threshold(np.array([1, 1]), _pairs(np.array([0.2, 0.9])), metric="mcc") == 0.5
