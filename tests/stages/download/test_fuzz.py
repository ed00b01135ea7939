"""Whatever bytes come: rows or a RetuneError, never another exception; and every row is accounted for."""

import csv
import json

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from stages.errors import RetuneError

FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
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
    "lines": PIECES,
    "parquet": PIECES | PIECES.map(lambda rest: b"PAR1" + rest + b"PAR1"),
    "arrow": PIECES
    | PIECES.map(lambda rest: b"ARROW1\0\0" + rest)
    | PIECES.map(lambda rest: b"\xff\xff\xff\xff" + rest),
}


def check(read, content: bytes, file_format: str, **arguments: object) -> None:
    try:
        result = read(content, file_format=file_format, **arguments)
    except RetuneError:
        return
    stats = result.stats
    assert stats["rows_in"] == stats["rows_used"] + sum(stats["set_aside"].values())
    assert stats["rows_used"] == result.table.num_rows == sum(stats["labels"].values())
    assert len(list(csv.reader(result.set_aside.splitlines(keepends=True)))) == 1 + sum(stats["set_aside"].values())
    assert len(set(result.column("id"))) == stats["rows_used"]
    assert set(result.column("label")) == set(result.labels)


@FUZZ
@given(data=st.data(), file_format=st.sampled_from(["csv", "tsv"]), policies=POLICIES)
def test_separated_values(read, data, file_format, policies):
    content = data.draw(TABLES[file_format])
    encoding = data.draw(st.sampled_from(["utf-8", "utf-8", "latin-1", "utf-16", "cp1252", "ascii"]))
    settings = {"quoting": data.draw(st.booleans()), "encoding": encoding}
    check(read, content, file_format, policies=policies, **settings)


@FUZZ
@given(data=st.data(), file_format=st.sampled_from(["jsonl", "lines", "parquet", "arrow"]), policies=POLICIES)
@example(None, "jsonl", {})
def test_other_formats(read, data, file_format, policies):
    content = (
        b'{"text": NaN, "label": Infinity}\n{"text": "a", "label": 1e400}\n'
        if data is None
        else data.draw(TABLES[file_format])
    )
    files = [{"source": f"data/rows.{file_format}", "label": "x"}] if file_format == "lines" else None
    check(read, content, file_format, policies=policies, files=files)
