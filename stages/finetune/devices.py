"""The device that a fine-tune runs on, detected once; what the machine lacks is an error before training starts."""

import logging
import os
from dataclasses import dataclass
from typing import Literal

import torch
from transformers import PreTrainedModel

from stages.errors import TrainingError
from stages.model.bf16 import bf16_units
from stages.model.layers import layers_of
from stages.schema import Finetune

log = logging.getLogger(__name__)

Kind = Literal["cpu", "cuda", "mps"]
Precision = Literal["32-true", "bf16-mixed", "16-mixed"]

PRECISIONS: dict[str, Precision] = {"32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}  # in Lightning's terms


@dataclass(frozen=True)
class Device:
    """Where and how Lightning trains, in Lightning's own terms.

    Args:
        kind: Lightning's accelerator.
        count: How many devices train together (>= 1), each with a process of its own.
        strategy: `ddp` where processes exchange gradients, else `auto`.
        precision: float32; or bfloat16 or float16 where autocast allows it, float16 with a scaled loss.
    """

    kind: Kind
    count: int = 1
    strategy: Literal["auto", "ddp"] = "auto"
    precision: Precision = "32-true"

    @property
    def precision_key(self) -> str:
        """The precision in the terms of params.yaml."""
        return next(key for key, name in PRECISIONS.items() if name == self.precision)


def detect_device(options: Finetune) -> Device:
    """Return the device that finetune.accelerator, devices, strategy and precision ask for.

    `auto` takes a GPU where there is one, and on it bf16, or fp16 if it does not compute in bf16. On a CPU it takes
    bf16 if the processor has units for it, but for the head of a frozen encoder, which costs little; see
    `features_in_bf16`.

    Raises:
        TrainingError: There is no GPU but one or its fp16 is asked for, or there are fewer GPUs than asked for.
    """
    kind = _kind(options.accelerator)
    if options.accelerator == "gpu" and kind == "cpu":
        raise TrainingError(
            "finetune.accelerator is gpu, but PyTorch sees no GPU on this machine. "
            "Set finetune.accelerator to auto or cpu."
        )
    gpus = {"cpu": options.devices, "cuda": torch.cuda.device_count(), "mps": 1}[kind]
    if options.devices > gpus:
        raise TrainingError(
            f"finetune.devices is {options.devices}, but the number of GPUs that PyTorch sees is {gpus}. "
            f"Set finetune.devices to {gpus} or less."
        )
    strategy = "ddp" if options.devices > 1 else options.strategy
    return Device(kind, options.devices, strategy, _precision(options, kind))


def features_in_bf16(options: Finetune, device: Device) -> bool:
    """Return whether a frozen encoder is to multiply in bf16: on a CPU with units for it, unless precision is 32."""
    wanted = options.precision == "bf16" or (options.precision == "auto" and bf16_units() is not None)
    return wanted and device.kind == "cpu"


def process_rank() -> int:
    """Return the number of this process among those that train together; that of number 0 writes the results.

    Lightning starts the others with the command of the first, and tells them their number.
    """
    return int(os.environ.get("LOCAL_RANK", "0"))


def checkpoint_layers(model: PreTrainedModel) -> None:
    """Let the layers keep their input alone while they train, and compute the rest again for the gradient, in place.

    Raises:
        TrainingError: transformers can't do that for the architecture.
    """
    enable = getattr(model, "activation_checkpointing_enable", None)  # the name that transformers 5.0 does not have
    try:
        (enable or model.gradient_checkpointing_enable)({"use_reentrant": False})
    except ValueError as error:
        raise TrainingError(
            "machine.gradient_checkpointing is true, but transformers does not support it for "
            f"{model.config.model_type}. "
            "Set it to false, and lower finetune.batch_size if the memory is full."
        ) from error


def compile_layers(model: PreTrainedModel, device: Device) -> None:
    """Compile the model's layers in place on a CUDA GPU; elsewhere leave them, because compiling takes minutes.

    The layers are alike, so one compilation serves all of them.
    """
    if device.kind == "cuda":
        for layer in layers_of(model):
            layer.compile()
    else:
        log.info("finetune.compile is ignored on %s: compiling would take longer than it saves", device.kind)


def _kind(accelerator: str) -> Kind:
    if accelerator != "cpu" and torch.cuda.is_available():
        return "cuda"
    return "mps" if accelerator != "cpu" and torch.backends.mps.is_available() else "cpu"


def _precision(options: Finetune, kind: Kind) -> Precision:
    wanted = options.precision
    if wanted == "fp16" and kind != "cuda":
        raise TrainingError(
            f"finetune.precision is fp16, but the training runs on {kind}, and only CUDA GPUs train in it. "
            "Set finetune.precision to auto."
        )
    bf16 = kind == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    if wanted == "bf16" and kind == "cuda" and not bf16:
        log.warning("this GPU emulates bf16, which is slow: with finetune.precision auto it computes in fp16")
    if wanted == "auto":
        if kind == "cuda":
            wanted = "bf16" if bf16 else "fp16"
        else:
            wanted = "bf16" if kind == "cpu" and bf16_units() and options.method != "frozen" else "32"
    return PRECISIONS[wanted]
