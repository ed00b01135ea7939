"""Training with Lightning: early stopping, checkpoints, and the best epoch's weights at the end."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback, EarlyStopping, EMAWeightAveraging
from lightning.pytorch.loggers import Logger

from stages.errors import TrainingError
from stages.files import remove_folder
from stages.finetune.data_module import FinetuneData
from stages.finetune.devices import Device
from stages.finetune.training.callbacks import EpochLog, SeedSteps, WatchLoss
from stages.finetune.training.checkpoints import BestEpoch, Resume, load_weights
from stages.finetune.training.lightning_module import FinetuneModule
from stages.finetune.training.trainer import make_trainer, run_trainer, validate
from stages.schema import Finetune, Machine

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fitted:
    """The outcome of a training.

    Args:
        curve: A row per epoch: epoch (from 1), learning_rate (at its end), train_loss, val_loss, val_accuracy, ...
        best_epoch: The epoch whose weights the model has now.
        monitor: Name of the metric that chose it.
        best: Its value in that epoch; None if no epoch was chosen (`fast_dev_run`, or no val batches).
        steps: Steps of the optimizer, of all epochs.
        real_tokens: Share (0 to 1) of the tokens in padded batches of train that are not padding.
    """

    curve: list[dict[str, float]]
    best_epoch: int
    monitor: str
    best: float | None
    steps: int
    real_tokens: float


def fit(
    module: FinetuneModule,
    data: FinetuneData,
    options: Finetune,
    device: Device,
    machine: Machine,
    *,
    seed: int,
    folder: Path,
    callbacks: Sequence[Callback] = (),
    loggers: Sequence[Logger] = (),
) -> Fitted:
    """Train, and leave the best epoch's weights in `module`.

    Args:
        module: The model; trained modules in train mode, frozen ones in eval mode.
        data: The rows.
        options: Section finetune of params.yaml.
        device: Where the training runs.
        machine: Section machine of params.yaml.
        seed: Of dropout.
        folder: For checkpoints while training runs; a checkpoint of an earlier run in it is resumed.
        callbacks: Further callbacks of Lightning.
        loggers: Lightning's loggers.

    Raises:
        TrainingError: One row alone does not fit in the GPU's memory, or the loss is NaN or infinite.
    """
    start = {name: values.detach().cpu().clone() for name, values in module.state_dict().items()}
    parts, mode = 1, module.monitors[options.monitor]
    while True:
        data.split_batches(parts)
        epochs, best = EpochLog(), _best_epoch(folder / str(parts), options, mode)
        resume = Resume(folder / str(parts), minutes=machine.checkpoint_minutes, batches=data.train_batches)
        chosen = [SeedSteps(seed), WatchLoss(), epochs, *callbacks, *_optional_callbacks(options, mode), best, resume]
        trainer = make_trainer(options, device, callbacks=chosen, loggers=loggers, parts=parts)
        if run_trainer(trainer, module, data, checkpoint=resume.find_previous()):
            break
        parts *= 2
        if parts > options.batch_size:
            raise TrainingError(
                f"A single row of {data.train.lengths.max()} tokens does not fit in the GPU's memory. "
                "Lower tokenize.max_length, or set finetune.method to lora or frozen."
            )
        log.info(
            "a batch does not fit in the GPU's memory: each is split into %d parts, with the same effective batch size",
            parts,
        )
        module.load_state_dict(start)
        module.forget_batches()
    value = None if best.best_model_score is None else float(best.best_model_score)
    best_epoch = len(epochs.curve)
    if best.best_model_path:
        column = options.monitor.replace(".", "_")
        best_epoch = int(next(row["epoch"] for row in epochs.curve if row[column] == value))
        load_weights(module, Path(best.best_model_path))
    _remove_checkpoints(trainer, folder)
    return Fitted(epochs.curve, best_epoch, options.monitor, value, trainer.global_step, data.real_token_share())


def measure(module: FinetuneModule, data: FinetuneData, options: Finetune, device: Device) -> float | None:
    """Return `finetune.monitor` on val with the weights as they are; None for `fast_dev_run`."""
    if options.fast_dev_run:
        return None
    trainer = make_trainer(options, device, callbacks=[])
    return validate(trainer, module, data).get(options.monitor)


def _best_epoch(folder: Path, options: Finetune, mode: str) -> BestEpoch:
    """Return the callback that keeps the weights of the best epoch."""
    return BestEpoch(
        folder,
        monitor=options.monitor,
        mode=mode,
        weights_only=options.ema_decay is None,  # Lightning saves the average in whole checkpoints only
    )


def _optional_callbacks(options: Finetune, mode: str) -> list[Callback]:
    callbacks: list[Callback] = []
    if options.ema_decay is not None:
        # not of buffers: a table of integers, such as positions, would be another one by rounding
        callbacks.append(EMAWeightAveraging(use_buffers=False, decay=options.ema_decay))
    if options.patience is not None:
        callbacks.append(EarlyStopping(options.monitor, mode=mode, patience=options.patience))
    return callbacks


def _remove_checkpoints(trainer: Trainer, folder: Path) -> None:
    trainer.strategy.barrier()
    if trainer.is_global_zero:
        remove_folder(folder)
