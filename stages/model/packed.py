"""Rows one after the other in a single sequence, without padding; attention stays inside each row.

The sequence ends as one vector per row, which the head takes as it is: BERT's kin get it from their last layer
(`layers.first_token_only`), the others from a hook on the module that `ROW_OUTPUTS` names, a head of ours from
`pooling.pool`. MPNet and DeBERTa add a bias for each pair of tokens to the scores, which no kernel for packed rows
takes: their rows are padded.
"""

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from stages.model.layers import ARCHITECTURES
from stages.model.pooling import mean_of_rows, pooling_of

try:
    from torch.nn.attention.varlen import varlen_attn
except ImportError:  # before torch 2.10
    varlen_attn = None  # type: ignore[assignment]
VARLEN = varlen_attn is not None and "window_size" in inspect.signature(varlen_attn).parameters

ATTENTION = "retune_packed"
ROW_OUTPUTS = {"albert": "encoder", "distilbert": "transformer", "modernbert": ""}  # "": the whole encoder
FILLED_TOKENS = 16_384  # longer sequences come as they are: there a launch costs nothing beside the work
FILLER_ROWS = 8  # that what fills a sequence is cut into
SMALLEST_STEP = 256  # between two lengths of a filled sequence
KERNEL_ROWS = 128  # a kernel of attention reads so many tokens of a row at once


def can_pack(model: PreTrainedModel) -> bool:
    """Tell whether the architecture reads packed rows."""
    return model.config.model_type in (*ARCHITECTURES, *ROW_OUTPUTS) and not getattr(model.config, "is_decoder", False)


def gpu_can_pack() -> bool:
    """Tell whether the GPU has the kernels of attention for packed rows: Ampere and later."""
    return torch.cuda.is_available() and torch.cuda.get_device_capability() >= (8, 0)


