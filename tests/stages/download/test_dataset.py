"""Every format becomes the same rows, and what a run says of its sources is right."""

import datetime
import hashlib
import io
import json
import re
import tempfile
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.errors import DataError
from stages.targets.rows import read_rows_target

PLAIN = {"text": "text", "label": "label"}
ROWS = [("good, really", "yes"), ('bad "thing"', "no"), ("zwei\nZeilen", "yes"), ("naïve 🙂", "no")]


def as_csv(delimiter: str = ",") -> bytes:
    quoted = (['"' + text.replace('"', '""') + '"', label] for text, label in ROWS)
    return "".join(delimiter.join(cells) + "\r\n" for cells in [["text", "label"], *quoted]).encode()


def as_parquet() -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"label": [label for _, label in ROWS], "text": [text for text, _ in ROWS]}), buffer)
    return buffer.getvalue()


def as_jsonl() -> bytes:
    lines = (json.dumps({"label": label, "text": text}) + "\n" for text, label in ROWS)
    return "".join(lines).encode()


@pytest.mark.parametrize(
    ("file_format", "content"),
    [("csv", as_csv()), ("tsv", as_csv("\t")), ("jsonl", as_jsonl()), ("parquet", as_parquet())],
)
def test_every_format_gives_the_same_rows(read, file_format, content):
    result = read(content, file_format=file_format)
    assert list(zip(result.column("text"), result.column("label"), strict=True)) == ROWS
    assert result.labels == ["no", "yes"]
    own = ["text_key", "cluster", "file"]
    assert result.table.column_names == ["id", "text", "text_pair", "label", "group", "split", *own]


def test_slice_columns_are_kept_under_their_names(read):
    content = b"text,label,version,stars\na,x, 1.2 ,3\nb,y,,4\nc,x,1.3,3\n"
    columns = {**PLAIN, "slices": ["version", "stars"]}
    result = read(content, columns=columns)
    assert result.column("slice:version") == ["1.2", None, "1.3"]
    assert result.column("slice:stars") == ["3", "4", "3"]
    assert result.column("file") == ["data/rows.csv"] * 3


def test_each_row_says_which_file_it_is_from(read):
    result = read({"a.csv": b"text,label\na,x\nb,y\n", "b.csv": b"text,label\nc,x\n"})
    assert result.column("file") == ["data/a.csv", "data/a.csv", "data/b.csv"]


def test_slice_columns_of_tables_become_text(read):
    buffer = io.BytesIO()
    days = [datetime.date(2020, 1, 2), None]
    pq.write_table(pa.table({"text": ["a", "b"], "label": [1, 2], "day": days, "stars": [1.0, 2.5]}), buffer)
    columns = {**PLAIN, "slices": ["day", "stars"]}
    result = read(buffer.getvalue(), file_format="parquet", columns=columns)
    assert result.column("slice:day") == ["2020-01-02", None]
    assert result.column("slice:stars") == ["1", "2.5"]


def test_slice_columns_keep_their_rows_where_others_are_set_aside(read):
    lines = b'{"text": "", "label": 1, "v": "a"}\n{"text": "b", "label": 1, "v": "b"}\n{"text": "c", "label": 2}\n'
    columns = {**PLAIN, "slices": ["v"]}
    result = read(lines, file_format="jsonl", columns=columns, policies={"empty_text": "set_aside"})
    assert result.column("slice:v") == ["b", None]


def test_numbered_columns_are_kept_where_there_is_no_header(read):
    columns = {"text": 0, "label": 1, "slices": [2]}
    result = read(b"a,x,new\nb,y,old\n", header=False, columns=columns)
    assert result.column("slice:2") == ["new", "old"]


def test_lines_take_their_label_from_the_file(read):
    result = read(
        {"neg": "dull\nsilly \x85 film\n".encode("latin-1"), "pos": b"fine\r\nlovely"},
        file_format="lines",
        encoding="latin-1",
        files=[{"source": "data/neg", "label": "negative"}, {"source": "data/pos", "label": "positive"}],
    )
    assert result.column("text") == ["dull", "silly \x85 film", "fine", "lovely"]
    assert result.column("label") == ["negative", "negative", "positive", "positive"]


