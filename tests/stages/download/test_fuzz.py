"""Any bytes give rows or a RetuneError and nothing else, every row is counted, and good rows come back exactly."""

import csv
import encodings.aliases
import io
import json
import math
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from stages.errors import RetuneError
from stages.targets.target import Target
from stages.texts import is_blank
from tests.conftest import fuzz_examples

FUZZ = settings(max_examples=fuzz_examples(150), deadline=None, suppress_health_check=list(HealthCheck))
POLICIES = st.fixed_dictionaries(
    {
        rule: st.sampled_from(policies)
        for rule, policies in {
            "malformed_row": ["fail", "set_aside", "set_aside"],
            "broken_encoding": ["fail", "warn", "set_aside"],
            "control_characters": ["warn", "set_aside"],
            "empty_text": ["fail", "warn", "set_aside"],
            "missing_label": ["fail", "set_aside", "set_aside"],
            "duplicate_text": ["warn", "set_aside"],
            "conflicting_labels": ["warn", "set_aside"],
            "near_duplicate": ["warn", "set_aside", "ignore"],
            "rare_label": ["fail", "warn", "set_aside"],
        }.items()
    }
)
CELL = st.one_of(st.sampled_from(["a", "b", "x", "", " ", '"', ",", "\t", "\n", "\r", "\0"]), st.text(max_size=6))
ENCODINGS = st.text(max_size=8) | st.sampled_from(sorted({*encodings.aliases.aliases, "base64", "rot13", "\0"}))
PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [b"text", b"label", b",", b"\t", b'"', b"\n", b"\r\n", b"a", b"b", b"1", b"\xff", b"\xef\xbb\xbf"]
        ),
        st.binary(max_size=4),
    ),
    max_size=60,
).map(b"".join)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | CELL,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(CELL, inner, max_size=2),
    max_leaves=4,
)


def separated(rows: list[list[str]], delimiter: str) -> bytes:
    class Lines(list):
        write = list.append

    lines = Lines()
    csv.writer(lines, delimiter=delimiter).writerows([["text", "label"], *rows])
    return "".join(lines).encode("utf-8", "surrogatepass")


ROWS = st.lists(st.lists(CELL, min_size=1, max_size=3), max_size=12)
TABLES = {
    "csv": PIECES | PIECES.map(lambda rest: b"text,label\n" + rest) | ROWS.map(lambda rows: separated(rows, ",")),
    "tsv": PIECES | PIECES.map(lambda rest: b"text\tlabel\n" + rest) | ROWS.map(lambda rows: separated(rows, "\t")),
    "jsonl": PIECES
    | st.lists(st.fixed_dictionaries({"text": JSON, "label": JSON}) | JSON, max_size=12).map(
        lambda rows: "".join(json.dumps(row) + "\n" for row in rows).encode()
    ),
    "json": PIECES
    | st.lists(st.fixed_dictionaries({"text": JSON, "label": JSON}) | JSON, max_size=12).map(
        lambda rows: json.dumps(rows).encode()
    ),
    "excel": PIECES | PIECES.map(lambda rest: b"PK\3\4" + rest),
    "lines": PIECES,
    "parquet": PIECES | PIECES.map(lambda rest: b"PAR1" + rest + b"PAR1"),
    "arrow": PIECES
    | PIECES.map(lambda rest: b"ARROW1\0\0" + rest)
    | PIECES.map(lambda rest: b"\xff\xff\xff\xff" + rest),
}


class Given(NamedTuple):
    """A file that stands in an example, where other files are drawn."""

    content: bytes

    def draw(self, strategy: object) -> bytes:
        return self.content


def usable(text: str) -> bool:
    """A text that comes back exactly; a mark of byte order at the start of a row is none of its text."""
    return not is_blank(text) and not text.startswith("\ufeff")


SOURCES = st.text(st.sampled_from("ab/.*?[]{}~\\ \0\n:é\udcff") | st.characters(), max_size=30)


@FUZZ
@given(
    source=SOURCES | SOURCES.map("data/{}".format),
    file_format=st.sampled_from(["csv", "folders"]),
    member=st.none() | st.text(max_size=9),
)
@example("data/" + "a" * 5_000, "csv", None)
@example("data/\0.csv", "csv", None)
@example("data/\ud800*", "csv", None)
@example("data/**/**/**/*", "folders", None)
def test_sources(read, source, file_format, member):
    files = [{"source": source, "member": member}]
    if "://" in source:
        return  # may be fetched
    check(read, b"text,label\na,x\nb,y\n", file_format, files=files)


def check(read, content: bytes, file_format: str, **arguments: object) -> None:
    try:
        result = read(content, file_format=file_format, **arguments)
    except RetuneError:
        return
    stats = result.stats
    assert stats["rows_in"] == stats["rows_used"] + sum(stats["set_aside"].values())
    assert stats["rows_used"] == result.table.num_rows
    assert len(list(csv.reader(result.set_aside.splitlines(keepends=True)))) == 1 + sum(stats["set_aside"].values())
    assert len(set(result.column("id"))) == stats["rows_used"]
    check_labels(result.column("label"), stats["labels"], Target.of_json(result.labels))


