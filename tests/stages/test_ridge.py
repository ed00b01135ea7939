"""The strength of a ridge regression is that of refits without a part of the units, whatever their shapes are."""

from typing import Any

import numpy as np
import pytest
from sklearn import linear_model

from stages.ridge import MIDDLE, PARTS, STRENGTHS, fit_ridge, leave_out

UNITS = {
    "rows": np.arange,
    "pairs": lambda rows: np.arange(rows) // 2,
    "of every size": lambda rows: np.random.default_rng(3).integers(0, rows // 3, rows) ** 2 % (rows // 2),
    "one with most rows": lambda rows: np.maximum(0, np.arange(rows) - rows * 2 // 3),
}


def drawn(rows: int, width: int, seed: int = 0) -> tuple[Any, Any]:
    random = np.random.default_rng(seed)
    features = random.normal(size=(rows, width)) * random.uniform(0.1, 3, width) + 5
    return features, features[:, 0] + random.normal(scale=2, size=rows) - 40


@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize(("rows", "width"), [(24, 60), (40, 8), (30, 30), (12, 1)])
def test_the_choice_and_the_answers_are_those_of_refits(rows: int, width: int, units: str) -> None:
    features, numbers = drawn(rows, width)
    own = UNITS[units](rows)

    def refit(strength: float, kept: Any) -> Any:
        norm = float(((features[kept] - features[kept].mean(0)) ** 2).sum(1).mean())
        return linear_model.Ridge(alpha=strength * norm, solver="svd").fit(features[kept], numbers[kept])

    errors = [
        sum(
            ((refit(strength, kept).predict(features[left]) - numbers[left]) ** 2).sum()
            for kept, left in leave_out(own)
        )
        for strength in STRENGTHS
    ]
    model = fit_ridge(features, numbers, own)
    assert model.strength == STRENGTHS[int(np.argmin(errors))]
    new = drawn(5, width, seed=1)[0]
    expected = refit(model.strength, np.full(rows, True)).predict(new)
    np.testing.assert_allclose(model.predict(new), expected, rtol=1e-6)


@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize("rows", [6, 40, 200])
def test_each_row_is_left_out_once_with_its_unit(rows: int, units: str) -> None:
    own = UNITS[units](rows)
    divided = list(leave_out(own))
    assert len(divided) == min(PARTS, len(np.unique(own)))
    assert sorted(np.concatenate([left for _, left in divided]).tolist()) == list(range(rows))
    for kept, left in divided:
        assert sorted([*kept, *left]) == list(range(rows))
        assert not np.isin(own[left], own[kept]).any()


@pytest.mark.parametrize("period", range(2, 11))
def test_labels_that_follow_each_other_in_turn_are_mixed_in_every_part(period: int) -> None:
    labels = np.arange(200) % period
    assert all(len(np.unique(labels[left])) > period / 2 for _, left in leave_out(np.arange(200)))


@pytest.mark.parametrize("units", ["rows", "one unit"])
@pytest.mark.parametrize("features", ["constant", "varied"])
@pytest.mark.parametrize("numbers", ["equal", "different"])
@pytest.mark.parametrize("rows", [1, 2, 5])
def test_there_is_an_answer_where_nothing_can_be_learned(rows: int, numbers: str, features: str, units: str) -> None:
    values = drawn(rows, 3)[0] if features == "varied" else np.full((rows, 3), 2.0)
    wanted = np.full(rows, 7.0) if numbers == "equal" else 7.0 + np.arange(rows)
    model = fit_ridge(values, wanted, np.arange(rows) if units == "rows" else np.zeros(rows, np.int64))
    answers = model.predict(values)
    assert np.isfinite(answers).all()
    assert answers.mean() == pytest.approx(wanted.mean())
    if units == "one unit" or rows == 1:
        assert model.strength == MIDDLE


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_unit_of_features_and_numbers_changes_nothing(scale: float) -> None:
    features, numbers = drawn(50, 10)
    plain, scaled = (
        fit_ridge(features, numbers, np.arange(50)),
        fit_ridge(scale * features, scale * numbers, np.arange(50)),
    )
    assert scaled.strength == plain.strength
    np.testing.assert_allclose(scaled.predict(scale * features), scale * plain.predict(features), rtol=1e-9)


def test_rows_of_single_precision_are_computed_in_double() -> None:
    features, numbers = drawn(60, 100)
    single = fit_ridge(features.astype(np.float32), numbers.astype(np.float32), np.arange(60))
    np.testing.assert_allclose(
        single.predict(features), fit_ridge(features, numbers, np.arange(60)).predict(features), rtol=1e-4
    )
