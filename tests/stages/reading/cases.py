"""Files that hold the same rows in many ways, and files of which some rows are broken."""

import datetime
import io
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

from stages.schema import Dataset
from tests.stages.download.conftest import POLICIES

ROWS = [("first text", "a"), ("second text", "b"), ("third, text", "a")]
SET_ASIDE = ("malformed_row", "broken_encoding", "empty_text")


def dataset_of(source: str, *, text: str | int = "text", label: str | int = "label", **settings: Any) -> Dataset:
    """The data set of a file whose bad rows are set aside."""
    checks = {**POLICIES, **dict.fromkeys(SET_ASIDE, "set_aside"), "rare_label": "warn", "near_duplicate": "ignore"}
    usual = {"encoding": "utf-8", "delimiter": None, "header": True, "quoting": True}
    columns = {**dict.fromkeys(("text_pair", "id", "group")), "slices": [], "text": text, "label": label}
    return Dataset.model_validate(
        {
            "files": [{"source": source}],
            "folder": "data",
            "corrections": "corrections.csv",
            "columns": columns,
            "labels": {},
            "target": "auto",
            "label_order": [],
            "checks": {**checks, "min_rows_per_label": 1, "near_duplicate_similarity": 0.8},
            **usual,
            **settings,
        }
    )


def separated(delimiter: str, *, header: str | None = "text,label", start: str = "") -> bytes:
    names = [] if header is None else [header.replace(",", delimiter)]
    lines = [delimiter.join(f'"{cell}"' for cell in row) for row in ROWS]
    return (start + "\n".join([*names, *lines]) + "\n").encode()


def objects(make: Callable[[str, str], Any]) -> list[Any]:
    return [make(text, label) for text, label in ROWS]


def as_parquet(columns: dict[str, Any]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def as_workbook(rows: list[list[Any]], *, other_sheet: bool = False) -> bytes:
    book = openpyxl.Workbook()
    if other_sheet:
        book.active.append(["nothing"])
        book.create_sheet("data")
    sheet = book["data"] if other_sheet else book.active
    for row in rows:
        sheet.append(row)
    sink = io.BytesIO()
    book.save(sink)
    return sink.getvalue()


TEXTS, LABELS = zip(*ROWS, strict=True)
TABLE = [["text", "label"], *map(list, ROWS)]
PLAIN = {"text": "text", "label": "label"}
NESTED = {"text": "review.body", "label": "meta.stars.value"}


def nested(text: str, label: str) -> dict[str, Any]:
    return {"review": {"body": text}, "meta": {"stars": {"value": label}}}


def flat(text: str, label: str) -> dict[str, Any]:
    return {"text": text, "label": label}


def lines(values: list[Any]) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


FILES: dict[str, tuple[str, Callable[[], bytes], dict[str, Any]]] = {
    "csv": ("rows.csv", lambda: separated(","), {"format": "csv"}),
    "semicolons": ("rows.csv", lambda: separated(";"), {"format": "csv", "delimiter": ";"}),
    "bars, no header": (
        "rows.csv",
        lambda: separated("|", header=None),
        {"format": "csv", "delimiter": "|", "header": False, "text": 0, "label": 1},
    ),
    "Excel's sep line": ("rows.csv", lambda: separated(";", start="sep=;\r\n"), {"format": "csv"}),
    "Excel's sep line in quotes": ("rows.csv", lambda: separated("\t", start='"sep=\t"\n'), {"format": "csv"}),
    "blanks around names": ("rows.csv", lambda: separated(",", header=" text , label"), {"format": "csv"}),
    "a name with blanks": (
        "rows.csv",
        lambda: separated(",", header=" text , label"),
        {"format": "csv", "text": " text "},
    ),
    "a mark in the middle": (
        "rows.csv",
        lambda: separated(",").replace(b'"third', b'\xef\xbb\xbf"third'),
        {"format": "csv"},
    ),
    "old Mac": ("rows.csv", lambda: separated(",").replace(b"\n", b"\r"), {"format": "csv"}),
    "no quotes": (
        "rows.tsv",
        lambda: "".join(f"{text}\t{label}\n" for text, label in [("text", "label"), *ROWS]).encode(),
        {"format": "tsv", "quoting": False},
    ),
    "utf-16": ("rows.csv", lambda: separated(",").decode().encode("utf-16"), {"format": "csv", "encoding": "utf-16"}),
    "jsonl": ("rows.jsonl", lambda: lines(objects(flat)), {"format": "jsonl"}),
    "jsonl, nested": ("rows.jsonl", lambda: lines(objects(nested)), {"format": "jsonl", **NESTED}),
    "jsonl, a name with a dot": (
        "rows.jsonl",
        lambda: lines(objects(lambda t, n: {"review.body": t, "label": n})),
        {"format": "jsonl", "text": "review.body"},
    ),
    "json": (
        "rows.json",
        lambda: json.dumps(objects(flat)).encode(),
        {"format": "json"},
    ),
    "json, indented": (
        "rows.json",
        lambda: json.dumps(objects(nested), indent=1).encode(),
        {"format": "json", **NESTED},
    ),
    "json under a key": (
        "rows.json",
        lambda: json.dumps({"version": 1, "data": objects(flat), "x": {}}).encode(),
        {"format": "json"},
    ),
    "parquet": ("rows.parquet", lambda: as_parquet({"text": TEXTS, "label": LABELS}), {"format": "parquet"}),
    "parquet, nested": (
        "rows.parquet",
        lambda: pa_nested(),
        {"format": "parquet", **NESTED},
    ),
    "parquet, bytes": (
        "rows.parquet",
        lambda: as_parquet({"text": [text.encode() for text in TEXTS], "label": LABELS}),
        {"format": "parquet"},
    ),
    "excel": ("rows.xlsx", lambda: as_workbook(TABLE), {"format": "excel"}),
    "excel, blank rows and notes": (
        "rows.xlsx",
        lambda: as_workbook(
            [[], *[row for pair in zip(TABLE, [[]] * 4, strict=True) for row in pair][:-2], [*ROWS[2], "note"]]
        ),
        {"format": "excel"},
    ),
    "excel, a sheet": ("rows.xlsx", lambda: as_workbook(TABLE, other_sheet=True), {"format": "excel", "sheet": "data"}),
    "excel, a sheet by number, no header": (
        "rows.xlsx",
        lambda: as_workbook(TABLE[1:], other_sheet=True),
        {"format": "excel", "sheet": 1, "header": False, "text": 0, "label": 1},
    ),
}


def pa_nested() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(objects(nested)), sink)
    return sink.getvalue()


