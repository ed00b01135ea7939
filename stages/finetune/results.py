"""What a fine-tune leaves beside its model: the learning curve and what was trained on what."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from stages.files import write_text
from stages.finetune.training import Fitted
from stages.tokens import Tokens


def write_curve(path: Path, curve: list[dict[str, float]]) -> None:
    """Write a row per epoch as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(curve[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: f"{value:.6g}" for name, value in row.items()} for row in curve)
    write_text(path, text.getvalue())


def describe(
    method: str, model: nn.Module, fitted: Fitted, tokens: Tokens, *, train: NDArray[np.int64], val: NDArray[np.int64]
) -> dict[str, Any]:
    """Return what was trained, on what, and which epoch was chosen; no clock times."""
    parameters = list(model.parameters())
    return {
        "method": method,
        "best_epoch": fitted.best_epoch,
        "epochs": len(fitted.curve),
        "monitor": {"name": fitted.monitor, "value": fitted.best},
        "parameters": {
            "total": sum(parameter.numel() for parameter in parameters),
            "trainable": sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
        },
        "rows": {"train": len(train), "val": len(val)},
        "tokens": {"train": int(tokens.lengths[train].sum()), "val": int(tokens.lengths[val].sum())},
    }
