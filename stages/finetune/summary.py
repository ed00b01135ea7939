"""What a fine-tune leaves beside its model: the learning curve and what was trained on what."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedModel

from stages.files import write_text
from stages.finetune.methods import blocks_of
from stages.finetune.training import Fitted
from stages.tokens import Tokens


def write_curve(path: Path, curve: list[dict[str, float]]) -> None:
    """Write a row per epoch as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(curve[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: f"{value:.6g}" for name, value in row.items()} for row in curve)
    write_text(path, text.getvalue())


def describe_blocks(model: PreTrainedModel) -> dict[str, dict[str, int]]:
    """Return how many parameters each block has, trained and fixed; LoRA's matrices count where they stand."""
    return {
        block: {
            "trainable": sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
            "fixed": sum(parameter.numel() for parameter in parameters if not parameter.requires_grad),
        }
        for block, parameters in blocks_of(model).items()
    }


def describe(
    method: str,
    fitted: Fitted,
    tokens: Tokens,
    *,
    blocks: dict[str, dict[str, int]],
    notes: dict[str, Any],
    train: NDArray[np.int64],
    val: NDArray[np.int64],
) -> dict[str, Any]:
    """Return what was trained, on what, and which epoch was chosen; no clock times."""
    trainable = sum(counts["trainable"] for counts in blocks.values())
    return {
        "method": method,
        "best_epoch": fitted.best_epoch,
        "epochs": len(fitted.curve),
        "monitor": {"name": fitted.monitor, "value": fitted.best},
        "parameters": {
            "total": trainable + sum(counts["fixed"] for counts in blocks.values()),
            "trainable": trainable,
            "blocks": blocks,
        },
        "rows": {"train": len(train), "val": len(val)},
        "tokens": {
            "train": int(tokens.lengths[train].sum()),
            "val": int(tokens.lengths[val].sum()),
            "real_share": round(fitted.real_tokens, 4),
        },
        **notes,
    }