def test_tsv_without_header_and_quotes(read):
    result = read(
        b'gj04\t1\t\tHe said "no.\ngj04\t0\t*\tHim "said.\n',
        file_format="tsv",
        header=False,
        quoting=False,
        columns={"text": 3, "label": 1},
        labels={"0": "unacceptable", "1": "acceptable"},
    )
    assert result.column("text") == ['He said "no.', 'Him "said.']
    assert result.column("label") == ["acceptable", "unacceptable"]
    assert result.labels == ["unacceptable", "acceptable"]


@pytest.mark.parametrize(
    ("encoding", "codec"), [("utf-8", "utf-8-sig"), ("utf-16", "utf-16"), ("cp1252", "cp1252"), ("latin-1", "latin-1")]
)
def test_encodings_and_byte_order_mark(read, encoding, codec):
    result = read("text,label\ncafé,a\nthé,b\n".encode(codec), encoding=encoding)
    assert result.column("text") == ["café", "thé"]


def test_zip_members_with_official_splits(read):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("set/train.csv", "text,label\na,x\nb,y\n")
        archive.writestr("set/test.csv", "text,label\nc,x\n")
    result = read(
        {"set.zip": buffer.getvalue()},
        files=[
            {"source": "data/set.zip", "member": "set/train.csv", "split": "train"},
            {"source": "data/set.zip", "member": "set/test.csv", "split": "test"},
        ],
    )
    assert result.column("split") == ["train", "train", "test"]
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    assert [(file["member"], file["sha256"], file["rows"]) for file in result.source] == [
        ("set/train.csv", digest, 2),
        ("set/test.csv", digest, 1),
    ]


def test_pairs_groups_and_ids(read):
    result = read(
        b"id,q,a,who,y\n7,why,so,ann,1\n8,how,thus,,2\n",
        columns={"text": "q", "text_pair": "a", "label": "y", "id": "id", "group": "who"},
    )
    assert result.column("id") == ["7", "8"]
    assert result.column("text_pair") == ["so", "thus"]
    assert result.column("group") == ["ann", None]


def test_typed_values_of_parquet_and_json(read):
    buffer = io.BytesIO()
    pq.write_table(pa.table({"text": ["a", "b", "c"], "label": [1.0, 2.0, 1.0]}), buffer)
    assert read(buffer.getvalue(), file_format="parquet").column("label") == ["1", "2", "1"]
    result = read(b'{"text": "a", "label": true}\n\n{"text": 12, "label": false}\n', file_format="jsonl")
    assert result.column("label") == ["true", "false"]
    assert result.column("text") == ["a", "12"]


def test_ids_of_texts_stay_when_rows_are_added(read):
    before = read(b"text,label\nx,a\ny,b\nx,a\n").column("id")
    after = read(b"text,label\nnew,b\nx,a\ny,b\nx,a\n").column("id")
    assert after[1:] == before
    assert len(set(after)) == 4
    assert before[2] == before[0] + "-2"


def test_numeric_labels_are_ordered_as_numbers(read):
    assert read(b"text,label\na,10\nb,9\nc,-1\nd,9\n").labels == ["-1", "9", "10"]


def test_values_joined_under_one_name(read):
    names = {"1": "low", "2": "low", "3": "high"}
    result = read(b"text,label\na,1\nb,3\nc,2\n", labels=names)
    assert result.column("label") == ["low", "high", "low"]
    assert result.labels == ["low", "high"]


@pytest.mark.parametrize(
    ("names", "order", "expected"),
    [
        ({"2": "b", "10": "a"}, [], ["b", "a"]),  # by number
        ({"10": "a", "2": "b"}, [], ["b", "a"]),  # DVC takes both mappings for equal
        ({"x": "b", "y": "a"}, [], ["b", "a"]),  # by the values' own names
        ({"y": "a", "x": "b"}, [], ["b", "a"]),
        ({"y": "a", "x": "b"}, ["a", "b"], ["a", "b"]),
        ({}, ["10", "2"], ["10", "2"]),
    ],
)
def test_the_order_of_the_classes_is_no_matter_of_the_mapping(read, names, order, expected):
    values = sorted(names) or order
    content = "".join(f"text {number},{value}\n" for number, value in enumerate(values))
    assert read(f"text,label\n{content}".encode(), labels=names, label_order=order).labels == expected


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (["a", "b", "c"], r"label_order names \['c'\], but no row has that label"),
        (["a"], r"label_order is \['a'\], but the rows have \['a', 'b'\]. List each label once"),
        (["a", "b", "a"], "List each label once"),
    ],
)
def test_an_order_that_is_not_that_of_the_labels(read, order, message):
    with pytest.raises(DataError, match=message):
        read(b"text,label\nx,a\ny,b\n", label_order=order)


