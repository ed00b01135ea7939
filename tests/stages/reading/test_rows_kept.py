"""Predictions have as many rows as the input, in its order, whatever is in them and however it is written."""

import bz2
import contextlib
import csv
import gzip
import io
import json
import lzma
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Dataset, DatasetDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.prediction.run import predict_rows
from stages.errors import DataError
from tests.pipeline.prediction.rows import request_of
from tests.stages.reading.test_same_rows import Model

ODD = ["good", "", " ", "#N/A", "\u200b", "a,b", 'a "b', "a\nb", "nan", "x" * 300, "=A1", "\u00e9"]
ERROR_CELLS = ["#N/A", "#REF!", "#DIV/0!", "#VALUE!", "#NAME?", "#NULL!", "#NUM!"]


@pytest.fixture(autouse=True)
def own_memory(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))


def predicted(file: Path, **options: Any) -> list[dict[str, Any]]:
    """The rows of the output."""
    out = file.parent.parent / "out.parquet"
    request = request_of(str(file), out, file.parent / "no-model", **options)
    predict_rows(request, lambda _: Model(), every_label=False)
    return pq.read_table(out).to_pylist()


def separated(delimiter: str, start: str = "", header: bool = True) -> Callable[[list[Any]], bytes]:
    def make(rows: list[Any]) -> bytes:
        stream = io.StringIO(newline="")
        writer = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
        writer.writerows([*([["n", "text"]] if header else []), *enumerate(rows)])
        return (start + stream.getvalue()).encode()

    return make


def objects(rows: list[Any]) -> list[Any]:
    return [{"n": n, "text": text} for n, text in enumerate(rows)]


def json_lines(rows: list[Any]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in objects(rows))


def table(rows: list[Any]) -> pa.Table:
    return pa.table({"n": pa.array(range(len(rows))), "text": pa.array(rows, pa.string())})


def written(write: Callable[[pa.Table, Any], None]) -> Callable[[list[Any]], bytes]:
    def make(rows: list[Any]) -> bytes:
        sink = io.BytesIO()
        write(table(rows), sink)
        return sink.getvalue()

    return make


def stream(rows: pa.Table, sink: Any) -> None:
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows, max_chunksize=2)


def workbook(rows: list[Any], *, number: bool = True) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["text", "n"])
    for n, text in enumerate(rows, start=2):
        cell = sheet.cell(n, 1)
        cell.value = text or None
        cell.data_type = "e" if text in ERROR_CELLS else cell.data_type and "s" if text else "n"
        if number:
            sheet.cell(n, 2, n - 2)
    sink = io.BytesIO()
    book.save(sink)
    return sink.getvalue()


def zstd(content: bytes) -> bytes:
    return bytes(pa.compress(content, codec="zstd", asbytes=True))


KINDS: dict[str, tuple[str, Callable[[list[Any]], bytes], dict[str, Any]]] = {
    "csv": ("in.csv", separated(","), {}),
    "tsv": ("in.tsv", separated("\t"), {}),
    "sep line": ("in.csv", separated(";", "sep=;\n"), {}),
    "no header": ("in.csv", separated(",", header=False), {"header": False, "column": "1"}),
    "jsonl": ("in.jsonl", json_lines, {}),
    "json": ("in.json", lambda rows: json.dumps(objects(rows)).encode(), {}),
    "parquet": ("in.parquet", written(pq.write_table), {}),
    "arrow file": ("in.feather", written(pyarrow.feather.write_feather), {}),
    "arrow stream": ("in.arrow", written(stream), {}),
    "excel": ("in.xlsx", workbook, {}),
    "gzip": ("in.csv.gz", lambda rows: gzip.compress(separated(",")(rows)), {}),
    "bzip2": ("in.jsonl.bz2", lambda rows: bz2.compress(json_lines(rows)), {}),
    "xz": ("in.tsv.xz", lambda rows: lzma.compress(separated("\t")(rows)), {}),
    "zstd": ("in.csv.zst", lambda rows: zstd(separated(",")(rows)), {}),
    "zstd of JSON lines": ("in.jsonl.zst", lambda rows: zstd(json_lines(rows)), {}),
    "zstd in two frames": ("in.jsonl.zst", lambda rows: zstd(json_lines(rows)[:9]) + zstd(json_lines(rows)[9:]), {}),
    "zstd under another name": ("in.csv", lambda rows: zstd(separated(",")(rows)), {}),
}


