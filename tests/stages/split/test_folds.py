"""Each row is in one fold, with what belongs to it, and stays there whatever happens to other rows."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stages.errors import DataError
from stages.split.folds import VAL_SHARE, divide_into_folds
from tests.stages.split.test_division import inputs

FOLDS = [1, 2, 3, 4, 5]


def divide(rows: Any, *, folds: Any = FOLDS, seed: int = 1, positions: Any = None) -> dict[int, dict[str, np.ndarray]]:
    positions = np.arange(len(rows.text_key)) if positions is None else np.asarray(positions)
    return divide_into_folds(rows, positions, folds=folds, seed=seed)


def fold_of(divided: dict[int, dict[str, np.ndarray]]) -> dict[int, int]:
    return {int(row): fold for fold, parts in divided.items() for row in parts["predicted"]}


def texts(rows: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-(2**62), 2**62, size=rows)


def rows_of(keys: Any, **columns: Any) -> Any:
    return inputs(np.zeros(len(keys)), text_key=keys, content=keys, **columns)


def test_every_row_is_in_one_fold_and_no_part_overlaps_another() -> None:
    divided = divide(rows_of(texts(2_000)))
    assert sorted(fold_of(divided)) == list(range(2_000))
    for parts in divided.values():
        assert sorted(np.concatenate(list(parts.values()))) == list(range(2_000))
        assert abs(len(parts["predicted"]) - 400) < 80  # 4 standard deviations of a binomial
        assert abs(len(parts["val"]) / 1_600 - VAL_SHARE) < 0.03


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 12), st.integers(-1, 4), st.integers(-1, 4)), min_size=60, max_size=80))
def test_what_belongs_together_is_in_one_part(drawn: list[tuple[int, int, int]]) -> None:
    text, group, cluster = (np.array(column) for column in zip(*drawn, strict=True))
    rows = inputs(np.zeros(len(text)), text_key=text, group=group, cluster=cluster, content=texts(20)[text])
    try:
        divided = divide(rows, folds=[1, 2])
    except DataError:  # the rows hang together
        return
    for parts in divided.values():
        for key in (text, group, cluster):
            places = [set(key[part][key[part] >= 0].tolist()) for part in parts.values()]
            assert not any(places[i] & places[j] for i in range(3) for j in range(i))


@pytest.mark.parametrize(
    "change", ["a row behind", "a row before", "a row removed", "a text changed", "labels changed"]
)
def test_a_change_moves_no_other_row(change: str) -> None:
    keys = texts(500)
    before = fold_of(divide(rows_of(keys)))
    new, offset, other = keys.copy(), 0, -1
    if change == "a row behind":
        new = np.append(keys, 77)
    elif change == "a row before":
        new, offset = np.insert(keys, 0, 77), 1
    elif change == "a row removed":
        new, offset = keys[1:], -1
    elif change == "a text changed":
        new[3], other = 77, 3
    rows = rows_of(new)
    if change == "labels changed":
        rows = inputs(np.arange(500) % 7, text_key=new, content=new)
    after = fold_of(divide(rows))
    moved = [row for row in before if row + offset in after and row != other and after[row + offset] != before[row]]
    assert moved == []


def test_a_duplicate_behind_joins_the_fold_of_its_text() -> None:
    keys = texts(300)
    cluster = np.full(301, -1)
    cluster[[7, 300]] = 1
    after = fold_of(divide(rows_of(np.append(keys, 77), cluster=cluster)))
    before = fold_of(divide(rows_of(keys)))
    assert {row: after[row] for row in before} == before
    assert after[300] == before[7]


def test_the_seed_decides_and_val_knows_nothing_of_the_folds() -> None:
    keys = texts(3_000)
    one, two = (divide(rows_of(keys), seed=seed) for seed in (1, 2))
    assert fold_of(one) != fold_of(two)
    of_val = np.array([one[1]["val"][i] for i in range(len(one[1]["val"]))])
    shares = np.bincount([fold_of(one)[int(row)] for row in of_val], minlength=6)[2:]
    assert shares.min() > 30  # of about 60 in each of the four folds


def test_rows_outside_the_splits_take_no_part() -> None:
    divided = divide(rows_of(texts(200)), positions=np.arange(0, 200, 2))
    assert sorted(fold_of(divided)) == list(range(0, 200, 2))


def test_no_folds_are_no_files() -> None:
    assert divide(rows_of(texts(10)), folds=[]) == {}


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        (rows_of(np.zeros(40, dtype=np.int64)), r"Fold \d has no rows.*40 rows, of which 1 share no text or group"),
        (rows_of(texts(3)), "too few for 5 folds. Set fewer crossfit.folds"),
    ],
    ids=["one text", "three rows"],
)
def test_too_few_rows_are_refused(rows: Any, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        divide(rows)
