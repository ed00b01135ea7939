"""Which texts can be classified, and windows of bounded size."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from stages import texts
from stages.errors import DataError
from stages.texts import check_texts, text_problem, windows


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("good", None),
        ("ünïcode 🙂", None),
        (None, "text is missing"),
        (5, "expected a string, got int"),
        ("", "text is empty"),
        (" \n", "text is empty"),
        ("caf\udce9", "text is not valid Unicode"),
    ],
)
def test_the_problem_of_a_text(text: object, problem: str | None) -> None:
    assert text_problem(text) == problem


NO_LISTS = [None, 5, {"a"}, {"a": "b"}, {0: "a"}, (text for text in ["a"]), iter(["a"]), np.array("a")]


@pytest.mark.parametrize("values", NO_LISTS, ids=lambda values: type(values).__name__)
@pytest.mark.parametrize("name", ["texts", "text_pairs"])
def test_what_is_no_list_is_named(values: Any, name: str) -> None:
    if name == "texts":
        with pytest.raises(DataError, match=f"expected a list of texts, got {type(values).__name__}. Give a list"):
            check_texts(values, None)
    elif values is not None:
        with pytest.raises(DataError, match=f"expected a list of text_pairs, got {type(values).__name__}. Give a list"):
            check_texts(["a"], values)


@pytest.mark.parametrize("kind", [list, tuple, np.array, pd.Series])
def test_any_sequence_is_a_list(kind: Any) -> None:
    check_texts(kind(["a", "b"]), kind(["c", "d"]))


def test_only_lone_surrogates_are_not_valid_unicode() -> None:
    assert [bool(text_problem(character)) for character in "\ud7ff\ud800\udfff\ue000"] == [False, True, True, False]


@pytest.mark.parametrize(
    ("values", "pairs", "message"),
    [
        (["good", " "], None, "text 2 of 2: text is empty. Give each row a text"),
        (["a"], [5], "text_pair 1 of 1: expected a string, got int"),
        ("good", None, r"expected a list of texts, got one text \('good'\). Put it in brackets"),
        (["a"], "b", r"expected a list of text_pairs, got one text \('b'\). Put it in brackets"),
        (["a", "b"], ["c"], "2 texts but 1 text_pairs. Give one second text for each text"),
    ],
)
def test_texts_that_can_not_be_used_are_named(values: list[object], pairs: list[object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        check_texts(values, pairs)


def test_windows_cover_all_texts_within_their_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "WINDOW_ROWS", 3)
    monkeypatch.setattr(texts, "WINDOW_CHARACTERS", 5)
    assert list(windows(["a", "b", "c", "d", "eeeee", "ffffffff", ("g", "hhhh"), "i"])) == [
        slice(0, 3),
        slice(3, 4),
        slice(4, 5),
        slice(5, 6),
        slice(6, 7),
        slice(7, 8),
    ]
    assert list(windows([])) == []
