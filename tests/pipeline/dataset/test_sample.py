"""What is seen in the first rows of a file: encoding, delimiter, header, columns; and files that can't be read."""

import bz2
import datetime
import gzip
import json
import lzma
import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.dataset.describe import describe
from pipeline.dataset.sample import Sample
from stages.errors import DataError

ROWS = [{"body": f"größer, {number}", "stars": number % 2 + 1} for number in range(9)]
CSV = "body,stars\n" + "".join(f'"{row["body"]}",{row["stars"]}\n' for row in ROWS)
SEMICOLON = "body;stars\n" + "".join(f"{row['body']};{row['stars']}\n" for row in ROWS)
TSV = "body\tstars\n" + "".join(f"{row['body']}\t{row['stars']}\n" for row in ROWS)
JSONL = "".join(json.dumps(row | {"tags": ["x"]}) + "\n" for row in ROWS)


def write_arrow(path: Path) -> None:
    table = pa.Table.from_pylist(ROWS)
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)


def write_zstd(path: Path) -> None:
    with pa.CompressedOutputStream(str(path), "zstd") as stream:
        stream.write(CSV.encode())


WINDOWS = 'It looks like cp1252, with which a line reads "größer, 0",1; if that is wrong, it may be cp1250, mac_roman.'
GOOD: dict[str, tuple[str, Callable[[Path], object], dict[str, object]]] = {  # name, how it is written, what is seen
    "csv": ("a.csv", lambda path: path.write_text(CSV), {}),
    "csv with a mark": ("a.csv", lambda path: path.write_text(CSV, "utf-8-sig"), {}),
    "csv of Windows": (
        "a.csv",
        lambda path: path.write_text(CSV, "cp1252"),
        {"encoding": "cp1252", "guess": WINDOWS},
    ),
    "csv in UTF-16": ("a.csv", lambda path: path.write_text(CSV, "utf-16"), {"encoding": "utf-16"}),
    **{
        f"csv in {encoding} without a mark": (
            "a.csv",
            lambda path, encoding=encoding: path.write_text(CSV + '"Ādaži",1\n', encoding),
            {"encoding": encoding, "rows": 10},
        )
        for encoding in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
    },
    "Cyrillic in UTF-16 without a mark": (
        "a.csv",
        lambda path: path.write_text(CSV + '"Как дела, и что нового в городе",1\n' * 9, "utf-16-le"),
        {"encoding": "utf-16-le", "rows": 18},
    ),
    "csv in UTF-32": ("a.csv", lambda path: path.write_text(CSV, "utf-32"), {"encoding": "utf-32"}),
    "a bad byte in UTF-8": ("a.csv", lambda path: path.write_bytes(CSV.encode() + b'"caf\xe9",1\n'), {"rows": 10}),
    "CRLF": ("a.csv", lambda path: path.write_text(CSV, newline="\r\n"), {}),
    "semicolons": ("a.csv", lambda path: path.write_text(SEMICOLON), {"delimiter": ";"}),
    "tabs in a csv": ("a.csv", lambda path: path.write_text(TSV), {"delimiter": "\t"}),
    "tsv": ("a.TSV", lambda path: path.write_text(TSV), {"format": "tsv"}),
    "jsonl": ("a.jsonl", lambda path: path.write_text(JSONL), {"format": "jsonl"}),
    "parquet": ("a.parquet", lambda path: pq.write_table(pa.Table.from_pylist(ROWS), path), {"format": "parquet"}),
    "arrow": ("a.arrow", write_arrow, {"format": "arrow"}),
    "gzip": ("a.csv.gz", lambda path: path.write_bytes(gzip.compress(CSV.encode())), {}),
    "bzip2": ("a.csv.bz2", lambda path: path.write_bytes(bz2.compress(CSV.encode())), {}),
    "xz": ("a.csv.xz", lambda path: path.write_bytes(lzma.compress(CSV.encode())), {}),
    "zstd": ("a.csv.zst", write_zstd, {}),
    "gzip named csv": ("a.csv", lambda path: path.write_bytes(gzip.compress(CSV.encode())), {}),
    "text named gz": ("a.csv.gz", lambda path: path.write_text(CSV), {}),
    "xz named gz": ("a.csv.gz", lambda path: path.write_bytes(lzma.compress(CSV.encode())), {}),
    "commas in a tsv": ("a.tsv", lambda path: path.write_text(CSV), {"format": "tsv", "delimiter": ","}),
    "tildes": ("a.csv", lambda path: path.write_text(SEMICOLON.replace(";", "~")), {"delimiter": "~"}),
    "a quote that stays open": ("a.csv", lambda path: path.write_text(CSV.replace("4,1", '4,1\n"open,1'), "utf-8"), {}),
}


