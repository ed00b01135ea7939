"""Where rows come from: patterns, folders per class, Arrow files, object stores."""

import gc
import hashlib
import io
import sys
import warnings
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from stages.download.sources.fetch import fetch
from stages.errors import DataError

ROWS = b"text,label\na,x\nb,y\n"


def test_a_pattern_takes_the_files_in_the_order_of_their_names(read):
    files = {f"part/{name}.csv": f"text,label\n{name},{name}\n".encode() for name in ("2", "10", "1")}
    result = read(files, files=[{"source": "data/part/*.csv", "split": "train"}])
    assert result.column("text") == ["1", "10", "2"]
    assert [file["source"] for file in result.source] == ["data/part/1.csv", "data/part/10.csv", "data/part/2.csv"]
    assert result.column("split") == ["train"] * 3


def test_a_pattern_over_folders(read):
    result = read({"a/x/1.csv": ROWS, "b/x/1.csv": ROWS, "b/y/1.csv": b"?"}, files=[{"source": "data/**/x/*.csv"}])
    assert [file["source"] for file in result.source] == ["data/a/x/1.csv", "data/b/x/1.csv"]


def test_a_file_whose_name_looks_like_a_pattern(read):
    assert read({"rows[1].csv": ROWS}, files=[{"source": "data/rows[1].csv"}]).column("text") == ["a", "b"]


def test_a_folder_per_class(read):
    files = {"neg/1.txt": b"bad\nfilm", "neg/deep/2.txt": "naïf".encode(), "pos/1.txt": b"good film"}
    result = read(
        {f"films/{name}": body for name, body in files.items()}, files=[{"source": "data/films"}], file_format="folders"
    )
    assert result.column("text") == ["bad\nfilm", "naïf", "good film"]
    assert result.column("label") == ["neg", "neg", "pos"]
    assert result.column("id") == ["neg/1.txt", "neg/deep/2.txt", "pos/1.txt"]
    listing = "".join(f"{hashlib.sha256(body).hexdigest()}  {name}\n" for name, body in files.items())
    assert result.source[0]["sha256"] == hashlib.sha256(listing.encode()).hexdigest()


@pytest.mark.parametrize("names", [["README.md"], ["imdb.vocab", "urls.txt", "notes.csv"]], ids=len)
def test_files_beside_the_folders_of_classes_are_counted_and_not_read(read, caplog, names):
    files = {"films/neg/1.txt": b"bad", "films/pos/1.txt": b"good", **{f"films/{name}": b"?" for name in names}}
    result = read(files, files=[{"source": "data/films"}], file_format="folders")
    assert result.column("id") == ["neg/1.txt", "pos/1.txt"]
    assert f"data/films: {len(names)} files are not in a class folder, so they are not read: " in caplog.text
    assert all(name in caplog.text for name in names)


def films(*folders: str) -> dict[str, bytes]:
    return {f"films/{folder}/{label}/1.txt": f"{folder} {label}".encode() for folder in folders for label in ("a", "b")}


@pytest.mark.parametrize("folders", [("train", "test"), ("Train", "dev", "TEST"), ("train", "validation")], ids=str)
def test_folders_of_splits_are_no_classes(read, folders):
    with pytest.raises(DataError, match=r"the classes would be .*, which are names of splits\. Give each .*files: \["):
        read(films(*folders), files=[{"source": "data/films"}], file_format="folders")


def test_folders_of_splits_may_hold_files_of_the_same_names(read):
    entries = [{"source": f"data/films/{name}", "split": name} for name in ("train", "test")]
    result = read(films("train", "test"), files=entries, file_format="folders")
    assert result.column("split") == ["train", "train", "test", "test"]
    assert result.column("label") == ["a", "b", "a", "b"]
    assert result.column("id") == [f"films/{name}/{label}/1.txt" for name in ("train", "test") for label in "ab"]


@pytest.mark.parametrize(
    ("labels", "said"),
    [("train test", True), ("train dev test", True), ("TRAIN Eval", True), ("train bus", False), ("a b", False)],
)
@pytest.mark.parametrize("file_format", ["csv", "folders"])
def test_classes_that_are_all_names_of_splits_are_doubted(read, caplog, labels, said, file_format):
    content = "text,label\n" + "".join(f"text {label},{label}\n" for label in labels.split())
    if file_format == "csv":
        read(content.encode())
    else:
        files = {f"films/{label}/1.txt": label.encode() for label in labels.split()}
        read(files, files=[{"source": "data/films"}], file_format="folders")
    assert ("which are names of splits. If they are not classes" in caplog.text) == said
    caplog.clear()
    if said and file_format == "csv":
        read(content.encode(), label_order=labels.split())
        assert "names of splits" not in caplog.text


