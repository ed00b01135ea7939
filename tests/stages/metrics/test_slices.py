"""Slices: which rows, under which names."""

import numpy as np
import pyarrow as pa

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


def test_a_value_is_cut_after_sixty_characters() -> None:
    assert set(rows_of({"note": ["ä" * 100, "b"]})) == {("note", "ä" * 60), ("note", "b")}


def test_the_prefix_of_kept_columns_is_not_shown_and_names_stay_apart() -> None:
    two: list[str | None] = ["x", "y"]
    columns = {"group": two, "slice:version": two, "slice:2": two, "slice:length": two, "slice:group": two}
    assert list(dict.fromkeys(name for name, _ in rows_of(columns))) == [
        *("group", "version", "column 2", "column length", "column group")
    ]


def test_the_text_and_what_names_a_row_cut_no_slices() -> None:
    names = ["id", "text", "text_pair", "label", "group", "split", "text_key", "cluster", "file", "slice:a"]
    assert slice_columns(names) == ["group", "split", "file", "slice:a"]
