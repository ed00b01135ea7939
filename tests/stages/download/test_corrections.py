"""Corrections applied to the rows: each kind of line, what becomes of it, and what no longer applies."""

import csv
import io
import json
import logging
from collections.abc import Callable
from typing import Any

import pyarrow.parquet as pq
import pytest

from stages.corrections import COLUMNS, SOURCE_LABELS, Correction, format_corrections, text_hash
from stages.text_keys import hash_text, normalise

ROWS = b"id,text,label\nr1,fine,good\nr2,poor,bad\nr3,great,bad\nr4,awful,good\n"
WITH_ID = {"text": "text", "label": "label", "id": "id"}


def correction(
    row_id: str, text: str, old: str, decision: str = "relabel", new: str = "", *, pair: str | None = None
) -> Correction:
    return Correction(row_id, text_hash(hash_text(normalise(text), normalise(pair))), old, decision, new)


CASES = {  # what becomes of the label of r3, whose text is `great` and whose label is `bad`
    "relabelled": (correction("r3", "great", "bad", new="good"), "good"),
    "kept": (correction("r3", "great", "bad", "keep"), "bad"),
    "kept by its own label": (correction("r3", "great", "bad", new="bad"), "bad"),
    "unclear": (correction("r3", "great", "bad", "unclear"), "bad"),
    "set_aside": (correction("r3", "great", "bad", "set_aside"), None),
    "relabelled in spite of case and blanks": (correction("r3", " GREAT ", "bad", new="good"), "good"),
    "unknown_id": (correction("r9", "great", "bad", new="good"), "bad"),
    "stale_text": (correction("r3", "grand", "bad", new="good"), "bad"),
    "stale_text, though set aside": (correction("r3", "grand", "bad", "set_aside"), "bad"),
    "stale_label": (correction("r3", "great", "good", new="bad"), "bad"),
    "unknown_label": (correction("r3", "great", "bad", new="goods"), "bad"),
    "relabelled in another spelling": (correction("r3", "great", "BAD", new="Good "), "good"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_becomes_of_a_correction(case: str, read: Callable[..., Any], caplog: pytest.LogCaptureFixture) -> None:
    line, label = CASES[case]
    outcome = case.split()[0].rstrip(",")
    with caplog.at_level(logging.WARNING):
        result = read(ROWS, columns=WITH_ID, corrections=format_corrections([line]))
    assert dict(zip(result.column("id"), result.column("label"), strict=True)).get("r3") == label
    assert result.stats["corrections"] == {outcome: 1}
    assert result.stats["rows_in"] == result.stats["rows_used"] + sum(result.stats["set_aside"].values())
    assert ("not applied" in caplog.text) == (outcome in ("unknown_id", "stale_text", "stale_label", "unknown_label"))


def test_without_corrections_nothing_is_counted_and_no_byte_differs(read: Callable[..., Any]) -> None:
    before = read(ROWS, columns=WITH_ID)
    assert before.stats["corrections"] == {}
    content = (before.folder / "rows.parquet").read_bytes()
    after = read(ROWS, columns=WITH_ID, corrections=format_corrections([]))
    assert (after.folder / "rows.parquet").read_bytes() == content


def test_every_line_is_counted_once_and_the_last_one_for_a_row_applies(read: Callable[..., Any]) -> None:
    lines = [
        correction("r3", "great", "bad", "set_aside"),
        correction("r1", "fine", "good", "keep"),
        correction("r3", "great", "bad", new="good"),
        correction("r9", "x", "bad", "keep"),
    ]
    result = read(ROWS, columns=WITH_ID, corrections=format_corrections(lines))
    assert result.column("label") == ["good", "bad", "good", "good"]
    assert result.stats["corrections"] == {"relabelled": 1, "kept": 1, "replaced": 1, "unknown_id": 1}
    assert sum(result.stats["corrections"].values()) == len(lines)


def test_rows_without_an_id_column_are_corrected_by_the_hash_of_their_text(read: Callable[..., Any]) -> None:
    rows = b"text,label\nfine,good\npoor,bad\nfine,bad\n"
    ids = read(rows).column("id")
    result = read(rows, corrections=format_corrections([correction(ids[2], "fine", "bad", new="good")]))
    assert result.column("label") == ["good", "bad", "good"]
    assert "conflicting_labels" not in result.stats["warnings"]  # the correction comes before the checks of labels


@pytest.mark.parametrize("text", ["great", "fine"], ids=["another text", "the same text"])
def test_a_row_that_a_person_set_aside_takes_no_other_row_with_it(text: str, read: Callable[..., Any]) -> None:
    rows = f"id,text,label\nr1,{text},bad\nr2,fine,good\nr3,poor,bad\n".encode()
    policies = {"duplicate_text": "set_aside", "conflicting_labels": "set_aside", "near_duplicate": "set_aside"}
    line = correction("r1", text, "bad", "set_aside")
    result = read(rows, columns=WITH_ID, policies=policies, corrections=format_corrections([line]))
    assert result.column("id") == ["r2", "r3"]
    assert result.stats["set_aside"] == {"corrections": 1}
    assert f"rows.csv,2,corrections,r1,{text}" in result.set_aside


def test_near_duplicates_of_a_row_set_aside_stay(read: Callable[..., Any]) -> None:
    long = "the same long text about an app that never works"
    rows = f"id,text,label\nr1,{long},bad\nr2,{long}!,good\nr3,poor,bad\n".encode()
    aside = format_corrections([correction("r1", long, "bad", "set_aside")])
    result = read(rows, columns=WITH_ID, policies={"near_duplicate": "set_aside"}, corrections=aside)
    assert result.column("id") == ["r2", "r3"]


def test_the_source_s_label_is_kept_beside_the_corrected_one(read: Callable[..., Any]) -> None:
    lines = [correction("r3", "great", "bad", new="good"), correction("r1", "fine", "good", "keep")]
    result = read(ROWS, columns=WITH_ID, corrections=format_corrections(lines))
    metadata = pq.read_schema(result.folder / "rows.parquet").metadata
    assert json.loads(metadata[SOURCE_LABELS]) == {"r3": "bad"}


SAVED = {  # how a program saved 20.5 and what replaces it: delimiter, old label, new label, what the row has then
    "with semicolons": (";", "20,5", "12,5", "12.5"),
    "with semicolons, and three digits": (";", "20,500", "1,000", "1"),
    "with semicolons, and a point": (";", "20.500", "12.5", "12.5"),
    "with semicolons, and thousands or three digits": (";", "20.500", "1.000", None),
    "with tabs": ("\t", "20,5", "12,5", "12.5"),
    "with commas": (",", "20.50", "1000.0", "1000"),
    "with commas, in one or two ways": (",", "20.5", "1,000", None),
}


@pytest.mark.parametrize("how", SAVED)
def test_corrections_of_numbers_are_read_with_the_decimal_sign_of_the_file(how: str, read: Callable[..., Any]) -> None:
    delimiter, old, new, stored = SAVED[how]
    rows = b"id,text,label\nr1,fine,20.5\nr2,poor,1000\nr3,great,12.25\nr4,awful,3\n"
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=delimiter)
    line = correction("r1", "fine", old, new=new)
    writer.writerows([COLUMNS, [getattr(line, column) for column in COLUMNS]])
    result = read(rows, columns=WITH_ID, target="number", corrections=file.getvalue())
    assert result.column("label")[0] == (stored or "20.5")
    assert result.stats["corrections"] == {"relabelled" if stored else "unknown_label": 1}


KINDS = {  # the labels of three rows, their kind, the old label, the new one, what it is stored as; None: unknown
    "class": (["a", "b", "a"], "classes", "a", "b", "b"),
    "class that no row has": (["a", "b", "a"], "classes", "a", "c", None),
    "ordered": (["1", "2", "3"], "ordered", "1", "3", "3"),
    "class as a spreadsheet has it": (["1", "2", "1"], "classes", "1.0", "2.0", "2"),
    "class of which two are spelled alike": (["1", "1.0", "2"], "classes", "1", "01", None),
    "number that no row has": (["1", "2.5", "4"], "number", "1.0", "3.50", "3.5"),
    "no number": (["1", "2.5", "4"], "number", "1", "many", None),
    "set": (['["a"]', '["b"]', "[]"], "label_set", '["a"]', '["b", "a"]', '["a", "b"]'),
    "empty set": (['["a"]', '["b"]', '["a"]'], "label_set", '["a"]', "[]", "[]"),
    "set with a label that no row has": (['["a"]', '["b"]', "[]"], "label_set", '["a"]', '["c"]', None),
    "no set": (['["a"]', '["b"]', "[]"], "label_set", '["a"]', "b", None),
}


@pytest.mark.parametrize("case", KINDS)
def test_a_label_is_corrected_to_what_its_kind_can_learn(case: str, read: Callable[..., Any]) -> None:
    labels, target, old, new, stored = KINDS[case]
    rows = [{"id": f"r{number}", "text": f"text {number}", "label": label} for number, label in enumerate(labels)]
    content = "\n".join(map(json.dumps, [*rows, *({**row, "id": f"{row['id']}x"} for row in rows)])).encode()
    line = correction("r0", "text 0", old, new=new)
    options = {"columns": WITH_ID, "file_format": "jsonl", "target": target, "corrections": format_corrections([line])}
    result = read(content, **options)
    assert result.column("label")[0] == (labels[0] if stored is None else stored)
    assert result.stats["corrections"] == {"relabelled" if stored is not None else "unknown_label": 1}
