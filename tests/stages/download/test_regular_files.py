"""Only regular files are read, whatever the path leads to and whoever opens it; nothing is waited for."""

import io
import os
import socket
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.download.readers.record import ReadOptions
from stages.download.readers.tables import read_arrow, read_parquet
from stages.download.readers.text_files import read_folders, read_text_file
from stages.download.sources.archive import unpack
from stages.download.sources.fetch import fetch
from stages.errors import DataError
from stages.reading.regular_files import files_below, open_file

FORMATS = ["csv", "tsv", "jsonl", "lines", "parquet", "arrow", "folders"]
pytestmark = pytest.mark.timeout(60)


def bind(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the name of a socket is short
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(here)


SPECIAL: dict[str, tuple[Callable[[Path], object], str]] = {
    "named pipe": (os.mkfifo, "is a named pipe, not a file with rows"),
    "socket": (bind, "is a socket, not a file with rows"),
    "endless device": (lambda path: path.symlink_to("/dev/zero"), "is a device, not a file with rows"),
    "empty device": (lambda path: path.symlink_to("/dev/null"), "is a device, not a file with rows"),
    "kernel file": (lambda path: path.symlink_to("/proc/self/status"), "is a file of the system"),
    "kernel file that waits": (lambda path: path.symlink_to("/proc/kmsg"), "is a file of the system"),
    "link to nothing": (lambda path: path.symlink_to("nowhere"), "is (missing|a link to a file that is missing)"),
    "link to itself": (lambda path: path.symlink_to(path.name), "(can't be read|is missing)"),
}


@pytest.fixture(params=SPECIAL)
def special(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, str]:
    make, message = SPECIAL[request.param]
    path = tmp_path / "data/special"
    path.parent.mkdir()
    make(path)
    return path, message


@pytest.mark.parametrize("link", [False, True], ids=["itself", "link"])
@pytest.mark.parametrize("file_format", FORMATS)
def test_no_format_reads_a_special_file(read, special, file_format, link):
    path, message = special
    if link:
        path.with_name("link").symlink_to(path.name)
    source = {"source": "data/link" if link else "data/special"}
    files = [{**source, "label": "x"} if file_format == "lines" else source]
    with pytest.raises(DataError, match=message) as caught:
        read({}, file_format=file_format, files=files, watched="/")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("source", ["data/*", "data/**/*", "data/sp?cial"])
def test_a_pattern_never_leaves_out_or_reads_a_special_file(read, special, source):
    _, message = special
    with pytest.raises(DataError, match=message):
        read({"a.csv": b"text,label\na,x\nb,y\n"}, files=[{"source": source}], watched="/")


@pytest.mark.parametrize("member", ["a.csv", None])
def test_an_archive_that_is_a_special_file(read, special, member):
    _, message = special
    with pytest.raises(DataError, match=message):
        read({}, files=[{"source": "data/special", "member": member}], watched="/")


def test_a_special_file_in_the_folder_of_a_class(read, special):
    path, message = special
    files = {"films/neg/1.txt": b"bad", "films/pos/1.txt": b"good"}
    (path.parent / "films/pos").mkdir(parents=True)
    path.rename(path.parent / "films/pos/2.txt")
    if message.startswith("(can't"):
        path = path.parent / "films/pos/2.txt"
        path.unlink()
        path.symlink_to(path.name)
    with pytest.raises(DataError, match=f"data/films/pos/2.txt {message}"):
        read(files, files=[{"source": "data/films"}], file_format="folders", watched="/")


OPTIONS = ReadOptions("csv", "utf-8", None, True, True, {"text": "text", "label": "label"})
OPENERS: dict[str, Callable[[Path, Path], object]] = {
    "text": lambda path, scratch: list(read_text_file(path, name="x", options=OPTIONS)),
    "parquet": lambda path, scratch: list(read_parquet(path, name="x", options=OPTIONS)),
    "arrow": lambda path, scratch: list(read_arrow(path, name="x", options=OPTIONS)),
    "folders": lambda path, scratch: list(read_folders(path.parent, name="x", options=OPTIONS)),
    "archive": lambda path, scratch: unpack(path, member="a", name="x", scratch=scratch, limit=9),
    "compressed": lambda path, scratch: unpack(path, member=None, name="x", scratch=scratch, limit=9),
}


@pytest.mark.parametrize("opener", OPENERS)
def test_a_file_that_became_a_pipe_is_not_waited_for(tmp_path, opener):
    """Each place that opens a file checks what it opens: the checksum was of the file that was there before."""
    path = tmp_path / "class/special"
    path.parent.mkdir()
    os.mkfifo(path)
    with pytest.raises(DataError, match="named pipe"):
        OPENERS[opener](path, tmp_path)


def test_what_was_opened_is_checked_and_not_only_what_was_there_before(tmp_path, monkeypatch):
    path = tmp_path / "rows.csv"
    path.write_text("text,label\n")
    open_descriptor = os.open

    def swap(*arguments):
        path.unlink()
        os.mkfifo(path)
        return open_descriptor(*arguments)

    monkeypatch.setattr(os, "open", swap)
    with pytest.raises(DataError, match="rows.csv is a named pipe"):
        open_file(path, "rows.csv")


NO_OTHER_USER, ENDED = 3, 4  # exit codes


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files away to another user")
@pytest.mark.parametrize("denied", ["data/a/b.csv", "data/a"], ids=["file", "folder"])
@pytest.mark.parametrize(("source", "file_format"), [("data/a/b.csv", "csv"), ("data/a/*", "csv"), ("data", "folders")])
def test_what_may_not_be_read(tmp_path_factory, denied, source, file_format):
    pid = os.fork()
    if pid == 0:  # the permissions of a process that can't go back to root
        code = ENDED
        try:
            code = _read_as_nobody(denied, source, file_format)
        finally:
            os._exit(code)  # whatever happened: this process must not go on with the tests
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code == NO_OTHER_USER:
        pytest.skip("there is no other user here")
    assert code == 0


def _read_as_nobody(denied: str, source: str, file_format: str) -> int:
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        root = Path(folder)
        root.chmod(0o755)
        (root / "data/a").mkdir(parents=True)
        (root / "data/a/b.csv").write_text("text,label\na,x\n")
        (root / denied).chmod(0)
        try:
            os.seteuid(65534)
        except OSError:  # of a namespace that has one user
            return NO_OTHER_USER
        try:
            list(fetch(source, root=root, watched="data", scratch=root))
        except DataError as error:
            return 0 if "permission denied" in str(error) or "matches no file" in str(error) else 1
        finally:
            os.seteuid(0)
    return 2


LINKS = {  # path in data/ -> what it links to, and how a data set names it
    "a file of a class": ("films/pos/2.txt", "private.txt", "data/films", "folders"),
    "a file deep in a class": ("films/pos/a/b/2.txt", "private.txt", "data/films", "folders"),
    "a class": ("films/neg", "elsewhere", "data/films", "folders"),
    "all classes": ("films2", "above", "data/films2", "folders"),
    "a source": ("mine.csv", "private.txt", "data/mine.csv", "csv"),
    "a match of a pattern": ("mine.csv", "private.txt", "data/*.csv", "csv"),
    "a match of a pattern over folders": ("a/b/mine.csv", "private.txt", "data/**/*.csv", "csv"),
    "a folder on the way": ("linked", "elsewhere", "data/linked/1.txt", "csv"),
    "a folder on the way to a pattern": ("linked", "elsewhere", "data/linked/*.txt", "csv"),
    "a folder that a pattern meets": ("linked", "elsewhere", "data/*/1.txt", "csv"),
    "an archive": ("set.zip", "private.txt", "data/set.zip", "csv"),
    "a table": ("rows.parquet", "private.txt", "data/rows.parquet", "parquet"),
}


@pytest.fixture
def linked(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str, Path], None]:
    """Make files outside data/, and a link to one of them in it, directly or through another link."""
    (tmp_path / "private.txt").write_text("text,label\nPRIVATE,x\n")
    for folder in ("elsewhere", "above/neg"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "1.txt").write_text("text,label\nPRIVATE,x\n")

    def link(name: str, target: Path) -> None:
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if request.param == "through a link":
            path.with_name("between").symlink_to(target)
            target = Path("between")
        path.symlink_to(target if request.param != "relative" else os.path.relpath(target, path.parent))

    return link


