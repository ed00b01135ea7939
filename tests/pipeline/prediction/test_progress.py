"""Progress: a bar in a terminal, plain lines elsewhere."""

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from pipeline.prediction.progress import RowProgress
from tests.pipeline.prediction.rows import many


def test_progress_is_plain_lines_without_a_terminal(
    predict: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("pipeline.prediction.progress.INTERVAL", 0.0)
    monkeypatch.setattr("pipeline.prediction.window.WINDOW_ROWS", 64)
    caplog.set_level("INFO", logger="pipeline")
    predict(many(tmp_path / "in.csv", 128), "out.csv")
    said = [record.getMessage() for record in caplog.records]
    assert said[0].startswith("64 rows (")
    assert said[1].startswith("128 rows (100%), ")
    assert said[1].endswith(" rows/s")


def test_progress_is_a_bar_in_a_terminal() -> None:
    stream = io.StringIO()
    with RowProgress(Console(file=stream, force_terminal=True, width=100), total=1000) as progress:
        progress.advance(2_500, 500)
    assert "2,500 rows" in stream.getvalue()
    assert "50%" in stream.getvalue()