@pytest.mark.parametrize("case", GOOD)
def test_how_a_file_is_read(tmp_path: Path, case: str) -> None:
    name, write, seen = GOOD[case]
    write(tmp_path / name)
    sample = describe(tmp_path / name)
    body, stars = sample.columns
    usual = {"format": "csv", "encoding": "utf-8", "guess": "", "delimiter": None, "header": True, "rows": 9}
    expected = usual | seen
    assert {key: getattr(sample, key) for key in expected} == expected
    assert (body.name, stars.name) == ("body", "stars")
    assert next(iter(body.values)) == "größer, 0"
    assert (stars.filled, list(stars.values)) == (sample.rows, ["1", "2"])
    assert (stars.numbers, body.numbers) == (True, False)


HEADERS = {
    "text,label\nx,1\n": True,
    ",text,label\n0,x,1\n": True,  # the row numbers that pandas writes
    "good,1\nbad,0\n": False,
    "gj04,,2.5\na,b,1\n": False,
    "same,same\nx,y\n": False,
    "text,label,label\nx,y,y\n": True,
    "great app,good\nbad app,good\n": False,
    "v1,v2\nham,a text\n": True,
    "v1,v2\nham,a text\nv1,v2\n": True,  # two files in one
    "message,spam\na text,spam\n": True,
    " ,v2\n ,x\n": True,
    f"{'a text as long as a row ' * 5},spam\nx,y\n": False,
}


