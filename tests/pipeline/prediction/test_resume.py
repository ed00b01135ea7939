"""A run that was interrupted is resumed to the same bytes, or starts over."""

import json
import os
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

from pipeline.prediction.request import PredictionRequest
from pipeline.prediction.resume import PartialOutput, memory_of
from pipeline.prediction.run import predict_rows
from stages.errors import DataError
from stages.inference.classifier import Classifier
from stages.model_files import TOKENIZER_FILES
from tests.pipeline.prediction.rows import many, read_csv, run_retune, write_csv


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
    monkeypatch.setattr("pipeline.prediction.window.WINDOW_ROWS", 64)
    monkeypatch.setattr("pipeline.prediction.parquet.WINDOW_ROWS", 64)
    monkeypatch.setattr("pipeline.prediction.window.WINDOW_CHARACTERS", 500)
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
    predict: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.prediction.window.WINDOW_ROWS", 64)
    monkeypatch.setattr("pipeline.prediction.parquet.WINDOW_ROWS", 64)
    file = many(tmp_path / "in.csv", 300)
    interrupt(predict, monkeypatch, file, "out.csv")
    with pytest.raises(
        DataError, match=r"out\.csv\.partial belongs to a run with a different --prefix\. Use the same, or start over"
    ):
        predict(file, "out.csv", prefix="x_", resume=True)
    with pytest.raises(DataError, match=r"belongs to a run with a different --all"):
        predict(file, "out.csv", every_label=True, resume=True)
    many(file, 301)
    with pytest.raises(DataError, match=r"belongs to a run with a different input"):
        predict(file, "out.csv", resume=True)
    assert len(read_csv(predict(file, "out.csv"))) == 301


