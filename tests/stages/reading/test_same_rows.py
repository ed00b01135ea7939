"""The same file gives the same rows in training and in predictions: kinds of files, well written and broken."""

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.prediction.run import predict_rows
from stages.download.dataset import write_dataset
from stages.errors import DataError
from tests.pipeline.prediction.rows import request_of
from tests.stages.reading.cases import BROKEN, FILES, TYPED, dataset_of


class Model:
    """Takes every text; remembers them."""

    max_length, hidden_size, rows_cut = 512, 2, 0

    def __init__(self) -> None:
        self.texts: list[str] = []

    def columns(
        self, texts: list[str], text_pairs: list[str] | None = None, *, every_label: bool = False
    ) -> dict[str, np.ndarray]:
        self.texts += texts
        return {"prediction": np.array(["a"] * len(texts), dtype=object), "probability": np.full(len(texts), 0.5)}


@pytest.fixture(autouse=True)
def own_memory(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))


def trained_on(tmp_path: Path, name: str, content: bytes, **settings: Any) -> list[tuple[str, str]]:
    """The texts and labels that training reads; malformed and empty rows are set aside."""
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / "data" / name).write_bytes(content)
    (tmp_path / "out").mkdir(exist_ok=True)
    dataset = dataset_of(f"data/{name}", **settings)
    write_dataset(tmp_path / "out", dataset, root=tmp_path, unpack_limit=10_000_000)
    table = pq.read_table(tmp_path / "out/rows.parquet")
    return list(zip(table["text"].to_pylist(), table["label"].to_pylist(), strict=True))


def predicted(tmp_path: Path, name: str, **options: Any) -> tuple[list[str], list[dict[str, Any]]]:
    """The texts that a model gets, and the rows of the output."""
    model, out = Model(), tmp_path / "out.parquet"
    request = request_of(str(tmp_path / "data" / name), out, tmp_path / "model", **options)
    predict_rows(request, lambda _: model, every_label=False)
    return model.texts, pq.read_table(out).to_pylist()


def options_of(settings: dict[str, Any]) -> dict[str, Any]:
    """The options of predict for the settings of training."""
    options = {key: settings[key] for key in ("delimiter", "header", "quoting", "sheet", "encoding") if key in settings}
    return {**options, "format": settings["format"], "column": str(settings.get("text", "text"))}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_row_is_one_row(tmp_path: Path, case: str) -> None:
    """The rows around it are read, in training and in predictions."""
    content, good, broken = BROKEN[case]
    rows = trained_on(tmp_path, "rows.csv", content, format="csv")
    texts, written = predicted(tmp_path, "rows.csv")
    assert [text for text, _ in rows] == texts == good
    errors = [row["error"] for row in written if row["error"]]
    assert len(written) == len(good) + broken
    assert len(errors) == broken
    assert json.loads((tmp_path / "out/stats.json").read_text())["rows_in"] == len(good) + broken