def pack_rows(
    batch: dict[str, NDArray[np.int64]], *, first_position: int, filler: int | None = None
) -> dict[str, Tensor | int]:
    """Return a padded batch as one sequence.

    Args:
        batch: input_ids and attention_mask (and token_type_ids for pairs), each (batch, tokens).
        first_position: Number of a row's first position in the model.
        filler: Token id that fills the sequence to one of few lengths, in rows of its own; None: nothing does.

    Returns:
        input_ids, position_ids (and token_type_ids for pairs), (1, tokens of all rows); cu_seqlens, where each row
        starts and the last ends, (batch + 1,), or more where there are rows of fillers; longest, tokens in the longest
        row at most.
    """
    mask = batch["attention_mask"].astype(bool)
    lengths = mask.sum(1)
    longest, total = mask.shape[1], int(lengths.sum())
    ends = np.concatenate([[0], np.cumsum(lengths)])
    columns = {"input_ids": batch["input_ids"][mask]}
    columns["position_ids"] = np.arange(total) - np.repeat(ends[:-1], lengths) + first_position
    if "token_type_ids" in batch:
        columns["token_type_ids"] = batch["token_type_ids"][mask]
    if filler is not None and total <= FILLED_TOKENS:
        fill = filled_length(total) - total
        if fill:
            rows = FILLER_ROWS if fill >= FILLER_ROWS else 1  # one long row would be what all others wait for
            starts = total + np.arange(1, rows + 1) * fill // rows
            ends = np.concatenate([ends, starts])
            fillers = {"input_ids": filler, "position_ids": first_position, "token_type_ids": 0}
            columns = {name: np.append(values, np.full(fill, fillers[name])) for name, values in columns.items()}
            longest = max(longest, -(-fill // rows))
        longest = -(-longest // KERNEL_ROWS) * KERNEL_ROWS
    packed: dict[str, Tensor | int] = {name: torch.from_numpy(values[None]) for name, values in columns.items()}
    return packed | {"cu_seqlens": torch.from_numpy(ends.astype(np.int32)), "longest": longest}


def filled_length(tokens: int) -> int:
    """Return the tokens of a filled sequence: at most 256 or an eighth more, so that few lengths occur."""
    step = max(SMALLEST_STEP, (1 << tokens.bit_length()) // 32)
    return -(-tokens // step) * step


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    *,
    cu_seqlens: Tensor,
    longest: int,
    **kwargs: object,
) -> tuple[Tensor, None]:
    """Attend within each row, (1, heads, tokens, width); a query for each token, or for each row's first alone."""
    one_each = query.shape[2] == len(cu_seqlens) - 1 != key.shape[2]
    starts = torch.arange(len(cu_seqlens), dtype=torch.int32, device=query.device) if one_each else cu_seqlens
    reach = sliding_window - 1 if sliding_window else -1  # tokens to either side; -1: all of the row
    if query.is_cuda:
        # (tokens, heads, width); an index in place of flatten would cost a copy of each gradient
        rows = [values.transpose(1, 2).flatten(0, 1) for values in (query, key, value)]
        return _on_gpu(rows, starts, cu_seqlens, 1 if one_each else longest, longest, dropout, scaling, reach)[
            None
        ], None
    mask = row_of_each(starts)[:, None] == row_of_each(cu_seqlens)[None]  # (queries, tokens)
    if reach >= 0:
        places = torch.arange(mask.shape[1])
        mask = mask & ((places[:, None] - places[None]).abs() <= reach)
    attended = nn.functional.scaled_dot_product_attention(
        query, key, value, attn_mask=mask, dropout_p=dropout, scale=scaling
    )
    return attended.transpose(1, 2), None


def attend_packed(model: PreTrainedModel) -> None:
    """Make the model read packed batches, in place."""
    AttentionInterface.register(ATTENTION, attention)
    AttentionMaskInterface.register(ATTENTION, _no_mask)
    model.set_attn_implementation(ATTENTION)
    name = ROW_OUTPUTS.get(model.config.model_type)
    if name is not None and pooling_of(model.config) is None:
        module = model.base_model.get_submodule(name) if name else model.base_model
        if _one_vector_per_row not in module._forward_hooks.values():
            module.register_forward_hook(_one_vector_per_row, with_kwargs=True)


def attends_packed(model: PreTrainedModel) -> bool:
    """Tell whether the model reads packed batches."""
    return bool(model.config._attn_implementation == ATTENTION)


@contextmanager
def padded(model: PreTrainedModel) -> Iterator[None]:
    """Within the block, let a model that reads packed batches read padded ones."""
    packed = attends_packed(model)
    if packed:
        model.set_attn_implementation("sdpa")
    try:
        yield
    finally:
        if packed:
            model.set_attn_implementation(ATTENTION)


def row_of_each(starts: Tensor) -> Tensor:
    """Return the row that each token is of, (tokens,)."""
    lengths = starts.diff().long()
    return torch.repeat_interleave(torch.arange(len(lengths), device=starts.device), lengths)


def _on_gpu(
    rows: list[Tensor],
    starts: Tensor,
    cu_seqlens: Tensor,
    longest_query: int,
    longest: int,
    dropout: float,
    scaling: float | None,
    reach: int,
) -> Tensor:
    """Return attention by a kernel that knows where rows start, (tokens, heads, width)."""
    query, key, value = rows
    if VARLEN and not dropout:
        output = varlen_attn(
            query, key, value, starts, cu_seqlens, longest_query, longest, scale=scaling, window_size=(reach, reach)
        )
        assert isinstance(output, Tensor)
        return output
    # The operator below it: varlen_attn knows no dropout
    window = {"window_size_left": reach, "window_size_right": reach} if reach >= 0 else {}
    attended: Tensor = torch.ops.aten._flash_attention_forward(
        query, key, value, starts, cu_seqlens, longest_query, longest, dropout, False, False, scale=scaling, **window
    )[0]
    return attended


def _one_vector_per_row(
    module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: BaseModelOutput
) -> BaseModelOutput:
    """Give the head each row's first token, or the mean of its tokens where the head takes that: (batch, 1, width)."""
    starts = kwargs.get("cu_seqlens")
    if not isinstance(starts, Tensor):  # a padded batch
        return output
    hidden: Any = output.last_hidden_state
    if getattr(getattr(module, "config", None), "classifier_pooling", "cls") == "mean":
        rows = mean_of_rows(hidden, starts).to(hidden.dtype)
    else:
        rows = hidden[0].index_select(0, starts[:-1])
    return BaseModelOutput(last_hidden_state=rows[:, None])


def _no_mask(*args: Sequence[object], **kwargs: object) -> None:
    return None