@pytest.mark.parametrize("linked", ["absolute", "relative", "through a link"], indirect=True)
@pytest.mark.parametrize("case", LINKS)
def test_a_link_out_of_the_data_sets_folder_brings_no_file_in(read, tmp_path, linked, case):
    """A data set from elsewhere could name any private file of its reader, who would push it with the rows."""
    name, target, source, file_format = LINKS[case]
    linked(name, tmp_path / target)
    with pytest.raises(
        DataError, match=r"leads through a link to .*, outside download.dataset.folder.*|is behind a link to a folder"
    ):
        read({"films/pos/1.txt": b"good"}, files=[{"source": source}], file_format=file_format)
    assert b"PRIVATE" not in b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())


INSIDE = {
    "a file of a class": ("films/pos/2.txt", "data/more/1.txt", "data/films", ["0/1.txt", "pos/1.txt", "pos/2.txt"]),
    "a class": ("films/neg", "data/more", "data/films", ["0/1.txt", "neg/1.txt", "pos/1.txt"]),
    "DVC's cache": (
        "films/pos/2.txt",
        f".dvc/cache/files/md5/ab/{'0' * 30}",
        "data/films",
        ["0/1.txt", "pos/1.txt", "pos/2.txt"],
    ),
    "the Hub's cache": (
        "films/pos/2.txt",
        f"hub/blobs/{'0' * 64}",
        "data/films",
        ["0/1.txt", "pos/1.txt", "pos/2.txt"],
    ),
}


