"""Lightning's Trainer, set up for one fine-tune: early stopping, the best epoch's weights, checkpoints."""

import logging
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback, EarlyStopping, EMAWeightAveraging, ModelCheckpoint
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from stages.errors import TrainingError
from stages.files import remove_folder
from stages.finetune.batches import Batch, LengthBuckets, loader, val_batches
from stages.finetune.callbacks import EpochLog, SeedSteps, WatchLoss
from stages.finetune.checkpoints import Resume, load_weights
from stages.finetune.classifier import Classifier
from stages.finetune.devices import on_gpu, precision_name

log = logging.getLogger(__name__)

MONITOR_MODES = {"val/loss": "min", "val/accuracy": "max", "val/macro_f1": "max", "val/mcc": "max"}
NEEDLESS_WARNINGS = (
    ".*does not have many workers.*",  # a batch is padded in microseconds
    ".*in eval mode at the start of training.*",  # fixed ones are, and we raise when others are
    ".*Checkpoint directory .* exists and is not empty.*",  # of the run that goes on
    ".*dataloader is not resumable.*",  # ours is: LengthBuckets skips what was done
    ".*smaller than the logging interval.*",  # EpochLog logs every epoch
    ".*LeafSpec.*",  # Lightning's own call of PyTorch
)


@dataclass(frozen=True)
class Data:
    """The rows of both splits, as batches are made of them.

    Args:
        train, val: Give a batch for an array of rows.
        train_lengths, val_lengths: Tokens in each row; shape (rows,).
    """

    train: Dataset[Batch]
    val: Dataset[Batch]
    train_lengths: NDArray[np.int64]
    val_lengths: NDArray[np.int64]


@dataclass(frozen=True)
class Fitted:
    """What a training came to.

    Args:
        curve: A row per epoch: epoch (from 1), learning_rate (at its end), train_loss, val_loss, val_accuracy, ...
        best_epoch: The epoch whose weights the model has now.
        monitor: Name of the metric that chose it.
        best: Its value in that epoch; None when nothing was chosen (`fast_dev_run`, or no val batches).
        real_tokens: Share (0 to 1) of the tokens in padded batches of train that are no padding.
    """

    curve: list[dict[str, float]]
    best_epoch: int
    monitor: str
    best: float | None
    real_tokens: float


