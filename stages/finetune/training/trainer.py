"""Lightning's Trainer, set up for a fine-tune, and one run of it."""

import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback, TQDMProgressBar
from lightning.pytorch.loggers import Logger

from stages.errors import TrainingError
from stages.finetune.data_module import FinetuneData
from stages.finetune.devices import Device
from stages.finetune.training.lightning_module import FinetuneModule
from stages.schema import Finetune

log = logging.getLogger(__name__)

NEEDLESS_WARNINGS = (
    ".*does not have many workers.*",  # a batch is padded in microseconds
    ".*in eval mode at the start of training.*",  # frozen modules are, and FinetuneModule checks the others
    ".*Checkpoint directory .* exists and is not empty.*",  # it holds the checkpoint that is resumed
    ".*dataloader is not resumable.*",  # ours is: LengthBuckets skips the batches that are done
    ".*smaller than the logging interval.*",  # EpochLog logs every epoch
    ".*sync_dist=True.*",  # every device measures all of val
    ".*LeafSpec.*",  # Lightning's own call of PyTorch
    ".*lr_scheduler.step.*before.*optimizer.step.*",  # fp16 leaves out a step whose gradient is infinite
)


def make_trainer(
    options: Finetune, device: Device, *, callbacks: Sequence[Callback], loggers: Sequence[Logger] = (), parts: int = 1
) -> Trainer:
    """Return Lightning's Trainer; its progress bar shows in a terminal only.

    Args:
        options: Section finetune of params.yaml.
        device: Where the training runs.
        callbacks: All callbacks.
        loggers: Lightning's loggers.
        parts: Parts that each batch comes in; the optimizer steps after the last.
    """
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    # rich's bar hides the cursor of the terminal, and Ctrl-C, which ends a stage at once, would leave it hidden
    bars = [TQDMProgressBar()] if sys.stdout.isatty() else []
    return Trainer(
        accelerator=device.kind,
        devices=device.count,
        # Some architectures have weights that their classifier does not use
        strategy="ddp_find_unused_parameters_true" if device.strategy == "ddp" else "auto",
        precision=device.precision,
        max_epochs=options.max_epochs,
        gradient_clip_val=options.gradient_clip or None,
        accumulate_grad_batches=options.accumulate_grad_batches * parts,
        fast_dev_run=options.fast_dev_run,
        callbacks=[*callbacks, *bars],
        logger=list(loggers) or False,
        enable_model_summary=False,
        enable_progress_bar=bool(bars),
        num_sanity_val_steps=0,
        use_distributed_sampler=False,  # LengthBuckets divides the batches between the devices
    )


def run_trainer(trainer: Trainer, module: FinetuneModule, data: FinetuneData, *, checkpoint: Path | None) -> bool:
    """Train; return False if a batch does not fit in the GPU's memory."""
    if checkpoint:
        log.info("resuming from the checkpoint of an earlier run")
    try:
        with _without_needless_warnings():
            trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    except torch.OutOfMemoryError as error:
        if trainer.world_size > 1:  # the other devices wait for this one's gradients
            raise TrainingError("A batch does not fit in a GPU's memory. Lower finetune.batch_size.") from error
        # Its traceback holds tensors, so the memory is freed after this block
    else:
        return True
    module.steps = None
    module.zero_grad(set_to_none=True)
    module.cpu()
    torch.cuda.empty_cache()
    return False


def validate(trainer: Trainer, module: FinetuneModule, data: FinetuneData) -> dict[str, float]:
    """Return the metrics of val by name, with the weights as they are."""
    with _without_needless_warnings():
        found: list[dict[str, float]] = [
            dict(each) for each in trainer.validate(module, datamodule=data, verbose=False)
        ]
    return found[0] if found else {}


@contextmanager
def _without_needless_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        for message in NEEDLESS_WARNINGS:
            warnings.filterwarnings("ignore", message=message)
        yield
