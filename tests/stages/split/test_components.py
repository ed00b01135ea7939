"""Which rows belong together, and which row of each text is kept."""

import numpy as np
import pytest

from stages.split.components import first_of_each, join_rows


@pytest.mark.parametrize(
    ("keys", "component"),
    [
        ([[-1, -1, -1]], [0, 1, 2]),  # a negative value joins nothing
        ([[0, 1, 0]], [0, 1, 0]),
        ([[0, -1, 0], [-1, -1, -1]], [0, 1, 0]),
        ([[0, 0, 1, 1, 2], [-1, 7, 7, -1, -1]], [0, 0, 0, 0, 1]),  # through other rows; a value need not be the next
        ([[0, 1, 2, 3], [1, 2, 3, -1]], [0, 1, 2, 3]),  # equal values of two columns join nothing
        ([[2, 0, 1], [-1, 0, -1], [5, -1, 5]], [0, 1, 0]),
        ([[]], []),
    ],
)
def test_rows_that_share_a_value_are_one_component(keys: list[list[int]], component: list[int]) -> None:
    columns = [np.array(key, dtype=np.int64) for key in keys]
    assert join_rows(columns, rows=len(component)).tolist() == component


@pytest.mark.parametrize(
    ("text_key", "split", "kept"),
    [
        ([5, 5, 5], ["train", "val", "test"], [2]),
        ([5, 5, 5], ["train", "val", "val"], [1]),
        ([5, 5, 5], [None, "train", None], [0]),  # no split is as good as train
        ([5, 5, 5], ["train", None, "train"], [0]),
        ([5, -5, 5, -5], [None] * 4, [0, 1]),
    ],
)
def test_the_kept_row_of_a_text_is_of_test_then_val_then_the_first(
    text_key: list[int], split: list[str | None], kept: list[int]
) -> None:
    assert np.flatnonzero(first_of_each(np.array(text_key), split)).tolist() == kept
