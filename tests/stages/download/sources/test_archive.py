"""What is packed is unpacked, within bounds, and never to where its own names lead."""

import gzip
import io
import tarfile
import unicodedata
import zipfile
from collections.abc import Callable

import pyarrow as pa
import pytest

from stages.errors import DataError

ROWS = b"text,label\na,x\nb,y\n"


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return buffer.getvalue()


def tarred(files: dict[str, bytes], mode: str = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, body in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    return buffer.getvalue()


def zstd(body: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(body)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("pack", [gzip.compress, zstd, lambda body: body], ids=["gzip", "zstd", "plain"])
def test_compressed_files_whatever_their_name(read, pack: Callable[[bytes], bytes]):
    assert read({"rows.data": pack(ROWS)}).column("text") == ["a", "b"]


@pytest.mark.parametrize(
    "pack",
    [
        zipped,
        tarred,
        lambda files: tarred(files, "w:gz"),
        lambda files: tarred(files, "w:xz"),
        lambda files: zstd(tarred(files)),
        lambda files: zipped({name: gzip.compress(body) for name, body in files.items()}),
    ],
    ids=["zip", "tar", "tar.gz", "tar.xz", "tar.zst", "gzip in zip"],
)
def test_members(read, pack):
    archive = pack({"set/train.csv": ROWS, "set/other.csv": b"?"})
    result = read({"set.bin": archive}, files=[{"source": "data/set.bin", "member": "set/train.csv"}])
    assert result.column("text") == ["a", "b"]


@pytest.mark.parametrize("pack", [zipped, tarred], ids=["zip", "tar"])
@pytest.mark.parametrize("name", ["../../escaped.csv", "/tmp/escaped.csv"])
def test_names_in_an_archive_lead_nowhere(read, tmp_path, pack, name):
    result = read({"set.bin": pack({name: ROWS})}, files=[{"source": "data/set.bin", "member": name}])
    assert result.column("text") == ["a", "b"]
    assert list(tmp_path.parent.rglob("escaped.csv")) == []


def linked() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("rows.csv")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)
    return buffer.getvalue()


def encrypted() -> bytes:
    body = bytearray(zipped({"rows.csv": ROWS}))
    body[6] |= 1  # the flag of the local header
    body[body.rindex(b"PK\x01\x02") + 8] |= 1  # and of the directory
    return bytes(body)


def damaged() -> bytes:
    body = bytearray(zipped({"rows.csv": ROWS * 50}))
    start = body.index(b"rows.csv") + len("rows.csv")
    body[start : start + 20] = b"\xff" * 20
    return bytes(body)


BOMB = b"text,label\n" + b"a,x\n" * 1_000_000


@pytest.mark.parametrize(
    ("content", "member", "message"),
    [
        (zipped({"a/train.tsv": b"x"}), "train.tsv", r"data/set.bin has no member 'train.tsv'. It has: a/train.tsv"),
        (tarred({"a/train.tsv": b"x"}), "train.tsv", r"has no member 'train.tsv'. It has: a/train.tsv"),
        (zipped({f"{n}.csv": b"" for n in range(30)}), "x", r"has no member 'x'. It has: 0.csv, .* and 10 more"),
        (zipped({}), "x", r"has no member 'x'. It has: none"),
        (linked(), "rows.csv", r"has no member 'rows.csv'. It has: none"),
        (encrypted(), "rows.csv", r"member rows.csv: .*encrypted.* Unpack it yourself"),
        (damaged(), "rows.csv", r"member rows.csv can't be unpacked: .* Fetch the file again"),
        (tarred({"rows.csv": ROWS}, "w:gz")[:-30], "rows.csv", r"set.bin can't be read as gzip: Compressed file ended"),
        (ROWS, "rows.csv", r"data/set.bin is not a zip or tar file, so it has no member 'rows.csv'. Delete `member`"),
        (gzip.compress(ROWS * 99)[:-20], None, r"data/set.bin can't be read as gzip: .* Fetch the file again"),
        (zstd(ROWS * 99)[:-9], None, r"data/set.bin can't be read as zstd"),
        (
            gzip.compress(BOMB),
            None,
            r"data/set.bin unpacks to more than 1 MB. .* raise machine.unpack_limit_mb",
        ),
        (zipped({"rows.csv": BOMB}), "rows.csv", r"data/set.bin:rows.csv unpacks to more than 1 MB"),
        (zstd(tarred({"rows.csv": BOMB})), "rows.csv", r"data/set.bin unpacks to more than 1 MB"),
        (zipped({"rows.csv": gzip.compress(BOMB)}), "rows.csv", r"set.bin:rows.csv unpacks to more than 1 MB"),
    ],
    ids=[  # by name: the bytes of an archive hold the clock, and every process must collect the same tests
        "zip without the member",
        "tar without the member",
        "zip with many others",
        "empty zip",
        "link in a tar",
        "encrypted zip",
        "damaged zip",
        "tar.gz cut short",
        "no archive",
        "gzip cut short",
        "zstd cut short",
        "gzip bomb",
        "zip bomb",
        "tar.zst bomb",
        "gzip bomb in a zip",
    ],
)
def test_what_cannot_be_unpacked(read, content, member, message):
    with pytest.raises(DataError, match=message) as caught:
        read({"set.bin": content}, files=[{"source": "data/set.bin", "member": member}])
    assert "\n" not in str(caught.value)


PACKED = {  # content, member, what is said
    "a zip": (zipped({"rows.csv": ROWS}), None, r"set.bin is a zip file. Name the file in it as `member`"),
    "an empty zip": (zipped({}), None, r"set.bin is a zip file. Name the file in it"),
    "a tar": (tarred({"rows.csv": ROWS}), None, r"set.bin is a tar file. Name the file in it as `member`"),
    "a tar.gz": (tarred({"rows.csv": ROWS}, "w:gz"), None, r"set.bin is a tar file. Name the file in it"),
    "a zip in gzip": (gzip.compress(zipped({"rows.csv": ROWS})), None, r"set.bin is a zip file. Name the file in it"),
    "gzip in gzip": (gzip.compress(gzip.compress(ROWS)), None, r"set.bin is compressed twice \(gzip\). Unpack it"),
    "zstd in gzip": (gzip.compress(zstd(ROWS)), None, r"set.bin is compressed twice \(zstd\). Unpack it"),
    "a zip in a zip": (zipped({"rows.csv": zipped({"a": ROWS})}), "rows.csv", r"bin:rows.csv is a zip file. Unpack it"),
    "a tar in a zip": (zipped({"rows.csv": tarred({"a": ROWS})}), "rows.csv", r"bin:rows.csv is a tar file. Unpack it"),
    "a zip in a tar": (tarred({"rows.csv": zipped({"a": ROWS})}), "rows.csv", r"bin:rows.csv is a zip file. Unpack it"),
    "gzip in gzip in a zip": (
        zipped({"rows.csv": gzip.compress(gzip.compress(ROWS))}),
        "rows.csv",
        r"bin:rows.csv is compressed twice",
    ),
    "7z": (b"7z\xbc\xaf\x27\x1c" + b"x" * 99, None, r"set.bin is a 7z file. Unpack it yourself"),
    "rar": (b"Rar!\x1a\x07" + b"x" * 99, None, r"set.bin is a rar file. Unpack it yourself"),
}


@pytest.mark.parametrize("file_format", ["csv", "jsonl", "lines", "parquet"])
@pytest.mark.parametrize("case", PACKED)
def test_what_is_still_packed_is_named(read, case, file_format):
    """Not: the header is not UTF-8."""
    content, member, message = PACKED[case]
    entry = {"source": "data/set.bin", "member": member, "label": "x" if file_format == "lines" else None}
    with pytest.raises(DataError, match=message):
        read({"set.bin": content}, files=[entry], file_format=file_format)


@pytest.mark.parametrize("content", [b"PK,label\na,x\nb,y\n", b"text,label\nustar" + b" " * 300 + b",x\nb,y\n"])
def test_texts_that_begin_like_an_archive_are_read(read, content):
    column = content.split(b",")[0].decode()
    assert len(read(content, columns={"text": column, "label": "label"}).column("text")) == 2


@pytest.mark.parametrize("pack", [zipped, tarred], ids=["zip", "tar"])
@pytest.mark.parametrize(("stored", "member"), [("./a.csv", "a.csv"), ("a.csv", "./a.csv"), ("././b/a.csv", "b/a.csv")])
def test_a_dot_before_a_name_makes_no_difference(read, pack, stored, member):
    result = read({"set.bin": pack({stored: ROWS})}, files=[{"source": "data/set.bin", "member": member}])
    assert result.column("text") == ["a", "b"]


def links(*entries: tuple[str, bytes, str]) -> bytes:
    """A tar of links (name, type, target) and of the file set/rows.csv."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        file = tarfile.TarInfo("set/rows.csv")
        file.size = len(ROWS)
        archive.addfile(file, io.BytesIO(ROWS))
        for name, kind, target in entries:
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, target
            archive.addfile(info)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "entries",
    [
        [("set/link", tarfile.SYMTYPE, "rows.csv")],
        [("set/link", tarfile.SYMTYPE, "../set/rows.csv")],
        [("set/link", tarfile.LNKTYPE, "set/rows.csv")],
        [("./set/link", tarfile.LNKTYPE, "./set/rows.csv")],
        [("set/link", tarfile.SYMTYPE, "other"), ("set/other", tarfile.SYMTYPE, "rows.csv")],
    ],
    ids=["beside", "up and down", "hard", "with dots", "through another"],
)
def test_a_link_to_a_file_in_the_same_tar_is_that_file(read, entries):
    result = read({"set.bin": links(*entries)}, files=[{"source": "data/set.bin", "member": "set/link"}])
    assert result.column("text") == ["a", "b"]


@pytest.mark.parametrize(
    "entries",
    [
        [("link", tarfile.SYMTYPE, "/etc/passwd")],
        [("link", tarfile.SYMTYPE, "../../etc/passwd")],
        [("link", tarfile.LNKTYPE, "/etc/passwd")],
        [("link", tarfile.SYMTYPE, "link")],
        [("link", tarfile.SYMTYPE, "other"), ("other", tarfile.SYMTYPE, "link")],
        [("link", tarfile.SYMTYPE, "set")],
        [("set/rows.csv", tarfile.SYMTYPE, "/etc/passwd"), ("link", tarfile.SYMTYPE, "set/rows.csv")],
    ],
    ids=["absolute", "up", "hard", "itself", "in a circle", "a folder", "a file that became a link"],
)
def test_a_link_that_leads_out_of_a_tar_or_to_no_file_is_no_member(read, entries):
    with pytest.raises(DataError, match=r"set.bin has no member 'link'. It has: (set/rows.csv|none)\. "):
        read({"set.bin": links(*entries)}, files=[{"source": "data/set.bin", "member": "link"}])


SPELLED = {  # name in the archive -> the member of params.yaml
    "macOS": (unicodedata.normalize("NFD", "Ordner/größer.csv"), "Ordner/größer.csv"),
    "macOS, the other way": ("Ordner/größer.csv", unicodedata.normalize("NFD", "Ordner/größer.csv")),
    "Windows": ("set\\train.csv", "set/train.csv"),
    "with a dot": ("./set/train.csv", "set/train.csv"),
    "as it is": ("Ordner/größer.csv", "Ordner/größer.csv"),
}


@pytest.mark.parametrize("pack", [zipped, tarred], ids=["zip", "tar"])
@pytest.mark.parametrize("case", SPELLED)
def test_a_member_that_is_spelled_another_way(read, pack, case):
    name, member = SPELLED[case]
    archive = pack({name: ROWS, "other.csv": b"?", "__MACOSX/._other.csv": b"\0"})
    assert read({"set.bin": archive}, files=[{"source": "data/set.bin", "member": member}]).column("text") == ["a", "b"]


@pytest.mark.parametrize("pack", [zipped, tarred], ids=["zip", "tar"])
def test_of_two_members_that_are_spelled_alike_none_is_chosen(read, pack):
    archive = pack({"a\\x.csv": ROWS, "./a/x.csv": ROWS})
    with pytest.raises(DataError, match="has no member 'a//x.csv'|has no member"):
        read({"set.bin": archive}, files=[{"source": "data/set.bin", "member": ".//a/x.csv"}])


@pytest.mark.parametrize("pack", [zipped, tarred, lambda files: zstd(tarred(files))], ids=["zip", "tar", "tar.zst"])
def test_an_archive_without_a_member_lists_its_files(read, pack):
    archive = pack({"set/train.csv": ROWS, "größer.csv": ROWS, "__MACOSX/._x.csv": b"\0", "set/.DS_Store": b"\0"})
    with pytest.raises(DataError, match=r"as `member` .*\. It has: set/train\.csv, größer\.csv\. For a workbook"):
        read({"set.bin": archive})