@pytest.mark.parametrize("case", INSIDE)
def test_links_in_the_data_sets_folder_and_to_caches_are_read(read, tmp_path, case):
    name, target, source, ids = INSIDE[case]
    (tmp_path / target).parent.mkdir(parents=True, exist_ok=True)
    if not target.startswith("data"):
        (tmp_path / target).write_text("good")
    (tmp_path / "data/films").mkdir(parents=True)
    (tmp_path / "data/films/pos").mkdir()
    (tmp_path / "data" / name).symlink_to(tmp_path / target)
    files = {"films/0/1.txt": b"so-so", "films/pos/1.txt": b"fine", "more/1.txt": b"bad"}
    assert read(files, files=[{"source": source}], file_format="folders").column("id") == ids


@pytest.mark.parametrize("source", ["data/rows.csv", "data/*.csv"])
def test_a_data_sets_folder_that_is_a_link_itself_is_read(read, tmp_path, source):
    (tmp_path / "disk").mkdir()
    (tmp_path / "data").symlink_to(tmp_path / "disk")
    assert read({"rows.csv": b"text,label\na,x\nb,y\n"}, files=[{"source": source}]).column("text") == ["a", "b"]


@pytest.mark.parametrize("target", [".", "..", "../..", "../pos"], ids=["itself", "above", "further above", "beside"])
def test_folders_that_lead_to_themselves(read, tmp_path, target):
    (tmp_path / "data/films/pos/deep").mkdir(parents=True)
    (tmp_path / "data/films/pos/deep/again").symlink_to(target)
    if target == "../pos":
        (tmp_path / "data/films/pos/deep/again").unlink()
        (tmp_path / "data/films/neg").mkdir()
        (tmp_path / "data/films/neg/x").symlink_to("../pos")
        (tmp_path / "data/films/pos/x").symlink_to("../neg")
    with pytest.raises(
        DataError,
        match=r"data/films/.* is a link to a folder that contains the link, which is an "
        r"endless loop. Delete",
    ):
        read({"films/neg/1.txt": b"bad"}, files=[{"source": "data/films"}], file_format="folders")


