"""The model that a command uses: the only module of `pipeline/` that reaches torch, when a model is loaded."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.commands.terminal import project_root
from stages.entry import check_interpreter

if TYPE_CHECKING:
    from stages.inference import Classifier


def load(folder: Path) -> "Classifier":
    """Load a model folder, as `Classifier.load` does."""
    check_interpreter()
    from stages.inference import Classifier  # imported here, so that `retune --help` does not load torch

    return Classifier.load(folder)


def last_model() -> Path:
    """Return the folder of the model of the last run."""
    from stages.paths import Paths

    root = project_root()
    return (Paths().report if root == Path.cwd() else Paths(root).report) / "model"
