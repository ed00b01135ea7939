"""No row of a workbook is lost without a word, and messages name rows and sheets as a person sees them."""

import contextlib
import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from pipeline.dataset.describe import describe
from pipeline.prediction.input_format import InputOptions, resolve
from stages.download.dataset import write_dataset
from stages.errors import DataError
from stages.reading.dialect import Dialect
from stages.reading.workbook import read_workbook
from tests.stages.reading.cases import dataset_of
from tests.stages.reading.test_same_rows import own_memory, predicted, trained_on  # noqa: F401 (own_memory is a fixture)

HEADER, GOOD = ["text", "label"], [["good", "a"], ["bad", "b"], ["fine", "a"], ["poor", "b"]]
SHEETS = ("notes", "my data")


def workbook(rows: list[list[Any]], *, sheets: tuple[str, ...] = ()) -> bytes:
    """A workbook whose formulas (`=A1`) have no stored results, as openpyxl and other programs write it."""
    book = openpyxl.Workbook()
    for number, row in enumerate(rows, start=1):
        for column, value in enumerate(row, start=1):
            book.active.cell(number, column, value)
    for sheet in sheets:
        book.create_sheet(sheet)
    sink = io.BytesIO()
    book.save(sink)
    return sink.getvalue()


def with_results(content: bytes, result: str, kind: str) -> bytes:
    """The same workbook, whose formulas all have this stored result."""
    sink = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as parts, zipfile.ZipFile(sink, "w") as new:
        for name in parts.namelist():
            part = parts.read(name).decode()
            part = re.sub(r'<c r="(\w+)"><f>(.*?)</f><v ?/>', rf'<c r="\1" t="{kind}"><f>\2</f><v>{result}</v>', part)
            new.writestr(name, part)
    return sink.getvalue()


# rows below the header -> cells that are formulas, rows that come out, numbers of the rows with formulas
FORMULAS: dict[str, tuple[list[list[Any]], int, str]] = {
    "a row of formulas": ([*GOOD[:2], ["=B1", "=C1"], *GOOD[2:]], 2, "4"),
    "the first row": ([["=B1", "=C1"], *GOOD], 2, "2"),
    "the last row": ([*GOOD, ["=B1", "=C1"]], 2, "6"),
    "only the text": ([*GOOD, ["=B1", "a"]], 1, "6"),
    "beside the columns": ([*GOOD, ["great", "a", "=LEN(A6)"]], 1, "6"),
    "after blank rows": ([*GOOD, [], [], ["=B1", "=C1"]], 2, "8"),
    "many rows": ([*GOOD, *[["=B1", "=C1"]] * 9], 18, "6, 7, 8, 9, 10 and 4 more"),
    "all rows": ([["=B1", "=C1"]] * 3, 6, "2, 3, 4"),
}


@pytest.mark.parametrize("case", FORMULAS)
def test_formulas_without_a_result_are_counted_and_lose_no_row(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, case: str
) -> None:
    rows, formulas, numbers = FORMULAS[case]
    content = workbook([HEADER, *rows])
    said = f": {formulas} cells (row {numbers}). Open the workbook in a spreadsheet program, and save it."
    if case == "all rows":
        with pytest.raises(DataError, match=r"all 3 are set aside \(empty_text 3\)"):
            trained_on(tmp_path, "rows.xlsx", content, format="excel")
    else:
        trained_on(tmp_path, "rows.xlsx", content, format="excel")
        stats = json.loads((tmp_path / "out/stats.json").read_text())
        assert stats["rows_in"] == len([row for row in rows if row])
        assert stats["rows_used"] == len([row for row in rows if row and row[0] != "=B1"])
    assert said in caplog.text
    caplog.clear()
    texts, written = predicted(tmp_path, "rows.xlsx")
    assert len(written) == len([row for row in rows if row])
    assert [bool(row["error"]) for row in written] == [row[0] == "=B1" for row in rows if row]
    assert said in caplog.text
    assert len(texts) == len([row for row in written if not row["error"]])


@pytest.mark.parametrize("header", [True, False])
def test_names_that_are_formulas_are_said(caplog: pytest.LogCaptureFixture, header: bool) -> None:
    names, rows, _ = read_workbook(
        io.BytesIO(workbook([["=A9", "label"], *GOOD])), "x.xlsx", Dialect("excel", header=header)
    )
    assert names == (["", "label"] if header else ["0", "1"])
    assert len(list(rows)) == len(GOOD) + (not header)
    what = "names of columns" if header else "cells"
    assert f"count as empty: 1 {what} (row 1). Open the workbook" in caplog.text


STORED = {  # stored result, its type -> the text, or None: the row is blank, as a person sees it
    "a text": ("great", "str", "great"),
    "a number": ("5", "n", "5"),
    "an empty text": ("", "str", None),
    "an error": ("#N/A", "e", ""),
}


