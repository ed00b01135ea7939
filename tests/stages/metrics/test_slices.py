"""Slices: which rows, under which names."""

import itertools
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.metrics.slices import cut_slices, slice_columns


def column(values: list[str | None]) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values[:1], pa.string()), pa.array(values[1:], pa.string())])


def rows_of(columns: dict[str, list[str | None]], **lengths: np.ndarray) -> dict[tuple[str, str], list[int]]:
    slices = cut_slices({name: column(values) for name, values in columns.items()}, **lengths)
    return {name: np.flatnonzero(mask).tolist() for name, mask in slices.items()}


def test_a_slice_per_value_and_one_for_rows_without_a_value() -> None:
    assert rows_of({"group": ["b", "a", None, "b"]}) == {
        ("group", "b"): [0, 3],
        ("group", "(none)"): [2],
        ("group", "a"): [1],
    }


def test_a_column_with_one_value_has_no_slices() -> None:
    assert rows_of({"same": ["a", "a"], "none": [None, None]}) == {}


@pytest.mark.parametrize("lengths", [[14, 14, 15, 15, 16, 16, 17, 18], [1, 1, 1, 2, 2, 3, 4, 9], [1, 2, 3, 4]])
def test_a_quarter_of_one_length_is_named_by_it(lengths: list[int]) -> None:
    slices = cut_slices({}, tokens=np.array(lengths), tokens_cut=np.zeros(len(lengths), dtype=np.int64))
    for (_, name), mask in slices.items():
        low, _, high = name.removesuffix("s").removesuffix(" token").partition(" to ")
        assert low != high
        assert high or name == ("1 token" if low == "1" else f"{low} tokens")
        inside = [int(low) <= length <= int(high or low) for length in lengths]
        assert mask.tolist() == inside


def test_quarters_by_length_are_named_by_their_tokens() -> None:
    tokens = np.array([3, 9, 5, 4, 8, 6, 7, 10])
    assert rows_of({}, tokens=tokens) == {
        ("length", "1 to 4 tokens"): [0, 3],
        ("length", "5 to 6 tokens"): [2, 5],
        ("length", "7 to 8 tokens"): [4, 6],
        ("length", "9 to 10 tokens"): [1, 7],
    }


def test_few_lengths_give_fewer_parts() -> None:
    assert rows_of({}, tokens=np.array([5, 5, 5, 5, 9])) == {
        ("length", "1 to 5 tokens"): [0, 1, 2, 3],
        ("length", "6 to 9 tokens"): [4],
    }
    assert rows_of({}, tokens=np.array([5, 5])) == {}
    assert rows_of({}, tokens=np.zeros(0, dtype=np.int64)) == {}


def test_truncated_and_whole_rows() -> None:
    assert rows_of({}, tokens_cut=np.array([0, 1, 0])) == {
        ("truncation", "cut"): [1],
        ("truncation", "whole"): [0, 2],
    }
    assert rows_of({}, tokens_cut=np.array([0, 0])) == {}


def test_of_many_values_twelve_stand_alone_and_the_rest_together() -> None:
    values: list[str | None] = [f"v{row % 11:02}" for row in range(110)]
    values += [None] * 20 + ["next", "next", "rare", "rarer"]
    result = {name: len(rows) for (_, name), rows in rows_of({"version": values}).items()}
    assert result == {"(none)": 20, **{f"v{number:02}": 10 for number in range(11)}, "3 other values": 4}
    assert next(iter(result)) == "(none)"  # the most frequent one first
    one_more = rows_of({"version": [*(f"{number:02}" for number in range(13)), *(f"{n:02}" for n in range(12))]})
    assert one_more[("version", "1 other value")] == [12]
    two_more = rows_of({"version": [*(f"{number:02}" for number in range(14)), *(f"{n:02}" for n in range(12))]})
    assert two_more[("version", "2 other values")] == [12, 13]


def test_the_middle_of_a_long_value_is_left_out() -> None:
    short = f"{'ä' * 30}…{'ä' * 29}"
    assert set(rows_of({"note": ["ä" * 100, "b"]})) == {("note", short), ("note", "b")}


def test_long_values_with_the_same_beginning_stay_apart() -> None:
    start = "https://example.org/" + "a" * 60
    slices = rows_of({"slice:page": [f"{start}/banking", f"{start}/games"] * 3})
    assert list(slices.values()) == [[0, 2, 4], [1, 3, 5]]
    assert [name[-8:] for _, name in slices] == ["/banking", "aa/games"]


