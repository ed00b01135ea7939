"""The files that a fine-tune leaves beside its model: curve.csv and stats.json."""

import csv
import io
import math
from pathlib import Path
from typing import Any

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
    """Write a row per epoch as CSV, as pandas would, which takes some tenths of a second to import."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in curve for name in row)), lineterminator="\n")
    writer.writeheader()
    for row in curve:
        writer.writerow({name: _cell(value) for name, value in row.items()})
    write_text(path, text.getvalue())


def _cell(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    return "" if math.isnan(value) else f"{value:.6g}"


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
