"""Dropout on a CPU with random numbers that cost a tenth of PyTorch's own.

`nn.Dropout` draws a float per element on one thread, about 6 ns. Here 64-bit words are drawn and read as four 16-bit
numbers each. The probability is rounded to 1/65536, and what is kept is scaled by exactly what was drawn for.
"""

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import sdpa_mask

ATTENTION = "retune_cpu"
LEVELS = 2**16


class WordDropout(nn.Dropout):
    """`nn.Dropout` with cheaper random numbers."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  (as nn.Dropout names it)
        """Return `input` with some elements 0 and the others scaled up, or as it is in eval mode."""
        return input * keep_mask(input, self.p) if self.training and self.p else input


def keep_mask(values: Tensor, p: float) -> Tensor:
    """Return a tensor like `values`: 0 with probability `p`, and else what makes its mean 1."""
    count = values.numel()
    words = torch.empty((count + 3) // 4, dtype=torch.int64).random_(-(2**63), None)  # all 64 bits
    numbers = words.view(torch.int16)[:count].view(values.shape)
    dropped = min(round(p * LEVELS), LEVELS - 1)
    return (numbers >= dropped - LEVELS // 2).to(values.dtype).mul_(LEVELS / (LEVELS - dropped))


def attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **kwargs: object,
) -> tuple[Tensor, None]:
    """Attend as transformers' `sdpa` does on a CPU, (batch, tokens, heads, width); its dropout is `keep_mask`."""
    scores = torch.matmul(query * (query.size(-1) ** -0.5 if scaling is None else scaling), key.transpose(2, 3))
    if attention_mask is not None:
        scores = scores.masked_fill(~attention_mask, float("-inf"))
    shares = scores.softmax(-1)  # (batch, heads, tokens, tokens)
    if dropout:
        shares = shares * keep_mask(shares, dropout)
    return torch.matmul(shares, value).transpose(1, 2).contiguous(), None


def speed_up_dropout(model: PreTrainedModel) -> None:
    """Give a model on a CPU the faster dropout, in place; outside training nothing changes."""
    for module in model.modules():
        if type(module) is nn.Dropout:
            module.__class__ = WordDropout
    if model.config.model_type in BIDIRECTIONAL and model.config._attn_implementation == "sdpa":
        AttentionInterface.register(ATTENTION, attention)
        AttentionMaskInterface.register(ATTENTION, sdpa_mask)
        model.set_attn_implementation(ATTENTION)


# Where attention is plain: every token sees every other, key and value have as many heads as the query.
BIDIRECTIONAL = ("bert", "roberta", "xlm-roberta", "camembert", "electra", "albert", "distilbert")