def test_values_that_would_look_alike_have_a_part_of_their_hash() -> None:
    ends = [f"{'a' * 40}{middle}{'z' * 40}" for middle in ("one", "two")]
    slices = rows_of({"note": [*ends, "a b", "a\x01b", "a\x02b", "a  b", "c"]})
    names = [name for _, name in slices]
    assert sorted(slices.values()) == [[row] for row in range(7)]
    assert [name.rpartition(" #")[0] for name in names].count(f"{'a' * 30}…{'z' * 29}") == 2
    assert sum(" #" in name for name in names) == 6
    assert "c" in names
    reversed_rows = rows_of({"note": ["c", "a  b", "a\x02b", "a\x01b", "a b", *reversed(ends)]})
    assert set(reversed_rows) == set(slices)  # a name does not depend on the order of the rows


def test_a_text_like_the_name_of_no_value_or_of_the_rest_is_quoted() -> None:
    assert rows_of({"kind": ["(none)", None, "a"]}) == {
        ("kind", "“(none)”"): [0],
        ("kind", "(none)"): [1],
        ("kind", "a"): [2],
    }
    values = [f"v{number:02}" for number in range(14)] * 3 + ["3 other values"] * 9
    slices = rows_of({"kind": values})
    assert len(slices[("kind", "“3 other values”")]) == 9
    assert len(slices[("kind", "3 other values")]) == 9
    assert sum(map(len, slices.values())) == len(values)


LONG = st.sampled_from(["a" * 59, "a" * 60, "a" * 61, "a" * 30 + "…" + "a" * 29, "a" * 40 + "b" + "a" * 40])
NAMES = st.sampled_from(
    ["(none)", "“(none)”", " (none)", *(f"{n} other value{s}" for n in range(4) for s in ("", "s"))]
)
VALUES = st.one_of(
    st.none(),
    NAMES,
    LONG,
    st.builds(str.__add__, LONG, st.text("ab…", max_size=2)),
    st.text("ab \x00\x01\u200b\n", max_size=3),
    st.integers(0, 30).map(str),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=70),
)


@given(st.lists(VALUES, min_size=1, max_size=60))
def test_every_row_is_in_one_slice_and_a_named_slice_has_one_value(values: list[str | None]) -> None:
    check_partition(values)


@pytest.mark.parametrize("others", [0, 5, 30])
@given(st.lists(VALUES, min_size=1, max_size=30))
def test_the_same_with_many_rare_values(others: int, values: list[str | None]) -> None:
    check_partition([*values * 2, *(f"rare {number}" for number in range(others))])


def check_partition(values: list[str | None]) -> None:
    slices = {name: rows for (_, name), rows in rows_of({"kind": values}).items()}
    if len(set(values)) == 1:
        assert slices == {}
        return
    assert sorted(itertools.chain(*slices.values())) == list(range(len(values)))
    frequent = Counter(values).most_common(12)
    rest = f"{(count := len(set(values)) - 12)} other value{'s' if count > 1 else ''}"
    rare = {values[row] for row in slices.pop(rest)} if count > 0 else set()
    assert len(slices) == len(frequent)
    for rows in slices.values():
        (value,) = {values[row] for row in rows}  # one value in a slice
        assert value not in rare
        assert len(rows) == values.count(value)  # and no row of it elsewhere
    assert ("(none)" in slices) == (None in values and None not in rare)


def test_the_prefix_of_kept_columns_is_not_shown_and_names_stay_apart() -> None:
    two: list[str | None] = ["x", "y"]
    columns = {"group": two, "slice:version": two, "slice:2": two, "slice:length": two, "slice:group": two}
    assert list(dict.fromkeys(name for name, _ in rows_of(columns))) == [
        *("group", "version", "column 2", "column length", "column group")
    ]
    assert {name for name, _ in rows_of({"slice:column 2": two, "slice:2": two})} == {"column 2", "column column 2"}


def test_the_text_and_what_names_a_row_cut_no_slices() -> None:
    names = ["id", "text", "text_pair", "label", "group", "split", "text_key", "cluster", "file", "slice:a"]
    assert slice_columns(names) == ["group", "split", "file", "slice:a"]