def test_starting_over_drops_the_windows_of_the_interrupted_run(
    predict: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = many(tmp_path / "in.csv", 150)
    monkeypatch.setattr("pipeline.prediction.window.WINDOW_ROWS", 64)
    monkeypatch.setattr("pipeline.prediction.parquet.WINDOW_ROWS", 64)
    interrupt(predict, monkeypatch, file, "out.csv")
    monkeypatch.setattr("pipeline.prediction.window.WINDOW_ROWS", 100)  # so that no window replaces one of before
    assert len(read_csv(predict(file, "out.csv"))) == 150


CHANGES: dict[str, tuple[dict[str, object], str]] = {
    "--all": ({"every_label": True}, "a different --all"),
    "--prefix": ({"prefix": "x_"}, "a different --prefix"),
    "--precision": ({"precision": "32"}, "a different --precision"),
    "--column": ({"column": "other"}, "a different --column"),
    "--pair-column": ({"pair_column": "other"}, "a different --pair-column"),
    "--format": ({"format": "tsv"}, "a different --format"),
    "--encoding": ({"encoding": "cp1252"}, "a different --encoding"),
}


@pytest.mark.parametrize("resumed", [False, True])
def test_a_finished_run_is_that_of_this_input(
    predict: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture, resumed: bool
) -> None:
    caplog.set_level("INFO", logger="pipeline")
    file, other = write_csv(tmp_path / "in.csv", ["good"]), write_csv(tmp_path / "other.csv", ["bad"])
    out = predict(file, "out.csv", resume=resumed)
    before = out.stat().st_mtime_ns
    predict(file, "out.csv", resume=True)
    assert "there is nothing to resume" in caplog.text
    with pytest.raises(DataError, match=r"out\.csv belongs to a run with a different input"):
        predict(other, "out.csv", resume=True)
    for options, change in CHANGES.values():
        with pytest.raises(DataError, match=rf"out\.csv belongs to a run with {change}"):
            predict(file, "out.csv", resume=True, **options)
    assert out.stat().st_mtime_ns == before
    assert {path.name for path in tmp_path.iterdir()} == {"in.csv", "other.csv", "out.csv"}


def test_a_finished_run_is_that_of_this_model(predict: Callable[..., Path], model: Path, tmp_path: Path) -> None:
    file = write_csv(tmp_path / "in.csv", ["good"])
    out, other = predict(file, "out.csv"), shutil.copytree(model, tmp_path / "other")
    (other / "calibration.json").write_text("{}")
    with pytest.raises(DataError, match=r"out\.csv belongs to a run with a different model"):
        predict_rows(PredictionRequest(str(file), out, other, resume=True), Classifier.load, every_label=False)


@pytest.mark.parametrize("name", [*TOKENIZER_FILES, "config.json", "model.safetensors", "calibration.json"])
def test_every_file_that_loading_reads_is_of_the_model(
    predict: Callable[..., Path], model: Path, tmp_path: Path, name: str
) -> None:
    file = write_csv(tmp_path / "in.csv", ["good"])
    out, other = predict(file, "out.csv"), shutil.copytree(model, tmp_path / "other")
    for unread in ("README.md", "notes.bin", os.fsdecode(b"\x80.json.txt")):
        (other / unread).write_text("")
    request = PredictionRequest(str(file), out, other, resume=True)
    predict_rows(request, Classifier.load, every_label=False)
    with (other / name).open("a") as changed:
        changed.write("\n")
    with pytest.raises(DataError, match=r"out\.csv belongs to a run with a different model"):
        predict_rows(request, Classifier.load, every_label=False)


def test_a_file_of_any_name_may_be_in_the_models_folder(
    predict: Callable[..., Path], model: Path, tmp_path: Path
) -> None:
    file, other = write_csv(tmp_path / "in.csv", ["good"]), shutil.copytree(model, tmp_path / "other")
    (other / os.fsdecode(b"\x80.json")).write_text("{}")
    request = PredictionRequest(str(file), tmp_path / "out.csv", other)
    predict_rows(request, Classifier.load, every_label=False)
    assert (tmp_path / "out.csv").exists()


UNKNOWN: dict[str, Callable[[Path], object]] = {
    "written by something else": lambda out: out.write_text("text\n"),
    "the memory is gone": lambda out: memory_of(out).unlink(),
    "the memory is no JSON": lambda out: memory_of(out).write_text("{"),
    "the memory is a list": lambda out: memory_of(out).write_text("[1]"),
    "the memory is a mapping of something else": lambda out: memory_of(out).write_text('{"file": 1}'),
}


@pytest.mark.parametrize("change", UNKNOWN.values(), ids=UNKNOWN)
def test_a_finished_file_of_an_unknown_run_is_kept(
    predict: Callable[..., Path], tmp_path: Path, change: Callable[[Path], object]
) -> None:
    file = write_csv(tmp_path / "in.csv", ["good"])
    out = predict(file, "out.csv")
    change(out)
    before = out.read_bytes()
    with pytest.raises(DataError, match=r"out\.csv can't be resumed: it does not say which input"):
        predict(file, "out.csv", resume=True)
    assert out.read_bytes() == before
    assert len(read_csv(predict(file, "out.csv"))) == 1


@pytest.mark.parametrize("content", ["", "[]", "{", "\udcff"])
def test_a_damaged_record_of_an_interrupted_run_is_named(
    predict: Callable[..., Path], tmp_path: Path, content: str
) -> None:
    file = write_csv(tmp_path / "in.csv", ["good"])
    (tmp_path / "out.csv.partial").mkdir()
    (tmp_path / "out.csv.partial" / "run.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match=r"out\.csv\.partial can't be resumed: it does not say which input"):
        predict(file, "out.csv", resume=True)
    assert len(read_csv(predict(file, "out.csv"))) == 1


def test_without_a_place_to_remember_a_run_still_ends_well(
    predict: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/none")
    file = write_csv(tmp_path / "in.csv", ["good"])
    assert len(read_csv(predict(file, "out.csv"))) == 1
    with pytest.raises(DataError, match="it does not say which input"):
        predict(file, "out.csv", resume=True)


@pytest.mark.parametrize("window", [0, 1])
@pytest.mark.parametrize("left", [0, 1_000])
@pytest.mark.parametrize("out", ["out.csv", "out.parquet"])
def test_a_window_that_is_not_whole_is_computed_again(
    predict: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, out: str, window: int, left: int
) -> None:
    """A machine that loses power can leave a file under its name with fewer bytes."""
    monkeypatch.setattr("pipeline.prediction.window.WINDOW_ROWS", 64)
    file = many(tmp_path / "in.csv", 300)
    whole = predict(file, f"whole.{out}")
    interrupt(predict, monkeypatch, file, out)
    part = sorted((tmp_path / f"{out}.partial").glob("*.part"))[window]
    with part.open("rb+") as content:
        content.truncate(left)
    assert predict(file, out, resume=True).read_bytes() == whole.read_bytes()
    assert not part.parent.exists()