def test_rows_in_are_rows_used_and_rows_set_aside(read):
    result = read(
        b"id,text,label\n1,fine,a\n2, ,a\n3,good,\n1,again,b\n5,well,b\n",
        columns={"text": "text", "label": "label", "id": "id"},
        policies={"empty_text": "set_aside", "missing_label": "set_aside", "duplicate_id": "set_aside"},
    )
    assert result.stats["rows_in"] == 5
    assert result.stats["rows_used"] == 2 == result.table.num_rows
    assert result.stats["set_aside"] == {"duplicate_id": 1, "empty_text": 1, "missing_label": 1}
    assert result.set_aside.splitlines() == [
        "file,row,reason,id,text",
        "data/rows.csv,3,empty_text,2, ",
        "data/rows.csv,4,missing_label,3,good",
        "data/rows.csv,5,duplicate_id,1,again",
    ]


def test_equal_but_for_case_width_and_blanks_share_a_key(read):
    result = read("text,label\nFree  Prize,a\nfree prize,b\nＦＲＥＥ prize,a\nfree,b\n".encode())
    first, second, third, other = result.column("text_key")
    assert first == second == third != other
    assert result.stats["duplicates"]["distinct_texts"] == 4
    assert result.stats["duplicates"]["repeated_but_for_case"] == 2
    assert result.stats["warnings"] == {"conflicting_labels": 3, "duplicate_text": 2}


def test_outputs_do_not_depend_on_the_run(read, tmp_path: Path):
    content = b"text,label\nx,a\ny,b\n"
    first = {path.name: path.read_bytes() for path in read(content).folder.iterdir()}
    second = {path.name: path.read_bytes() for path in read(content).folder.iterdir()}
    assert first == second
    assert sorted(first) == ["rows.parquet", "set_aside.csv", "source.json", "stats.json"]
    assert str(tmp_path).encode() not in b"".join(first.values())


