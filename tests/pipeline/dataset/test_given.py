"""What a person sets of how a file is read holds while init looks at it; JSON is told by what is in it."""

import json
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from pipeline.dataset.describe import describe, params_of
from pipeline.recipes import values_set
from stages.errors import DataError

ROWS = [{"body": f"text {number}", "stars": number % 2 + 1} for number in range(9)]
LINES = "\n".join(map(json.dumps, ROWS))


def table(delimiter: str = ",") -> str:
    return "".join(f"{delimiter.join(map(str, row.values()))}\n" for row in ({"b": "body", "s": "stars"}, *ROWS))


GIVEN: dict[str, tuple[str, bytes, dict[str, Any], list[str | int], int]] = {  # name, content, set -> columns, rows
    "a delimiter": ("a.csv", table("~").encode(), {"delimiter": "~"}, ["body", "stars"], 9),
    "no delimiter of its own": ("a.csv", b"a;b,c\n1;2,3\n1;3,4\n", {"delimiter": None}, ["a;b", "c"], 2),
    "no header": ("a.csv", table().encode(), {"header": False}, [0, 1], 10),
    "a header": ("a.csv", b"7,8\ntext,x\n", {"header": True}, ["7", "8"], 1),
    "an encoding": (
        "a.csv",
        table().replace("body", "bödy").encode("cp437"),
        {"encoding": "cp437"},
        ["bödy", "stars"],
        9,
    ),
    "an encoding of JSON": ("a.jsonl", LINES.encode("utf-16-le"), {"encoding": "utf-16-le"}, ["body", "stars"], 9),
    "no quoting": ("a.csv", b'text,label\n"x,1\ny",2\n', {"quoting": False}, ["text", "label"], 2),
    "a format": ("rows.dat", table().encode(), {"format": "csv"}, ["body", "stars"], 9),
    "a format that the name denies": ("a.txt", LINES.encode(), {"format": "jsonl"}, ["body", "stars"], 9),
    "a format of an odd name": ("rows.db", table("\t").encode(), {"format": "tsv"}, ["body", "stars"], 9),
}


@pytest.mark.parametrize("case", GIVEN)
def test_what_is_set_holds(tmp_path: Path, case: str) -> None:
    name, content, given, columns, rows = GIVEN[case]
    (tmp_path / name).write_bytes(content)
    sample = describe(tmp_path / name, given)
    assert ([column.name for column in sample.columns], sample.rows) == (columns, rows)
    written = params_of(sample, {}, path="x")
    assert {key: written[f"download.dataset.{key}"] for key in given} == given


@pytest.fixture
def workbook(tmp_path: Path) -> Path:
    book = openpyxl.Workbook()
    book.active.title = "Notes"
    book.active.append(["Read me first"])
    for title in ("All data", "2024"):
        sheet = book.create_sheet(title)
        for row in (("body", "stars"), *(tuple(row.values()) for row in ROWS)):
            sheet.append(row)
    path = tmp_path / "a.xlsx"
    book.save(path)
    return path


@pytest.mark.parametrize("sheet", ["All data", 1, "2024", 2])
def test_a_sheet_that_is_set_is_the_one_that_is_read(workbook: Path, sheet: str | int) -> None:
    sample = describe(workbook, {"sheet": sheet})
    assert ([column.name for column in sample.columns], sample.rows) == (["body", "stars"], 9)
    assert params_of(sample, {}, path="x")["download.dataset.sheet"] == sheet


def test_a_first_sheet_without_data_names_the_others(workbook: Path) -> None:
    message = r"of its sheets \('Notes', 'All data', '2024'\): -S 'download.dataset.sheet=All data'"
    with pytest.raises(DataError, match=message):
        describe(workbook)


def test_values_set_by_overrides_have_full_keys() -> None:
    text = "download:\n  dataset:\n    sheet: null\n    header: true\nseeds: [1]\n"
    overrides = ["download.dataset={sheet: Data}", "seeds=[2, 3]"]
    assert values_set(text, overrides) == {"download.dataset.sheet": "Data", "seeds": [2, 3]}


JSON = {  # content -> the format, whatever the name says
    LINES: "jsonl",
    f"\n\n{LINES}\n": "jsonl",
    f"\ufeff{LINES}": "jsonl",
    LINES.replace("\n", "\r\n\r\n"): "jsonl",
    json.dumps(ROWS): "json",
    json.dumps(ROWS, indent=1): "json",
    "[\n" + ",\n".join(map(json.dumps, ROWS)) + "\n]": "json",
}


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
@pytest.mark.parametrize("content", JSON, ids=range(len(JSON)))
def test_json_is_told_by_what_is_in_it(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, newline="")
    sample = describe(tmp_path / name)
    assert (sample.format, sample.rows) == (JSON[content], 9)


@pytest.mark.parametrize("indent", [None, 1])
def test_an_array_under_a_key_stays_json(tmp_path: Path, indent: int | None) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"meta": {"n": 1}, "data": ROWS}, indent=indent) + "\n")
    assert (describe(tmp_path / "a.json").format, describe(tmp_path / "a.json").rows) == ("json", 9)
