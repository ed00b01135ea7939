"""Predictions in this process, of a file to a file."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.prediction.run import predict_rows
from stages.inference.classifier import Classifier
from tests.pipeline.prediction.rows import request_of


@pytest.fixture(autouse=True)
def own_memory(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are remembered in a folder of the test, not of the user."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))


@pytest.fixture
def predict(model: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return a function that runs `retune predict --file ... --out ...` in this process."""

    def run(file: Path, out: str, *, every_label: bool = False, **options: object) -> Path:
        request = request_of(str(file), tmp_path / out, model, **options)
        predict_rows(request, Classifier.load, every_label=every_label)
        return tmp_path / out

    return run
