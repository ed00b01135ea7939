"""`retune predict` and `retune embed`: rows of every format, good and bad, through a model of two small layers."""

import csv
import io
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.prediction.request import PredictionRequest
from pipeline.prediction.run import embed_rows, predict_rows
from stages.errors import DataError, ModelError
from stages.inference.classifier import Classifier

WORDS = ["good", "bad", "crash", "love", "money", "slow"]
TEXTS = ["good app", "bad, crash", 'he said "free money"', "two\nlines", "ünïcode 🙂", "good app"]


@pytest.fixture
def predict(model: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return a function that runs `retune predict --file ... --out ...` in this process."""

    def run(file: Path, out: str, *, every_label: bool = False, **options: object) -> Path:
        predict_rows(
            PredictionRequest(str(file), tmp_path / out, model, **options), Classifier.load, every_label=every_label
        )  # type: ignore[arg-type]
        return tmp_path / out

    return run


def write_csv(path: Path, texts: list[str], **columns: list[str]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["text", *columns])
        writer.writerows(zip(texts, *columns.values(), strict=True))
    return path


def read_csv(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


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
    assert list(rows[0]) == ["text", "n", "prediction", "probability", "error"]
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


def test_values_of_parquet_columns_are_kept(predict: Callable[..., Path], tmp_path: Path) -> None:
    table = pa.table(
        {
            "text": pa.array(["good", None, "bad"]).dictionary_encode(),
            "x": pa.array([1.25, None, 1e-9]),
            "tags": [["a"], [], None],
        }
    )
    pq.write_table(table, tmp_path / "in.parquet")
    written = pq.read_table(predict(tmp_path / "in.parquet", "out.parquet"))
    assert written.select(["text", "x", "tags"]).to_pylist() == table.to_pylist()
    assert written["error"].to_pylist() == [None, "text is missing", None]
    assert [row["x"] for row in read_csv(predict(tmp_path / "in.parquet", "out.csv"))] == ["1.25", "", "1e-09"]


def test_a_bad_row_gets_its_error_and_keeps_its_place(predict: Callable[..., Path], tmp_path: Path) -> None:
    lines = [b"text,n", b"good,1", b" ,2", b"bad,3,4", b'"a"b,5', b"caf\xe9,6", "né,7".encode(), b"only"]
    (tmp_path / "in.csv").write_bytes(b"\n".join(lines) + b"\n")
    path = predict(tmp_path / "in.csv", "out.csv")
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["error"] for row in rows] == [
        "",
        "text is empty",
        "line 4 has 3 fields, but the header has 2",
        "line 5 is malformed: ',' expected after '\"'",
        "text is not valid Unicode",
        "",
        "line 8 has 1 fields, but the header has 2",
    ]
    assert [(row["text"], row["n"]) for row in rows][2:4] == [("bad", "3,4"), ('"a"b,5', "")]
    assert b"caf\xe9,6," in path.read_bytes()
    assert [bool(row["prediction"]) for row in rows] == [True, False, False, False, False, True, False]
    assert pq.read_table(predict(tmp_path / "in.csv", "out.parquet"))["text"][4].as_py() == "caf\ufffd"


def test_a_bad_json_line_gets_its_error(predict: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(
        '{"text": "good"}\nnot json\n[1]\n{"text": 5}\n{"other": 1}\n\n{"text": "\\ud800"}\n'
    )
    lines = predict(tmp_path / "in.jsonl", "out.jsonl").read_text(encoding="utf-8").splitlines()
    errors = [json.loads(line)["error"] for line in lines]
    assert errors[0] is None
    assert errors[1].startswith("line 2 is not JSON")
    assert errors[2:] == [
        "line 3: expected a JSON object, got list",
        "expected a string, got int",
        "text is missing",
        "text is not valid Unicode",
    ]
    assert json.loads(lines[1])["line"] == "not json"


def test_all_rows_bad_is_no_crash(predict: Callable[..., Path], tmp_path: Path) -> None:
    rows = read_csv(predict(write_csv(tmp_path / "in.csv", ["", " "]), "out.csv"))
    assert [row["error"] for row in rows] == ["text is empty"] * 2


def test_a_header_alone_stays_a_header(predict: Callable[..., Path], tmp_path: Path) -> None:
    assert predict(write_csv(tmp_path / "in.csv", []), "out.csv").read_text() == "text,prediction,probability,error\n"
    pq.write_table(pa.table({"text": pa.array([], pa.string())}), tmp_path / "in.parquet")
    assert pq.read_table(predict(tmp_path / "in.parquet", "out.parquet")).num_rows == 0


def test_lines_of_text_become_csv(predict: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("good app\n\nbad\n")
    rows = read_csv(predict(tmp_path / "in.txt", "out.csv"))
    assert [(row["text"], row["error"]) for row in rows] == [("good app", ""), ("", "text is empty"), ("bad", "")]


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
    assert "1 texts were cut to 512 tokens" in caplog.text


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


BAD_FILES: dict[str, tuple[str, bytes, str]] = {
    "missing column": (
        "in.csv",
        b"body,stars\ngood,5\n",
        r"in\.csv has no column 'text'. It has: body, stars\. .*--column",
    ),
    "column twice": ("in.csv", b"text,text\ngood,bad\n", r"has 2 columns 'text'"),
    "empty": ("in.csv", b"", r"in\.csv is empty \(0 bytes\)"),
    "binary": ("in.csv", b"text\n\x00\x01\x02", r"in\.csv: expected csv, got a binary file \(byte 0 at position 5\)"),
    "zip": ("in.csv", b"PK\x03\x04....", r"in\.csv: expected csv, got a zip"),
    "gzip": ("in.jsonl", b"\x1f\x8b....", r"in\.jsonl: expected jsonl, got gzip"),
    "parquet as csv": ("in.csv", b"PAR1....", r"in\.csv: expected csv, got Parquet"),
    "csv as parquet": ("in.parquet", b"text\ngood\n", r"in\.parquet can't be read as Parquet"),
    "csv as jsonl": ("in.jsonl", b"text\ngood\n", r"in\.jsonl is not JSON lines: line 1 is not JSON"),
    "latin-1": ("in.csv", b"text\ngood\ncaf\xe9 bad\n", r"line 3 is not UTF-8 \(byte 0xe9\)\. .*--encoding cp1252"),
    "utf-16": (
        "in.csv",
        "text\ngood\n".encode("utf-16"),
        r"in\.csv: expected UTF-8, got UTF-16\. Add: --encoding utf-16",
    ),
    "unclosed quote": ("in.csv", b'text\n"good\nbad\n', r"in\.csv line 2 opens a quote that is never closed"),
    "name clash": ("in.csv", b"text,error\ngood,no\n", r"already has a column 'error'.*--prefix"),
    "json keys": ("in.jsonl", b'{"body": "good"}\n', r"has no column 'text'. It has: body"),
    "unknown format": ("in.docx", b"text\n", r"in\.docx: the format is not known\. Give one with --format: csv"),
}


@pytest.mark.parametrize(("name", "data", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_is_one_clear_line(
    predict: Callable[..., Path], tmp_path: Path, name: str, data: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=message):
        predict(tmp_path / name, "out.csv" if name != "in.jsonl" else "out.jsonl")
    assert not (tmp_path / "out.csv").exists()


def test_numbers_are_no_text(predict: Callable[..., Path], tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": [1, 2]}), tmp_path / "in.parquet")
    with pytest.raises(DataError, match=r"the column 'text' has the type int64, not text"):
        predict(tmp_path / "in.parquet", "out.csv")


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
def test_another_encoding_can_be_named(predict: Callable[..., Path], tmp_path: Path, encoding: str) -> None:
    (tmp_path / "in.csv").write_bytes("text,n\ncafé good,1\n".encode(encoding))
    assert read_csv(predict(tmp_path / "in.csv", "out.csv", encoding=encoding))[0]["text"] == "café good"


def test_an_encoding_that_is_none_is_named(predict: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"--encoding: Python has no encoding 'klingon'"):
        predict(write_csv(tmp_path / "in.csv", ["good"]), "out.csv", encoding="klingon")


def test_files_and_outputs_that_can_not_be_are_named(predict: Callable[..., Path], model: Path, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "in.csv", ["good"])
    with pytest.raises(DataError, match=r"none\.csv is missing"):
        predict(tmp_path / "none.csv", "out.csv")
    with pytest.raises(DataError, match=r"is a folder"):
        predict(tmp_path, "out.csv", format="csv")
    with pytest.raises(DataError, match=r"is also the input"):
        predict(file, "in.csv")
    with pytest.raises(DataError, match=r"the format is not known\. Give a name in \.csv"):
        predict(file, "out.txt")
    with pytest.raises(DataError, match="--resume needs the file of the interrupted run"):
        predict_rows(PredictionRequest(str(file), None, model, resume=True), Classifier.load, every_label=False)
    with pytest.raises(DataError, match="--resume can't read standard input again"):
        predict_rows(
            PredictionRequest("-", tmp_path / "out.csv", model, resume=True), Classifier.load, every_label=False
        )


def test_no_model_yet_names_the_command_that_makes_one(tmp_path: Path) -> None:
    file = write_csv(tmp_path / "in.csv", ["good"])
    with pytest.raises(ModelError, match=r"There is no model in .*model yet\. Make it with: retune run"):
        predict_rows(
            PredictionRequest(str(file), tmp_path / "out.csv", tmp_path / "model"), Classifier.load, every_label=False
        )


def test_a_foreign_folder_is_refused(model: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(model, tmp_path / "foreign")
    config = json.loads((folder / "config.json").read_text()) | {"auto_map": {"AutoModel": "theirs.Model"}}
    (folder / "config.json").write_text(json.dumps(config))
    result = CliRunner().invoke(app, ["predict", "good", "--model", str(folder)])
    assert isinstance(result.exception, ModelError)
    assert "asks to run code that comes with the model" in str(result.exception)


def run_retune(*arguments: str, **options: object) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-m", "pipeline.cli", *arguments]
    return subprocess.run(command, capture_output=True, check=False, **options)  # type: ignore[call-overload,no-any-return]


def test_texts_as_arguments(model: Path) -> None:
    result = CliRunner().invoke(app, ["predict", "good app", "bad\ncrash", "--all", "--model", str(model)])
    expected = Classifier.load(model)(["good app"])[0]
    first, second = result.stdout.splitlines()
    shares = "".join(f"  {label} {share:.3f}" for label, share in expected.probabilities.items())
    assert first == f"{expected.label}  {expected.probability:.3f}{shares}  good app"
    assert second.endswith("  bad crash")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["predict", ""], "text 1 of 1: text is empty"),
        (["predict"], "Give either texts, or the rows of a file"),
        (["predict", "good", "--file", "in.csv"], "Give either texts, or the rows of a file"),
        (["embed"], "Give the rows: --file FILE"),
    ],
)
def test_wrong_arguments_are_one_clear_line(model: Path, arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(app, [*arguments, "--model", str(model)])
    assert isinstance(result.exception, DataError)
    assert message in str(result.exception)


def test_standard_input_to_standard_output(model: Path) -> None:
    result = run_retune("predict", "--file", "-", "--model", str(model), input=b"text,n\ngood,1\n,2\n")
    lines = result.stdout.decode().splitlines()
    assert lines[0] == "text,n,prediction,probability,error"
    assert lines[1].startswith("good,1,")
    assert lines[2] == ",2,,,text is empty"
    assert b"2 rows, " in result.stderr
    assert b"1 could not be used: see the column error" in result.stderr
    assert result.returncode == 0


def many(path: Path, rows: int) -> Path:
    return write_csv(
        path, [" ".join([WORDS[row % 6], WORDS[row % 5], f"w{row}"]) if row % 97 else "" for row in range(rows)]
    )


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_killed_run_goes_on_to_the_same_bytes(
    model: Path, predict: Callable[..., Path], tmp_path: Path, kind: str
) -> None:
    file = many(tmp_path / "in.csv", 40_000)
    whole = predict(file, f"whole.{kind}")
    out = tmp_path / f"out.{kind}"
    arguments = ["predict", "--file", str(file), "--out", str(out), "--model", str(model)]
    process = subprocess.Popen([sys.executable, "-m", "pipeline.cli", *arguments], stderr=subprocess.DEVNULL)
    parts = out.with_name(out.name + ".partial")
    while len(list(parts.glob("*.part"))) < 2 and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    done = len(list(parts.glob("*.part")))
    assert 2 <= done < 10
    assert not out.exists()
    result = run_retune(*arguments, "--resume")
    assert result.returncode == 0, result.stderr
    assert b"rows of an interrupted run" in result.stderr
    assert out.read_bytes() == whole.read_bytes()
    assert not parts.exists()


def interrupt(
    predict: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, file: Path, out: str, **options: object
) -> None:
    """Run until the second window is written, and stop there."""
    from pipeline.prediction.resume import PartialOutput

    original = PartialOutput.add

    def add(self: PartialOutput, data: bytes, counts: object) -> None:
        original(self, data, counts)  # type: ignore[arg-type]
        if len(self.files) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(PartialOutput, "add", add)
        with pytest.raises(KeyboardInterrupt):
            predict(file, out, **options)


@pytest.mark.parametrize(
    ("source", "out"), [("in.csv", "out.csv"), ("in.jsonl", "out.parquet"), ("in.parquet", "out.jsonl")]
)
def test_windows_of_any_size_resume(
    predict: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, out: str
) -> None:
    monkeypatch.setattr("pipeline.prediction.windows.WINDOW_ROWS", 64)
    monkeypatch.setattr("pipeline.prediction.windows.WINDOW_CHARACTERS", 500)
    monkeypatch.setattr("stages.texts.WINDOW_CHARACTERS", 500)
    texts = [row["text"] for row in read_csv(many(tmp_path / "texts.csv", 300))]
    if source == "in.csv":
        write_csv(tmp_path / source, texts)
    elif source == "in.parquet":
        pq.write_table(pa.table({"text": texts, "late": [None] * 299 + [1]}), tmp_path / source)
    else:
        rows = [
            {"text": text, "n": 1 if row < 64 else None} for row, text in enumerate(texts)
        ]  # first rows give the type
        (tmp_path / source).write_text("".join(json.dumps(row) + "\n" for row in rows))
    whole = predict(tmp_path / source, f"whole-{out}").read_bytes()
    interrupt(predict, monkeypatch, tmp_path / source, out)
    assert predict(tmp_path / source, out, resume=True).read_bytes() == whole


def test_resume_wants_the_same_run(
    predict: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("pipeline.prediction.windows.WINDOW_ROWS", 64)
    file = many(tmp_path / "in.csv", 300)
    interrupt(predict, monkeypatch, file, "out.csv")
    with pytest.raises(
        DataError, match=r"out\.csv\.partial is of a run with another --prefix\. Use the same, or start over"
    ):
        predict(file, "out.csv", prefix="x_", resume=True)
    with pytest.raises(DataError, match=r"is of a run with another --all"):
        predict(file, "out.csv", every_label=True, resume=True)
    many(file, 301)
    with pytest.raises(DataError, match=r"is of a run with another input"):
        predict(file, "out.csv", resume=True)
    out = predict(file, "out.csv")
    assert len(read_csv(out)) == 301
    before = out.stat().st_mtime_ns
    caplog.set_level("INFO", logger="pipeline")
    predict(file, "out.csv", resume=True)
    assert out.stat().st_mtime_ns == before
    assert "there is nothing to resume" in caplog.text


def test_progress_is_plain_lines_without_a_terminal(
    predict: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("pipeline.prediction.progress.INTERVAL", 0.0)
    monkeypatch.setattr("pipeline.prediction.windows.WINDOW_ROWS", 64)
    caplog.set_level("INFO", logger="pipeline")
    predict(many(tmp_path / "in.csv", 128), "out.csv")
    said = [record.getMessage() for record in caplog.records]
    assert said[0].startswith("64 rows (")
    assert said[1].startswith("128 rows (100%), ")
    assert said[1].endswith(" rows/s")


def test_progress_is_a_bar_in_a_terminal() -> None:
    from rich.console import Console

    from pipeline.prediction.progress import RowProgress

    stream = io.StringIO()
    with RowProgress(Console(file=stream, force_terminal=True, width=100), total=1000) as progress:
        progress.advance(2_500, 500)
    assert "2,500 rows" in stream.getvalue()
    assert "50%" in stream.getvalue()
