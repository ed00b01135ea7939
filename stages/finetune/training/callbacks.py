"""Lightning callbacks: random numbers of each step, a check of the loss, a row of the curve per epoch."""

import logging
import time
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from stages.errors import TrainingError
from stages.finetune.training.lightning_module import FinetuneModule

log = logging.getLogger(__name__)

STEPS_PER_CHECK = 50  # on a GPU, where reading a loss means waiting for it
DEVICE_SEEDS = 15_485_863  # a prime, so that devices drop out other units
STEP_SEEDS = 1_000_003  # a prime, so that steps of neighbouring seeds do not share random numbers


class SeedSteps(Callback):
    """Seeds every step by the run's seed and the step's number, so that a resumed run draws the same numbers."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        seed = self.seed * STEP_SEEDS + trainer.fit_loop.total_batch_idx + trainer.global_rank * DEVICE_SEEDS
        torch.default_generator.manual_seed(seed)
        # torch.manual_seed would take half a millisecond: it seeds every kind of device, also those that are absent
        if pl_module.device.type == "cuda":
            torch.cuda.manual_seed(seed)
        elif pl_module.device.type != "cpu":
            torch.manual_seed(seed)


class WatchLoss(Callback):
    """Stops the training when the loss is NaN or infinite, before a checkpoint is made."""

    def __init__(self) -> None:
        self.unchecked: list[tuple[Tensor, Tensor, int]] = []  # loss, rows, batch
        self.scaled = False  # as it is in fp16

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.scaled = trainer.scaler is not None
        self.unchecked.append((outputs["loss"].detach(), batch["rows"], batch_idx))
        if len(self.unchecked) == STEPS_PER_CHECK or outputs["loss"].device.type == "cpu":
            self.check(trainer.current_epoch)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.check(trainer.current_epoch)

    def check(self, epoch: int) -> None:
        """Check the losses since the last check.

        Raises:
            TrainingError: A loss is NaN or infinite; the message names the rows of its batch.
        """
        losses, self.unchecked = self.unchecked, []
        if not losses:
            return
        finite = torch.stack([loss for loss, _, _ in losses]).isfinite().tolist()
        for is_finite, (loss, rows, batch) in zip(finite, losses, strict=True):
            if not is_finite:
                fp16 = "Set finetune.precision to 32, because fp16 has no number above 65,504; or lower"
                raise TrainingError(
                    f"The loss is {loss.item()} in epoch {epoch + 1}, batch {batch + 1}, on rows {rows.tolist()} of "
                    f"rows.parquet. {fp16 if self.scaled else 'Lower'} finetune.learning_rate, set "
                    "finetune.gradient_clip, or correct these rows."
                )


class EpochLog(Callback):
    """Keeps a row of the learning curve per epoch, and logs it."""

    def __init__(self) -> None:
        self.curve: list[dict[str, float]] = []
        self.started = time.monotonic()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.started = time.monotonic()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: FinetuneModule) -> None:  # type: ignore[override]
        metrics = {name.replace(".", "_"): float(value) for name, value in trainer.callback_metrics.items()}
        columns = [name.replace(".", "_") for name in pl_module.monitors]
        row = {
            "epoch": trainer.current_epoch + 1,
            "learning_rate": max(group["lr"] for group in trainer.optimizers[0].param_groups),
            "train_loss": float(pl_module.train_loss.compute()),
            **{name: metrics[name] for name in columns if name in metrics},
        }
        pl_module.train_loss.reset()
        self.curve.append(row)
        numbers = ", ".join(f"{name} {value:.4g}" for name, value in row.items() if name != "epoch")
        seconds = time.monotonic() - self.started
        log.info("epoch %d of %d: %s (%.1f s)", row["epoch"], trainer.max_epochs, numbers, seconds)
        for logger in trainer.loggers:
            values = {name: row[name] for name in ("learning_rate", "train_loss")}  # Lightning itself logs those of val
            logger.log_metrics(values, step=trainer.global_step)

    def state_dict(self) -> dict[str, Any]:
        return {"curve": self.curve}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.curve = state_dict["curve"]