def place(tmp_path: Path, name: str, content: bytes) -> Path:
    (tmp_path / "in").mkdir(exist_ok=True)
    (tmp_path / "in" / name).write_bytes(content)
    return tmp_path / "in" / name


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.sampled_from(ODD), min_size=1, max_size=9))
def test_as_many_rows_come_out_as_go_in(tmp_path: Path, kind: str, rows: list[str]) -> None:
    name, make, options = KINDS[kind]
    out = predicted(place(tmp_path, name, make(rows)), **options)
    assert [int(row["0" if kind == "no header" else "n"]) for row in out] == list(range(len(rows)))
    usable = [bool(row["prediction"]) for row in out]
    assert usable == [bool(text.strip(" \u200b")) and not (kind == "excel" and text in ERROR_CELLS) for text in rows]
    assert [row["error"] is None for row in out] == usable


@pytest.mark.parametrize("error", ERROR_CELLS)
@pytest.mark.parametrize("place_of", ["first", "middle", "last", "all"])
def test_a_row_of_a_workbook_that_has_an_error_alone_is_a_row(tmp_path: Path, error: str, place_of: str) -> None:
    rows = {"first": [error, "a", "b"], "middle": ["a", error, "b"], "last": ["a", "b", error], "all": [error] * 3}
    out = predicted(place(tmp_path, "in.xlsx", workbook(rows[place_of], number=False)))
    assert [row["text"] for row in out] == [None if text == error else text for text in rows[place_of]]
    assert [bool(row["error"]) for row in out] == [text == error for text in rows[place_of]]


