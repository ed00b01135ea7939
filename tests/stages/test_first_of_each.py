"""Which row of equal texts is kept where duplicates are dropped."""

import numpy as np
import pytest

from stages.components import first_of_each


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
