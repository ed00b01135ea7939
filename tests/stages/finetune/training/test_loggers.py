import importlib.util
from pathlib import Path

import pytest

from stages.errors import TrainingError
from stages.finetune.training.loggers import make_loggers


def test_a_logger_whose_package_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(TrainingError, match=r"machine.loggers contains mlflow, but .* pip install 'retune\[mlflow\]'"):
        make_loggers(["mlflow"], tmp_path)
    assert make_loggers([], tmp_path) == []
