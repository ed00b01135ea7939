"""The files that a fine-tune leaves beside its model: curve.csv and stats.json."""

from pathlib import Path
from typing import Any

import pandas as pd
import torch
from transformers import PreTrainedModel

from stages.files import write_text
from stages.finetune.acceleration.features import Encoded
from stages.finetune.data_module import FinetuneData
from stages.finetune.devices import Device
from stages.finetune.inputs import Inputs
from stages.finetune.methods import blocks_of
from stages.finetune.training.fit import Fitted
from stages.speed import measured_speed, pass_timings

Blocks = dict[str, dict[str, int]]  # block -> `trainable` and `frozen` -> number of parameters


def write_curve(path: Path, curve: list[dict[str, float]]) -> None:
    """Write a row per epoch as CSV."""
    write_text(path, pd.DataFrame(curve).to_csv(index=False, float_format="%.6g", lineterminator="\n"))


def count_parameters(model: PreTrainedModel) -> Blocks:
    """Return how many parameters of each block train and how many are frozen; LoRA's belong to their layer's block."""
    return {
        block: {
            "trainable": sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
            "frozen": sum(parameter.numel() for parameter in parameters if not parameter.requires_grad),
        }
        for block, parameters in blocks_of(model).items()
    }


def training_speed(
    model: PreTrainedModel,
    data: FinetuneData,
    fitted: Fitted,
    device: Device,
    *,
    encoded: Encoded | None,
    seconds: float,
    rates: Path,
) -> dict[str, float]:
    """Return how fast the model was trained, or its frozen encoder computed what it gave: the head has no tokens."""
    kind = torch.device(device.kind)
    if encoded:
        tokens, kept = encoded.computed_tokens, encoded.kept
        return pass_timings(model, kind, tokens=tokens, seconds=encoded.seconds, kept=kept, rates=rates)
    if device.count > 1:  # devices that share a CPU have no rate of their own
        return {}
    tokens = data.tokens_of_epoch() * len(fitted.curve)
    return measured_speed(model, kind, tokens=tokens, seconds=seconds, rates=rates, training=True)


def training_stats(
    inputs: Inputs, fitted: Fitted, blocks: Blocks, *, method: str, notes: dict[str, Any]
) -> dict[str, Any]:
    """Return what was trained, on what, and which epoch was chosen; no clock times."""
    trainable = sum(counts["trainable"] for counts in blocks.values())
    return {
        "method": method,
        "best_epoch": fitted.best_epoch,
        "epochs": len(fitted.curve),
        "monitor": {"name": fitted.monitor, "value": fitted.best},
        "parameters": {
            "total": trainable + sum(counts["frozen"] for counts in blocks.values()),
            "trainable": trainable,
            "blocks": blocks,
        },
        "rows": {"train": len(inputs.train), "val": len(inputs.val)},
        "tokens": {
            "train": int(inputs.tokens.lengths[inputs.train].sum()),
            "val": int(inputs.tokens.lengths[inputs.val].sum()),
            "real_share": round(fitted.real_tokens, 4),
        },
        **notes,
    }
