"""Files that claim or unpack to more than a machine can hold are refused, or read, within a bound of memory."""

import gzip
import io
import json
import re
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.download import collect
from stages.download.readers import record, tables, text_files
from stages.download.readers.columns import rows_at_once
from stages.download.sources import members as archive_members
from stages.errors import DataError
from stages.messages import examples, plain, short

HUGE_SIZE = 400_000_000  # bytes, of a sparse file that takes no room on the disk


def sparse(path: Path, start: bytes = b"", end: bytes = b"", size: int = HUGE_SIZE) -> None:
    with path.open("wb") as file:
        file.write(start)
        file.seek(size)
        file.write(end or b"\0")


def huge_directory(path: Path) -> None:
    fields = (b"PK\x05\x06", 0, 0, 65535, 65535, HUGE_SIZE - 100, 0, 0)
    sparse(path, b"PK\x03\x04", struct.pack("<4s4H2LH", *fields))


def huge_pax_header(path: Path) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, HUGE_SIZE
    sparse(path, tarfile.TarInfo("first").tobuf() + info.tobuf(tarfile.GNU_FORMAT))


def huge_field(path: Path) -> None:
    with path.open("wb") as file:
        file.write(b"text,label\n")
        file.write(b'"\n",' * 1_000_000)  # a row of small fields that goes on for ever


def expanding_gzip(path: Path) -> None:
    with gzip.open(path, "wb", 1) as file:
        for _ in range(110):
            file.write(b"a" * 1_000_000)


def null_rows(path: Path) -> None:
    batch = pa.RecordBatch.from_arrays([pa.nulls(10**9)] * 2, names=["text", "label"])
    with pa.ipc.new_file(str(path), batch.schema) as writer:
        writer.write_batch(batch)


def runs(path: Path) -> None:
    run = pa.RunEndEncodedArray.from_arrays(pa.array([10**9], pa.int64()), ["a"])
    batch = pa.RecordBatch.from_arrays([run] * 2, names=["text", "label"])
    with pa.ipc.new_stream(str(path), batch.schema) as writer:
        writer.write_batch(batch)


def one_value_in_many_rows(path: Path) -> None:
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 1_000, pa.int32()), pa.array(["a" * 5_000_000]))
    table = pa.table({"text": text, "label": ["x", "y"] * 500})
    pq.write_table(table, path, dictionary_pagesize_limit=1 << 30, store_schema=False)  # else it is read as it is here


def delta_of_one_value(path: Path) -> None:
    text, label = pa.array(["a" * 1_000_000] * 100), pa.array(["x", "y"] * 50)
    table = pa.table({"text": pa.chunked_array([text] * 18), "label": pa.chunked_array([label] * 18)})
    pq.write_table(table, path, use_dictionary=False, column_encoding={"text": "DELTA_BYTE_ARRAY"})


def deep_headers(path: Path) -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 4
    path.write_bytes((info.tobuf(tarfile.GNU_FORMAT) + b"abc".ljust(512, b"\0")) * 5_000)


