"""Rows with any number of labels: the forms in which files have them, and what is refused in one line."""

import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.errors import DataError, ParamsError

SETS = [["b", "a"], [], ["a"], ["c"], ["c", "a"], ["b"]]
STORED = ['["a", "b"]', "[]", '["a"]', '["c"]', '["a", "c"]', '["b"]']
TEXTS = ["the first", "nothing here", "only one", "another", "two of them", "last"]
FLAGS = {"text": "text", "label": ["a", "b", "c"]}


def as_csv(separator: str = "|") -> bytes:
    lines = [f'{text},"{separator.join(labels)}"\n' for text, labels in zip(TEXTS, SETS, strict=True)]
    return "".join(["text,label\n", *lines]).encode()


def as_json_in_csv() -> bytes:
    quoted = (json.dumps(labels).replace('"', '""') for labels in SETS)
    lines = [f'{text},"{labels}"\n' for text, labels in zip(TEXTS, quoted, strict=True)]
    return "".join(["text,label\n", *lines]).encode()


def as_flags(yes: str = "1", no: str = "0") -> bytes:
    cells = (",".join(yes if label in labels else no for label in "abc") for labels in SETS)
    lines = [f"{text},{flags}\n" for text, flags in zip(TEXTS, cells, strict=True)]
    return "".join(["text,a,b,c\n", *lines]).encode()


def as_jsonl() -> bytes:
    rows = ({"text": text, "label": labels} for text, labels in zip(TEXTS, SETS, strict=True))
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def as_parquet(columns: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"text": TEXTS, **columns}), buffer)
    return buffer.getvalue()


FORMS = {
    "separated": (as_csv(), {"label_separator": "|"}),
    "another separator": (as_csv("; "), {"label_separator": ";"}),
    "JSON list in CSV": (as_json_in_csv(), {}),
    "columns of 0 and 1": (as_flags(), {"columns": FLAGS}),
    "columns of true and false": (as_flags("True", "false"), {"columns": FLAGS}),
    "JSON list": (as_jsonl(), {"file_format": "jsonl"}),
    "Arrow list": (as_parquet({"label": SETS}), {"file_format": "parquet"}),
    "boolean columns": (
        as_parquet({label: [label in labels for labels in SETS] for label in "abc"}),
        {"file_format": "parquet", "columns": FLAGS},
    ),
    "columns of 0.0 and 1.0": (
        as_parquet({label: [float(label in labels) for labels in SETS] for label in "abc"}),
        {"file_format": "parquet", "columns": FLAGS},
    ),
}


@pytest.mark.parametrize("target", ["auto", "label_set"])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_sets(read, form, target):
    content, options = FORMS[form]
    result = read(content, target=target, **options)
    assert result.column("label") == STORED
    assert result.labels == {"target": "label_set", "labels": ["a", "b", "c"]}


def test_the_columns_or_label_order_give_the_order(read):
    columns = {"text": "text", "label": ["c", "a", "b"]}
    assert read(as_flags(), columns=columns).labels["labels"] == ["c", "a", "b"]
    result = read(as_csv(), label_separator="|", label_order=["b", "c", "a"])
    assert result.labels["labels"] == ["b", "c", "a"]


def test_a_missing_label_is_not_an_empty_set(read):
    content = as_parquet({"label": [*SETS[:-1], None]})
    with pytest.raises(DataError, match="row 6: the label is empty"):
        read(content, file_format="parquet")
    result = read(content, file_format="parquet", policies={"missing_label": "set_aside"})
    assert result.column("label") == STORED[:-1]


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (as_jsonl(), {"file_format": "jsonl", "target": "classes"}, "list of labels.*but one class is expected"),
        (as_flags("2"), {"columns": FLAGS}, "the column 'a' is '2', neither 0 nor 1"),
        (as_flags("1", ""), {"columns": FLAGS}, "the column 'c' is '', neither 0 nor 1"),
        (as_flags("0", "0"), {"columns": FLAGS}, "No row has the label \\['a', 'b', 'c'\\], so a model can't learn it"),
        (as_csv(), {"label_separator": "|", "label_order": ["a", "b", "c", "d"]}, "No row has the label \\['d'\\]"),
        (as_csv(), {"label_separator": "|", "label_order": ["a", "b"]}, "label_order is .* but the rows have"),
        (as_csv(), {"label_separator": "/", "target": "label_set"}, None),  # a label with a bar in its name is a label
        (
            b"text,label\na,x\nb,\n",
            {"label_separator": "|"},
            "only the label 'x', but sets of labels need at least two",
        ),
        (b"text,label\na,\nb,\n", {"label_separator": "|"}, "no label at all"),
        (b"text,label\na,x\nb,y\n", {"target": "label_set"}, "the label is not a list of labels"),
        (b'text,label\na,"[""x""]"\nb,y\n', {}, "auto finds lists of labels .* but also 'y'"),
        (as_jsonl().replace(b'"b", "a"', b'["b"]'), {"file_format": "jsonl"}, "label: expected a string or a number"),
        (as_csv(), {"label_separator": "|", "labels": {"a": "x"}}, "download.dataset.labels renames classes"),
    ],
)
def test_labels_that_are_no_sets_are_named(read, content, options, message):
    if message is None:
        assert read(content, **options).column("label")[0] == '["b|a"]'
        return
    with pytest.raises(DataError, match=message):
        read(content, **options)


@pytest.mark.parametrize("target", ["classes", "number"])
@pytest.mark.parametrize(
    ("content", "options"), [(as_csv(), {"label_separator": "|"}), (as_flags(), {"columns": FLAGS})]
)
def test_sets_where_another_kind_is_asked_for(read, content, options, target):
    with pytest.raises(ParamsError, match=f"download.dataset.target is {target}, but"):
        read(content, target=target, **options)