def fit(
    classifier: Classifier,
    data: Data,
    *,
    seed: int,
    folder: Path,
    batch_size: int,
    max_epochs: int,
    gradient_clip: float,
    accumulate_grad_batches: int = 1,
    max_tokens_per_batch: int | None = None,
    ema_decay: float | None = None,
    monitor: str = "val/loss",
    patience: int | None = None,
    checkpoint_minutes: float = 10.0,
    accelerator: str = "auto",
    num_workers: int = 0,
    callbacks: Sequence[Callback] = (),
    **trainer_options: Any,
) -> Fitted:
    """Train, and leave the best epoch's weights in `classifier`.

    Args:
        classifier: The model; trained modules in train mode, fixed ones in eval mode.
        data: The rows.
        seed: Of the order of the rows and of dropout.
        folder: For checkpoints while training runs; a run that finds one there goes on with it.
        batch_size: Rows per batch (>= 1).
        max_epochs: Passes over train (>= 1).
        gradient_clip: Largest norm of the gradient; 0: not clipped.
        accumulate_grad_batches: Batches per step of the optimizer (>= 1).
        max_tokens_per_batch: Tokens per batch at most, padding included; None: no limit.
        ema_decay: Of a moving average of the weights, which is what val sees and what is kept; None: off.
        monitor: Metric of val that chooses the epoch, a key of `MONITOR_MODES`.
        patience: Epochs without a better `monitor` before training stops; None: never.
        checkpoint_minutes: Between two checkpoints within an epoch (> 0).
        accelerator: `auto`, `cpu` or `gpu`.
        num_workers: Processes that prepare batches (0: this one).
        callbacks: More of Lightning's callbacks.
        trainer_options: Passed to Lightning's Trainer: devices, strategy, precision, limit_train_batches, ...

    Raises:
        TrainingError: One row alone does not fit in the GPU's memory, or the loss is no number any more.
    """
    start = {name: values.detach().cpu().clone() for name, values in classifier.state_dict().items()}
    parts = 1
    while True:
        order = LengthBuckets(
            data.train_lengths, batch_size=batch_size, seed=seed, max_tokens=max_tokens_per_batch, parts=parts
        )
        epochs = EpochLog()
        resume = Resume(folder / str(parts), minutes=checkpoint_minutes, batches=order)
        best = ModelCheckpoint(
            folder / str(parts),
            "best-{epoch}",
            monitor=monitor,
            mode=MONITOR_MODES[monitor],
            save_weights_only=ema_decay is None,  # Lightning puts the average in whole checkpoints only
        )
        used = [SeedSteps(seed), WatchLoss(), epochs, *callbacks]
        if ema_decay is not None:
            used.append(EMAWeightAveraging(decay=ema_decay))
        if patience is not None:
            used.append(EarlyStopping(monitor, mode=MONITOR_MODES[monitor], patience=patience))
        trainer = make_trainer(
            [*used, best, resume],
            max_epochs=max_epochs,
            gradient_clip_val=gradient_clip or None,
            accumulate_grad_batches=accumulate_grad_batches * parts,
            accelerator=accelerator,
            **trainer_options,
        )
        loading: dict[str, Any] = {"num_workers": num_workers, "pin_memory": on_gpu(accelerator)}
        train = loader(data.train, order, **loading)
        val = loader(data.val, val_batches(data.val_lengths, -(-batch_size // parts), max_tokens_per_batch), **loading)
        if _fits(trainer, classifier, train, val, resume.found):
            break
        parts *= 2
        if parts > batch_size:
            raise TrainingError(
                f"A row of {data.train_lengths.max()} tokens alone does not fit in the GPU's memory. "
                "Lower tokenize.max_length, or set finetune.method to lora or frozen."
            )
        log.info("a batch does not fit in the GPU's memory: each comes in %d parts, to the same effective batch", parts)
        classifier.load_state_dict(start)
    return _keep_best(classifier, trainer, best, epochs, folder, monitor, _real_tokens(order))


def make_trainer(callbacks: Sequence[Callback], *, precision: str = "auto", **options: Any) -> Trainer:
    """Return Lightning's Trainer without what a fine-tune does not need; a progress bar in a terminal only."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    options.setdefault("logger", False)
    return Trainer(
        callbacks=list(callbacks),
        precision=precision_name(precision, options["accelerator"]),
        enable_model_summary=False,
        enable_progress_bar=sys.stdout.isatty(),
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        **options,
    )


def _fits(
    trainer: Trainer, classifier: Classifier, train: DataLoader[Batch], val: DataLoader[Batch], found: Path | None
) -> bool:
    """Train; False when a batch does not fit in the GPU's memory. The error's traceback holds tensors: let it go."""
    if found:
        log.info("going on from a checkpoint of a run before this one")
    try:
        with warnings.catch_warnings():
            for message in NEEDLESS_WARNINGS:
                warnings.filterwarnings("ignore", message=message)
            trainer.fit(classifier, train, val, ckpt_path=found, weights_only=True)
    except torch.OutOfMemoryError:
        pass
    else:
        return True
    classifier.steps = None
    classifier.zero_grad(set_to_none=True)
    classifier.cpu()
    torch.cuda.empty_cache()
    return False


def _keep_best(
    classifier: Classifier,
    trainer: Trainer,
    best: ModelCheckpoint,
    epochs: EpochLog,
    folder: Path,
    monitor: str,
    real_tokens: float,
) -> Fitted:
    value = None if best.best_model_score is None else float(best.best_model_score)
    epoch = len(epochs.curve)
    if best.best_model_path:
        key = monitor.replace("/", "_")
        epoch = int(next(row["epoch"] for row in epochs.curve if row[key] == value))
        load_weights(classifier, Path(best.best_model_path))
    trainer.strategy.barrier()
    if trainer.is_global_zero:
        remove_folder(folder)
    return Fitted(epochs.curve, epoch, monitor, value, real_tokens)


def _real_tokens(order: LengthBuckets) -> float:
    batches = order.batches(0)
    padded = sum(len(batch) * int(order.lengths[batch].max()) for batch in batches)
    return float(order.lengths.sum()) / padded