@pytest.mark.parametrize("case", STORED)
def test_stored_results_are_read_as_they_are(caplog: pytest.LogCaptureFixture, case: str) -> None:
    result, kind, text = STORED[case]
    content = with_results(workbook([HEADER, *GOOD, ["=B1", "=C1"]]), result, kind)
    read = [row.cells for row in read_workbook(io.BytesIO(content), "x.xlsx", Dialect("excel")).rows]
    assert read == [*GOOD, *([] if text is None else [[text or None] * 2])]
    assert not caplog.records


def test_init_says_formulas_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "rows.xlsx").write_bytes(workbook([HEADER, *GOOD * 3, ["=B1", "a"]]))
    assert describe(tmp_path / "rows.xlsx").rows == 13
    assert "count as empty: 1 cells (row 14)" in caplog.text


# the row that breaks a rule -> what is above it
ABOVE: dict[str, list[list[Any]]] = {
    "nothing": [HEADER, *GOOD],
    "blank rows": [HEADER, *GOOD[:2], [], [], *GOOD[2:], []],
    "blank rows above the header": [[], [], HEADER, *GOOD],
    "blank cells": [[None, *HEADER], [None, *GOOD[0]], [None, None, None], [None, *GOOD[1]]],
}


@pytest.mark.parametrize("policy", ["fail", "warn"])
@pytest.mark.parametrize("case", ABOVE)
def test_a_bad_row_has_its_number_in_the_sheet(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, case: str, policy: str
) -> None:
    rows = ABOVE[case]
    before = [None] * (case == "blank cells")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/rows.xlsx").write_bytes(workbook([*rows, [*before, None, "a"], [*before, *GOOD[0]]]))
    (tmp_path / "out").mkdir()
    dataset = dataset_of("data/rows.xlsx", format="excel")
    dataset = dataset.model_copy(update={"checks": dataset.checks.model_copy(update={"empty_text": policy})})
    named = rf"row {len(rows) + 1}\b"
    with pytest.raises(DataError, match=named) if policy == "fail" else contextlib.nullcontext():
        write_dataset(tmp_path / "out", dataset, root=tmp_path, unpack_limit=10_000_000)
    assert policy == "fail" or re.search(named, caplog.text)


@pytest.mark.parametrize("sheets", [(), SHEETS])
def test_a_missing_column_names_the_other_sheets(tmp_path: Path, sheets: tuple[str, ...]) -> None:
    content = workbook([["note", "by"], ["hello", "me"]], sheets=sheets)
    named = r" The workbook has other sheets: 'notes', 'my data' \({}\)\.$" if sheets else "$"
    with pytest.raises(DataError, match=r"Correct download\.dataset\.columns\.text\." + named.format(r".*\.sheet")):
        trained_on(tmp_path, "rows.xlsx", content, format="excel")
    with pytest.raises(DataError, match=r"Choose one with --column\." + named.format("--sheet")):
        predicted(tmp_path, "rows.xlsx")


# what is asked for -> the sheet that is read
NAMED: dict[str | int, str] = {"2024": "2024", 2024: "2024", "1": "1", 1: "1", 0: "2023", 2: "1", "01": "01"}


@pytest.mark.parametrize("option", [True, False])
@pytest.mark.parametrize("sheet", NAMED)
def test_a_sheet_is_chosen_by_its_name_before_its_number(sheet: str | int, option: bool) -> None:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name in ("2023", "2024", "1", "01"):
        book.create_sheet(name).append([f"of {name}"])
    content = io.BytesIO()
    book.save(content)
    dialect = Dialect("excel", sheet=sheet)
    if option:
        dialect = resolve("x.xlsx", InputOptions(sheet=str(sheet)), None, b"").dialect
    assert read_workbook(content, "x.xlsx", dialect).names == [f"of {NAMED[sheet]}"]


CHARTS = {"first": [False, True, True], "between": [True, False, True], "last": [True, True, False], "all": [False] * 3}


@pytest.mark.parametrize("where", CHARTS)
@pytest.mark.parametrize("with_chart", [True, False])
def test_a_chart_sheet_hides_no_other_sheet(tmp_path: Path, where: str, with_chart: bool) -> None:
    """Also one without a chart, which openpyxl itself can't read."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, has_rows in enumerate(CHARTS[where]):
        if has_rows:
            sheet = book.create_sheet(f"rows {number}")
            sheet.append(HEADER)
            sheet.append([f"text {number}", "a"])
        elif with_chart:
            book.create_chartsheet().add_chart(openpyxl.chart.BarChart())
        else:
            book.create_chartsheet()
    numbers = [number for number, has_rows in enumerate(CHARTS[where]) if has_rows]
    book.save(tmp_path / "rows.xlsx")
    content = io.BytesIO((tmp_path / "rows.xlsx").read_bytes())
    if not numbers:
        with pytest.raises(DataError, match="has no sheet with rows"):
            read_workbook(content, "rows.xlsx", Dialect("excel"))
    for number in numbers:
        sheet = read_workbook(content, "rows.xlsx", Dialect("excel", sheet=f"rows {number}"))
        assert [row.cells for row in sheet.rows] == [[f"text {number}", "a"]]
        assert sheet.others == [f"rows {other}" for other in numbers if other != number]