@pytest.mark.parametrize("kind", ["file", "stream"])
def test_arrow_files_and_streams(read, kind):
    table = pa.table({"label": pa.array([1, 0, 1]), "text": pa.array(["a", "b", "c"]).dictionary_encode()})
    sink = io.BytesIO()
    with (pa.ipc.new_file if kind == "file" else pa.ipc.new_stream)(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    result = read(sink.getvalue(), file_format="arrow")
    assert result.column("text") == ["a", "b", "c"]
    assert result.column("label") == ["1", "0", "1"]


def test_a_delimiter_of_ones_own(read):
    result = read(b'text;label\n"a;b";x\nb,c;y\n', delimiter=";")
    assert result.column("text") == ["a;b", "b,c"]


class Bucket(MemoryFileSystem):
    """An object store in memory that answers to the name s3."""

    protocol = "s3"
    store: ClassVar[dict[str, object]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return "/" + path.removeprefix("s3://").strip("/")


REGISTRY = sys.modules["fsspec.registry"]._registry


@pytest.fixture
def bucket(monkeypatch):
    monkeypatch.setitem(REGISTRY, "s3", Bucket)
    store = Bucket()
    store.pipe("/bucket/rows.csv", ROWS)
    return store


def test_an_object_store(read, bucket):
    result = read(files=[{"source": "s3://bucket/rows.csv", "sha256": hashlib.sha256(ROWS).hexdigest()}])
    assert result.column("text") == ["a", "b"]
    assert result.source[0]["source"] == "s3://bucket/rows.csv"


def test_what_an_object_store_does_not_have(read, bucket, monkeypatch):
    with pytest.raises(DataError, match=r"s3://bucket/other.csv is missing. Correct download.dataset.files"):
        read(files=[{"source": "s3://bucket/other.csv"}])

    def refuse(*args: object, **settings: object) -> None:
        raise PermissionError("Access Denied")

    monkeypatch.setattr(Bucket, "_open", refuse)
    message = r"s3://bucket/rows.csv could not be fetched: Access Denied. Correct the address, or log in to the store"
    with pytest.raises(DataError, match=message):
        read(files=[{"source": "s3://bucket/rows.csv"}])


@pytest.mark.parametrize(
    ("scheme", "module", "extra"), [("s3", "s3fs", "s3"), ("gs", "gcsfs", "gcs"), ("az", "adlfs", "azure")]
)
def test_a_store_whose_package_is_not_installed(read, monkeypatch, scheme, module, extra):
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delitem(REGISTRY, scheme, raising=False)
    with pytest.raises(
        DataError, match=rf"needs a package that is not installed. Run: pip install 'retune\[{extra}\]'"
    ):
        read(files=[{"source": f"{scheme}://bucket/rows.csv"}])


def parquet_of(**columns: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


BAD = {
    "pattern without files": (
        {"files": [{"source": "data/*.csv"}]},
        r"data/\*.csv matches no file. Correct the pattern",
    ),
    "pattern outside the folder": (
        {"files": [{"source": "other/*.csv"}]},
        r"other/\*.csv is not in download.dataset.folder, which is data, so .* Set .*folder: other$",
    ),
    "one pin for several files": (
        {"content": {"a.csv": ROWS, "b.csv": ROWS}, "files": [{"source": "data/*.csv", "sha256": "0" * 64}]},
        r"data/\*.csv matches 2 files, but sha256 is the checksum of one file. Name each",
    ),
    "folders that is a file": (
        {"content": ROWS, "file_format": "folders"},
        r"data/rows.folders is not a folder. The format",
    ),
    "folders with a file too high": (
        {"content": {"films/a.txt": b"?"}, "files": [{"source": "data/films"}], "file_format": "folders"},
        r"data/films: the file a.txt is not in a class folder. Move it into one",
    ),
    "folders that are empty": (
        {"content": {"x": b""}, "files": [{"source": "data/films"}], "file_format": "folders"},
        r"data/films is missing",
    ),
    "folders with an empty file": (
        {
            "content": {"films/n/1.txt": b"", "films/p/1.txt": b"x"},
            "files": [{"source": "data/films"}],
            "file_format": "folders",
        },
        r"data/films row 1 \(id n/1.txt\): the text is empty",
    ),
    "no arrow": ({"content": b"ARROW1??", "file_format": "arrow"}, r"data/rows.arrow can't be read as Arrow: "),
    "no arrow stream": (
        {"content": b"text", "file_format": "arrow"},
        r"data/rows.arrow can't be read as Arrow: ",
    ),
    "parquet without the column": (
        {"content": parquet_of(body=["a"], label=[1]), "file_format": "parquet"},
        r"data/rows.parquet has no column 'text'. It has: 'body', 'label'",
    ),
    "parquet text of another type": (
        {"content": parquet_of(text=[["a"]], label=[1]), "file_format": "parquet"},
        r"row 1 \(text: expected a string or a number, got list\): can't be read",
    ),
    "parquet with nulls": (
        {"content": parquet_of(text=["a", None], label=[1, None]), "file_format": "parquet"},
        r"row 2: the text is empty\..* row 2: the label is empty",
    ),
    "parquet without rows": (
        {
            "content": parquet_of(text=pa.array([], pa.string()), label=pa.array([], pa.int8())),
            "file_format": "parquet",
        },
        r"data/rows.parquet has no rows",
    ),
    "csv given as parquet": (
        {"content": ROWS, "file_format": "parquet"},
        r"rows.parquet can't be read as Parquet",
    ),
    "parquet given as csv": ({"content": parquet_of(text=["a"], label=[1])}, r"data/rows.csv"),
    "tab as comma": ({"content": ROWS, "delimiter": "\t"}, r"has no column 'text'. It has: 'text,label'"),
    "hub source, other format": (
        {"files": [{"source": "hf://datasets/a/b"}]},
        r"hf://datasets/a/b can't be read with download.dataset.format: csv. The format hf is for sources that start "
        r"with hf://",
    ),
    "hub pinned by a hash": (
        {"files": [{"source": "hf://datasets/a/b", "sha256": "0" * 64}], "file_format": "hf"},
        r"sha256 can't pin a data set of the Hub. Delete it, and give @REVISION",
    ),
    "encoding that is no text": (
        {"content": ROWS, "encoding": "base64"},
        r"encoding: Python has no text encoding 'base64'",
    ),
    "utf-16 read as utf-8": (
        {"content": ROWS.decode().encode("utf-16")},
        r"data/rows.csv is UTF-16, but is read as utf-8. Set download.dataset.encoding: utf-16, or save the file",
    ),
    "json of one long list": (
        {"content": b'[{"text": "a", "label": 1}]\n', "file_format": "jsonl"},
        r"is one JSON array, not JSON lines.*Set download.dataset.format: json",
    ),
    "json nested without end": (
        {"content": b"[" * 100_000 + b"\n", "file_format": "jsonl"},
        r"data/rows.jsonl row 1 \(not JSON: ",
    ),
    "json with a lone surrogate": (
        {"content": b'{"text": "\\ud800", "label": 1}\n', "file_format": "jsonl"},
        r"data/rows.jsonl row 1: has bytes that are not text",
    ),
    "json of blank lines": ({"content": b"\n\n", "file_format": "jsonl"}, r"data/rows.jsonl has no rows"),
    "the same file twice with ids": (
        {
            "content": {"a.csv": b"id,text,label\n1,a,x\n", "b.csv": b"id,text,label\n1,b,y\n"},
            "columns": {"id": "id", "text": "text", "label": "label"},
        },
        r"data/b.csv row 2 \(id 1\): has the id of an earlier row",
    ),
    "a header in another row": (
        {"content": b"exported by us\ntext,label\na,x\n"},
        r"data/rows.csv has no column 'text'. It has: 'exported by us'",
    ),
    "an html page as csv": ({"content": b"<html><body>404</body></html>"}, r"has no column 'text'"),
    "a field without end": (
        {"content": b'text,label\n"' + b"a" * 10_000_010 + b'",x\n'},
        r"row 2 \(a field is longer than 10,000,000 characters",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_line(read, case, tmp_path: Path):
    arguments, message = BAD[case]
    with pytest.raises(DataError, match=message) as caught:
        read(**{"content": {}, **arguments})
    assert "\n" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def linked(root: Path) -> None:
    """A file and a folder outside of the project, and links to both in data/."""
    (root / "disk/texts/good").mkdir(parents=True)
    (root / "disk/rows.csv").write_bytes(ROWS)
    (root / "disk/texts/rows.csv").write_bytes(ROWS)
    (root / "disk/texts/good/1.txt").write_bytes(b"good")
    (root / "project/data").mkdir(parents=True)
    (root / "project/data/rows.csv").symlink_to("../../disk/rows.csv")
    (root / "project/data/texts").symlink_to("../../disk/texts")
    (root / "project/data/nowhere.csv").symlink_to("../../disk/nowhere.csv")


SEEN = {  # source, download.dataset.folder
    "a linked file that is watched itself": ("data/rows.csv", "data/rows.csv"),
    "a linked folder that is watched itself": ("data/texts", "data/texts"),
    "a file in a linked folder that is watched itself": ("data/texts/rows.csv", "data/texts"),
    "the same by its absolute path": ("{root}/data/rows.csv", "data/rows.csv"),
}
OUTSIDE = {  # a data set from elsewhere could have such a link to a private file
    "a linked file": ("data/rows.csv", "data"),
    "linked files by a pattern": ("data/r*.csv", "data"),
    "a link by its absolute path": ("{root}/data/rows.csv", "data"),
}
UNSEEN = {  # the same, and the folder to set
    "a file in a linked folder": ("data/texts/rows.csv", "data", "data/texts"),
    "files in a linked folder": ("data/texts/*.csv", "data", "data/texts"),
    "a linked folder": ("data/texts", "data", "data/texts"),
    "a folder in a linked folder": ("data/texts/good", "data", "data/texts"),
}


@pytest.mark.parametrize("case", SEEN)
def test_a_link_whose_file_dvc_hashes_is_read(tmp_path, case):
    source, watched = SEEN[case]
    linked(tmp_path)
    root = tmp_path / "project"
    assert list(fetch(source.replace("{root}", str(root)), root=root, watched=watched, scratch=tmp_path))


@pytest.mark.parametrize("case", OUTSIDE)
def test_a_link_out_of_the_folder_is_refused_unless_it_is_the_folder(tmp_path, case):
    source, watched = OUTSIDE[case]
    linked(tmp_path)
    root = tmp_path / "project"
    with pytest.raises(
        DataError, match="rows.csv leads through a link to .* set download.dataset.folder to the link itself"
    ):
        list(fetch(source.replace("{root}", str(root)), root=root, watched=watched, scratch=tmp_path))


@pytest.mark.parametrize("case", UNSEEN)
def test_a_link_that_dvc_does_not_follow_is_refused_with_a_folder_that_helps(tmp_path, case):
    source, watched, helpful = UNSEEN[case]
    linked(tmp_path)
    root = tmp_path / "project"
    with pytest.raises(DataError, match=f"is behind a link to a folder.* Set download.dataset.folder: {helpful}$"):
        list(fetch(source, root=root, watched=watched, scratch=tmp_path))
    assert list(fetch(source, root=root, watched=helpful, scratch=tmp_path))


def test_a_link_to_nothing_is_missing(tmp_path):
    linked(tmp_path)
    with pytest.raises(DataError, match="data/nowhere.csv is missing"):
        list(fetch("data/nowhere.csv", root=tmp_path / "project", watched="data", scratch=tmp_path))


@pytest.mark.parametrize("name", ["data/rows.csv", "data/films/good/1.txt"])
def test_a_pointer_of_git_lfs_is_named(read, name):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    source, kind = ("data/films", "folders") if "films" in name else (name, "csv")
    files = {name.removeprefix("data/"): pointer, "films/bad/1.txt": b"bad"}
    with pytest.raises(
        DataError, match=rf"{name} is a pointer of git-lfs, not the file itself. Fetch it: git lfs pull"
    ):
        read(files, files=[{"source": source}], file_format=kind)


@pytest.mark.parametrize("kind", ["csv", "folders"])
def test_every_file_is_closed(read, kind, recwarn):
    """Python says so under PYTHONWARNINGS=error, in a traceback."""
    warnings.simplefilter("always", ResourceWarning)
    if kind == "csv":
        read(ROWS)
    else:
        read(films("."), files=[{"source": "data/films"}], file_format=kind)
    gc.collect()
    assert [warning for warning in recwarn if warning.category is ResourceWarning] == []


ODD = ["reviews[1]", "really?", "a*b", "[ab]", "**", "x[", "[!a]"]


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("place", ["{}.csv", "{}/rows.csv", "{}/{}/rows.csv", "deep/{}/*.csv"])
@pytest.mark.parametrize("watched", ["data", "folder", "file"])
def test_a_name_that_exists_is_no_pattern(read, name, place, watched):
    """`reviews[1].csv` is how browsers name a second download."""
    file = place.replace("{}", name)
    real = file.replace("*.csv", "rows.csv") if place.endswith("*.csv") else file
    folder = {"data": "data", "folder": f"data/{real}".rpartition("/")[0], "file": f"data/{real}"}[watched]
    if watched == "file" and real != file:
        pytest.skip("a pattern needs a folder")
    others = dict.fromkeys(("reviews1.csv", "reallyx.csv", "axb.csv", "a.csv", "b/rows.csv"), b"text,label\nz,x\n")
    content = others | {real: b"text,label\na,x\nb,y\n"}
    result = read(content, files=[{"source": f"data/{file}"}], watched=folder)
    assert result.column("text") == ["a", "b"]
