"""A file of another format is known by its first bytes, under any name and by every command that reads rows."""

import gzip
import io
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.feather
import pytest

from pipeline.dataset.describe import describe
from pipeline.review.records import read_records
from stages.errors import DataError
from stages.reading.binary import PATTERNS, binary_of
from tests.stages.reading.cases import TABLE, as_parquet, as_workbook
from tests.stages.reading.test_same_rows import own_memory, predicted, trained_on  # noqa: F401 (own_memory is a fixture)

OLD = bytes.fromhex("d0cf11e0a1b11ae1")


def zipped(*names: str, first: bytes = b"x") -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as parts:
        for name in names:
            parts.writestr(name, first)
    return sink.getvalue()


def as_arrow() -> bytes:
    sink = io.BytesIO()
    pyarrow.feather.write_feather(pa.table({"text": ["a"], "label": ["b"]}), sink)
    return sink.getvalue()


# kind -> content, what messages say it is, what they advise where no format reads it
KINDS: dict[str, tuple[bytes, str, str]] = {
    "old workbook": (OLD + b"a text\n" * 90, "old workbook", "Save its sheet as xlsx"),
    "old workbook, with bytes that no text has": (
        OLD + bytes(range(256)) * 9,
        "old workbook",
        "Save its sheet as xlsx",
    ),
    "parquet": (as_parquet({"text": ["a", "b"], "label": ["c", "d"]}), "Parquet", "parquet"),
    "arrow": (as_arrow(), "Arrow", "arrow"),
    "workbook": (as_workbook(TABLE), "an Excel workbook", "excel"),
    "zip": (zipped("rows.csv"), "a zip file", "Unpack it"),
    "OpenDocument": (
        zipped("mimetype", first=b"application/vnd.oasis.opendocument.spreadsheet"),
        "an OpenDocument file",
        "Save its sheet",
    ),
    "Word": (zipped("[Content_Types].xml", "word/document.xml"), "a Word document", "Save its texts"),
    "PDF": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", "a PDF", "Save its texts"),
    "RTF": (b"{\\rtf1\\ansi text\\par}\n", "an RTF document", "Save its texts"),
    "PNG": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a picture", "Save its texts"),
    "JPEG": (b"\xff\xd8\xff\xe0\0\x10JFIF\0", "a picture", "Save its texts"),
    "database": (b"SQLite format 3\0\x10\0", "a database", "Save its rows"),
    "pickle": (b"\x80\x04\x95\x10\0\0\0\0\0\0\0]\x94.", "a Python pickle", "Save its rows"),
    "HDF5": (b"\x89HDF\r\n\x1a\n\0\0", "a table of another format", "Save its rows"),
    "tar": (bytes(257) + b"ustar  \0" + bytes(99), "a tar file", "Unpack it"),
}
FORMATS = {"csv": "csv", "jsonl": "jsonl", "json": "json", "xlsx": "excel", "parquet": "parquet", "arrow": "arrow"}
BY_ITS_OWN = ("parquet", "arrow", "excel")
READERS: dict[str, Callable[[Path, str, bytes, str], object]] = {
    "train": lambda path, name, content, kind: trained_on(path, name, content, format=kind),
    "predict": lambda path, name, content, kind: predicted(path, name),
    "predict --format": lambda path, name, content, kind: predicted(path, name, format=kind),
    "predict --encoding": lambda path, name, content, kind: predicted(path, name, encoding="cp1252"),
    "init": lambda path, name, content, kind: describe(path / "data" / name, {}),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_another_format_is_named(tmp_path: Path, kind: str, suffix: str, reader: str) -> None:
    """What it is, and the setting or program that helps: never an encoding."""
    content, what, advice = KINDS[kind]
    expected, name = FORMATS[suffix], f"rows.{suffix}"
    if advice == expected:
        pytest.skip("it is of this format")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        READERS[reader](tmp_path, name, content, expected)
    message = str(caught.value)
    assert "ncoding" not in message
    if expected == "excel" and kind in ("zip", "OpenDocument", "Word"):
        assert re.search("not an Excel workbook|" + what, message)
    elif reader == "train" and message.startswith(f"data/{name} is a "):  # a zip or tar, whose members are listed
        assert "`member`" in message
    else:
        assert what in message
        assert advice in message
        assert advice not in BY_ITS_OWN or f"format {advice}" in message.replace(": ", " ").replace("=", " ")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("workbook", "zip", "OpenDocument", "Word")])
def test_a_file_of_answers_of_another_format_is_named(tmp_path: Path, kind: str) -> None:
    content, what, _ = KINDS[kind]
    (tmp_path / "answers.csv").write_bytes(content)
    with pytest.raises(DataError, match=what):
        read_records(tmp_path / "answers.csv")


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_another_format_in_a_folder_of_texts_is_a_row_with_an_error(tmp_path: Path, kind: str) -> None:
    content, what, _ = KINDS[kind]
    for label, text in {"a": b"good", "b": b"bad"}.items():
        (tmp_path / "data/texts" / label).mkdir(parents=True)
        (tmp_path / "data/texts" / label / "1.txt").write_bytes(text)
    (tmp_path / "data/texts/a/2.txt").write_bytes(content)
    texts, rows = predicted(tmp_path, "texts")
    assert sorted(texts) == ["bad", "good"]
    assert [row["error"] for row in rows if row["error"]] == [f"the file is {binary_of(content).what}, not text"]  # type: ignore[union-attr]
    assert what in rows[1]["error"]


@pytest.mark.parametrize("suffix", ["xlsx", "parquet", "arrow"])
def test_a_compressed_file_under_a_name_that_can_not_be(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / f"data/rows.{suffix}").write_bytes(gzip.compress(as_parquet({"text": ["a"]})))
    with pytest.raises(DataError, match=r"got a compressed file \(gzip\)\. Unpack it"):
        predicted(tmp_path, f"rows.{suffix}")


@pytest.mark.parametrize(
    "text", ["text", "PKW", "PAR", "%PD", "MM rose", "II", "GIF8", "ÿØ", "€", "{\\r", "RIFF is", ""]
)
def test_texts_that_begin_alike_are_texts(text: str) -> None:
    assert all(binary_of(text.encode(encoding)) is None for encoding in ("utf-8", "cp1252", "utf-16"))


def test_every_pattern_has_its_case() -> None:
    assert {kind.what for kind in PATTERNS.values()} <= {
        found.what for content, *_ in KINDS.values() if (found := binary_of(content))
    }