@pytest.mark.parametrize("text", HEADERS)
def test_is_the_first_row_a_header(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    sample = describe(tmp_path / "a.csv")
    assert sample.header == HEADERS[text]
    assert sample.rows == text.count("\n") - sample.header
    assert isinstance(sample.columns[0].name, str) == sample.header
    assert "great app" not in text or [list(column.values) for column in sample.columns] == [
        ["bad app", "great app"],
        ["good"],
    ]


def test_rows_of_another_width_and_blank_cells_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\na,x\nb\nc,\n\nd,x,y\n")
    sample: Sample = describe(tmp_path / "a.csv")
    assert (sample.rows, [column.filled for column in sample.columns]) == (2, [2, 1])


TYPES: dict[str, list[Any]] = {  # values of a column, and how they are shown: as training reads them
    "true": [True],
    "1": [1.0, 1, Decimal("1.0")],
    "2020-01-01": [datetime.date(2020, 1, 1)],
    "a text": [b"a text"],
}


@pytest.mark.parametrize(("shown", "value"), [(shown, value) for shown, values in TYPES.items() for value in values])
def test_values_are_shown_as_training_reads_them(tmp_path: Path, shown: str, value: Any) -> None:
    pq.write_table(pa.table({"text": ["x"], "label": [value]}), tmp_path / "a.parquet")
    assert list(describe(tmp_path / "a.parquet").columns[1].values) == [shown]


def folder_of(path: Path, *files: str) -> None:
    for file in files:
        (path / file).parent.mkdir(parents=True, exist_ok=True)
        (path / file).write_text("text")


BAD: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "missing": ("a.csv", lambda path: None, "a.csv is missing. Name a file"),
    "empty": ("a.csv", lambda path: path.write_text(""), r"a.csv is empty \(0 bytes\)"),
    "only a header": ("a.csv", lambda path: path.write_text("text,label\n"), "has no rows"),
    "binary": ("a.csv", lambda path: path.write_bytes(b"ab\0\1\2cd" * 9), "can't be read as csv: it is a binary file"),
    "half a JSON array": (
        "a.json",
        lambda path: path.write_text('[{"text": "a b'),
        "ends within a row: it is truncated",
    ),
    "an array without end": (
        "a.json",
        lambda path: path.write_text('[{"text": "a"},'),
        "ends within a row: it is truncated",
    ),
    "a word in JSON": ("a.json", lambda path: path.write_text('[{"a": nope}]'), "Expecting value"),
    "no JSON": ("a.jsonl", lambda path: path.write_text("{a\n"), "can't be read as jsonl: not JSON: Expecting"),
    "no Parquet": ("a.parquet", lambda path: path.write_text("x" * 99), "can't be read as parquet: "),
    "no Arrow": ("a.arrow", lambda path: path.write_text("x" * 99), "can't be read as arrow: "),
    "no zip": ("a.csv", lambda path: path.write_bytes(b"PK\3\4" + bytes(99)), "expected csv, got a zip file"),
    "blank lines": ("a.csv", lambda path: path.write_text("\n \n\n"), "has no rows"),
    "a pointer": (
        "a.csv",
        lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
        "is a pointer of git-lfs, not the file itself. Fetch it: git lfs pull",
    ),
    "a pointer for Parquet": (
        "a.parquet",
        lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
        "is a pointer of git-lfs",
    ),
    "a page": ("a.csv", lambda path: path.write_text("\n<!DOCTYPE html>\n<html>a, b"), "is an HTML page, not data"),
    "a comment": ("a.csv", lambda path: path.write_text("# 2024\n" + CSV), "line 1, '# 2024', .* in line 2"),
    "a title": ("a.csv", lambda path: path.write_text("My rows,\n,\n" + CSV), "line 1, 'My rows,', .* in line 3"),
    "a title over semicolons": ("a.csv", lambda path: path.write_text("My rows\n" + SEMICOLON), "in line 2"),
    "two colons": ("a.csv", lambda path: path.write_text(SEMICOLON.replace(";", "::")), "is separated by '::'"),
    "half a gzip": (
        "a.csv.gz",
        lambda path: path.write_bytes(gzip.compress(CSV.encode())[:60]),
        "can't be read as csv",
    ),
    "a pipe": ("a.csv", os.mkfifo, "is a named pipe, not a file with rows"),
    "a workbook": ("a.xlsx", lambda path: path.write_text("x"), "can't be read as a workbook"),
    "plain lines": ("a.txt", lambda path: path.write_text("x"), "plain lines without labels"),
    "no ending": ("rows", lambda path: path.write_text("x"), "the file extension is unknown. Rename the file"),
    "a folder of files": (
        "rows",
        lambda path: folder_of(path, "a.csv", "b/c.txt"),
        "is a folder, but does not hold one",
    ),
    "an empty folder": ("rows", lambda path: path.mkdir(), "is a folder, but does not hold one"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_can_not_be_read_is_one_error(tmp_path: Path, case: str) -> None:
    name, write, message = BAD[case]
    write(tmp_path / name)
    with pytest.raises(DataError, match=message):
        describe(tmp_path / name)


def test_a_folder_per_class(tmp_path: Path) -> None:
    folder_of(tmp_path, "good/1.txt", "bad/1.txt")
    assert describe(tmp_path) == Sample("folders", notes=(("classes", "2: bad, good"),))


BROKEN = {  # the lines after the header -> what is wrong with the first of them
    "backslashes before quotes": ('"a \\"x\\" y",good', "a quote stands inside a quoted field"),
    "single quotes": ("'a, x',good", "3 fields, but row 1 has 2"),
    "a quote that closes too early": ('"a" x,good', "a quote stands inside a quoted field"),
    "one field": ("a", "1 field, but row 1 has 2"),
    "a quote that stays open": ('"a,good', "(it opens a quote that is never closed|a quote stands inside)"),
    "pairs of rows that quotes join": ('"a,good\nb",bad', "lines 2 to 3 look like 2 rows that quotes join"),
}


@pytest.mark.parametrize("rows", [1, 2, 40])
@pytest.mark.parametrize("case", BROKEN)
def test_a_file_of_broken_rows_alone_is_not_called_empty(tmp_path: Path, case: str, rows: int) -> None:
    line, problem = BROKEN[case]
    if case.startswith("pairs") and rows == 1:
        pytest.skip("one row does not show what a label is")
    path = tmp_path / "a.csv"
    path.write_text("text,label\n" + f"{line}\n" * rows)
    with pytest.raises(DataError, match=rf"a\.csv row 2: {problem}.*, and no other row can be read\. ") as error:
        describe(path)
    assert "add -S download.dataset.quoting=false" in str(error.value)


@pytest.mark.parametrize("case", BROKEN)
def test_broken_rows_among_others_are_left_out(tmp_path: Path, case: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label\nc,good\nd,bad\ne,good\nf,bad\n" + f"{BROKEN[case][0]}\n")
    assert describe(path).rows == 4
