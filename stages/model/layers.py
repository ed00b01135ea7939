"""The layers of an encoder, and a last layer that computes the first token of each row alone.

A head that reads the first token reads no other output of the last layer. Keys and values of the other tokens are still
computed, so the result is the same. The last layer's query, output and feed-forward products are computed for one token
per row instead of all, which saves about an eighth of a six-layer encoder's work.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from types import MethodType
from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from stages.model.pooling import pooling_of

# Architectures with BERT's kind of layer and a head that reads the first token.
ARCHITECTURES = ("bert", "roberta", "xlm-roberta", "camembert", "electra")


def layers_of(model: PreTrainedModel) -> list[nn.Module]:
    """Return the encoder's layers from the lowest to the highest, those of a decoder above them.

    ALBERT, whose layers share weights, has one.
    """
    return list(_layers(model.base_model))


def input_embeddings(model: PreTrainedModel) -> nn.Module | None:
    """Return the table of the token embeddings; None for CANINE, which hashes characters, and for kept features."""
    try:
        return model.get_input_embeddings()
    except (NotImplementedError, AttributeError):  # DeBERTa and OPT ask the encoder, which features stand for
        return None


def first_token_only(model: PreTrainedModel) -> bool:
    """Let the last layer compute the first token of each row alone, in place; False, and no change, if it can't.

    The encoder then returns (batch, 1, width).
    """
    attends = model.config._attn_implementation in ALL_ATTENTION_FUNCTIONS.valid_keys()
    reads_first = pooling_of(model.config) is None and model.config.model_type in ARCHITECTURES
    if not reads_first or model.config.is_decoder or not attends:
        return False
    last = layers_of(model)[-1]
    last.forward = MethodType(_forward, last)
    return True


@contextmanager
def first_token(model: PreTrainedModel) -> Iterator[None]:
    """Within the block, let the last layer compute the first token of each row alone, if it can."""
    changed = first_token_only(model)
    try:
        yield
    finally:
        if changed:
            del layers_of(model)[-1].forward


def _forward(
    layer: Any, hidden_states: Tensor, attention_mask: Tensor | None = None, *args: object, **kwargs: object
) -> Tensor:
    """Return the layer's output for the first tokens: (batch, tokens, width) to (batch, 1, width)."""
    attention = layer.attention.self
    starts = kwargs.get("cu_seqlens")
    first = hidden_states.index_select(1, starts[:-1]) if isinstance(starts, Tensor) else hidden_states[:, :1]
    query, key, value = (
        values.unflatten(-1, (attention.num_attention_heads, -1)).transpose(1, 2)  # (batch, heads, tokens, head width)
        for values in (attention.query(first), attention.key(hidden_states), attention.value(hidden_states))
    )
    attend = ALL_ATTENTION_FUNCTIONS[attention.config._attn_implementation]
    mask = attention_mask if attention_mask is None else attention_mask[:, :, :1]
    dropout = attention.dropout.p if attention.training else 0.0
    context, _ = attend(attention, query, key, value, mask, dropout=dropout, scaling=attention.scaling, **kwargs)
    output: Tensor = layer.feed_forward_chunk(layer.attention.output(context.flatten(2), first))
    return output.transpose(0, 1) if isinstance(starts, Tensor) else output  # packed: (1, batch, width) so far


def _layers(module: nn.Module) -> Iterator[nn.Module]:
    """Yield the layers below a module, which stand in its outermost lists."""
    children = list(module.children())
    lists = [child for child in children if isinstance(child, nn.ModuleList) and not _only_tables(child)]
    if len(lists) > 1 and len({len(parts) for parts in lists}) == 1:  # XLM has a list of attentions, one of norms, ...
        yield from map(nn.ModuleList, zip(*lists, strict=True))
    else:
        for layers in lists:
            for layer in layers:
                yield from layer if isinstance(layer, nn.ModuleList) else [layer]  # Funnel has blocks of layers
    for child in children:
        if not isinstance(child, nn.ModuleList):
            yield from _layers(child)


def _only_tables(modules: nn.ModuleList) -> bool:
    return all(isinstance(module, nn.Embedding) for module in modules)
