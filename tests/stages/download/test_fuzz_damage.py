"""Damaged tables and archives give rows or one line: no traceback, no signal, no wait, no full memory."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from stages.errors import RetuneError
from tests.conftest import fuzz_examples

FUZZ = settings(max_examples=fuzz_examples(60), deadline=None, suppress_health_check=list(HealthCheck))
ROWS = b"text,label\n" + b"".join(b"this is row %d of them,%d\n" % (row, row % 3) for row in range(40))
POLICIES = {"empty_text": "set_aside", "missing_label": "set_aside", "broken_encoding": "set_aside"}
POLICIES |= {"malformed_row": "set_aside", "rare_label": "warn"}


def table() -> pa.Table:
    """Columns of every type that a reader may meet, carried along as slices."""
    count = 40
    columns = {
        "text": pa.array([f"text {row} é" if row % 7 else None for row in range(count)]),
        "label": pa.array([f"l{row % 3}" for row in range(count)]).dictionary_encode(),
        "id": pa.array(range(count), pa.int64()),
        "day": pa.array([row * 1000 for row in range(count)], pa.date32()),
        "time": pa.array([row * 10**15 for row in range(count)], pa.timestamp("us", "Europe/Berlin")),
        "parts": pa.array([["a", "é"] * (row % 3) for row in range(count)]),
        "record": pa.array([{"a": row, "b": "x"} for row in range(count)]),
        "score": pa.array([row / 7 for row in range(count)], pa.float32()),
        "raw": pa.array(["é".encode() * (row % 4) for row in range(count)], pa.binary()),
        "price": pa.array(range(count), pa.decimal128(12, 2)),
        "long": pa.array([f"{row}" * 30 for row in range(count)], pa.large_string()),
    }
    return pa.table(columns)


SLICES = [name for name in table().column_names if name not in ("text", "label", "id")]


def as_parquet(**settings: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table(), sink, row_group_size=25, **settings)
    return sink.getvalue()


def as_arrow(writer: Callable[..., pa.ipc.RecordBatchStreamWriter], content: pa.Table, **options: object) -> bytes:
    sink = pa.BufferOutputStream()
    with writer(sink, content.schema, options=pa.ipc.IpcWriteOptions(**options)) as file:
        file.write_table(content, max_chunksize=25)
    return sink.getvalue().to_pybytes()


def with_views() -> pa.Table:
    views = pa.array([f"text {row} that is longer than twelve bytes" for row in range(40)], pa.string_view())
    return table().set_column(0, "text", views)


def zipped(method: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr(zipfile.ZipInfo("a/é.csv"), b"?" * 100)
        archive.writestr(zipfile.ZipInfo("rows.csv"), ROWS, method)
    return buffer.getvalue()


def tarred(kind: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=kind) as archive:
        for name, body in (("long/" * 30 + "é.csv", b"?" * 100), ("rows.csv", ROWS)):
            info = tarfile.TarInfo(name)
            info.size = len(body)
            info.pax_headers = {"comment": "é" * 50, "mtime": "1.5"} if kind == tarfile.PAX_FORMAT else {}
            archive.addfile(info, io.BytesIO(body))
    return buffer.getvalue()


def zstd(body: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.output_stream(sink, compression="zstd") as stream:
        stream.write(body)
    return sink.getvalue().to_pybytes()


TABLES = {
    "parquet": as_parquet(),
    "parquet without dictionaries": as_parquet(use_dictionary=False, compression="zstd"),
    "parquet with checksums": as_parquet(write_page_checksum=True, data_page_version="2.0", compression="none"),
    "parquet of delta encodings": as_parquet(
        use_dictionary=False, column_encoding={"text": "DELTA_BYTE_ARRAY", "id": "DELTA_BINARY_PACKED"}
    ),
    "arrow file": as_arrow(pa.ipc.new_file, table()),
    "arrow stream": as_arrow(pa.ipc.new_stream, table()),
    "arrow file, lz4": as_arrow(pa.ipc.new_file, table(), compression="lz4"),
    "arrow stream, zstd": as_arrow(pa.ipc.new_stream, table(), compression="zstd"),
    "arrow file of views": as_arrow(pa.ipc.new_file, with_views()),
}
ARCHIVES = {
    "zip": zipped(zipfile.ZIP_STORED),
    "zip, deflate": zipped(zipfile.ZIP_DEFLATED),
    "zip, bzip2": zipped(zipfile.ZIP_BZIP2),
    "zip, lzma": zipped(zipfile.ZIP_LZMA),
    "tar, gnu": tarred(tarfile.GNU_FORMAT),
    "tar, pax": tarred(tarfile.PAX_FORMAT),
    "tar.gz": gzip.compress(tarred(tarfile.PAX_FORMAT), mtime=0),
    "tar.zst": zstd(tarred(tarfile.PAX_FORMAT)),
}
COMPRESSED = {
    "gzip": gzip.compress(ROWS, mtime=0),
    "zstd": zstd(ROWS),
    "bzip2": bz2.compress(ROWS),
    "xz": lzma.compress(ROWS),
    "lzma": lzma.compress(ROWS, lzma.FORMAT_ALONE),
}
NUMBERS = [0, 1, -1, 127, 255, 2**15, 2**16 - 1, 2**31 - 1, -(2**31), 2**32 - 1, 2**40, 2**63 - 1, -(2**63)]
# where (counted from the start, or from the end if negative), and the bytes that are put there
PATCH = st.tuples(
    st.integers(-400, 400) | st.integers(-6_000, 6_000),
    st.integers(0, 7)
    | st.binary(min_size=1, max_size=4)
    | st.tuples(st.sampled_from(NUMBERS), st.sampled_from([4, 8])).map(
        lambda number: (number[0] % 2 ** (8 * number[1])).to_bytes(number[1], "little")
    ),
)
DAMAGE = st.tuples(
    st.lists(PATCH, min_size=1, max_size=4), st.none() | st.integers(0, 6_000), st.sampled_from([b"", b"\0" * 9, b"PK"])
)


def damage(body: bytes, change: tuple) -> bytes:
    """Flip bits and put numbers where the patches say, cut the file off, and add to it."""
    patches, length, tail = change
    changed = bytearray(body)
    for position, value in patches:
        start = position % len(changed)
        if isinstance(value, int):
            changed[start] ^= 1 << value
        else:
            changed[start : start + len(value)] = value[: len(changed) - start]
    return bytes(changed[:length]) + tail


def check(read: Callable, content: bytes, **arguments: object) -> None:
    try:
        result = read({"set.bin": content}, policies=POLICIES, **arguments)
    except RetuneError as error:
        message = str(error)
    else:
        message = ""
    assert "\n" not in message
    assert len(message) < 3_000
    if message:
        return
    stats = result.stats
    assert stats["rows_in"] == stats["rows_used"] + sum(stats["set_aside"].values())
    assert stats["rows_used"] == result.table.num_rows


def columns(kind: str) -> dict[str, object]:
    return {
        "file_format": kind.partition(" ")[0],
        "files": [{"source": "data/set.bin"}],
        "columns": {"text": "text", "label": "label", "id": "id", "slices": SLICES},
    }


@pytest.mark.parametrize("kind", TABLES)
def test_tables_are_good_before_they_are_damaged(read, kind):
    result = read({"set.bin": TABLES[kind]}, policies=POLICIES, **columns(kind))
    assert result.stats["rows_in"] == 40
    assert result.stats["set_aside"] in ({}, {"empty_text": 6})
    assert result.column("slice:parts")[-2:] == ["['a', 'é', 'a', 'é']", "[]"]
    assert result.column("slice:day")[-1] == "2076-10-11"


@pytest.mark.parametrize("kind", TABLES)
@FUZZ
@given(change=DAMAGE)
@example(([(0, b"")], None, b""))
@example(([(0, b"")], 0, b""))
@example(([(-1, b"x")], None, b""))
def test_damaged_tables(read, kind, change):
    check(read, damage(TABLES[kind], change), **columns(kind))


@pytest.mark.parametrize("kind", ARCHIVES)
@FUZZ
@given(change=DAMAGE, member=st.sampled_from(["rows.csv", "a/é.csv"]))
@example(([(0, b"")], 0, b""), "rows.csv")
def test_damaged_archives(read, kind, change, member):
    check(read, damage(ARCHIVES[kind], change), files=[{"source": "data/set.bin", "member": member}])


@pytest.mark.parametrize("kind", COMPRESSED)
@FUZZ
@given(change=DAMAGE)
@example(([(0, b"")], 20, b""))
def test_damaged_compressed_files(read, kind, change):
    check(read, damage(COMPRESSED[kind], change), files=[{"source": "data/set.bin"}])


@pytest.mark.parametrize("kind", [*ARCHIVES, *COMPRESSED])
def test_archives_are_good_before_they_are_damaged(read, kind):
    member = {"member": "rows.csv"} if kind in ARCHIVES else {}
    result = read({"set.bin": {**ARCHIVES, **COMPRESSED}[kind]}, files=[{"source": "data/set.bin", **member}])
    assert result.stats["rows_used"] == 40