BAD = {
    "missing file": (
        {"content": b"x", "files": [{"source": "data/other.csv"}]},
        r"data/other.csv is missing. Correct download.dataset.files",
    ),
    "outside the watched folder": (
        {"content": b"x", "watched": "data/deeper"},
        r"data/rows.csv is not in download.dataset.folder, which is data/deeper, so .* Set .*folder: data$",
    ),
    "a folder": (
        {"content": b"x", "files": [{"source": "data"}]},
        r"data is a folder. Name the files in it with a pattern such as data/",
    ),
    "unknown scheme": (
        {"files": [{"source": "gopher://x/y.csv"}]},
        r"gopher://x/y.csv has an unknown scheme. Give a path, or one of http://, https://, hf://, s3://",
    ),
    "wrong checksum": (
        {"content": b"x", "files": [{"source": "data/rows.csv", "sha256": "0" * 64}]},
        r"data/rows.csv has SHA-256 2d711642\w+, but download.dataset.files pins 0{64}",
    ),
    "empty file": ({"content": b""}, r"data/rows.csv is empty \(0 bytes\)"),
    "header alone": ({"content": b"text,label\n"}, r"data/rows.csv has no rows"),
    "missing column": (
        {"content": b"body,label\na,1\n"},
        r"data/rows.csv has no column 'text'. It has: 'body', 'label'. Correct download.dataset.columns.text",
    ),
    "missing column of jsonl": (
        {"content": b'{"body": "a", "label": 1}\n', "file_format": "jsonl"},
        r"data/rows.jsonl has no column 'text'. It has: 'body', 'label'",
    ),
    "column twice": (
        {"content": b"text,text,label\na,b,1\n"},
        r"has 2 columns 'text'. Give each column a name of its own",
    ),
    "column number out of range": (
        {"content": b"a\tb\n", "file_format": "tsv", "header": False, "columns": {"text": 0, "label": 2}},
        r"has no column 2. It has: '0', '1'. Correct download.dataset.columns.label",
    ),
    "missing column to be kept": (
        {"content": b"text,label\na,1\n", "columns": {**PLAIN, "slices": ["version"]}},
        r"data/rows.csv has no column 'version'. It has: 'text', 'label'. Correct download.dataset.columns.slices",
    ),
    "missing column to be kept, of parquet": (
        {"content": as_parquet(), "file_format": "parquet", "columns": {**PLAIN, "slices": ["version"]}},
        r"has no column 'version'. It has: 'label', 'text'. Correct download.dataset.columns.slices",
    ),
    "columns of plain lines": (
        {
            "content": b"a\n",
            "file_format": "lines",
            "files": [{"source": "data/rows.lines", "label": "a"}],
            "columns": {**PLAIN, "slices": ["version"]},
        },
        r"data/rows.lines: the format lines has no columns. Set download.dataset.columns.slices: \[\]",
    ),
    "broken column that is kept": (
        {
            "content": "text,label,city\na,1,Köln\nb,2,Bonn\n".encode("latin-1"),
            "columns": {**PLAIN, "slices": ["city"]},
        },
        r"row 2: has bytes that are not text",
    ),
    "column name without header": (
        {"content": b"a,b\n", "header": False},
        r"columns.text: 'text' is a name, but data/rows.csv has no header. Give a number from 0 to 1",
    ),
    "label once": (
        {"content": b"text,label\na,x\nb,y\nc,x\n", "min_rows_per_label": 2},
        r"Labels with fewer than 2 rows: 'y' has 1. Add rows of these labels",
    ),
    "one class": ({"content": b"text,label\na,x\nb,x\n"}, r"All rows have the label 'x', but a classifier needs"),
    "empty text": (
        {"content": b"text,label\na,x\n,y\n  ,x\n"},
        r"data/rows.csv row 3, 4: the text is empty. Give it a text, or set .*checks.empty_text: set_aside",
    ),
    "null text": (
        {"content": b'{"text": null, "label": 1}\n{"text": "a", "label": 2}\n', "file_format": "jsonl"},
        r"data/rows.jsonl row 1: the text is empty",
    ),
    "empty second text": (
        {"content": b"text,b,label\na,,x\nb,c,y\n", "columns": {"text": "text", "text_pair": "b", "label": "label"}},
        r"data/rows.csv row 2 \(text_pair\): the text is empty",
    ),
    "missing label": ({"content": b"text,label\na,x\nb,\n"}, r"row 3: the label is empty. Give it a label"),
    "unknown label": (
        {"content": b"text,label\na,0\nb,2\nc,1\n", "labels": {"0": "ham", "1": "spam"}},
        r"row 3 \(2\): the label is not in download.dataset.labels",
    ),
    "label named that no row has": (
        {"content": b"text,label\na,0\nb,1\n", "labels": {"0": "ham", "1": "spam", "2": "eggs"}},
        r"download.dataset.labels names \['eggs'\], but no row has that label",
    ),
    "duplicate ids": (
        {
            "content": b"id,text,label\n7,a,x\n7,b,y\n",
            "columns": {"text": "text", "label": "label", "id": "id"},
        },
        r"data/rows.csv row 3 \(id 7\): has the id of an earlier row",
    ),
    "empty id": (
        {"content": b"id,text,label\n7,a,x\n,b,y\n", "columns": {"text": "text", "label": "label", "id": "id"}},
        r"row 3: the id is empty. Give it an id, or set download.dataset.columns.id: null",
    ),
    "unknown encoding": (
        {"content": b"x", "encoding": "klingon"},
        r"encoding: Python has no text encoding 'klingon'",
    ),
    "bytes of another encoding": (
        {"content": "text,label\ncafé,a\nthe,b\n".encode("latin-1")},
        r"row 2: has bytes that are not text in this encoding. Set download.dataset.encoding to",
    ),
    "header of another encoding": (
        {"content": "text,étiquette\na,b\n".encode("latin-1")},
        r"row 1: the header is not utf-8. Set download.dataset.encoding",
    ),
    "half a utf-16 file": (
        {"content": "text,label\n".encode("utf-16")[:-1], "encoding": "utf-16"},
        r"can't be read as utf-16",
    ),
    "ragged row": (
        {"content": b"text,label\na,x\nb,y,z\n"},
        r"row 3 \(3 fields, but the header has 2\): can't be read",
    ),
    "quote not closed": (
        {"content": b'text,label\na,x\n"b,y\nc,x\n'},
        r"row 3 \(it opens a quote that is never closed\): can't be read. .*quoting",
    ),
    "no json": ({"content": b'{"text": "a", "label": 1}\n{text\n', "file_format": "jsonl"}, r"row 2 \(not JSON: "),
    "json without an object": (
        {"content": b"[1]\n", "file_format": "jsonl"},
        r"row 1 \(expected a JSON object, got list\)",
    ),
    "json text of another type": (
        {"content": b'{"text": ["a"], "label": 1}\n', "file_format": "jsonl"},
        r"row 1 \(text: expected a string or a number, got list\)",
    ),
    "no parquet": ({"content": b"PAR1", "file_format": "parquet"}, r"data/rows.parquet can't be read as Parquet"),
    "lines without label": (
        {"content": b"a\n", "file_format": "lines"},
        r"plain lines have no label. Give the file a label",
    ),
    "label nowhere": (
        {"content": b"text\na\n", "columns": {"text": "text"}},
        r"data/rows.csv has no label. Name its label column in download.dataset.columns.label",
    ),
    "no zip file": (
        {"content": b"text", "files": [{"source": "data/rows.csv", "member": "a.csv"}]},
        r"data/rows.csv is not a zip or tar file, so it has no member 'a.csv'",
    ),
    "all set aside": (
        {"content": b"text,label\n,x\n,y\n", "policies": {"empty_text": "set_aside"}},
        r"No row is left to use: all 2 are set aside \(empty_text 2\)",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_clear_line(read, case):
    arguments, message = BAD[case]
    with pytest.raises(DataError, match=message) as caught:
        read(**arguments)
    assert "\n" not in str(caught.value)


def test_missing_member_lists_those_present(read):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a/train.tsv", "x")
    with pytest.raises(DataError, match=r"data/x.zip has no member 'train.tsv'. It has: a/train.tsv"):
        read({"x.zip": buffer.getvalue()}, files=[{"source": "data/x.zip", "member": "train.tsv"}])


def test_all_problems_stand_in_one_error(read):
    rows = b"".join(b",x\n" for _ in range(9))
    with pytest.raises(DataError, match=r"row 2, 3, 4, 5, 6 and 4 more: the text is empty.*row 11: the label is empty"):
        read(b"text,label\n" + rows + b"a,\n")


def test_clusters_reach_the_rows(read):
    text = "this is a review of an app that I like very much and use every day of the week"
    result = read(f"text,label\nother,x\n{text},x\n{text.upper()},y\n{text}!,y\nelse,x\n".encode())
    assert result.column("cluster") == [None, 1, 1, 1, None]
    assert result.stats["duplicates"]["nearly_repeated"] == 1
    assert result.stats["warnings"] == {"conflicting_labels": 2, "duplicate_text": 1, "near_duplicate": 1}
    apart = read(f"text,label\n{text},x\n{text}!,x\nb,y\n".encode(), policies={"near_duplicate": "set_aside"})
    assert apart.column("cluster") == [None, None]
    assert apart.stats["duplicates"]["nearly_repeated"] == 0
    ignored = read(f"text,label\n{text},x\n{text}!,y\n".encode(), policies={"near_duplicate": "ignore"})
    assert ignored.column("cluster") == [None, None]


def test_what_is_unpacked_lies_in_the_half_written_folder_that_the_next_run_removes(read, monkeypatch):
    """Ctrl-C and a kill clean up nothing: elsewhere, all rows would stay."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("rows.csv", as_csv())
    monkeypatch.setattr(tempfile, "tempdir", "/dev/null/missing")
    result = read({"rows.zip": packed.getvalue()}, files=[{"source": "data/rows.zip", "member": "rows.csv"}])
    assert result.column("text") == [text for text, _ in ROWS]
    written = {"rows.parquet", "set_aside.csv", "source.json", "stats.json"}
    assert {path.name for path in result.folder.iterdir()} == written


def test_rows_that_stray_quotes_join_are_refused_with_the_setting(read):
    lines = [b"text,label\n", *(b"text %d,%s\n" % (n, (b"x", b"y")[n % 2]) for n in range(40))]
    lines[11], lines[15] = b'"text 10,x\n', b'text 14",x\n'
    with pytest.raises(DataError, match=r"row 12 \(lines 12 to 16 .*: set download.dataset.quoting: false\): can't be"):
        read(b"".join(lines))
    assert len(read(b"".join(lines), quoting=False).column("text")) == 40


@pytest.mark.parametrize("blank", ["", " ", "  ", "\u00a0", "\t"])
def test_blanks_around_a_group_make_no_other_group(read, blank):
    """Else the same author could be in train and in test."""
    groups = ["u1", f"u1{blank}", f"{blank}u1", f"{blank}u1{blank}", blank]
    lines = [f"text {number},{group},{'xy'[number % 2]}\n" for number, group in enumerate(groups)]
    result = read(
        ("text,who,label\n" + "".join(lines)).encode(), columns={"text": "text", "label": "label", "group": "who"}
    )
    assert result.column("group") == ["u1"] * 4 + [None]


HIDDEN = {  # labels of train -> of test -> what auto takes once the rows that train does not know are set aside
    "a hidden label beside two": ("01", ["-1"], "classes"),
    "hidden among known ones": ("01", ["-1", "0", "1"], "classes"),
    "a hidden label beside three in a row": ("123", ["-1", "2"], "ordered"),
    "a hidden word beside three in a row": ("123", ["?", "2"], "ordered"),
    "a hidden number beside words": ("ab", ["-1", "a"], "classes"),
    "no hidden one": ("123", ["1", "2", "3"], "ordered"),
}


@pytest.mark.parametrize("case", HIDDEN)
def test_auto_looks_at_the_labels_of_the_rows_that_are_used(read, case, caplog):
    caplog.set_level("INFO")
    train, test, kind = HIDDEN[case]
    files = [{"source": "data/a.csv", "split": "train"}, {"source": "data/b.csv", "split": "test"}]
    content = {
        "a.csv": "text,label\n" + "".join(f"text {n},{train[n % len(train)]}\n" for n in range(12)),
        "b.csv": "text,label\n" + "".join(f"other {n},{test[n % len(test)]}\n" for n in range(12)),
    }
    result = read(
        {name: text.encode() for name, text in content.items()},
        files=files,
        policies={"unseen_label": "set_aside"},
    )
    assert read_rows_target(result.folder / "rows.parquet").kind == kind
    took = "classes in order" if kind == "ordered" else "classes"
    assert [line for line in caplog.messages if f"auto treats the labels as {took} (" in line]
    assert len([line for line in caplog.messages if "auto treats" in line]) == 1


ASIDE = {  # rows of train, of test, policy -> level of the line on test, and what it says
    "some, by themselves": (
        "missing_label",
        ["", "x"],
        "INFO",
        r"data/b.csv: 2 of 4 rows are set aside \(missing_label 2\)",
    ),
    "all, by themselves": (
        "missing_label",
        [""],
        "WARNING",
        r"data/b.csv: 4 of 4 rows are set aside \(missing_label 4\)",
    ),
    "some, across rows": (
        "unseen_label",
        ["z", "x"],
        "INFO",
        r"data/b.csv: 2 of 4 rows are set aside \(unseen_label 2\)",
    ),
    "all, across rows": ("unseen_label", ["z"], "WARNING", r"data/b.csv: 4 of 4 rows are set aside \(unseen_label 4\)"),
    "none": ("missing_label", ["x"], None, ""),
}


@pytest.mark.parametrize("split", ["test", "val"])
@pytest.mark.parametrize("case", ASIDE)
def test_rows_that_are_set_aside_are_in_the_log(read, case, split, caplog):
    caplog.set_level("INFO")
    rule, labels, level, message = ASIDE[case]
    files = [{"source": "data/a.csv", "split": "train"}, {"source": "data/b.csv", "split": split}]
    train = "text,label\n" + "".join(f"text {n},{'xy'[n % 2]}\n" for n in range(8))
    test = "text,label\n" + "".join(f"other {n},{labels[n % len(labels)]}\n" for n in range(4))
    read({"a.csv": train.encode(), "b.csv": test.encode()}, files=files, policies={rule: "set_aside"})
    lines = [(record.levelname, record.message) for record in caplog.records if "set aside" in record.message]
    whole = ("WARNING", f"All rows with split: {split} are set aside, so the data set has no official {split}")
    assert [name for name, _ in lines] == [level] * (1 if level == "INFO" else 2 if level else 0)
    assert not level or re.match(message, lines[0][1])
    assert (whole in lines) == (level == "WARNING")
