"""A learning curve has the sizes that it says, and its draws differ in which rows come first."""

from typing import Any

import numpy as np
import pytest

from stages.errors import DataError
from stages.extrapolate.curve import LEAST_ROWS, SIZES, curve_sizes, draw_answers
from stages.extrapolate.heads import Head


@pytest.mark.parametrize("rows", [LEAST_ROWS, 100, 736, 20_000])
def test_sizes_rise_to_all_rows(rows: int) -> None:
    sizes = curve_sizes(rows)
    assert len(sizes) == SIZES
    assert sizes[-1] == rows
    assert sizes[0] == max(10, round(rows / 16))
    assert (np.diff(sizes) > 0).all()


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(
        DataError, match=r"Train has 39 rows, .* needs 40\. Set extrapolate\.seeds to \[\], or label more"
    ):
        curve_sizes(LEAST_ROWS - 1)


def test_each_draw_is_an_order_whose_first_rows_are_fitted() -> None:
    fitted: list[list[int]] = []

    def predict(train: Any, labels: Any, units: Any, features: Any) -> Any:
        assert (train[:, 0] == labels).all()
        assert (units == labels + 100).all()
        fitted.append(labels.tolist())
        return np.full(len(features), len(labels))

    rows = np.arange(50)
    head = Head(predict, lambda weights, labels, answers: {})
    answers = draw_answers(
        head, rows[:, None] * 1.0, rows, rows + 100, np.zeros((3, 1)), sizes=np.array([10, 20, 50]), draws=4, seed=7
    )
    assert answers.tolist() == [[[10] * 3, [20] * 3, [50] * 3]] * 4
    whole, *parts = fitted
    assert whole == rows.tolist()
    small, large = parts[::2], parts[1::2]
    for ten, twenty in zip(small, large, strict=True):
        assert twenty[:10] == ten
        assert len(set(twenty)) == 20
    assert len({tuple(ten) for ten in small}) == 4
    again = draw_answers(
        head, rows[:, None] * 1.0, rows, rows + 100, np.zeros((3, 1)), sizes=np.array([10]), draws=1, seed=8
    )
    assert fitted[-1] != small[0]
    assert again.shape == (1, 1, 3)