def test_a_folder_that_a_pattern_meets_again_and_again_is_read_once(read, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/again").symlink_to(".")
    result = read({"a.csv": b"text,label\na,x\nb,y\n"}, files=[{"source": "data/**/*.csv"}])
    assert [file["source"] for file in result.source] == ["data/a.csv"]


PATHS = {
    "NUL": ("data/a\0.csv", "is not a path"),
    "empty": ("", "is not a path"),
    "lone surrogate": ("data/\ud800.csv", "is not a path"),
    "undecodable byte": ("data/\udcff.csv", "is not a path"),
    "5,000 characters": ("data/" + "a" * 5000, "the name is too long"),
    "5,000 folders": ("data/" + "a/" * 5000 + "b", "the name is too long"),
    "5,000 characters of a pattern": ("data/" + "a" * 5000 + "*", "matches no file|the name is too long"),
    "long folder of a pattern": ("data/" + "a" * 5000 + "/*", "the name is too long"),
    "NUL in a pattern": ("data/\0*", "is not a path"),
    "half a bracket": ("data/[", "is missing|matches no file"),
    "stars": ("data/***", "is not a pattern|matches no file"),
    "two stars in a name": ("data/**a", "is not a pattern|matches no file"),
    "a file as a folder": ("data/rows.csv/x", "is missing|Not a directory"),
    "a file as a folder of a pattern": ("data/rows.csv/*", "matches no file|Not a directory"),
    "the whole folder": ("data", "is a folder"),
    "here": (".", "is not in download.dataset.folder"),
    "above": ("..", "is not in download.dataset.folder"),
    "root": ("/", "is not in download.dataset.folder"),
    "no scheme": ("://x", "unknown scheme"),
    "file scheme": ("file:///etc/passwd", "unknown scheme"),
}


@pytest.mark.parametrize("case", PATHS)
def test_no_path_is_a_traceback(read, case, tmp_path):
    source, message = PATHS[case]
    with pytest.raises(DataError, match=message) as caught:
        read({"rows.csv": b"text,label\na,x\n"}, files=[{"source": source}])
    assert str(tmp_path) not in str(caught.value)
    assert len(str(caught.value)) < 500
    str(caught.value).encode()  # the line can be printed


@pytest.mark.parametrize("watched", ["", "\0", "a" * 5000, "\udcff"], ids=["empty", "NUL", "long", "undecodable"])
def test_no_watched_folder_is_a_traceback(read, watched):
    with pytest.raises(DataError, match=r"is not a path|is not in download.dataset.folder|the name is too long"):
        read({"rows.csv": b"text,label\na,x\n"}, watched=watched)


@pytest.mark.parametrize("source", ["data/*.csv", "data/**/*"])
def test_a_file_whose_name_is_not_utf8(read, tmp_path, source):
    (tmp_path / "data").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/data/b\xff.csv")).write_bytes(b"text,label\na,x\nb,y\n")
    with pytest.raises(DataError, match=r"The name of 'data/b\\udcff.csv' is not UTF-8. Rename the file") as caught:
        read({}, files=[{"source": source}])
    str(caught.value).encode()


def test_a_file_of_a_class_whose_name_is_not_utf8(read, tmp_path):
    (tmp_path / "data/films/pos").mkdir(parents=True)
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/data/films/pos/\xff.txt")).write_bytes(b"good")
    with pytest.raises(DataError, match="row 2 .*: has bytes that are not text"):
        read({"films/neg/1.txt": b"bad"}, files=[{"source": "data/films"}], file_format="folders")


def test_a_project_in_a_folder_whose_name_looks_like_a_pattern(tmp_path):
    root = tmp_path / "my [project]*"
    (root / "data").mkdir(parents=True)
    (root / "data/a.csv").write_bytes(b"x")
    assert [file.source for file in fetch("data/*.csv", root=root, watched="data", scratch=root)] == ["data/a.csv"]


def test_files_below_are_in_the_order_of_their_names(tmp_path):
    for name in ("b/1", "a/2", "a/1", "a.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert files_below(tmp_path, "x").files == sorted(tmp_path / name for name in ("a/1", "a/2", "a.txt", "b/1"))


def test_tables_and_archives_are_read_through_links(read, tmp_path):
    (tmp_path / "data").mkdir()
    pq.write_table(pa.table({"text": ["a", "b"], "label": ["x", "y"]}), tmp_path / "rows.parquet")
    (tmp_path / "data/rows.parquet").symlink_to(tmp_path / "rows.parquet")
    assert read({}, file_format="parquet", files=[{"source": "data/rows.parquet"}], watched=".").column("text") == [
        "a",
        "b",
    ]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("rows.csv", "text,label\na,x\nb,y\n")
    (tmp_path / "set.zip").write_bytes(packed.getvalue())
    (tmp_path / "data/set.zip").symlink_to(tmp_path / "set.zip")
    result = read({}, files=[{"source": "data/set.zip", "member": "rows.csv"}], watched=".")
    assert result.column("text") == ["a", "b"]


SYSTEM = [
    ".DS_Store",
    "._1.txt",
    ".gitignore",
    ".gitkeep",
    ".hidden",
    "Thumbs.db",
    "desktop.ini",
    "Desktop.ini",
    ".x\n",
]


@pytest.mark.parametrize("file", [*SYSTEM, ".git/config", "__MACOSX/pos/1.txt", ".ipynb_checkpoints/1.txt"])
@pytest.mark.parametrize("folder", ["", "pos/", "pos/deep/"])
def test_hidden_files_and_those_of_the_system_are_skipped_and_counted(read, caplog, file, folder):
    files = {"films/neg/1.txt": b"bad", "films/pos/1.txt": b"good", f"films/{folder}{file}": b"\0\1\xff"}
    result = read(files, files=[{"source": "data/films"}], file_format="folders")
    assert result.column("id") == ["neg/1.txt", "pos/1.txt"]
    assert result.source[0]["skipped"] == 1
    assert "data/films: hidden and system files are not read (1)" in caplog.text


def test_the_checksum_of_a_folder_does_not_cover_what_is_skipped(read, tmp_path):
    files = {"films/neg/1.txt": b"bad", "films/pos/1.txt": b"good", "films/pos/not.hidden.txt": b"fine"}
    before = read(files, files=[{"source": "data/films"}], file_format="folders")
    sha256, skipped = before.source[0]["sha256"], before.source[0]["skipped"]
    (tmp_path / "data/films/.DS_Store").write_bytes(b"x")
    after = read(files, files=[{"source": "data/films", "sha256": sha256}], file_format="folders")
    assert (skipped, after.source[0]["skipped"]) == (0, 1)
    assert after.column("id") == ["neg/1.txt", "pos/1.txt", "pos/not.hidden.txt"]
