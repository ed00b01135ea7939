"""A run that was interrupted is resumed to the same bytes, or starts over."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.prediction.resume import PartialOutput
from stages.errors import DataError
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
        DataError, match=r"out\.csv\.partial belongs to a run with a different --prefix\. Use the same, or start over"
    ):
        predict(file, "out.csv", prefix="x_", resume=True)
    with pytest.raises(DataError, match=r"belongs to a run with a different --all"):
        predict(file, "out.csv", every_label=True, resume=True)
    many(file, 301)
    with pytest.raises(DataError, match=r"belongs to a run with a different input"):
        predict(file, "out.csv", resume=True)
    out = predict(file, "out.csv")
    assert len(read_csv(out)) == 301
    before = out.stat().st_mtime_ns
    caplog.set_level("INFO", logger="pipeline")
    predict(file, "out.csv", resume=True)
    assert out.stat().st_mtime_ns == before
    assert "there is nothing to resume" in caplog.text
