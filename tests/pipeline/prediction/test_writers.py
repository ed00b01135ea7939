"""Values of the input stay as they were written, or one line says that the output can't hold them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.errors import DataError
from tests.pipeline.prediction.rows import read_csv

UNREADABLE: dict[str, pa.Array] = {
    "an unknown time zone": pa.array([1, None], pa.timestamp("us", "Mars/Olympus")),
    "a date of the year 148,108": pa.array([2**62, None], pa.timestamp("us")),
    "bytes that are not UTF-8": pa.array([b"\xff", None]),
    "such bytes in a list": pa.array([[b"a", b"\xff"], None]),
    "such bytes in a structure": pa.array([{"a": b"\xff"}, None]),
    "such bytes in a map": pa.array([[("a", b"\xff")], None], pa.map_(pa.string(), pa.binary())),
    "such bytes of fixed length": pa.array([b"\xff", None], pa.binary(1)),
}


@pytest.mark.parametrize("out", ["out.csv", "out.tsv", "out.jsonl"])
@pytest.mark.parametrize("kind", UNREADABLE)
def test_values_that_text_cannot_hold_are_named(
    predict: Callable[..., Path], tmp_path: Path, kind: str, out: str
) -> None:
    pq.write_table(pa.table({"text": ["good", "bad"], "more": UNREADABLE[kind]}), tmp_path / "in.parquet")
    with pytest.raises(DataError, match=r"The column 'more' has a value of type .* that text can't hold: .*parquet"):
        predict(tmp_path / "in.parquet", out)
    assert [path.name for path in tmp_path.iterdir()] == ["in.parquet"]


def test_parquet_holds_them(predict: Callable[..., Path], tmp_path: Path) -> None:
    table = pa.table({"text": ["good", "bad"], **UNREADABLE})
    pq.write_table(table, tmp_path / "in.parquet")
    assert pq.read_table(predict(tmp_path / "in.parquet", "out.parquet")).select(table.column_names).equals(table)


def test_bytes_of_utf8_are_text(predict: Callable[..., Path], tmp_path: Path) -> None:
    table = pa.table({"text": ["good"], "bytes": [b"\xc3\xbc"], "list": [[b"a"]]})
    pq.write_table(table, tmp_path / "in.parquet")
    (row,) = read_csv(predict(tmp_path / "in.parquet", "out.csv"))
    assert (row["bytes"], row["list"]) == ("ü", '["a"]')
    row = json.loads(predict(tmp_path / "in.parquet", "out.jsonl").read_text())
    assert (row["bytes"], row["list"]) == ("ü", ["a"])


LINES = [
    '{"text": "good", "n": 0.123456789012345678901234567890}',
    '{"text":"good","n":123456789012345678901234567890,"m":1e400}',
    '  { "text" : "g\\u00f6\\/d" , "n" : -0.0 , "m" : 1E+2 }  ',
    '{"text": "good", "n": "\\ud800"}',
    '{"text": "good", "n": {"a": [1.50, {}]}}',
    "{}",
]


@pytest.mark.parametrize("line", LINES)
def test_json_lines_keep_what_was_written(predict: Callable[..., Path], tmp_path: Path, line: str) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "bad"}\n' + line + "\n", encoding="utf-8")
    written = predict(tmp_path / "in.jsonl", "out.jsonl").read_text(encoding="utf-8").splitlines()[1]
    assert written.startswith(line.strip()[:-1].rstrip())
    assert "error" in json.loads(written)


WRONG = {
    '{"text": "good", "text": "bad"}': "the key 'text' is repeated",
    '{"text": "good", "n": {"a": 1, "a": 2}}': "the key 'a' is repeated",
}


@pytest.mark.parametrize("line", WRONG)
@pytest.mark.parametrize("out", ["out.jsonl", "out.parquet"])
def test_what_is_not_one_value_is_an_error_of_its_row(
    predict: Callable[..., Path], tmp_path: Path, line: str, out: str
) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "bad", "line": ""}\n' + line + "\n", encoding="utf-8")
    path = predict(tmp_path / "in.jsonl", out)
    rows: list[Any] = pq.read_table(path).to_pylist() if out.endswith("t") else [json.loads(row) for row in path.open()]
    assert rows[0]["error"] is None
    assert WRONG[line] in rows[1]["error"]
    assert rows[1]["line"] == line


LATER = {  # a value of a first row, and one of a later row
    "a decimal": ("1", "2.5"),
    "another key": ('{"a": 1}', '{"b": 2}'),
    "another key in a list": ('[{"a": 1}]', '[{"a": 1, "b": 2}]'),
    "a decimal below": ('{"a": [1]}', '{"a": [2.5]}'),
    "true": ("0.5", "true"),
    "an integer that no decimal is": ("0.5", "9007199254740993"),
    "an object": ("null", '{"a": 1}'),
}


@pytest.mark.parametrize("kind", LATER)
def test_parquet_refuses_a_later_value_that_it_would_change(
    predict: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("pipeline.prediction.window.WINDOW_ROWS", 1)
    (tmp_path / "in.jsonl").write_text("".join(f'{{"text": "good", "more": {value}}}\n' for value in LATER[kind]))
    with pytest.raises(DataError, match=r"The column 'more' has values of several types.*Give --out FILE\.jsonl"):
        predict(tmp_path / "in.jsonl", "out.parquet")


def test_parquet_holds_later_values_that_fit(
    predict: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.prediction.window.WINDOW_ROWS", 1)
    first = {"n": 1, "f": 0.5, "o": {"a": 1, "b": "x"}, "l": [], "s": None, "t": {"u": None}}
    later = {"n": 2.0, "f": 3, "o": {"b": "y"}, "l": ["x"], "s": "y", "t": {"u": "v"}}
    lines = "".join(json.dumps({"text": "good"} | row) + "\n" for row in (first, later))
    (tmp_path / "in.jsonl").write_text(lines)
    written = pq.read_table(predict(tmp_path / "in.jsonl", "out.parquet")).select(list(first)).to_pylist()
    assert written == [first, later | {"o": {"a": None, "b": "y"}}]


@pytest.mark.parametrize("window", [1, 2, 4_096])  # rows
@pytest.mark.parametrize("broken", ["not json", "3", '{"text": "good", "text": "bad"}'])
def test_parquet_keeps_a_malformed_line_wherever_it_comes(
    predict: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, window: int, broken: str
) -> None:
    monkeypatch.setattr("pipeline.prediction.window.WINDOW_ROWS", window)
    lines = ['{"text": "good", "n": 1}', '{"text": "bad", "n": 2}', broken, '{"text": "good"}']
    (tmp_path / "in.jsonl").write_text("\n".join(lines))
    rows = pq.read_table(predict(tmp_path / "in.jsonl", "out.parquet")).to_pylist()
    assert [(row["text"], row["n"], row["line"]) for row in rows] == [
        ("good", 1, None),
        ("bad", 2, None),
        (None, None, broken),
        ("good", None, None),
    ]
    assert [row["error"] is None for row in rows] == [True, True, False, True]


@pytest.mark.parametrize("rows", [['{"text": "good"}', '{"text": "bad", "note": "x"}'], ['{"text": "good"}', "3"]])
def test_parquet_has_a_column_for_each_key_of_the_first_rows(
    predict: Callable[..., Path], tmp_path: Path, rows: list[str]
) -> None:
    for order in (rows, rows[::-1]):
        (tmp_path / "in.jsonl").write_text("\n".join(order))
        written = pq.read_table(predict(tmp_path / "in.jsonl", "out.parquet")).to_pylist()
        objects = [json.loads(row) if row != "3" else {"line": "3"} for row in order]
        assert [row | extra for row, extra in zip(written, objects, strict=True)] == written


def test_a_new_key_of_a_later_row_is_named(
    predict: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.prediction.window.WINDOW_ROWS", 1)
    (tmp_path / "in.jsonl").write_text('{"text": "good"}\n{"text": "bad", "note": "x"}\n')
    with pytest.raises(DataError, match=r"The key 'note' is not in the first rows.*Give --out FILE\.jsonl"):
        predict(tmp_path / "in.jsonl", "out.parquet")


@pytest.mark.parametrize("depth", [900, 300])
def test_what_parquet_nests_too_deep_is_refused_and_leaves_nothing(
    predict: Callable[..., Path], tmp_path: Path, depth: int
) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "good", "deep": ' + "[" * depth + "1" + "]" * depth + "}\n")
    with pytest.raises(DataError, match=r"The column 'deep' has.*Give --out FILE\.jsonl"):
        predict(tmp_path / "in.jsonl", "out.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["in.jsonl"]


def test_numbers_that_json_lacks_are_null(predict: Callable[..., Path], tmp_path: Path) -> None:
    """jq, browsers and most libraries refuse the words NaN and Infinity."""
    odd = [float("nan"), float("inf"), float("-inf"), 1.5]
    nested = [{"a": [value], "b": "x"} for value in odd]
    pq.write_table(pa.table({"text": ["good"] * 4, "n": odd, "s": nested}), tmp_path / "in.parquet")

    def refuse(word: str) -> None:
        raise ValueError(word)

    lines = predict(tmp_path / "in.parquet", "out.jsonl").read_text().splitlines()
    rows = [json.loads(line, parse_constant=refuse) for line in lines]
    assert [row["n"] for row in rows] == [None, None, None, 1.5]
    assert [row["s"] for row in rows] == [{"a": [value], "b": "x"} for value in (None, None, None, 1.5)]
    assert all(row["prediction"] for row in rows)
