"""Which rows of val and test count as leaks."""

import numpy as np
import pytest

from stages.errors import DataError
from stages.split.leak import find_leak, require_no_leak
from stages.split_inputs import SplitInputs

POSITIONS = {"train": np.array([0, 1]), "val": np.array([2, 3, 4]), "test": np.array([5, 6, 7])}
ROWS = 8


def inputs(**keys: list[int]) -> SplitInputs:
    columns = {"text_key": list(range(ROWS)), "cluster": [-1] * ROWS, "group": [-1] * ROWS} | keys
    arrays = {name: np.array(values) for name, values in columns.items()}
    return SplitInputs(label=np.zeros(ROWS, dtype=np.int64), content=arrays["text_key"], split=[None] * ROWS, **arrays)


@pytest.mark.parametrize(
    ("keys", "counts", "share"),
    [
        ({}, {}, 0.0),
        ({"text_key": [-9, 1, -9, -9, 4, 5, -9, 4]}, {"same_text": {"val": 2, "test": 2}}, 0.666667),
        ({"cluster": [0, -1, 0, -1, -1, -1, -1, 0]}, {"nearly_same_text": {"val": 1, "test": 1}}, 0.333333),
        ({"group": [-1, -1, 0, 0, -1, 0, -1, -1]}, {"same_group": {"val": 0, "test": 1}}, 0.166667),
        ({"text_key": [0, 1, 2, 3, 4, 5, 5, 5]}, {}, 0.0),  # twice in one split is no leak
        (
            {"text_key": [0, 1, 0, 3, 4, 5, 6, 7], "group": [3, -1, 3, -1, -1, -1, -1, -1]},  # a row counts once
            {"same_text": {"val": 1, "test": 0}, "same_group": {"val": 1, "test": 0}},
            0.166667,
        ),
    ],
)
def test_leaks_are_counted_by_kind(keys: dict[str, list[int]], counts: dict[str, dict[str, int]], share: float) -> None:
    none = {"val": 0, "test": 0}
    no_leak = {"same_text": none, "nearly_same_text": none, "same_group": none}
    assert find_leak(POSITIONS, inputs(**keys)) == {**no_leak, **counts, "share": share}


def test_a_share_above_the_limit_is_an_error_that_names_the_kinds() -> None:
    leak = find_leak(POSITIONS, inputs(text_key=[0, 1, 0, 3, 4, 5, 6, 4], group=[1, -1, -1, -1, -1, 1, -1, -1]))
    assert leak["share"] == 0.5
    require_no_leak(leak, max_leak=0.5)
    with pytest.raises(DataError) as error:
        require_no_leak(leak, max_leak=0.25)
    assert str(error.value) == (
        "50.00% of the rows of val and test are in another split too (same text: 1 rows of val, 1 of test; "
        "same group: 0 rows of val, 1 of test), but split.max_leak is 0.25. "
        "Set split.duplicates: drop, or raise split.max_leak."
    )
