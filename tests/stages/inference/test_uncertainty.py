"""How unsure a model is of a text: 1 where its decision could as well be another, 0 where it is certain."""

import numpy as np
import pytest

from stages.errors import ModelError
from stages.inference import classes, label_set, number
from stages.inference.decision import Calibration, closeness


def calibration(**values: object) -> Calibration:
    neutral = {"temperature": 1.0, "threshold": None, "positive": None, "max_length": 128, "truncation": "head"}
    return Calibration(**(neutral | values))  # type: ignore[arg-type]


def rows(*values: list[float]) -> np.ndarray:
    return np.array(values, dtype=np.float32)


@pytest.mark.parametrize("threshold", [0.05, 0.3, 0.5, 0.9, None])
def test_a_label_is_closest_at_its_threshold(threshold: float | None) -> None:
    least = 0.5 if threshold is None else threshold
    found = closeness(np.array([0.0, least / 2, least, (1 + least) / 2, 1.0]), threshold)
    assert found[2] == pytest.approx(1)
    assert found[[0, 4]] == pytest.approx(0)
    assert 0 < found[1] < 1
    assert 0 < found[3] < 1


@pytest.mark.parametrize("threshold", [0.0, 1.0])
def test_a_threshold_at_the_end_gives_finite_numbers(threshold: float) -> None:
    found = closeness(np.array([0.0, 0.5, 1.0]), threshold)
    assert np.isfinite(found).all()
    assert ((found >= 0) & (found <= 1)).all()


@pytest.mark.parametrize(
    ("answers", "values", "labels", "expected"),
    [
        (rows([0.5, 0.3, 0.2], [0.4, 0.4, 0.2], [1, 0, 0]), {}, "abc", [0.8, 1.0, 0.0]),
        (rows([0.7, 0.3], [0.5, 0.5]), {}, "ab", [0.6, 1.0]),
        (rows([0.7, 0.3], [0.5, 0.5]), {"threshold": 0.3, "positive": "b"}, "ab", [1.0, 0.6]),
        (rows([0.7, 0.3], [0.5, 0.5]), {"threshold": 0.3, "positive": "a"}, "ab", [1 - 0.4 / 0.58, 0.6]),
    ],
)
def test_classes(answers: np.ndarray, values: dict[str, object], labels: str, expected: list[float]) -> None:
    found = classes.uncertainty(answers, list(labels), calibration(**values))
    assert found == pytest.approx(expected, abs=1e-6)


def test_of_a_set_the_closest_label_counts() -> None:
    answers = rows([0.9, 0.1, 0.5], [0.9, 0.2, 0.99], [1, 0, 1])
    found = label_set.uncertainty(answers, list("abc"), calibration(thresholds={"b": 0.2, "a": None}))
    assert found == pytest.approx([1, 1, 0], abs=1e-6)


def test_a_number_does_not_tell() -> None:
    with pytest.raises(ModelError, match="equally wide for every text"):
        number.uncertainty(rows([1.0]), [], calibration())


@pytest.mark.parametrize("answer", [classes, label_set])
def test_no_rows_have_no_uncertainty(answer: object) -> None:
    found = answer.uncertainty(np.zeros((0, 3), np.float32), list("abc"), calibration())  # type: ignore[attr-defined]
    assert found.shape == (0,)
