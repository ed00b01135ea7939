"""The model that a command uses: the only module of `pipeline/` that reaches torch, when a model is loaded."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.commands.terminal import project_root
from stages.entry import check_interpreter
from stages.errors import RetuneError
from stages.importing import end_imports, start_imports

if TYPE_CHECKING:
    from stages.inference import Classifier
    from stages.kept.store import RowStore
    from stages.schema_types import InferencePrecision


def load(folder: Path, *, precision: "InferencePrecision" = "auto") -> "Classifier":
    """Load a model folder, as `Classifier.load` does."""
    check_interpreter()
    start_imports()
    from stages.inference import Classifier  # imported here, so that `retune --help` does not load torch

    end_imports()
    return Classifier.load(folder, store=_store(), precision=precision)


def last_model() -> Path:
    """Return the folder of the model of the last run."""
    from stages.paths import Paths

    root = project_root()
    return (Paths().report if root == Path.cwd() else Paths(root).report) / "model"


def _store() -> "RowStore":
    """Return where the project keeps what it has computed; outside a project nothing is kept."""
    from stages.kept.store import RowStore, open_store
    from stages.params import read_params
    from stages.paths import Paths

    try:
        paths = Paths(project_root())
        return open_store(paths, read_params(paths.params).machine)
    except RetuneError:  # a model works without a project, and with one whose params.yaml is being edited
        return RowStore(Path(), limit=0)
