"""Lightning's Trainer, set up for one fine-tune: early stopping, the best epoch's weights, a line per epoch."""

import logging
import sys
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from torch.utils.data import DataLoader

from stages.errors import TrainingError
from stages.files import remove_folder
from stages.finetune.batches import Batch
from stages.finetune.classifier import Classifier

log = logging.getLogger(__name__)

MONITOR_MODES = {"val/loss": "min", "val/accuracy": "max", "val/macro_f1": "max", "val/mcc": "max"}


@dataclass(frozen=True)
class Fitted:
    """What a training came to.

    Args:
        curve: A row per epoch: epoch (from 1), learning_rate (at its end), train_loss, val_loss, val_accuracy, ...
        best_epoch: The epoch whose weights the model has now.
        monitor: Name of the metric that chose it.
        best: Its value in that epoch.
    """

    curve: list[dict[str, float]]
    best_epoch: int
    monitor: str
    best: float


class EpochLog(Callback):
    """Keeps a row of numbers per epoch, and logs it."""

    def __init__(self) -> None:
        self.curve: list[dict[str, float]] = []
        self.started = 0.0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.started = time.monotonic()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: Classifier) -> None:  # type: ignore[override]
        metrics = {name.replace("/", "_"): float(value) for name, value in trainer.callback_metrics.items()}
        row = {
            "epoch": trainer.current_epoch + 1,
            "learning_rate": trainer.optimizers[0].param_groups[0]["lr"],
            "train_loss": float(pl_module.train_loss.compute()),
            **{name: metrics[name] for name in ("val_loss", "val_accuracy", "val_macro_f1", "val_mcc")},
        }
        pl_module.train_loss.reset()
        self.curve.append(row)
        numbers = ", ".join(f"{name} {value:.4g}" for name, value in row.items() if name != "epoch")
        seconds = time.monotonic() - self.started
        log.info("epoch %d of %d: %s (%.1f s)", row["epoch"], trainer.max_epochs, numbers, seconds)


def fit(
    classifier: Classifier,
    train: DataLoader[Batch],
    val: DataLoader[Batch],
    *,
    max_epochs: int,
    gradient_clip: float,
    monitor: str,
    patience: int | None,
    accelerator: str,
    precision: str,
    checkpoints: Path,
) -> Fitted:
    """Train, and leave the best epoch's weights in `classifier`.

    Args:
        classifier: The model; its modules must be in train mode.
        train: Batches of train.
        val: Batches of val.
        max_epochs: Passes over train (>= 1).
        gradient_clip: Largest norm of the gradient; 0: not clipped.
        monitor: Metric of val that chooses the epoch, a key of `MONITOR_MODES`.
        patience: Epochs without a better `monitor` before training stops; None: never.
        accelerator: `auto`, `cpu` or `gpu`.
        precision: `auto` (bf16 where a GPU does it well, else 32), `32` or `bf16`.
        checkpoints: Folder for the best weights while training runs; removed at the end.

    Raises:
        TrainingError: The accelerator is not there.
    """
    check_accelerator(accelerator)
    epochs = EpochLog()
    best = ModelCheckpoint(checkpoints, "best", monitor=monitor, mode=MONITOR_MODES[monitor], save_weights_only=True)
    callbacks: list[Callback] = [epochs, best]
    if patience is not None:
        callbacks.append(EarlyStopping(monitor, mode=MONITOR_MODES[monitor], patience=patience))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")  # rows are padded in microseconds
        warnings.filterwarnings("ignore", message=".*LeafSpec.*")  # Lightning's own call of PyTorch
        _trainer(callbacks, max_epochs, gradient_clip, accelerator, precision).fit(classifier, train, val)
    classifier.load_state_dict(torch.load(best.best_model_path, weights_only=True)["state_dict"])
    remove_folder(checkpoints)
    value = float(best.best_model_score)  # type: ignore[arg-type]
    key = monitor.replace("/", "_")
    return Fitted(epochs.curve, int(next(row["epoch"] for row in epochs.curve if row[key] == value)), monitor, value)


def check_accelerator(accelerator: str) -> None:
    """Raise TrainingError when a GPU is asked for and none is there."""
    if accelerator == "gpu" and not (torch.cuda.is_available() or torch.backends.mps.is_available()):
        raise TrainingError(
            "finetune.accelerator is gpu, but PyTorch sees no GPU here. Set finetune.accelerator to auto or cpu."
        )


def _trainer(
    callbacks: list[Callback], max_epochs: int, gradient_clip: float, accelerator: str, precision: str
) -> Trainer:
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    bf16 = torch.cuda.is_available() and torch.cuda.is_bf16_supported(including_emulation=False)
    names: dict[str, Any] = {"auto": "bf16-mixed" if bf16 else "32-true", "bf16": "bf16-mixed", "32": "32-true"}
    return Trainer(
        accelerator=accelerator,
        devices=1,
        precision=names[precision],
        max_epochs=max_epochs,
        gradient_clip_val=gradient_clip or None,
        callbacks=callbacks,
        logger=False,
        enable_model_summary=False,
        enable_progress_bar=sys.stdout.isatty(),
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )
