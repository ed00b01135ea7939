"""Saved data sets, files of the system, and workbooks that are damaged or too large, as training reads them."""

import io
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq
import pytest

from stages.download.dataset import write_dataset
from stages.errors import DataError
from stages.reading.dialect import Dialect
from stages.reading.system_files import is_system_file
from stages.reading.workbook import read_workbook
from tests.stages.reading.cases import LABELS, TABLE, TEXTS, as_workbook, dataset_of

SYSTEM = [
    ".DS_Store",
    "Thumbs.db",
    "desktop.ini",
    ".git",
    "__MACOSX",
    "~$x.docx",
    "a.txt~",
    "#a.txt#",
    "a.bak",
    ".a.swp",
]
DATA = ["a.txt", "neg", "a~b.txt", "backup", "tmp", "1", "thumbs", "git", "part", "c#", "#1 fan", "$5"]


@pytest.mark.parametrize("name", SYSTEM + DATA)
def test_names_of_system_files(name: str) -> None:
    assert is_system_file(name) == (name in SYSTEM)


def download(tmp_path: Path, source: str, **settings: Any) -> dict[str, Any]:
    out = tmp_path / "out"
    out.mkdir(exist_ok=True)
    write_dataset(out, dataset_of(source, **settings), root=tmp_path, unpack_limit=10_000_000)
    return {**json.loads((out / "stats.json").read_text()), **json.loads((out / "source.json").read_text())}


@pytest.mark.parametrize("name", SYSTEM)
@pytest.mark.parametrize("as_folder", [True, False])
def test_system_files_are_no_rows_and_no_classes(tmp_path: Path, name: str, as_folder: bool) -> None:
    for label in "ab":
        (tmp_path / "data" / label).mkdir(parents=True)
        (tmp_path / "data" / label / "1.txt").write_text(f"text of {label}")
    for place in (tmp_path / "data" / name, tmp_path / "data/a" / name):
        if as_folder:
            place.mkdir()
        (place / "x.txt" if as_folder else place).write_bytes(b"\0\xff")
    stats = download(tmp_path, "data", format="folders")
    assert stats["labels"] == {"a": 1, "b": 1}
    assert stats["files"][0]["skipped"] == 2


def test_a_pattern_matches_no_system_files(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("a.csv", "._a.csv", "~$b.csv", "__MACOSX/a.csv", "sub/c.csv"):
        (tmp_path / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / name).write_text(f"text,label\n{name},x\nother {name},y\n")
    assert download(tmp_path, "data/**/*.csv", format="csv")["rows_in"] == 4
    assert "hidden and system files are not read (3): ._a.csv, __MACOSX/a.csv, ~$b.csv" in caplog.text


def saved(folder: Path, splits: list[str] | None) -> None:
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["a", "b"])})
    rows = datasets.Dataset.from_dict(
        {"text": list(TEXTS), "label": ["ab".index(x) for x in LABELS]}, features=features
    )
    if splits is None:
        rows.save_to_disk(folder, num_shards=2)
    else:
        datasets.DatasetDict(dict.fromkeys(splits, rows)).save_to_disk(folder)


@pytest.mark.parametrize("splits", [None, ["train"], ["train", "validation", "test"], ["train", "unsupervised"]])
def test_a_saved_data_set_is_read_with_its_splits_and_class_names(tmp_path: Path, splits: list[str] | None) -> None:
    saved(tmp_path / "data/saved", splits)
    stats = download(tmp_path, "data/saved", format="arrow")
    known = [split for split in splits or [None] if split != "unsupervised"]
    assert stats["rows_in"] == 3 * len(known)
    assert set(stats["labels"]) == {"a", "b"}
    assert list(dict.fromkeys(file["member"] for file in stats["files"])) == known


SPLIT_NAMES = {  # splits of a data set -> what each is used as, and what is said
    "train eval": ({"train": "train", "eval": "val"}, "saved: the splits that are read: train, eval (as val)"),
    "train dev test": (
        {"train": "train", "dev": "val", "test": "test"},
        "the splits that are read: train, dev (as val), test",
    ),
    "Train Validation": ({"Train": "train", "Validation": "val"}, "Train (as train), Validation (as val)"),
    "training testing": ({"training": "train", "testing": "test"}, "training (as train), testing (as test)"),
    "train extra hard": (
        {"train": None},
        "the splits that are read: train; not read: extra, hard. To read one, add an entry",
    ),
    "train test extra": (
        {"train": "train", "test": "test"},
        "the splits that are read: train, test; not read: extra. To read one",
    ),
}


@pytest.mark.parametrize("names", SPLIT_NAMES)
def test_which_splits_are_read_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture, names: str) -> None:
    used, said = SPLIT_NAMES[names]
    caplog.set_level("INFO")
    saved(tmp_path / "data/saved", names.split())
    stats = download(tmp_path, "data/saved", format="arrow")
    assert [file["member"] for file in stats["files"]] == list(used)
    splits = pq.read_table(tmp_path / "out/rows.parquet").column("split").to_pylist()
    assert list(dict.fromkeys(splits)) == list(used.values())
    assert said in caplog.text


def test_a_split_of_a_saved_data_set_can_be_named(tmp_path: Path) -> None:
    saved(tmp_path / "data/saved", ["train", "test"])
    out = dataset_of("data/saved", format="arrow")
    (tmp_path / "out").mkdir()
    named = out.model_copy(update={"files": [out.files[0].model_copy(update={"member": "dev"})]})
    with pytest.raises(DataError, match=r"has no split 'dev'. It has: test, train|It has: train, test"):
        write_dataset(tmp_path / "out", named, root=tmp_path, unpack_limit=1_000_000)


@pytest.mark.parametrize("file", ["../secret.arrow", "/etc/passwd", "a/b.arrow", "", None, 5, ".arrow"])
def test_a_saved_data_set_names_no_file_elsewhere(tmp_path: Path, file: Any) -> None:
    saved(tmp_path / "data/saved", None)
    state = tmp_path / "data/saved/state.json"
    state.write_text(json.dumps({**json.loads(state.read_text()), "_data_files": [{"filename": file}]}))
    with pytest.raises(DataError, match="not an Arrow file beside it"):
        download(tmp_path, "data/saved", format="arrow")


def repacked(change: Callable[[str, bytes], bytes | None]) -> bytes:
    """A workbook whose parts are changed; None: left out."""
    sink = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(as_workbook(TABLE))) as parts,
        zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in parts.namelist():
            data = change(name, parts.read(name))
            if data is not None:
                new.writestr(name, data)
    return sink.getvalue()


ENTITIES = (
    b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">'.encode() for n in range(9))
    + b"]>"
)


def marked(*, flags: int = 0, method: int = 8) -> bytes:
    """A workbook whose directory says of each part that it has these flags, and is packed by this method."""
    first, *entries = as_workbook(TABLE).split(b"PK\x01\x02")
    fields = flags.to_bytes(2, "little") + method.to_bytes(2, "little")
    return b"PK\x01\x02".join([first, *(entry[:4] + fields + entry[8:] for entry in entries)])


WORKBOOKS: dict[str, tuple[Callable[[], bytes], str]] = {
    "no zip": (lambda: b"text,label\na,b\n", "can't be read as a workbook"),
    "old": (lambda: b"\xd0\xcf\x11\xe0" + bytes(600), "old workbook"),
    "cut": (lambda: as_workbook(TABLE)[:-100], "can't be read as a workbook"),
    "another zip": (lambda: repacked(lambda name, data: data if "theme" in name else None), "not an Excel workbook"),
    "no XML": (lambda: repacked(lambda name, data: b"x" if "sheet1" in name else data), "can't be read as a workbook"),
    "encrypted": (lambda: marked(flags=1), "can't be read as a workbook: .*encrypted"),
    "patched": (lambda: marked(flags=32), "can't be read as a workbook: compressed patched data"),
    "packed in an unknown way": (lambda: marked(method=99), "can't be read as a workbook: That compression method"),
    "entities": (
        lambda: repacked(
            lambda name, data: ENTITIES + data.replace(b"first text", b"&j;") if "sheet1" in name else data
        ),
        "can't be read as a workbook",
    ),
    "many bytes beside the sheets": (
        lambda: repacked(lambda name, data: bytes(301_000_000) if "theme" in name else data),
        "too large for a workbook",
    ),
    "a row far away": (
        lambda: repacked(
            lambda name, data: data.replace(b'<row r="4"', b'<row r="99999999"') if "sheet1" in name else data
        ),
        "a row beyond 1,048,576",
    ),
}


@pytest.mark.parametrize("case", WORKBOOKS)
def test_a_bad_workbook_is_one_clear_line(tmp_path: Path, case: str) -> None:
    make, message = WORKBOOKS[case]
    (tmp_path / "data").mkdir()
    (tmp_path / "data/rows.xlsx").write_bytes(make())
    with pytest.raises(DataError, match=message):
        download(tmp_path, "data/rows.xlsx", format="excel")


@pytest.mark.parametrize("sheet", ["missing", 7, -1])
def test_a_sheet_that_is_missing_is_named(sheet: str | int) -> None:
    with pytest.raises(DataError, match=r"has no sheet .*It has: 'Sheet'. Correct download.dataset.sheet"):
        read_workbook(io.BytesIO(as_workbook(TABLE)), "x.xlsx", Dialect("excel", sheet=sheet))


def test_the_extra_for_workbooks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(DataError, match=r"pip install 'retune\[excel\]'"):
        read_workbook(io.BytesIO(b"PK"), "x.xlsx", Dialect("excel"))
