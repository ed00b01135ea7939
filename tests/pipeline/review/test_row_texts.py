"""An answer is about the text that its line shows: another text is refused, what programs make of a text is not."""

import csv
import json
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pytest

from pipeline.review import exports
from pipeline.review.answers import read_answers
from pipeline.review.imports import check_answers
from pipeline.review.row_texts import RowTexts, is_text
from stages.errors import DataError
from stages.shown import spreadsheet_safe
from tests.pipeline.review import reviewing

LONG = "Ein langer Text über alles. " * 1500
SAME = {  # a text of a row, and a cell that has it
    "nothing": ("never works", "never works"),
    "white space": (" never\tworks\u00a0 ", "never works"),
    "line endings": ("never\r\nworks", "never\nworks"),
    "case": ("Never WORKS", "never works"),
    "composed": ("früh", unicodedata.normalize("NFD", "früh")),
    "width": ("ＡＢＣ", "ABC"),
    "hidden characters": ("nev\u00ader\u200b \x00works\ufeff", "never works"),
    "an apostrophe": ("=1+1", "'=1+1"),
    "apostrophes within": ("list:\n- one\n- two", "list:\n'- one\n'- two"),
}
MADE = {  # what programs make of a text that nobody could tell
    "line endings of a workbook": ("never\r\nworks", "never_x000D_\nworks"),
    "cut off": (LONG, LONG[:32767]),
    "cut off, a little": (LONG, LONG[:255]),
    "cut off in a letter": ("a" * 300 + "\u00fc", "a" * 300 + "u"),
    "in an encoding without its characters": ("great \U0001f600, früh", "great ??, fr?h"),
    "in an encoding without its alphabet": ("очень плохо", "????? ?????"),
    "in a wrong encoding": ("früh", "frÃ¼h"),
    "a formula": ("=1+1", "2"),
    "a formula that fails": ("- good product", "#NAME?"),
    "a number": ("007", "7"),
    "a long number": ("12345678901234567890", "1,23457E+19"),
    "a date": ("2026-01-05", "05.01.2026"),
    "a date in words": ("May 5", "05. Mai"),
    "typographic quotes": ("'never' \"works\"", "‘never’ “works”"),
    "the apostrophe of a spreadsheet": ("'never' works", "never' works"),
    "no value": ("never works", "NaN"),
    "edited by a person": ("never works", "never works for me"),
}
OTHER = {
    "another text": ("never works", "it works"),
    "a beginning": ("never works", "never"),
    "another question": ("does it work?", "is it any good?"),
    "another number in a text": ("pair 1", "pair 2"),
    "a text of letters that an encoding lacks": ("очень плохо", "совсем плохо"),
    "a text for a number": ("007", "never works"),
    "a long text": (LONG, LONG[:300]),
}


@pytest.mark.parametrize(("text", "cell"), SAME.values(), ids=SAME)
def test_a_cell_has_a_text_in_any_form_of_its_letters_and_blanks(text: str, cell: str) -> None:
    assert is_text(cell, text)


@pytest.mark.parametrize(("text", "cell"), (MADE | OTHER).values(), ids=MADE | OTHER)
def test_what_differs_more_is_no_proof_that_a_cell_has_a_text(text: str, cell: str) -> None:
    assert not is_text(cell, text)


@pytest.mark.parametrize("column", ["text", "text_pair"])
@pytest.mark.parametrize(("text", "cell"), (SAME | MADE | OTHER).values(), ids=SAME | MADE | OTHER)
def test_a_cell_is_of_another_row_only_if_that_row_has_its_text(column: str, text: str, cell: str) -> None:
    def is_another(*texts: str) -> bool:
        table = pa.table({"text": ["a text", "another"], "text_pair": [None, "a second one"]})
        table = table.set_column(table.column_names.index(column), column, [[*texts]])
        return RowTexts(table).is_another(cell, text, column)

    assert not is_another(text, "some other text")
    assert is_another(text, cell) == (not is_text(cell, text))
    assert is_another(text, spreadsheet_safe(cell)) == (not is_text(cell, text))