def check_labels(labels: list[str], counts: dict[str, int], target: Target) -> None:
    """Every row's label is one of the target, and counted, whichever kind `auto` took."""
    if target.kind == "number":
        assert all(math.isfinite(float(label)) for label in labels)
        assert sum(counts.values()) == len(labels)
        return
    given = Counter(label for row in labels for label in (json.loads(row) if target.kind == "label_set" else [row]))
    assert given == counts
    assert set(given) == set(target.labels)


@FUZZ
@given(data=st.data(), file_format=st.sampled_from(["csv", "tsv"]), policies=POLICIES)
def test_separated_values(read, data, file_format, policies):
    content = data.draw(TABLES[file_format])
    encoding = data.draw(st.sampled_from(["utf-8", "utf-8", "latin-1", "utf-16", "cp1252", "ascii"]) | ENCODINGS)
    delimiter = data.draw(st.none() | st.characters(exclude_categories=["Cs"]))  # of which YAML has none
    settings = {"quoting": data.draw(st.booleans()), "encoding": encoding, "delimiter": delimiter}
    check(read, content, file_format, policies=policies, **settings)


@FUZZ
@given(
    data=st.data(),
    file_format=st.sampled_from(["jsonl", "json", "excel", "lines", "parquet", "arrow"]),
    policies=POLICIES,
)
@example(None, "jsonl", {})
@example(
    Given(b'{"text": ' + b"9" * 5_000 + b', "label": 1}\n{"text": "a", "label": ' + b"8" * 5_000 + b"}"), "jsonl", {}
)
@example(Given(b'{"text": 1, "label": 1}\n{"text": "a", "label": "b"}\n{"text": 1.5, "label": true}'), "jsonl", {})
@example(Given(b'{"text":' * 100_000), "jsonl", {})
@example(Given(b'{"text": "\\ud800", "label": "\\udc00"}'), "jsonl", {})
@example(Given(b"a\0b\r\r\n\xff"), "lines", {})
@example(Given(b'{"text": "a", "label": []}\n{"text": "b", "label": [false, 0]}\n'), "jsonl", {})
@example(Given(b'{"text": "a", "label": 1.5}\n{"text": "b", "label": 2}\n'), "jsonl", {})
def test_other_formats(read, data, file_format, policies):
    data = data or Given(b'{"text": NaN, "label": Infinity}\n{"text": "a", "label": 1e400}\n')
    content = data.draw(TABLES[file_format])
    files = [{"source": f"data/rows.{file_format}", "label": "x"}] if file_format == "lines" else None
    check(read, content, file_format, policies=policies, files=files)


def as_arrow(rows: list[tuple[str, str]]) -> bytes:
    table = pa.table({"text": [text for text, _ in rows], "label": [label for _, label in rows]})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def as_parquet(rows: list[tuple[str, str]]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"text": [text for text, _ in rows], "label": [label for _, label in rows]}), sink)
    return sink.getvalue()


def as_jsonl(rows: list[tuple[str, str]]) -> bytes:
    return "".join(json.dumps({"label": label, "text": text}) + "\n" for text, label in rows).encode()


WRITERS: dict[str, Callable[[list[tuple[str, str]]], bytes]] = {
    "csv": lambda rows: separated([list(row) for row in rows], ","),
    "tsv": lambda rows: separated([list(row) for row in rows], "\t"),
    "jsonl": as_jsonl,
    "json": lambda rows: json.dumps([{"label": label, "text": text} for text, label in rows], indent=1).encode(),
    "parquet": as_parquet,
    "arrow": as_arrow,
}
READABLE = st.characters(exclude_categories=["Cs"], exclude_characters=[chr(code) for code in range(0x7F, 0xA0)])
READABLE = READABLE.filter(lambda character: character >= " " or character in "\t\n\r")
TEXT = st.text(READABLE, min_size=1, max_size=12).filter(usable)
GOOD_ROWS = st.lists(
    st.tuples(TEXT, st.sampled_from(["good", "bad, or worse", '"quoted"', "é"])), min_size=2, max_size=12
)
GOOD_ROWS = GOOD_ROWS.filter(lambda rows: len({label for _, label in rows}) > 1)


@pytest.mark.parametrize("file_format", WRITERS)
@settings(FUZZ, max_examples=fuzz_examples(60))
@given(rows=GOOD_ROWS)
@example(rows=[("a,b", "good"), ('say "no"\r\nor not', "é"), ("\u2028\ufeff🙂", "good"), ("12", "é")])
def test_good_rows_come_back_exactly(read, file_format, rows):
    result = read(WRITERS[file_format](rows), file_format=file_format)
    assert list(zip(result.column("text"), result.column("label"), strict=True)) == rows
    assert result.stats["rows_in"] == result.stats["rows_used"] == len(rows)
    assert result.labels == sorted({label for _, label in rows})


@settings(FUZZ, max_examples=fuzz_examples(60))
@given(
    rows=st.lists(
        st.text(READABLE.filter(lambda c: c not in "\n\r"), min_size=1).filter(usable),
        min_size=1,
    )
)
def test_good_lines_come_back_exactly(read, rows):
    files = [{"source": f"data/{label}.txt", "label": label} for label in ("x", "y")]
    lines = "".join(row + "\n" for row in rows).encode()
    result = read({"x.txt": lines, "y.txt": lines}, file_format="lines", files=files)
    assert result.column("text") == rows + rows
    assert result.column("label") == ["x"] * len(rows) + ["y"] * len(rows)
