"""Training on a CPU: attention as plain products, and dropout by a quarter of the random numbers.

PyTorch draws a random number for each element that dropout may drop, where a quarter of its 64 bits is enough. Its
attention is slow on a CPU while a model trains: with dropout it computes in float32 whatever it is given, and without
it its fused kernel is slow in bf16.
benchmarks/finetune.md has the figures.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

ATTENTION = "sdpa"  # transformers' name of the attention that is replaced
MOST_TOKENS = 256  # without dropout: longer rows need the fused kernel, which keeps no scores of all pairs of tokens
LEVELS = 1 << 16  # of a random number
DTYPES = (torch.float32, torch.bfloat16)


@contextmanager
def trains_on_cpu(model: PreTrainedModel) -> Iterator[None]:
    """Let a model train with this module's dropout and attention while the block runs."""
    dropouts = [module for module in model.modules() if type(module) is nn.Dropout and not module.inplace]
    for module in dropouts:
        module.__class__ = Dropout
    before = ALL_ATTENTION_FUNCTIONS[ATTENTION]
    ALL_ATTENTION_FUNCTIONS[ATTENTION] = attention
    try:
        yield
    finally:
        ALL_ATTENTION_FUNCTIONS[ATTENTION] = before
        for module in dropouts:
            module.__class__ = nn.Dropout


class Dropout(nn.Dropout):
    """`nn.Dropout` by random numbers of 16 bits."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  (as nn.Dropout names it)
        """Return the input with a share `p` of its elements 0, and the others 1 / (1 - p) times as large."""
        if not self.training or not 0 < self.p < 1 or input.dtype not in DTYPES or input.device.type != "cpu":
            return super().forward(input)
        return input * kept(input.shape, self.p, input.dtype)


def kept(shape: torch.Size, share: float, dtype: torch.dtype) -> Tensor:
    """Return 0 for a share of all elements, drawn from PyTorch's random numbers, and 1 / (1 - share) for the others.

    Args:
        shape: Of what is returned.
        share: 0 to below 1, to the nearest of 65,536 parts.
        dtype: float32 or bfloat16.
    """
    dropped = min(round(share * LEVELS), LEVELS - 1)
    elements = math.prod(shape)
    words = torch.empty((elements + 3) // 4, dtype=torch.int64).random_(-(1 << 63), None)  # all 64 bits
    draws = words.view(torch.int16)[:elements]
    keep = torch.empty(elements, dtype=torch.int16)
    torch.ge(draws, dropped - LEVELS // 2, out=keep)  # far faster than into booleans
    factor = LEVELS / (LEVELS - dropped)
    if dtype == torch.bfloat16:
        bits = int(torch.tensor(factor, dtype=dtype).view(torch.int16))
        return keep.mul_(bits).view(dtype).view(shape)
    return keep.to(dtype).mul_(factor).view(shape)


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,
    position_bias: Tensor | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attend as transformers' `sdpa` does, (batch, heads, tokens, width) to (batch, tokens, heads, width)."""
    if not _is_slower(module, query, key, attention_mask, dropout, is_causal):
        attended: tuple[Tensor, None] = sdpa_attention_forward(
            module,
            query,
            key,
            value,
            attention_mask,
            dropout=dropout,
            scaling=scaling,
            is_causal=is_causal,
            position_bias=position_bias,
            **kwargs,
        )
        return attended
    dtype = _computed_in(query)
    factor = query.shape[-1] ** -0.5 if scaling is None else scaling
    bias = None if attention_mask is None else _bias(attention_mask)
    if position_bias is not None:
        bias = position_bias if bias is None else position_bias + bias
    with torch.autocast("cpu", enabled=False):
        query, key, value = query.to(dtype), key.to(dtype), value.to(dtype)
        products: Tensor = Scores.apply(query, key)  # type: ignore[no-untyped-call]
        scores = products * factor if bias is None else torch.add(bias.float(), products, alpha=factor)
        weights = torch.softmax(scores, dim=-1).to(dtype)
        if dropout:
            weights = weights * kept(weights.shape, dropout, dtype)
        return torch.matmul(weights, value).transpose(1, 2).contiguous(), None


class Scores(torch.autograd.Function):
    """The products of queries and keys, in float32 whatever they are in: large ones lose much when rounded to bf16."""

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor) -> Tensor:
        ctx.save_for_backward(query, key)
        return torch.matmul(query.float(), key.float().transpose(2, 3))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor]:
        query, key = ctx.saved_tensors
        grad = grads[0].to(query.dtype)
        return torch.matmul(grad, key), torch.matmul(grad.transpose(2, 3), query)


def _is_slower(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    attention_mask: Tensor | None,
    dropout: float,
    is_causal: bool | None,
) -> bool:
    """Whether PyTorch's attention is slower here than plain products, which know no other masks than given ones."""
    if query.device.type != "cpu" or query.dtype not in DTYPES or not query.requires_grad or dropout >= 1:
        return False
    causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
    if key.shape[1] != query.shape[1] or (causal and attention_mask is None and query.shape[2] > 1):
        return False
    return dropout > 0 or (_computed_in(query) == torch.bfloat16 and key.shape[2] <= MOST_TOKENS)


def _computed_in(query: Tensor) -> torch.dtype:
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else query.dtype


def _bias(mask: Tensor) -> Tensor:
    """Return what a mask adds to the scores: 0 where it is true and the lowest number elsewhere, or what it holds."""
    if mask.dtype != torch.bool:
        return mask
    return torch.zeros(mask.shape).masked_fill_(~mask, torch.finfo(torch.float32).min)