def test_a_file_whose_every_row_opens_a_quote_is_read_in_bounded_time(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("stages.reading.lines.MOST_READ_AGAIN", 10_000)
    with pytest.raises(DataError, match=r"open a quote but don't close it\. Set download.dataset.quoting: false"):
        trained_on(tmp_path, "rows.csv", b"text,label\n" + b'x","\n' * 5_000, format="csv")


@pytest.mark.parametrize("case", FILES)
def test_a_file_is_read_by_training_and_by_predictions(tmp_path: Path, case: str) -> None:
    name, make, settings = FILES[case]
    rows = trained_on(tmp_path, name, make(), **settings)
    assert rows == [("first text", "a"), ("second text", "b"), ("third, text", "a")]
    texts, _ = predicted(tmp_path, name, **options_of(settings))
    assert texts == [text for text, _ in rows]


@pytest.mark.parametrize("case", FILES)
def test_predictions_take_their_defaults_from_the_model(
    tmp_path: Path, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    name, make, settings = FILES[case]
    trained_on(tmp_path, name, make(), **settings)
    (tmp_path / "model").mkdir()
    from stages.data_format import write_data_format

    write_data_format(tmp_path / "model", dataset_of(f"data/{name}", **settings))
    caplog.set_level("INFO")
    texts, _ = predicted(tmp_path, name)
    assert texts == ["first text", "second text", "third, text"]
    unusual = (
        set(settings) & {"delimiter", "header", "quoting", "sheet", "encoding"}
        or settings.get("text", "text") != "text"
    )
    assert ("is read with the settings of the model's training data" in caplog.text) == bool(unusual)


@pytest.mark.parametrize("kind", TYPED)
@pytest.mark.parametrize("file_format", ["parquet", "jsonl", "json"])
def test_values_of_any_type_are_the_same_text(tmp_path: Path, kind: str, file_format: str) -> None:
    values, texts = TYPED[kind]
    sink = io.BytesIO()
    if file_format == "parquet":
        pq.write_table(pa.table({"text": values, "label": ["a", "b"]}), sink)
        content = sink.getvalue()
    else:
        rows = [{"text": value, "label": label} for value, label in zip(values, "ab", strict=True)]
        try:
            content = json.dumps(rows).encode()
        except TypeError:
            pytest.skip("JSON has no such type")
        content = content if file_format == "json" else b"\n".join(json.dumps(row).encode() for row in rows)
    name = f"rows.{file_format}"
    assert [text for text, _ in trained_on(tmp_path, name, content, format=file_format)] == texts
    assert predicted(tmp_path, name)[0] == texts


INVISIBLE = [
    "\u200b",
    "\ufeff\u2060",
    "\xad",
    "\ufe0f",
    "\x01\x02",
    "\u3164",
    "\u115f",
    "\u2800",
    "\u3000 \u2028",
    "\U000e0101",
]
VISIBLE = ["❤️", ".", "\u200bx", "👩\u200d🚀", "ا", "한", "\u0301e", "0"]


@pytest.mark.parametrize("text", INVISIBLE + VISIBLE, ids=ascii)
def test_invisible_texts_are_empty(tmp_path: Path, text: str) -> None:
    lines = [{"text": value, "label": label} for value, label in (("good", "a"), (text, "b"), ("bad", "b"))]
    content = b"\n".join(json.dumps(line).encode() for line in lines)
    rows = trained_on(tmp_path, "rows.jsonl", content, format="jsonl")
    texts, written = predicted(tmp_path, "rows.jsonl")
    assert [row for row, _ in rows] == texts == (["good", "bad"] if text in INVISIBLE else ["good", text, "bad"])
    assert written[1]["error"] == ("text is empty" if text in INVISIBLE else None)


def refused(tmp_path: Path, name: str, content: bytes, read: Callable[[], Any], message: str) -> None:
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / "data" / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        read()


ARRAYS = [b'[{"text": "a"}]', b'[\n{"text": "a"}\n]', b'\n [ {"text": "a"},\n {"text": "b"}]']


@pytest.mark.parametrize("content", ARRAYS)
def test_an_array_given_as_json_lines_is_named(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DataError, match=r"is one JSON array.*Set download.dataset.format: json\."):
        trained_on(tmp_path, "rows.jsonl", content, format="jsonl")
    with pytest.raises(DataError, match=r"is one JSON array.*Add --format json\."):
        predicted(tmp_path, "rows.jsonl")


NO_ARRAYS = {
    b"": "0 bytes",
    b"[": "the file ends within a row: it is truncated",
    b'[{"text": "a"': "line 1 is not JSON",
    b'[{"text": "a"} {"text": "b"}]': "expected ], got '{'",
    b'{"text": "a"}\n{"text": "b"}\n': r"JSON lines \(one object per line\) are another format",
    b'{"text": "a"}': "without an array of rows",
    b'{"a": [{"text": "a"}], "b": [{"text": "a"}]}': "both 'a' and 'b' are arrays",
    b'[{"text": "a", "label": 1}] x': "there is more after its end",
    b'"text"': r"expected \[ or {",
    b'[{"text": "a\nb"}]': "Invalid control character",
}


@pytest.mark.parametrize(("content", "message"), NO_ARRAYS.items())
def test_json_that_has_no_array_of_rows_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    refused(tmp_path, "rows.json", content, lambda: predicted(tmp_path, "rows.json"), message)
    with pytest.raises(DataError, match=message):
        trained_on(tmp_path, "rows.json", content, format="json")


def test_a_large_array_is_read_value_by_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.reading.json_rows.CHUNK", 7)
    rows = [{"text": f'text {number} \\ " é 🙂', "label": "ab"[number % 2], "n": -1.5e-3} for number in range(50)]
    for indent in (None, 2):
        content = json.dumps(rows, indent=indent).encode()
        read = trained_on(tmp_path, "rows.json", content, format="json")
        assert read == [(row["text"], row["label"]) for row in rows]


def test_a_row_of_an_array_that_is_too_long_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.prediction.records.LONGEST", 1_000)
    monkeypatch.setattr("stages.reading.json_rows.CHUNK", 100)
    content = json.dumps([{"text": "x" * 2_000}]).encode()
    refused(tmp_path, "rows.json", content, lambda: predicted(tmp_path, "rows.json"), "a row is longer than 1,000")


@pytest.mark.parametrize("mark", [";", "|", "\t"])
def test_another_delimiter_is_named(tmp_path: Path, mark: str) -> None:
    content = f"text{mark}label\ngood{mark}a\n".encode()
    named = rf"It seems to be separated by {re.escape(repr(mark))}: set download\.dataset\.delimiter, for all files\.$"
    with pytest.raises(DataError, match=named):
        trained_on(tmp_path, "rows.csv", content, format="csv")
    with pytest.raises(DataError, match=r"seems to be separated by .*\. Add: --delimiter "):
        predicted(tmp_path, "rows.csv")
