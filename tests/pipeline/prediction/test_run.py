"""Rows of every format get the predictions of the model of two small layers, and rows that can't be used an error."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.prediction.request import PredictionRequest
from pipeline.prediction.run import embed_rows, predict_rows
from stages.errors import DataError, ModelError
from stages.inference.classifier import Classifier
from tests.pipeline.prediction.rows import TEXTS, WORDS, read_csv, write_csv


def check_rows(rows: list[dict[str, object]], model: Path) -> None:
    """The rows hold what the Classifier says of TEXTS."""
    expected = Classifier.load(model)(TEXTS)
    assert [row["text"] for row in rows] == TEXTS
    assert [row["prediction"] for row in rows] == [prediction.label for prediction in expected]
    assert [float(str(row["probability"])) for row in rows] == pytest.approx(
        [p.probability for p in expected], abs=1e-5
    )
    assert [row["error"] or None for row in rows] == [None] * len(rows)


@pytest.mark.parametrize("out", ["out.csv", "out.tsv", "out.jsonl", "out.parquet"])
@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
def test_every_format_becomes_every_format(
    model: Path, predict: Callable[..., Path], tmp_path: Path, kind: str, out: str
) -> None:
    file = tmp_path / f"in.{kind}"
    numbers = [str(number) for number in range(len(TEXTS))]
    if kind == "parquet":
        pq.write_table(pa.table({"text": TEXTS, "n": numbers}), file)
    elif kind == "jsonl":
        lines = [json.dumps({"text": text, "n": number}) + "\n" for text, number in zip(TEXTS, numbers, strict=True)]
        file.write_text("".join(lines))
        if out in ("out.csv", "out.tsv"):
            with pytest.raises(DataError, match=r"so they can't become CSV\. Give --out FILE\.jsonl"):
                predict(file, out)
            return
    else:
        write_csv(file, TEXTS, n=numbers)
        if kind == "tsv":
            with file.open("w", newline="", encoding="utf-8") as stream:
                csv.writer(stream, delimiter="\t").writerows([("text", "n"), *zip(TEXTS, numbers, strict=True)])
    path = predict(file, out)
    if out == "out.parquet":
        rows = pq.read_table(path).to_pylist()
    elif out == "out.jsonl":
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    else:
        delimiter = "," if out == "out.csv" else "\t"
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline=""), delimiter=delimiter))
    check_rows(rows, model)
    assert [row["n"] for row in rows] == numbers
    malformed = ["line"] if (kind, out) == ("jsonl", "out.parquet") else []
    assert list(rows[0]) == ["text", "n", *malformed, "prediction", "probability", "error"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted({file.name, out})


def test_all_labels_on_request_and_the_threshold_decides(
    model: Path, predict: Callable[..., Path], tmp_path: Path
) -> None:
    rows = read_csv(predict(write_csv(tmp_path / "in.csv", WORDS), "out.csv", every_label=True))
    for row in rows:
        spam = float(row["probability_spam"])
        assert float(row["probability_ham"]) + spam == pytest.approx(1, abs=2e-6)
        assert row["prediction"] == ("spam" if spam >= 0.4 else "ham")
        assert row["probability"] == row[f"probability_{row['prediction']}"]


def test_a_bad_row_gets_its_error_and_keeps_its_place(predict: Callable[..., Path], tmp_path: Path) -> None:
    lines = [b"text,n", b"good,1", b" ,2", b"bad,3,4", b'"a"b,5', b"caf\xe9,6", "né,7".encode(), b"only"]
    (tmp_path / "in.csv").write_bytes(b"\n".join(lines) + b"\n")
    path = predict(tmp_path / "in.csv", "out.csv")
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["error"] for row in rows] == [
        "",
        "text is empty",
        "line 4: 3 fields, but the header has 2",
        "line 5: a quote stands inside a quoted field, where it must be doubled",
        "text is not valid Unicode",
        "",
        "line 8: 1 field, but the header has 2",
    ]
    assert [(row["text"], row["n"]) for row in rows][2:4] == [("bad", "3,4"), ('"a"b,5', "")]
    assert b"caf\xe9,6," in path.read_bytes()
    assert [bool(row["prediction"]) for row in rows] == [True, False, False, False, False, True, False]
    assert pq.read_table(predict(tmp_path / "in.csv", "out.parquet"))["text"][4].as_py() == "caf\ufffd"


def test_all_rows_bad_is_no_crash(predict: Callable[..., Path], tmp_path: Path) -> None:
    rows = read_csv(predict(write_csv(tmp_path / "in.csv", ["", " "]), "out.csv"))
    assert [row["error"] for row in rows] == ["text is empty"] * 2


def test_a_pair_column_is_read_with_the_text(model: Path, predict: Callable[..., Path], tmp_path: Path) -> None:
    file = write_csv(tmp_path / "in.csv", ["good", "bad"], second=["slow", ""])
    rows = read_csv(predict(file, "out.csv", pair_column="second"))
    expected = Classifier.load(model)(["good"], ["slow"])[0]
    assert float(rows[0]["probability"]) == pytest.approx(expected.probability, abs=1e-5)
    assert rows[1]["error"] == "second text: text is empty"


def test_a_text_of_a_megabyte_is_cut_and_counted(
    predict: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="pipeline")
    rows = read_csv(predict(write_csv(tmp_path / "in.csv", ["good " * 200_000, "bad"]), "out.csv"))
    assert [bool(row["prediction"]) for row in rows] == [True, True]
    assert "1 text was cut to 512 tokens" in caplog.text


def test_embeddings_are_those_of_the_classifier(model: Path, tmp_path: Path) -> None:
    embed_rows(
        PredictionRequest(str(write_csv(tmp_path / "in.csv", [*TEXTS, ""])), tmp_path / "out.parquet", model),
        Classifier.load,
    )
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.schema.field("embedding").type == pa.list_(pa.float32(), 16)
    assert table.column_names == ["text", "embedding", "error"]
    expected = Classifier.load(model).embed(TEXTS)
    for row, embedding in zip(table["embedding"].to_pylist(), expected, strict=False):
        assert row == pytest.approx(embedding.tolist(), abs=1e-5)
    assert table["embedding"].to_pylist()[-1] is None
    with pytest.raises(DataError, match=r"written as Parquet, not as .*out\.csv\. Give --out FILE\.parquet"):
        embed_rows(PredictionRequest(str(tmp_path / "in.csv"), tmp_path / "out.csv", model), Classifier.load)


def test_no_model_yet_names_the_command_that_makes_one(tmp_path: Path) -> None:
    file = write_csv(tmp_path / "in.csv", ["good"])
    with pytest.raises(ModelError, match=r"model does not exist. Make the model with: retune run"):
        predict_rows(
            PredictionRequest(str(file), tmp_path / "out.csv", tmp_path / "model"), Classifier.load, every_label=False
        )


@pytest.mark.parametrize("out", ["out.csv", "out.tsv"])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_spreadsheet_computes_nothing(predict: Callable[..., Path], tmp_path: Path, kind: str, out: str) -> None:
    texts, numbers = ["=1+1 good", "@bad", "good"], ["-0.5", "1e-5", "+3"]
    file = tmp_path / f"in.{kind}"
    if kind == "csv":
        write_csv(file, texts, **{"-n": numbers})
    else:
        pq.write_table(pa.table({"text": texts, "-n": [float(number) for number in numbers]}), file)
    delimiter = "\t" if out == "out.tsv" else ","
    for safe in (True, False):
        path = predict(file, out, spreadsheet_safe=safe, prefix="=")
        rows = list(csv.DictReader(io.StringIO(path.read_text(), newline=""), delimiter=delimiter))
        mark = "'" if safe else ""
        assert [row["text"] for row in rows] == [f"{mark}=1+1 good", f"{mark}@bad", "good"]
        assert [float(row[f"{mark}-n"]) for row in rows] == [-0.5, 1e-5, 3]
        assert list(rows[0])[2:] == [f"{mark}=prediction", f"{mark}=probability", f"{mark}=error"]


@pytest.mark.parametrize("out", ["out.jsonl", "out.parquet"])
def test_formulas_are_a_matter_of_csv(predict: Callable[..., Path], tmp_path: Path, out: str) -> None:
    with pytest.raises(DataError, match=r"--spreadsheet-safe is for CSV and TSV, and the output is"):
        predict(write_csv(tmp_path / "in.csv", ["good"]), out, spreadsheet_safe=True)
