"""Packed batches of train and val, and the check that a device computes them as it does padded ones."""

import logging

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedModel

from stages.finetune.methods import set_modes
from stages.model.packed import attend_packed, pack_rows
from stages.model.positions import first_position
from stages.tokens import Tokens

log = logging.getLogger(__name__)

TOLERANCE = 0.05  # between logits in bf16


def pack(
    tokens: Tokens, rows: NDArray[np.int64], *, first_position: int, filler: int | None = None
) -> dict[str, Tensor | int]:
    """Return rows as one sequence.

    Args:
        tokens: The tokens of all rows.
        rows: Positions of the rows; shape (batch,).
        first_position: Number of a row's first position in the model.
        filler: See `pack_rows`.

    Returns:
        What `pack_rows` does, and labels, (batch,).
    """
    batch = tokens.pad(rows, pad_token_id=0)
    labels = torch.from_numpy(batch["labels"])
    return pack_rows(batch, first_position=first_position, filler=filler) | {"labels": labels}


def agrees(model: PreTrainedModel, tokens: Tokens, rows: NDArray[np.int64], *, pad_token_id: int) -> bool:
    """Return whether packed and padded rows give the same logits on the model's device; False if packed ones can't run.

    Kernels for rows of different lengths exist for some GPUs and number types only.
    """
    before = model.config._attn_implementation
    model.train(False)
    padded = {name: torch.from_numpy(values) for name, values in tokens.pad(rows, pad_token_id=pad_token_id).items()}
    packed = pack(tokens, rows, first_position=first_position(model))
    try:
        with torch.autocast(model.device.type, dtype=torch.bfloat16):
            expected = _logits(model, padded).detach()
            attend_packed(model)
            logits = _logits(model, packed).detach()
            set_modes(model)
            torch.autograd.backward(_logits(model, packed).float().sum())  # with dropout, as in training
    except RuntimeError as error:
        log.info("packing is off: this device can't run it (%s)", str(error).splitlines()[0])
        return False
    finally:
        model.set_attn_implementation(before)
        set_modes(model)
        model.zero_grad()
    return bool(torch.allclose(logits.float(), expected.float(), atol=TOLERANCE))


def _logits(model: PreTrainedModel, batch: dict[str, Tensor] | dict[str, Tensor | int]) -> Tensor:
    inputs = {n: v.to(model.device) if isinstance(v, Tensor) else v for n, v in batch.items() if n != "labels"}
    logits: Tensor = model(**inputs).logits
    return logits