def take(root: Path, path: Path) -> int:
    data, decisions = reviewing.opened(root)
    answers = read_answers(path, several=False)
    return len(decisions.add(check_answers(answers, data, decisions.read(), name="in")).new)


def as_csv(path: Path, rows: Sequence[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def as_workbook(path: Path, rows: Sequence[dict[str, str]]) -> None:
    book = openpyxl.Workbook()
    for cells in ([*rows[0]], *([*row.values()] for row in rows)):
        book.active.append(cells)
    book.save(path)


@pytest.mark.parametrize("column", ["text", "text_pair"])
@pytest.mark.parametrize("how", ["sorted alone", "edited", "emptied", "as it was"])
@pytest.mark.parametrize("write", [as_csv, as_workbook])
@pytest.mark.parametrize("hashed", [True, False], ids=["with text_hash", "without"])
def test_a_column_of_texts_that_was_sorted_alone_is_no_answer_about_other_texts(
    tmp_path: Path, column: str, how: str, write: Callable[..., None], hashed: bool
) -> None:
    root = reviewing.create(tmp_path / "project", pairs=True)
    data, _ = reviewing.opened(root)
    exports.write(tmp_path / "out.csv", [data.row(name) for name in ("r2", "r1", "r5")], {}, data, "csv")
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = [{**row, "new_label": "3"} for row in csv.DictReader(file)]
    if not hashed:
        rows = [{**row, "text_hash": ""} for row in rows]
    columns = {
        "sorted alone": sorted(row[column] for row in rows),
        "edited": [f"{row[column]}, it says" for row in rows],
        "emptied": ["" for _ in rows],
        "as it was": [row[column] for row in rows],
    }
    write(tmp_path / "in", [{**row, column: cell} for row, cell in zip(rows, columns[how], strict=True)])
    if how in ("emptied", "as it was") or (how == "edited" and hashed):
        assert take(root, tmp_path / "in") == 3
        return
    words = "whose cells text or text_pair have the text of another row" if hashed else "whose text has changed since"
    with pytest.raises(DataError, match=f"nothing is imported.* {words}.*: 'r2', "):
        take(root, tmp_path / "in")
    assert reviewing.corrections(root) == []


def argilla(record: dict[str, Any], text: str) -> dict[str, Any]:
    return {**record, "fields": {"text": text}, "responses": {"label": [{"value": "1"}]}}


def argilla_flat(record: dict[str, Any], text: str) -> dict[str, Any]:
    return {"id": record["id"], "text": text, **record["metadata"], "label.responses": ["1"]}


def label_studio(record: dict[str, Any], text: str) -> dict[str, Any]:
    result = record["predictions"][0]["result"]
    return {**record, "data": {**record["data"], "text": text}, "annotations": [{"result": result}]}


def label_studio_short(record: dict[str, Any], text: str) -> dict[str, Any]:
    return {**record["data"], "text": text, "annotation_id": 1, "label": "1"}


TOOLS = {
    "argilla": (argilla, argilla_flat),
    "label-studio": (label_studio, label_studio_short),
}


@pytest.mark.parametrize("form", ["argilla", "label-studio"])
@pytest.mark.parametrize("short", [False, True])
@pytest.mark.parametrize("hashed", [True, False], ids=["with text_hash", "without"])
def test_an_answer_of_a_tool_is_about_the_text_that_it_showed(
    tmp_path: Path, form: str, short: bool, hashed: bool
) -> None:
    root = reviewing.create(tmp_path / "project")
    data, _ = reviewing.opened(root)
    exports.write(tmp_path / "out.json", [data.row("r2")], {}, data, form)
    record = json.loads((tmp_path / "out.json").read_text())[0]
    if not hashed:
        record["metadata" if form == "argilla" else "data"].pop("text_hash")
    (tmp_path / "in").write_text(json.dumps([TOOLS[form][short](record, "it works every day")]))
    with pytest.raises(DataError, match="the text of another row|text has changed"):
        take(root, tmp_path / "in")
    (tmp_path / "in").write_text(json.dumps([TOOLS[form][short](record, "never works")]))
    assert take(root, tmp_path / "in") == 1