DAY = datetime.date(2024, 2, 29)
TYPED: dict[str, tuple[list[Any], list[str]]] = {
    "integers": ([12345, -7], ["12345", "-7"]),
    "floats": ([1.5, 3.0], ["1.5", "3"]),
    "booleans": ([True, False], ["true", "false"]),
    "dates": ([DAY, DAY.replace(day=1)], ["2024-02-29", "2024-02-01"]),
    "times": (
        [datetime.datetime(2024, 1, 2, 3, 4), datetime.datetime(2024, 1, 2)],
        ["2024-01-02 03:04:00", "2024-01-02 00:00:00"],
    ),
    "decimals": ([Decimal("1.50"), Decimal("2.25")], ["1.5", "2.25"]),
}


def table_with(number: int, line: str) -> bytes:
    rows = [f"text {row},{'ab'[row % 2]}" for row in range(60)]
    rows[number] = line
    return ("text,label\n" + "\n".join(rows) + "\n").encode()


def others(*numbers: int) -> list[str]:
    return [f"text {row}" for row in range(60) if row not in numbers]


def with_text(number: int, text: str) -> list[str]:
    return [*others()[:number], text, *others()[number + 1 :]]


# content, texts that are read, rows that are broken
BROKEN: dict[str, tuple[bytes, list[str], int]] = {
    "a quote at the start": (table_with(20, '"5" screen, great",a'), others(20), 1),
    "a quote in the middle": (table_with(20, 'a 5" screen,a'), with_text(20, 'a 5" screen'), 0),
    "a quote at the end": (table_with(20, 'screen of 5",a'), with_text(20, 'screen of 5"'), 0),
    "an unclosed quote": (table_with(20, '"never closed,a'), others(20), 1),
    "an unclosed quote in the last row": (table_with(59, '"never closed,a'), others(59), 1),
    "an unclosed quote in the first row": (table_with(0, '"never closed,a'), others(0), 1),
    "an unclosed quote before a good one": (
        table_with(20, '"never closed,a\n"in quotes",b'),
        [*others()[:20], "in quotes", *others()[21:]],
        1,
    ),
    "the rest of a broken row": (table_with(20, '"he said\n "hi" to\nme",a'), others(20), 3),
    "too many fields": (table_with(20, "a, b,c,d"), others(20), 1),
    "too few fields": (table_with(20, "only"), others(20), 1),
    "a lone return": (table_with(20, "one\rtwo,a"), [*others()[:20], "two", *others()[21:]], 1),
    "a blank line": (table_with(20, ""), others(20), 0),
    "byte 0": (table_with(20, "with\0zero,a"), with_text(20, "with\0zero"), 0),
    "a mark of byte order": (table_with(20, '\ufeff"in, quotes",a'), with_text(20, "in, quotes"), 0),
}
