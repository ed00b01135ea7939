"""Packed batches: rows one after the other in a single sequence, without padding; attention stays within each row.

Packing needs an encoder whose last layer computes the first token of each row alone (`first_token_only`): its output is
then one vector per row, which is what the head reads.
"""

import logging
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel

from stages.finetune.methods import set_modes
from stages.model.positions import first_position
from stages.tokens import Tokens

log = logging.getLogger(__name__)

ATTENTION = "retune_packed"
TOLERANCE = 0.05  # between logits in bf16


def pack(tokens: Tokens, rows: NDArray[np.int64], *, first_position: int) -> dict[str, Tensor | int]:
    """Return rows as one sequence.

    Args:
        tokens: The tokens of all rows.
        rows: Positions of the rows; shape (batch,).
        first_position: Number of a row's first position in the model.

    Returns:
        input_ids, position_ids (and token_type_ids for pairs), (1, tokens of all rows); cu_seqlens, where each row
        starts and the last ends, (batch + 1,); longest, tokens in the longest row; labels, (batch,).
    """
    batch = tokens.pad(rows, pad_token_id=0)
    mask = batch["attention_mask"].astype(bool)
    positions = np.broadcast_to(np.arange(first_position, first_position + mask.shape[1]), mask.shape)
    packed: dict[str, Tensor | int] = {
        name: torch.from_numpy(values[mask][None].astype(np.int64))
        for name, values in (batch | {"position_ids": positions}).items()
        if name in ("input_ids", "token_type_ids", "position_ids")
    }
    ends = np.concatenate([[0], np.cumsum(mask.sum(1))]).astype(np.int32)
    return packed | {
        "cu_seqlens": torch.from_numpy(ends),
        "longest": mask.shape[1],
        "labels": torch.from_numpy(batch["labels"]),
    }


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    *,
    cu_seqlens: Tensor,
    longest: int,
    **kwargs: object,
) -> tuple[Tensor, None]:
    """Attend within each row, (1, heads, tokens, width); with a query per token, or one per row for its first token."""
    one_query_per_row = query.shape[2] == len(cu_seqlens) - 1 != key.shape[2]
    starts = torch.arange(len(cu_seqlens), dtype=torch.int32, device=query.device) if one_query_per_row else cu_seqlens
    if query.is_cuda:
        output = torch.ops.aten._flash_attention_forward(
            *(values[0].transpose(0, 1) for values in (query, key, value)),  # (tokens, heads, width)
            starts,
            cu_seqlens,
            1 if one_query_per_row else longest,
            longest,
            dropout,
            False,
            False,
            scale=scaling,
        )[0]
        return output[None], None  # (1, tokens, heads, width)
    mask = _row_of_each(starts)[:, None] == _row_of_each(cu_seqlens)[None]  # (queries, tokens)
    attended = nn.functional.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, dropout_p=dropout, scale=scaling
    )
    return attended.transpose(1, 2), None


def attend_packed(model: PreTrainedModel) -> None:
    """Make the model read packed batches, in place."""
    AttentionInterface.register(ATTENTION, attention)
    AttentionMaskInterface.register(ATTENTION, _no_mask)
    model.set_attn_implementation(ATTENTION)


def agrees(model: PreTrainedModel, tokens: Tokens, rows: NDArray[np.int64], *, pad_token_id: int) -> bool:
    """Return whether packed and padded rows give the same logits on the model's device; False if packed ones can't run.

    Kernels for rows of different lengths exist for some GPUs and number types only.
    """
    before = model.config._attn_implementation
    model.train(False)
    padded = {name: torch.from_numpy(values) for name, values in tokens.pad(rows, pad_token_id=pad_token_id).items()}
    packed = pack(tokens, rows, first_position=first_position(model.config))
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


def _row_of_each(starts: Tensor) -> Tensor:
    """Return the number of the row that each token belongs to, (tokens,)."""
    lengths = starts.diff().long()
    return torch.repeat_interleave(torch.arange(len(lengths), device=starts.device), lengths)


def _no_mask(*args: Sequence[object], **kwargs: object) -> None:
    return None
