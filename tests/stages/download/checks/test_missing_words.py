"""Labels that often mean a missing value are named in one line, and can be classes."""

from typing import Any

import pytest
from pandas._libs.parsers import STR_NA_VALUES

from tests.stages.download.checks.test_label_spelling import rows

WORDS = sorted({*STR_NA_VALUES, "-", "\u2013", "NONE", "Null", "na"} - {""})


def warnings_of(caplog: Any) -> list[str]:
    return [line for line in caplog.messages if "mean a missing value" in line]


def test_each_of_them_is_named_once_with_its_rows_and_what_to_do(read: Any, caplog: Any) -> None:
    for start in range(0, len(WORDS), 5):
        words = WORDS[start : start + 5]
        caplog.clear()
        result = read(rows("a", "b", *words, words[0]))
        assert {*words} <= {*result.labels}
        (warning,) = warnings_of(caplog)
        assert f"{words[0]!r} (2 rows, the first: data/rows.csv row 4)" in warning
        assert all(f"{word!r} (" in warning for word in words)
        assert "checks.unknown_label: set_aside" in warning


@pytest.mark.parametrize(
    "settings",
    [
        {"label_order": ["a", "b", "None"]},
        {"labels": {"a": "a", "b": "b", "None": "None"}},
        {"labels": {"a": "a", "b": "b", "None": "no topic"}},
    ],
)
def test_a_class_that_is_called_so_by_a_person_is_no_matter(read: Any, settings: dict[str, Any], caplog: Any) -> None:
    result = read(rows("a", "b", "None"), **settings)
    assert len(result.labels) == 3
    assert warnings_of(caplog) == []


def test_the_advice_leaves_their_rows_out(read: Any, caplog: Any) -> None:
    result = read(rows("a", "b", "nan"), labels={"a": "a", "b": "b"}, policies={"unknown_label": "set_aside"})
    assert result.labels == ["a", "b"]
    assert warnings_of(caplog) == []


@pytest.mark.parametrize("label", ["nano", "none of these", "-1", "not a number", "N/A/B", "0", "x-", "nun"])
def test_other_labels_are_not_meant(read: Any, label: str, caplog: Any) -> None:
    read(rows("a", "b", label))
    assert warnings_of(caplog) == []