def test_a_row_of_a_workbook_with_text_beyond_the_columns_alone_is_a_row(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for cells in (["text"], ["a"], [None, "note"], ["b"]):
        book.active.append(cells)
    sink = io.BytesIO()
    book.save(sink)
    assert [row["text"] for row in predicted(place(tmp_path, "in.xlsx", sink.getvalue()))] == ["a", None, "b"]


@pytest.mark.parametrize("delimiter", [";", "|", "\t", ":"])
@pytest.mark.parametrize("said", ["sep line", "option"])
def test_extra_fields_are_shown_with_the_delimiter_of_the_file(tmp_path: Path, delimiter: str, said: str) -> None:
    lines = [delimiter.join(cells) for cells in (["text", "n"], ["a", "1"], ["b", "2", "3", "4,5"], ["c", "6"])]
    start = f"sep={delimiter}\n" if said == "sep line" else ""
    options = {} if start else {"delimiter": delimiter}
    rows = predicted(place(tmp_path, "in.csv", (start + "\n".join(lines) + "\n").encode()), **options)
    assert [row["n"] for row in rows] == ["1", delimiter.join(["2", "3", "4,5"]), "6"]
    assert [bool(row["error"]) for row in rows] == [False, True, False]


BROKEN = ['"a"b,1', '"a,1', "a", "a,1,2", '"a" ,1']


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("at", [0, 1, 3])
def test_a_row_that_cannot_be_read_keeps_its_place(tmp_path: Path, broken: str, header: bool, at: int) -> None:
    lines = ["w,7", "x,8", "y,9"]
    lines.insert(at, broken)
    content = "\n".join([*(["text,n"] if header else []), *lines]) + "\n"
    options = {} if header else {"header": False, "column": "0"}
    if not header and at == 0 and broken in ("a", "a,1,2"):
        pytest.skip("without a header, the first row says how many columns there are")
    rows = predicted(place(tmp_path, "in.csv", content.encode()), **options)
    name = "text" if header else "0"
    assert [bool(row["error"]) for row in rows] == [index == at for index in range(4)]
    assert [row[name] for index, row in enumerate(rows) if index != at] == ["w", "x", "y"]


def test_a_folder_of_texts_has_a_row_for_each_file(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for name, content in {"b.txt": b"second", "a/x.txt": b"first\nlines", "a/e": b"", "c.md": b"caf\xe9"}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / ".DS_Store").write_bytes(b"\0")
    rows = predicted(folder)
    assert [(row["id"], row["text"]) for row in rows] == [
        ("a/e", ""),
        ("a/x.txt", "first\nlines"),
        ("b.txt", "second"),
        ("c.md", "caf\ufffd"),
    ]
    assert [row["error"] for row in rows] == ["text is empty", None, None, "text is not valid Unicode"]
    assert [row["text"] for row in predicted(folder, encoding="cp1252")][-1] == "caf\u00e9"


def saved(folder: Path, splits: list[str]) -> Path:
    data = Dataset.from_dict({"text": ["a", "", "c"], "label": [0, 1, 0]}).cast_column(
        "label", ClassLabel(names=["x", "y"])
    )
    (DatasetDict(dict.fromkeys(splits, data)) if splits else data).save_to_disk(
        str(folder), num_shards=None if splits else 2
    )
    return folder


@pytest.mark.parametrize("splits", [[], ["test"]])
def test_a_data_set_that_was_saved_to_disk_is_read(tmp_path: Path, splits: list[str]) -> None:
    rows = predicted(saved(tmp_path / "in", splits))
    assert [(row["text"], row["label"]) for row in rows] == [("a", 0), ("", 1), ("c", 0)]
    assert [bool(row["error"]) for row in rows] == [False, True, False]


def test_of_several_splits_one_is_named(tmp_path: Path) -> None:
    folder = saved(tmp_path / "in", ["train", "test"])
    with pytest.raises(DataError, match=r"has 2 splits: train, test\. Give one: --file .*in/test"):
        predicted(folder)
    assert len(predicted(folder / "test")) == 3


def test_what_cannot_be_read_as_such_is_one_line(tmp_path: Path) -> None:
    secret = tmp_path / f"{'long' * 40}/secret.txt"
    secret.parent.mkdir()
    secret.write_text("private")
    (tmp_path / "links").mkdir()
    (tmp_path / "links/a.txt").symlink_to(secret)
    (tmp_path / "empty").mkdir()
    for name, content in {
        "cut.csv.gz": gzip.compress(b"text\n" + b"a\n" * 99_999)[:60],
        "wrong.csv.gz": b"\x1f\x8b\x08" + b"x" * 50,
        "cut.csv.zst": zstd(b"text\n" + b"a\n" * 99_999)[:-9],
        "wrong.csv.zst": b"\x28\xb5\x2f\xfd...",
        "twice.csv.zst": zstd(gzip.compress(b"text\na\n")),
        "in.csv.gz": zstd(b"text\n")[:-2],
        "in.parquet.gz": gzip.compress(b"PAR1"),
        "in.arrow": b"ARROW1\0\0" + b"x" * 90,
        "in.feather": written(stream)(["a"])[:-90],
    }.items():
        place(tmp_path, name, content)
    for file, message in {
        "links": r"leads through a link to \.\.\..*long/secret.txt, outside the folder\. .* delete the link\.$",
        "empty": "has no files, or only hidden ones",
        "in/cut.csv.gz": "is compressed and damaged",
        "in/wrong.csv.gz": "is compressed and damaged",
        "in/cut.csv.zst": "is compressed and damaged",
        "in/wrong.csv.zst": "is compressed and damaged",
        "in/twice.csv.zst": r"is compressed twice \(gzip\)",
        "in/in.csv.gz": "is compressed and damaged",
        "in/in.parquet.gz": r"expected parquet, got a compressed file \(gzip\)",
        "in/in.arrow": "can't be read as Arrow",
        "in/in.feather": "can't be read as Arrow",
    }.items():
        with pytest.raises(DataError, match=message) as error:
            predicted(tmp_path / file)
        assert "\n" not in str(error.value)
    with pytest.raises(DataError, match="is a folder. Give a file"):
        predicted(tmp_path / "links", format="csv")


STREAMS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd,
}


@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize("whole", [True, False])
def test_rows_from_a_pipe_are_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, whole: bool) -> None:
    content = STREAMS[kind](b"text,n\n" + b"".join(b"text %d,%d\n" % (row, row) for row in range(9_000)))
    if not whole and kind == "plain":
        pytest.skip("a text has no end that is missing")
    reading, writing = os.pipe()

    def send() -> None:
        with open(writing, "wb") as pipe:  # noqa: PTH123 (a descriptor has no path)
            pipe.write(content if whole else content[:-20])

    out, sender = tmp_path / "out.parquet", threading.Thread(target=send)
    sender.start()
    with open(reading, "rb") as pipe:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(pipe))
        request = request_of("-", out, tmp_path / "no-model", format="csv")
        refused = pytest.raises(
            DataError,
            match=r"^standard input is compressed and damaged: .* Compress the file "
            r"again\.$",
        )
        with contextlib.nullcontext() if whole else refused:
            predict_rows(request, lambda _: Model(), every_label=False)
    sender.join()
    assert not whole or [int(row["n"]) for row in pq.read_table(out).to_pylist()] == list(range(9_000))