HUGE: dict[str, tuple[str, Callable[[Path], None], str | None, str]] = {
    "csv of one line": ("csv", lambda path: sparse(path, b"text,label\n"), None, "row 2 is longer than 100,000,000"),
    "csv of one field": ("csv", lambda path: sparse(path, b'text,label\n"'), None, "row 2 is longer than 100,000,000"),
    "csv of one row": ("csv", huge_field, None, "row 2 .it opens a quote that is never closed"),
    "jsonl of one line": ("jsonl", sparse, None, "row 1 is longer than 100,000,000 characters. Give each row a line"),
    "lines of one line": ("lines", sparse, None, "row 1 is longer than 100,000,000 characters"),
    "gzip of one line": ("lines", expanding_gzip, None, "row 1 is longer than 100,000,000 characters"),
    "json nested deep": ("jsonl", lambda path: path.write_bytes(b'{"text":' * 5_000_000), None, "row 1 .not JSON"),
    "zip with a huge directory": ("csv", huge_directory, "a.csv", "it has a header of 399,999,900 bytes"),
    "tar with a huge header": ("csv", huge_pax_header, "a.csv", "can't be unpacked: it has a header of .* bytes"),
    "tar with headers of headers": ("csv", deep_headers, "a.csv", "can't be unpacked|not a zip or tar file"),
    "arrow of a billion nulls": ("arrow", null_rows, None, "has 1,000,000,000 rows or more, and at most 100,000,000"),
    "arrow of a billion equal rows": ("arrow", runs, None, "has 1,000,000,000 rows or more"),
    "parquet of one large value": ("parquet", one_value_in_many_rows, None, "has texts of more than 120 MB"),
    "parquet of one value in deltas": ("parquet", delta_of_one_value, None, "has texts of more than 120 MB"),
}
SCRIPT = """
import json, re, resource, sys, tempfile
from pathlib import Path
from stages.download.dataset import write_dataset
from stages.errors import DataError
from stages.schema import Dataset
arguments, root = json.loads(sys.argv[1]), Path(sys.argv[2])
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
with tempfile.TemporaryDirectory() as folder:
    try:
        write_dataset(Path(folder), Dataset.model_validate(arguments), root=root, unpack_limit=120_000_000)
    except DataError as error:
        print(error)
# Not ru_maxrss, which counts the parent too
print(int(re.search("VmHWM:.*?([0-9]+)", Path("/proc/self/status").read_text())[1]) // 1024)
"""


@pytest.mark.parametrize("case", HUGE)
def test_what_is_huge_takes_little_memory(tmp_path, case):
    file_format, make, member, message = HUGE[case]
    (tmp_path / "data").mkdir()
    make(tmp_path / "data/set.bin")
    recipe = dataset(file_format, member)
    command = [sys.executable, "-c", SCRIPT, json.dumps(recipe), str(tmp_path)]
    answer = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True, timeout=300)
    (tmp_path / "data/set.bin").unlink()
    assert answer.returncode == 0, answer.stderr[-2_000:]
    *lines, peak = answer.stdout.splitlines()
    assert len(lines) == 1
    assert re.search(message, lines[0]), lines[0]
    assert int(peak) < 1_300  # megabytes


def dataset(file_format: str, member: str | None) -> dict[str, object]:
    rules = ["malformed_row", "broken_encoding", "empty_text", "missing_label", "unknown_label", "duplicate_id"]
    warnings = ["control_characters", "duplicate_text", "conflicting_labels", "near_duplicate", "rare_label"]
    policies = {**dict.fromkeys(rules, "fail"), **dict.fromkeys(warnings, "warn")}
    source = {"source": "data/set.bin", "member": member, "label": "x" if file_format == "lines" else None}
    return {
        "files": [source],
        "folder": "data",
        "corrections": "corrections.csv",
        "format": file_format,
        "encoding": "utf-8",
        "delimiter": None,
        "header": True,
        "quoting": True,
        "columns": {**dict.fromkeys(["text_pair", "id", "group"]), "text": "text", "label": "label", "slices": []},
        "labels": {},
        "target": "auto",
        "label_order": [],
        "checks": {
            **policies,
            "label_spelling": "warn",
            "unseen_label": "fail",
            "near_duplicate_similarity": 0.8,
            "min_rows_per_label": 1,
        },
    }


@pytest.fixture
def small(monkeypatch):
    """Limits that small files reach, so that what is just allowed can be tested too."""
    for module in (record, text_files):
        monkeypatch.setattr(module, "LONGEST", 50)
    monkeypatch.setattr(archive_members, "MOST_MEMBERS", 3)
    monkeypatch.setattr(tables, "MOST_ROWS", 3)


