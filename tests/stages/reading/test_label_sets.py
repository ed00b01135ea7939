"""The forms in which files have sets of labels, and what is none of them."""

from typing import Any

import pytest

from stages.reading.label_sets import parse_set, set_text, text_of_flags, text_of_list, text_of_separated
from stages.reading.values import NotTextError


@pytest.mark.parametrize(
    ("text", "separator", "expected"),
    [
        ("a|b", "|", '["a", "b"]'),
        (" b , a,b,", ",", '["a", "b"]'),
        ("", "|", "[]"),
        ("  ", "|", "[]"),
        ("a||b", "|", '["a", "b"]'),
        ("New York; São Paulo", "; ", '["New York", "São Paulo"]'),
    ],
)
def test_separated_labels(text: str, separator: str, expected: str) -> None:
    assert text_of_separated(text, separator) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [(["b", "a", "a"], '["a", "b"]'), ([], "[]"), ([3, 1.0, True], '["1", "3", "true"]'), ([" x "], '["x"]')],
)
def test_a_list_of_labels(values: list[Any], expected: str) -> None:
    assert text_of_list(values) == expected


@pytest.mark.parametrize("values", [[None], ["a", None], [["a"]], [{"a": 1}], [float("nan")]])
def test_a_list_of_something_else(values: list[Any]) -> None:
    with pytest.raises(NotTextError):
        text_of_list(values)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"a": "1", "b": "0"}, '["a"]'),
        ({"a": "TRUE", "b": "True", "c": "false"}, '["a", "b"]'),
        ({"a": "0", "b": " 0 "}, "[]"),
    ],
)
def test_columns_of_0_and_1(cells: dict[str, str | None], expected: str) -> None:
    assert text_of_flags(cells) == expected


@pytest.mark.parametrize("cell", ["2", "-1", "0.5", "yes", "", None, "nan", "1.5"])
def test_a_column_that_is_neither_0_nor_1(cell: str | None) -> None:
    with pytest.raises(NotTextError, match="the column 'a' is .*, neither 0 nor 1"):
        text_of_flags({"b": "1", "a": cell})


@pytest.mark.parametrize("text", ["a", "", "[a]", '["a"', '{"a": 1}', '[["a"]]', "[null]", "[" * 100_000])
def test_a_text_that_is_no_list_of_labels(text: str) -> None:
    assert parse_set(text) is None


def test_a_stored_set_is_read_again() -> None:
    assert parse_set(set_text(["ü", 'with "quotes"', "a, b"])) == ["a, b", 'with "quotes"', "ü"]
