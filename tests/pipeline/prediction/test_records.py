"""Text files and streams row by row: malformed rows, and files in another format or encoding."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from pipeline.prediction.run import predict_rows
from stages.errors import DataError
from stages.files import write_json
from stages.inference.classifier import Classifier
from tests.pipeline.prediction.rows import read_csv, request_of, write_csv


def test_a_bad_json_line_gets_its_error(predict: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(
        '{"text": "good"}\nnot json\n[1]\n{"text": {}}\n{"other": 1}\n\n{"text": "\\ud800"}\n'
    )
    lines = predict(tmp_path / "in.jsonl", "out.jsonl").read_text(encoding="utf-8").splitlines()
    errors = [json.loads(line)["error"] for line in lines]
    assert errors[0] is None
    assert errors[1].startswith("line 2: not JSON")
    assert errors[2:] == [
        "line 3: expected a JSON object, got list",
        "expected a string or a number, got dict",
        "text is missing",
        "text is not valid Unicode",
    ]
    assert json.loads(lines[1])["line"] == "not json"


def test_lines_of_text_become_csv(predict: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("good app\n\nbad\n")
    rows = read_csv(predict(tmp_path / "in.txt", "out.csv"))
    assert [(row["text"], row["error"]) for row in rows] == [("good app", ""), ("", "text is empty"), ("bad", "")]


BAD_FILES: dict[str, tuple[str, bytes, str]] = {
    "missing column": (
        "in.csv",
        b"body,stars\ngood,5\n",
        r"in\.csv has no column 'text'. It has: 'body', 'stars'\. .*--column",
    ),
    "column twice": ("in.csv", b"text,text\ngood,bad\n", r"has 2 columns 'text'"),
    "empty": ("in.csv", b"", r"in\.csv is empty \(0 bytes\)"),
    "binary": ("in.csv", b"text\n\x00\x01\x02", r"in\.csv: expected csv, got a binary file \(byte 0 at position 5\)"),
    "zip": ("in.csv", b"PK\x03\x04....", r"in\.csv: expected csv, got a zip"),
    "gzip": ("in.jsonl", b"\x1f\x8b....", r"in\.jsonl is compressed and damaged"),
    "parquet as csv": ("in.csv", b"PAR1....", r"in\.csv: expected csv, got Parquet"),
    "parquet, what to do": ("in.csv", b"PAR1....", r"got Parquet\. Add --format parquet\.$"),
    "zstd": ("in.csv", b"\x28\xb5\x2f\xfd....", r"in\.csv is compressed and damaged"),
    "tar": ("in.csv", bytes(257) + b"ustar  \0" + bytes(99), r"expected csv, got a tar file\. Unpack it"),
    "arrow": ("in.csv", b"ARROW1..", r"got Arrow\. Add --format arrow\."),
    **{
        f"separated by {mark}": (
            "in.csv",
            f"text{mark}label\ngood{mark}5\n".encode(),
            rf"has only one column, .* and seems to be separated by .*\. Add: --delimiter '?{re.escape(mark)}'?$",
        )
        for mark in (";", "|", "\t")
    },
    "csv as parquet": ("in.parquet", b"text\ngood\n", r"in\.parquet can't be read as Parquet"),
    "csv as jsonl": ("in.jsonl", b"text\ngood\n", r"in\.jsonl is not JSON lines: line 1: not JSON"),
    "latin-1": ("in.csv", b"text\ngood\ncaf\xe9 bad\n", r"line 3 is not UTF-8 \(byte 0xe9\)\. .*--encoding cp1252"),
    "utf-16": (
        "in.csv",
        "text\ngood\n".encode("utf-16"),
        r"in\.csv: expected UTF-8, got UTF-16\. Add: --encoding utf-16",
    ),
    **{
        f"{encoding} without a mark": (
            "in.csv",
            "text\ngood\n".encode(encoding),
            rf"expected UTF-8, got {encoding.upper()}\. Add: --encoding {encoding}$",
        )
        for encoding in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
    },
    "utf-32": ("in.csv", "text\ngood\n".encode("utf-32"), r"got UTF-32\. Add: --encoding utf-32$"),
    "name clash": ("in.csv", b"text,error\ngood,no\n", r"already has a column 'error'.*--prefix"),
    "json keys": ("in.jsonl", b'{"body": "good"}\n', r"has no column 'text'. It has: 'body'"),
    "a line too long": ("in.csv", b"text\n" + b"x" * 1_000_001, r"row 2 is longer than 1,000,000 characters"),
    "a header too long": ("in.csv", b"a," * 500_001, r"row 1 is longer than 1,000,000 characters"),
    "a JSON line too long": ("in.jsonl", b"[" * 1_000_001, r"row 1 is longer than 1,000,000 characters"),
    "a text too long": ("in.txt", b"x" * 1_000_001, r"row 1 is longer than 1,000,000 characters"),
    "only blank lines": ("in.jsonl", b"\n\n", r"in\.jsonl has no rows, or only blank lines"),
    "unknown format": ("in.docx", b"text\n", r"in\.docx: the format is not known\. Give one with --format: csv"),
}


@pytest.mark.parametrize(("name", "data", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_is_one_clear_line(
    predict: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    data: bytes,
    message: str,
) -> None:
    monkeypatch.setattr("pipeline.prediction.records.LONGEST", 1_000_000)
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=message):
        predict(tmp_path / name, "out.csv" if name != "in.jsonl" else "out.jsonl")
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
def test_another_encoding_can_be_named(predict: Callable[..., Path], tmp_path: Path, encoding: str) -> None:
    (tmp_path / "in.csv").write_bytes("text,n\ncafé good,1\n".encode(encoding))
    assert read_csv(predict(tmp_path / "in.csv", "out.csv", encoding=encoding))[0]["text"] == "café good"


@pytest.mark.parametrize("encoding", ["klingon", "base64", "rot13", "hex", "a\0b"])
def test_an_encoding_that_is_none_is_named(predict: Callable[..., Path], tmp_path: Path, encoding: str) -> None:
    with pytest.raises(DataError, match=r"--encoding: Python has no text encoding '"):
        predict(write_csv(tmp_path / "in.csv", ["good"]), "out.csv", encoding=encoding)


@pytest.mark.parametrize("encoding", ["idna", "punycode", "undefined", "utf-16", "utf-32"])
def test_a_file_that_is_not_in_the_encoding_is_named(
    predict: Callable[..., Path], tmp_path: Path, encoding: str
) -> None:
    (tmp_path / "in.csv").write_bytes(b"text\ngood\ncaf\xe9\n")
    with pytest.raises(DataError, match=rf"in\.csv is not {encoding}: .*--encoding"):
        predict(tmp_path / "in.csv", "out.csv", encoding=encoding)


@pytest.mark.parametrize("line", ["[" * 100_000, "{", "nul", '"\\u12"'])
def test_a_line_that_python_can_not_read_is_an_error_of_its_row(
    predict: Callable[..., Path], tmp_path: Path, line: str
) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "good"}\n' + line + '\n{"text": "bad"}\n')
    rows = [json.loads(row) for row in predict(tmp_path / "in.jsonl", "out.jsonl").read_text().splitlines()]
    assert [row["error"] is None for row in rows] == [True, False, True]
    assert rows[1]["error"].startswith("line 2: not JSON")
    assert rows[1]["line"] == line


@pytest.mark.parametrize("early", [True, False])
@pytest.mark.parametrize(
    "value", [10**30, "x", {}, {"a": "\ud800"}, "\ud800", [1, "x"], 2.5, True, [0.5, True]], ids=str
)
def test_values_that_parquet_can_not_hold_are_named(
    predict: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: object, early: bool
) -> None:
    monkeypatch.setattr("pipeline.prediction.window.WINDOW_ROWS", 1)
    rows = [{"text": "good", "n": 1}, {"text": "bad", "n": value}]
    if early and value not in ("x", 2.5) and value is not True:
        rows = rows[1:]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(DataError, match=r"The column 'n' has values of several types.*Give --out FILE\.jsonl"):
        predict(tmp_path / "in.jsonl", "out.parquet")
    assert len(predict(tmp_path / "in.jsonl", "out.jsonl").read_text().splitlines()) == len(rows)


@pytest.mark.parametrize("columns", [["x" * 100_000], [f"column {number}" for number in range(50_000)]])
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_messages_about_many_columns_are_short(
    predict: Callable[..., Path], tmp_path: Path, columns: list[str], kind: str
) -> None:
    row = json.dumps(dict.fromkeys(columns, "a")) if kind == "jsonl" else ",".join(columns) + "\n"
    (tmp_path / f"in.{kind}").write_text(row)
    with pytest.raises(DataError, match=r"has no column 'text'") as error:
        predict(tmp_path / f"in.{kind}", "out.jsonl")
    assert len(str(error.value)) < 2_000


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_another_column_than_that_of_the_model_is_named(
    model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    """Texts of training were in `body`; the column `text` is taken where there is none of that name."""
    folder = Path(shutil.copytree(model, tmp_path / "named"))
    write_json(folder / "input.json", {"format": "csv", "text": "body"})
    source = tmp_path / f"in.{kind}"
    table = pd.DataFrame({"text": ["good", "bad"]})
    if kind == "csv":
        table.to_csv(source, index=False)
    elif kind == "jsonl":
        table.to_json(source, orient="records", lines=True)
    else:
        table.to_parquet(source)
    caplog.set_level("INFO", logger="pipeline")
    predict_rows(request_of(str(source), tmp_path / f"out.{kind}", folder), Classifier.load, every_label=False)
    said = [
        message for message in caplog.messages if "has no column 'body': reading 'text' instead (--column)" in message
    ]
    assert len(said) == 1
