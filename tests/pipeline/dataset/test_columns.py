"""Which column is taken for what, by its name and by what is in it."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from pipeline.dataset.column import Column
from pipeline.dataset.columns import guess_columns, why_none
from pipeline.dataset.named import columns_named
from pipeline.dataset.sample import Sample
from stages.errors import DataError

ROWS = 60
CHANCE = random.Random(0)
TEXTS = ["".join(CHANCE.choices("abcdefg hij", k=40)) for _ in range(ROWS)]
KINDS: dict[str, Callable[[int], str]] = {  # what stands in a column
    "text": lambda row: TEXTS[row],
    "longer text": lambda row: TEXTS[row] + TEXTS[row - 1],
    "short text": lambda row: TEXTS[row][:8],
    "class": lambda row: ("spam", "ham", "ham")[row % 3],
    "stars": lambda row: str(row % 5 + 1),
    "country": lambda row: ("DE", "FR", "IT", "ES")[row % 4],
    "one value": lambda row: "same",
    "number of the row": str,
    "measure": lambda row: str(row * 1.37),
    "user": lambda row: f"u{row // 3}",
    "blank": lambda row: "",
    "some blank": lambda row: str(row) if row % 2 else "",
}
TABLES = {  # columns with what is in them -> what is taken (text, label, id, group)
    "named plainly": (
        {"text": "text", "label": "class", "id": "number of the row"},
        ("text", "label", "id", None),
    ),
    "Kaggle's spam": ({"v1": "class", "v2": "text"}, ("v2", "v1", None, None)),
    "reviews": (
        {"reviewId": "number of the row", "content": "text", "score": "stars", "at": "measure", "userName": "user"},
        ("content", "score", "reviewId", "userName"),
    ),
    "a title beside the body": (
        {"title": "longer text", "body": "text", "category": "class"},
        ("body", "category", None, None),
    ),
    "names in capitals": ({"Tweet Text": "text", "SENTIMENT": "class"}, ("Tweet Text", "SENTIMENT", None, None)),
    "a label among other groups": (
        {"country": "country", "message": "text", "stars": "stars"},
        ("message", "stars", None, None),
    ),
    "no telling names": ({"a": "country", "b": "text", "c": "class"}, ("b", "c", None, None)),
    "no header": ({0: "number of the row", 1: "class", 2: "text"}, (2, 1, None, None)),
    "the longest of several texts": (
        {"x": "text", "y": "longer text", "label": "class"},
        ("y", "label", None, None),
    ),
    "short texts with a name": ({"text": "short text", "label": "class"}, ("text", "label", None, None)),
    "an id that repeats is none": ({"text": "text", "label": "class", "id": "user"}, ("text", "label", None, None)),
    "an id with gaps is none": ({"text": "text", "label": "class", "id": "some blank"}, ("text", "label", None, None)),
    "a constant is no label": ({"text": "text", "label": "one value"}, ("text", None, None, None)),
    "a measure is no label": ({"text": "text", "score": "measure"}, ("text", None, None, None)),
    "only classes": ({"label": "class", "country": "country"}, (None, "label", None, None)),
    "blank columns": ({"text": "blank", "label": "class", "b": "text"}, ("b", "label", None, None)),
    "a group that never repeats is none": (
        {"text": "text", "label": "class", "author": "number of the row"},
        ("text", "label", None, None),
    ),
}


def sample_of(columns: dict[str | int, str]) -> Sample:
    filled = []
    for name, kind in columns.items():
        column = Column(name)
        for row in range(ROWS):
            column.add(KINDS[kind](row))
        filled.append(column)
    return Sample("csv", columns=tuple(filled), rows=ROWS)


@pytest.mark.parametrize("order", [1, -1], ids=["", "reversed"])
@pytest.mark.parametrize("case", TABLES)
def test_what_is_taken(case: str, order: int) -> None:
    columns, expected = TABLES[case]
    guesses = guess_columns(sample_of(dict(list(columns.items())[::order])))
    assert tuple(next(iter(guesses[field]), None) for field in ("text", "label", "id", "group")) == expected


def test_a_column_that_a_person_names() -> None:
    sample = sample_of({"text": "text", "label": "class"})
    assert columns_named(sample, "text", "label") == "label"
    assert columns_named(sample_of({0: "text", 1: "class"}), "text", "1") == 1
    with pytest.raises(DataError, match="There is no column lable for the label. The file has: text, label"):
        columns_named(sample, "label", "lable")


WHY: dict[str, tuple[Sample, str, str]] = {  # the sample, the field, and what is said
    "a name twice": (Sample("csv", twice=("label",)), "label", "Several columns are named 'label'. Give each"),
    "lists of texts": (Sample("jsonl", lists=("text",)), "text", "'text' holds lists. Write one text"),
    "one column": (
        sample_of({"text": "text"}),
        "label",
        "one column, 'text', so none is left for the label. Add one, or",
    ),
    "one column of a workbook": (
        replace(sample_of({"Our reviews": "text"}), format="excel"),
        "label",
        "or delete a title above the table.",
    ),
    "blank": (sample_of({"text": "text", "label": "blank"}), "label", "'label' is blank in all rows. Fill it, or"),
    "formulas": (
        replace(sample_of({"text": "text", "label": "blank"}), format="excel"),
        "label",
        "is blank in all rows. Formulas without a saved value count as blank: open the file in a spreadsheet "
        "program and save it. Fill it, or",
    ),
    "one value": (sample_of({"text": "text", "label": "one value"}), "label", "'label' has only one value"),
}


@pytest.mark.parametrize("case", WHY)
def test_why_there_is_no_column(case: str) -> None:
    sample, field, message = WHY[case]
    assert message in (why_none(sample, field) or "")


def test_no_reason_is_made_up() -> None:
    assert why_none(sample_of({"a": "text", "b": "text"}), "label") is None


def test_a_name_that_several_columns_have_can_not_be_chosen() -> None:
    with pytest.raises(DataError, match="Several columns are named 'label'"):
        columns_named(Sample("csv", twice=("label",)), "label", "label")


@pytest.mark.parametrize(
    ("columns", "lists", "expected"),
    [
        ({"body": "text"}, ("tags",), ["tags"]),
        ({"body": "text", "lang": "class"}, ("labels",), ["labels", "lang"]),  # by its name
        ({"body": "text", "label": "class"}, ("tags",), ["label", "tags"]),
        ({"body": "text", "lang": "class"}, ("tags",), ["lang", "tags"]),
    ],
)
def test_lists_are_sets_of_labels(columns: dict[str | int, str], lists: tuple[str, ...], expected: list[str]) -> None:
    assert guess_columns(replace(sample_of(columns), lists=lists))["label"] == expected
