"""What the machine has, under Lightning's own names; what it lacks is said before hours are spent."""

import importlib.util
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from stages.encoders import layers_of
from stages.errors import TrainingError

log = logging.getLogger(__name__)

LOGGER_MODULES = {"tensorboard": "tensorboard", "mlflow": "mlflow"}


def check_devices(accelerator: str, devices: int) -> None:
    """Check that what is asked for is there.

    Raises:
        TrainingError: A GPU is asked for and there is none, or more GPUs than there are.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else int(torch.backends.mps.is_available())
    if accelerator == "gpu" and not gpus:
        raise TrainingError(
            "finetune.accelerator is gpu, but PyTorch sees no GPU here. Set finetune.accelerator to auto or cpu."
        )
    if accelerator != "cpu" and gpus and devices > gpus:
        raise TrainingError(
            f"finetune.devices is {devices}, but PyTorch sees {gpus} GPU here. Set it to {gpus} or less."
        )


def on_gpu(accelerator: str) -> bool:
    """Will Lightning train on a CUDA GPU?"""
    return accelerator != "cpu" and torch.cuda.is_available()


def device_name(accelerator: str) -> str:
    """Return where Lightning will train: `cuda`, `mps` or `cpu`."""
    if on_gpu(accelerator):
        return "cuda"
    return "mps" if accelerator != "cpu" and torch.backends.mps.is_available() else "cpu"


def precision_name(precision: str, accelerator: str) -> Any:
    """Return Lightning's name of a precision; `auto` is bf16 on a GPU that computes in it, and 32 elsewhere."""
    bf16 = on_gpu(accelerator) and torch.cuda.is_bf16_supported(including_emulation=False)
    return {"auto": "bf16-mixed" if bf16 else "32-true", "bf16": "bf16-mixed", "32": "32-true"}[precision]


def compiled(model: PreTrainedModel, *, wanted: bool, accelerator: str) -> None:
    """Compile the model's layers in place where that pays: on a CPU it takes minutes, so there it is left out.

    Layers are alike, so one is compiled for all of them.
    """
    if wanted and on_gpu(accelerator):
        for layer in layers_of(model):
            layer.compile()
    elif wanted:
        log.info("finetune.compile: not on a CPU, where compiling takes longer than it saves")


def make_loggers(names: Sequence[str], folder: Path) -> list[Any]:
    """Return Lightning's loggers, which write under `folder`; mlflow's where MLFLOW_TRACKING_URI says, if it is set.

    Raises:
        TrainingError: The package of one is not installed.
    """
    for name in names:
        if importlib.util.find_spec(LOGGER_MODULES[name]) is None:
            raise TrainingError(
                f"finetune.loggers names {name}, but its package is not installed. "
                f"Install it with: pip install 'retune[{name}]', or take it out."
            )
    made: list[Any] = []
    if "tensorboard" in names:
        from lightning.pytorch.loggers import TensorBoardLogger

        made.append(TensorBoardLogger(folder, name="tensorboard"))
    if "mlflow" in names:
        from lightning.pytorch.loggers import MLFlowLogger

        folder.mkdir(parents=True, exist_ok=True)  # SQLite makes the file, and no folder
        address = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{folder.resolve()}/mlflow.db"
        made.append(MLFlowLogger(experiment_name="retune", tracking_uri=address))
    return made
