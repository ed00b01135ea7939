"""Any bytes give rows and a file, or one line and nothing; every row is counted, and good rows come back exactly."""

import csv
import io
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipeline.prediction.run import predict_rows
from stages.errors import RetuneError
from stages.inference.classes import columns
from stages.inference.decision import Calibration
from stages.texts import check_texts
from tests.pipeline.prediction.rows import request_of
from tests.stages.reading.cases import as_workbook

FUZZ = settings(
    max_examples=int(120 * float(os.environ.get("RETUNE_FUZZ_EXAMPLES", "1"))),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
CELL = st.one_of(st.sampled_from(["a", "b", "", " ", '"', ",", "\t", "\n", "\r", "\0", "=1"]), st.text(max_size=6))
PIECES = st.lists(
    st.one_of(
        st.sampled_from(
            [b"text", b"n", b",", b"\t", b'"', b"\n", b"\r\n", b"a", b"{", b"}", b"[", b":", b"\xff", b"\0"]
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
OBJECTS = st.lists(st.fixed_dictionaries({"text": JSON, "n": JSON}) | JSON, max_size=12)


def small_parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"text": ["good", None, "bad"], "n": [1, 2, 3], "tags": [["a"], [], None]}), sink)
    return sink.getvalue()


GOOD = small_parquet()
WORKBOOK = as_workbook([["text", "n"], ["good", 1], ["bad", 2]])
FLIPS = st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), max_size=3)


def flipped(flips: Sequence[tuple[int, int]], good: bytes = GOOD) -> bytes:
    data = bytearray(good)
    for position, value in flips:
        data[position] = value
    return bytes(data)


CONTENTS = {
    "csv": PIECES | PIECES.map(lambda rest: b"text,n\n" + rest),
    "tsv": PIECES | PIECES.map(lambda rest: b"text\tn\n" + rest),
    "jsonl": PIECES | OBJECTS.map(lambda rows: "".join(json.dumps(row) + "\n" for row in rows).encode()),
    "json": PIECES
    | OBJECTS.map(lambda rows: json.dumps(rows).encode())
    | st.tuples(OBJECTS, PIECES).map(lambda parts: json.dumps({"data": parts[0]}).encode() + parts[1]),
    "excel": PIECES
    | st.lists(st.tuples(st.integers(0, len(WORKBOOK) - 1), st.integers(0, 255)), max_size=3).map(
        lambda flips: flipped(flips, WORKBOOK)
    ),
    "lines": PIECES,
    "parquet": PIECES.map(lambda rest: b"PAR1" + rest + b"PAR1")
    | FLIPS.map(flipped)
    | st.integers(0, len(GOOD)).map(lambda end: GOOD[:end]),
}
EXAMPLES = [
    b"",
    b"\n\n",
    b"text\n",
    b'text\n"open\n',
    b"text\n" + b"\xff" * 9,
    b"\xef\xbb\xbftext,n\na,1\n",
    b'{"text": "a", "n": ' + b"9" * 5_000 + b"}\n",
    b"[" * 100_000 + b"\n",
    b'{"text": "\\ud800"}\n',
    b'{"text": "a"}\n{"text": "b", "n": {}}\n',
    GOOD,
    GOOD[:-9] + b"\xff" * 9,
]


class Model:
    """Answers by the length of a text; takes only what a real model takes."""

    max_length, hidden_size, rows_cut = 512, 2, 0

    def columns(
        self, texts: Sequence[str], text_pairs: Sequence[str] | None = None, *, every_label: bool = False
    ) -> dict[str, np.ndarray]:
        check_texts(texts, text_pairs)
        long = np.array([len(text) > 3 for text in texts], dtype=np.float32).reshape(-1)
        answers = np.stack([1 - long, long], axis=1)
        calibration = Calibration(1.0, None, None, 512, "head")
        return columns(answers, ("=short", "long"), calibration, every_label=every_label)


def predict(content: bytes, kind: str, out_kind: str, **options: object) -> Path | None:
    """Return the output, in a folder with nothing else but the input; None where the run was refused."""
    folder = Path(tempfile.mkdtemp(dir=os.environ["XDG_STATE_HOME"]))
    (folder / "in").write_bytes(content)
    request = request_of(str(folder / "in"), folder / f"out.{out_kind}", folder / "model", format=kind, **options)
    try:
        predict_rows(request, lambda _: Model(), every_label=True)  # type: ignore[arg-type,return-value]
    except RetuneError as error:
        message = str(error)
    else:
        message = ""
    if message:
        assert len(message) < 2_000
        assert not (folder / f"out.{out_kind}").exists()
        return None
    assert {path.name for path in folder.iterdir()} == {"in", f"out.{out_kind}"}
    return folder / f"out.{out_kind}"


@pytest.mark.parametrize("kind", CONTENTS)
@pytest.mark.parametrize("out_kind", ["csv", "jsonl", "parquet"])
def test_any_bytes_are_rows_or_one_line(kind: str, out_kind: str) -> None:
    @FUZZ
    @given(CONTENTS[kind])
    def check(content: bytes) -> None:
        predict(content, kind, out_kind)

    for content in EXAMPLES:
        check = example(content)(check)
    check()


GOOD_CELL = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
GOOD_ROWS = st.lists(st.tuples(GOOD_CELL, GOOD_CELL), min_size=1, max_size=8)


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "json", "parquet"])
@pytest.mark.parametrize("out_kind", ["csv", "jsonl", "parquet"])
def test_good_rows_come_back(kind: str, out_kind: str) -> None:
    if kind in ("jsonl", "json") and out_kind == "csv":
        pytest.skip("JSON does not become CSV")

    @FUZZ
    @given(GOOD_ROWS)
    @example([("\x7f", "\x7f")])  # of few letters, controls are many
    def check(rows: list[tuple[str, str]]) -> None:
        rows = [(text, other) for text, other in rows if "\0" not in text + other]
        if not rows:
            return
        out = predict(written(rows, kind), kind, out_kind, encoding="utf-8" if kind in ("csv", "tsv") else None)
        assert out is not None
        assert [(row["text"], row["n"]) for row in read(out)] == rows

    check()


def written(rows: list[tuple[str, str]], kind: str) -> bytes:
    if kind == "json":
        return json.dumps([{"text": text, "n": other} for text, other in rows], ensure_ascii=False, indent=1).encode()
    if kind == "jsonl":
        return "".join(json.dumps({"text": text, "n": other}) + "\n" for text, other in rows).encode()
    sink = io.BytesIO()
    if kind == "parquet":
        pq.write_table(pa.table({"text": [text for text, _ in rows], "n": [other for _, other in rows]}), sink)
        return sink.getvalue()
    stream = io.StringIO(newline="")
    csv.writer(stream, delimiter="," if kind == "csv" else "\t", quoting=csv.QUOTE_ALL).writerows(
        [("text", "n"), *rows]
    )
    return stream.getvalue().encode()


def read(out: Path) -> list[dict[str, str]]:
    if out.suffix == ".parquet":
        return list(pq.read_table(out).to_pylist())
    if out.suffix == ".jsonl":
        return [json.loads(line) for line in out.read_text(encoding="utf-8").split("\n")[:-1]]
    return list(csv.DictReader(io.StringIO(out.read_bytes().decode(), newline="")))
