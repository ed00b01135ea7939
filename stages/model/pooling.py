"""How a head gets one vector of a row's tokens: the first token's, the mean, or the last token's.

An architecture's own head reads one of them. Where another is wanted, ModernBERT has a key for it in config.json;
others get a plain head (`pool_anew`), which config.json of a saved model names (`retune_head`).
"""

import inspect
from types import MethodType
from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

from stages.errors import ModelError
from stages.model_fit import POOLER, output_layer

Pooling = Literal["cls", "mean", "last"]
OWN_KEYS = {"modernbert": "classifier_pooling"}  # of config.json: cls or mean


def pooling_of(config: PretrainedConfig) -> Pooling | None:
    """Return the pooling of a head of ours; None: the architecture's own head reads what it always does."""
    head: dict[str, Any] = getattr(config, "retune_head", None) or {}
    return head.get("pooling")


def pool(name: str, hidden: Tensor, attention_mask: Tensor | None, cu_seqlens: Tensor | None = None) -> Tensor:
    """Return a vector per row, (batch, width); padding is never read.

    Args:
        name: cls, mean or last.
        hidden: The encoder's output, (batch, tokens, width); (1, tokens of all rows, width) for packed rows.
        attention_mask: 1 for tokens, 0 for padding on either side, (batch, tokens); None: there is no padding.
        cu_seqlens: Where each packed row starts and the last ends, (batch + 1,); None: rows are not packed.
    """
    if cu_seqlens is not None:
        if name == "mean":
            return mean_of_rows(hidden, cu_seqlens).to(hidden.dtype)
        return hidden[0].index_select(0, cu_seqlens[:-1] if name == "cls" else cu_seqlens[1:] - 1)
    mask = hidden.new_ones(hidden.shape[:2]).long() if attention_mask is None else attention_mask.long()
    if name != "mean":
        places = mask.argmax(1) if name == "cls" else mask.shape[1] - 1 - mask.flip(1).argmax(1)
        return hidden[torch.arange(len(hidden), device=hidden.device), places]
    tokens = hidden.float().masked_fill(mask[..., None] == 0, 0.0)
    return (tokens.sum(1) / mask.sum(1, keepdim=True)).to(hidden.dtype)


def mean_of_rows(hidden: Tensor, cu_seqlens: Tensor) -> Tensor:
    """Return the mean over the tokens of each packed row: (1, tokens, width) to (batch, width)."""
    return torch.segment_reduce(hidden[0].float(), "mean", offsets=cu_seqlens.long(), axis=0, unsafe=True)


class PooledHead(nn.Module):
    """Dropout -> linear, on a pooled vector.

    Args:
        width: Width of the encoder's vectors.
        num_labels: Number of classes.
        dropout: Of the vectors (0 to 1).
    """

    def __init__(self, width: int, num_labels: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.weight = nn.Parameter(torch.empty(num_labels, width).normal_(std=0.02))  # as BERT's own
        self.bias = nn.Parameter(torch.zeros(num_labels))

    def forward(self, vectors: Tensor) -> Tensor:
        """Return the logits, (batch, classes)."""
        logits: Tensor = self.dropout(vectors) @ self.weight.flatten(0, -2).T + self.bias
        return logits


def set_own_pooling(model: PreTrainedModel, pooling: Pooling) -> bool:
    """Let the architecture's own head pool so, in place, if it has a key for that; False, and no change, if not."""
    key = OWN_KEYS.get(model.config.model_type)
    if key is None or pooling == "last":
        return False
    setattr(model.config, key, pooling)
    return True


def pool_anew(model: Any, pooling: Pooling, head: Any) -> None:
    """Let a model read pooled vectors with a plain head instead of its own, in place, and note it in the config.

    The head takes the place of the last linear layer. Other weights outside the encoder, and a pooler, go.

    Args:
        model: A classifier of transformers.
        pooling: What the head reads.
        head: Returns logits, (batch, classes), of vectors; its `weight` may have more than two dimensions.
    """
    output: str = output_layer(model)  # type: ignore[assignment]  # it has one: `vector_width`
    training = model.get_submodule(output).training
    inside = {id(module) for module in model.base_model.modules()}
    for name, module in list(model.named_modules()):
        if name and id(module) not in inside and list(module.parameters(recurse=False)):
            model.set_submodule(name, nn.Identity())
    if isinstance(getattr(model.base_model, POOLER, None), nn.Module):
        setattr(model.base_model, POOLER, nn.Identity())
    # (1, classes, width), not (classes, width): transformers alone, which would pool otherwise, refuses to load it
    head.weight = nn.Parameter(head.weight.detach()[None])
    model.set_submodule(output, head.train(training))
    model.retune_output = output
    model.forward = MethodType(_forward, model)


def vector_width(model: PreTrainedModel) -> int:
    """Return the width of the encoder's vectors, which the first linear layer outside it takes.

    Raises:
        ModelError: The model has no linear layer outside its encoder.
    """
    prefix = f"{model.base_model_prefix}."
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and not name.startswith(prefix):
            return module.in_features
    raise ModelError(
        f"finetune.head.pooling is not {model.config.model_type}'s own, but its head has no linear layer. "
        "Set finetune.head.pooling to auto."
    )


def _forward(
    model: Any,
    input_ids: Tensor | None = None,
    attention_mask: Tensor | None = None,
    token_type_ids: Tensor | None = None,
    **kwargs: Any,
) -> SequenceClassifierOutput:
    if token_type_ids is not None and "token_type_ids" in inspect.signature(type(model).forward).parameters:
        kwargs["token_type_ids"] = token_type_ids
    output = model.base_model(input_ids=input_ids, attention_mask=attention_mask, **kwargs)
    pooling = model.config.retune_head["pooling"]
    vectors = pool(pooling, output.last_hidden_state, attention_mask, kwargs.get("cu_seqlens"))
    return SequenceClassifierOutput(logits=model.get_submodule(model.retune_output)(vectors))