def as_parquet(**columns: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def as_arrow(**columns: object) -> bytes:
    table, sink = pa.table(columns), pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def as_json(text: str) -> bytes:
    return json.dumps({"text": text, "label": "x"}).encode() + b'\n{"text": "b", "label": "y"}'


LONGEST = {  # of a text of so many characters, the file; and how many are just allowed
    "csv": (lambda size: b"text,label\n" + b"a" * size + b",x\nb,y", 47),
    "quoted csv over two lines": (lambda size: b'text,label\n"a\n' + b"a" * size + b'",x\nb,y', 43),
    "jsonl": (lambda size: as_json("a" * size), 50 - len(as_json("").splitlines()[0]) - 1),
    "parquet": (lambda size: as_parquet(text=["a" * size, "b"], label=["x", "y"]), 50),
    "parquet's second text": (lambda size: as_parquet(text=["a", "b"], label=["x", "y"], pair=["a" * size, "b"]), 50),
    "arrow": (lambda size: as_arrow(text=["a" * size, "b"], label=["x", "y"]), 50),
}


@pytest.mark.parametrize("kind", LONGEST)
def test_the_longest_row_is_read_and_a_longer_one_is_refused(small, read, kind):
    make, size = LONGEST[kind]
    arguments = {"file_format": re.split(r"\W", kind.removeprefix("quoted "))[0]}
    if "second" in kind:
        arguments["columns"] = {"text": "text", "label": "label", "text_pair": "pair"}
    assert read(make(size), **arguments).stats["rows_used"] == 2
    with pytest.raises(DataError, match="longer than 50 characters|a quote that is never closed"):
        read(make(size + 1), **arguments)


def test_the_longest_text_of_a_folder_and_of_lines(small, read):
    files = [{"source": "data/films"}]
    contents = {"films/a/1.txt": b"a" * 50, "films/b/1.txt": b"b"}
    assert read(contents, files=files, file_format="folders").stats["rows_used"] == 2
    contents["films/a/1.txt"] += b"a"
    with pytest.raises(DataError, match=r"row 1 .*text: longer than 50 characters"):
        read(contents, files=files, file_format="folders")
    lines = [{"source": f"data/{label}", "label": label} for label in "xy"]
    assert read({"x": b"a" * 50, "y": b"b"}, files=lines, file_format="lines").stats["rows_used"] == 2
    with pytest.raises(DataError, match="data/x row 1 is longer than 50 characters"):
        read({"x": b"a" * 51, "y": b"b"}, files=lines, file_format="lines")


@pytest.mark.parametrize("make", [as_parquet, as_arrow], ids=["parquet", "arrow"])
def test_the_most_rows_are_read_and_more_are_refused(small, read, make):
    file_format = make.__name__.removeprefix("as_")
    assert read(make(text=list("abc"), label=list("xyx")), file_format=file_format).stats["rows_used"] == 3
    with pytest.raises(DataError, match=r"has 4 rows or more, and at most 3 can be read. Give fewer rows"):
        read(make(text=list("abcd"), label=list("xyxy")), file_format=file_format)


def zipped(members: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for number in range(members):
            packed.writestr(f"{number}.csv", "text,label\na,x\nb,y\n")
    return buffer.getvalue()


def tarred(members: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as packed:
        for number in range(members):
            info = tarfile.TarInfo(f"{number}.csv")
            body = b"text,label\na,x\nb,y\n"
            info.size = len(body)
            packed.addfile(info, io.BytesIO(body))
    return buffer.getvalue()


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_the_most_members_are_read_and_more_are_refused(small, read, pack):
    files = [{"source": "data/set.bin", "member": "2.csv"}]
    assert read({"set.bin": pack(3)}, files=files).stats["rows_used"] == 2
    with pytest.raises(DataError, match=r"data/set.bin has more than 3 members. Unpack it yourself"):
        read({"set.bin": pack(4)}, files=files)


@pytest.mark.parametrize("file_format", ["parquet", "arrow"])
def test_texts_of_a_table_are_limited_like_what_unpacks(read, file_format):
    make = {"parquet": as_parquet, "arrow": as_arrow}[file_format]
    content = make(text=["a" * 300, "b" * 300], label=["x", "y"])
    assert read(content, file_format=file_format, unpack_limit=600).stats["rows_used"] == 2
    with pytest.raises(DataError, match=r"has texts of more than 0.000599 MB. .* raise machine.unpack_limit_mb"):
        read(content, file_format=file_format, unpack_limit=599)


def test_batches_of_long_texts_are_small_and_the_rows_stay(read, monkeypatch):
    content = b"".join(json.dumps({"text": f"{row} " * 30, "label": row % 2}).encode() + b"\n" for row in range(50))
    whole = read(content, file_format="jsonl").table
    monkeypatch.setattr(collect, "BATCH_CHARACTERS", 1_000)
    assert read(content, file_format="jsonl").table.equals(whole)
    assert pq.ParquetFile(read(content, file_format="jsonl").folder / "rows.parquet").num_row_groups > 3


def test_rows_are_converted_in_parts_that_fit():
    assert [rows_at_once(size) for size in (0, 1, 10_000, 1_000_000, 10**12)] == [10_000, 10_000, 10_000, 100, 1]


def test_a_csv_of_many_columns(read):
    names = ["text", *(f"c{number}" for number in range(100_000)), "label"]
    rows = [[f"{row}", *["1"] * 100_000, "xy"[row % 2]] for row in range(4)]
    content = "\n".join(",".join(row) for row in [names, *rows]).encode()
    assert read(content).column("text") == list("0123")
    with pytest.raises(DataError, match=r"has no column 'label'. It has: 'c0', .*'c19' and 99981 more") as caught:
        read(",".join(names[1:-1]).encode() + b",x\n", columns={"text": "c0", "label": "label"})
    assert len(str(caught.value)) < 500


LISTED = {  # messages that list data, where there are 200,000 of it
    "rare labels": ({"min_rows_per_label": 2}, r"fewer than 2 rows: '0' has 1, .* and 1995 more\. Add rows"),
    "labels that no row has": ({"labels": {f"z{n}": f"z{n}" for n in range(999)}}, "and .* more"),
    "unknown labels": ({"labels": {"0": "a", "1": "b"}}, r"row 4 \(2\), .* and 1993 more: the label is not in"),
}


@pytest.mark.parametrize("case", LISTED)
def test_messages_name_a_few_examples_and_the_number_of_the_others(read, case):
    settings, message = LISTED[case]
    content = b"text,label\n" + b"".join(b"a%d,%d\n" % (row, row) for row in range(2_000))
    with pytest.raises(DataError, match=message) as caught:
        read(content, **settings)
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize("rule", ["unknown_label", "duplicate_id", "rare_label", "one label", "member", "column"])
def test_no_value_of_the_data_makes_a_message_long(read, rule):
    value = "v" * 1_000_000
    columns = {"text": "text", "label": "label", "id": "id"}
    arguments = {
        "unknown_label": {"labels": {"0": "a", "1": "b"}},
        "rare_label": {"min_rows_per_label": 2},
        "column": {"columns": {"text": value, "label": "label"}},
        "member": {"files": [{"source": "data/rows.csv", "member": value}]},
    }.get(rule, {})
    ids = (value, value) if rule == "duplicate_id" else ("1", "2")
    labels = (value, value) if rule == "one label" else (value, "0")
    content = f"id,text,label,{value}x\n{ids[0]},a,{labels[0]},\n{ids[1]},b,{labels[1]},\n".encode()
    with pytest.raises(DataError, match=r"vvv\.\.\.") as caught:
        read(content, **{"columns": columns, **arguments})
    assert len(str(caught.value)) < 3_000


def test_values_in_messages_are_short_and_printable():
    assert short("a" * 200) == "'" + "a" * 99 + "..."
    assert plain("a\x1b[31m\n\udcff\0é") == "a\\x1b[31m\\n\\udcff\\x00é"
    assert len(plain("a" * 200)) == 103
    assert examples([]) == "none"
    assert examples(list("abcdef"), show=plain) == "a, b, c, d, e and 1 more"
    assert examples(["a", 1]) == "'a', 1"


def test_members_of_one_name_count_too(small, read):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as packed:
        for _ in range(4):
            packed.addfile(tarfile.TarInfo("a.csv"))
    with pytest.raises(DataError, match=r"has more than 3 members"):
        read({"set.bin": buffer.getvalue()}, files=[{"source": "data/set.bin", "member": "a.csv"}])


def test_a_part_that_claims_more_than_the_memory_holds_is_damage(read, monkeypatch):
    def claims(*_: object) -> None:
        raise MemoryError

    content = as_arrow(text=["a"] * 6, label=["x", "y"] * 3)
    monkeypatch.setattr(tables.pa.ipc, "open_file", claims)
    monkeypatch.setattr(tables.pa.ipc, "open_stream", claims)
    with pytest.raises(DataError, match="can't be read as Arrow: a part of it claims more bytes than fit in memory"):
        read(content, file_format="arrow")
