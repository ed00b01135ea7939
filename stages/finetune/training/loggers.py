"""Lightning's loggers for the tools that a team already uses: TensorBoard and MLflow."""

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path

from lightning.pytorch.loggers import Logger

from stages.errors import TrainingError


def make_loggers(names: Sequence[str], folder: Path) -> list[Logger]:
    """Return a logger for each name.

    Args:
        names: Of `tensorboard` and `mlflow`, the names of their packages.
        folder: Where they write. MLflow writes to MLFLOW_TRACKING_URI instead, if that is set.

    Raises:
        TrainingError: A logger's package is not installed.
    """
    for name in names:
        if importlib.util.find_spec(name) is None:
            raise TrainingError(
                f"machine.loggers contains {name}, but its package is not installed. "
                f"Install it with: pip install 'retune[{name}]', or remove {name} from machine.loggers."
            )
    loggers: list[Logger] = []
    if "tensorboard" in names:
        from lightning.pytorch.loggers import TensorBoardLogger

        loggers.append(TensorBoardLogger(folder, name="tensorboard"))
    if "mlflow" in names:
        from lightning.pytorch.loggers import MLFlowLogger

        folder.mkdir(parents=True, exist_ok=True)  # SQLite creates the file, but not its folder
        address = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{folder.resolve()}/mlflow.db"
        loggers.append(MLFlowLogger(experiment_name="retune", tracking_uri=address))
    return loggers
