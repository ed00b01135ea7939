"""Padding of a model's batches: with which token, and on which side."""

from typing import Any

from tokenizers import Tokenizer
from transformers import PretrainedConfig, PreTrainedModel

from stages.model.positions import first_position, position_limit

SUMMARIES = ("last", "cls_index")  # values of summary_type with which a classifier reads the last position


def padding_side(config: PretrainedConfig) -> str:
    """Return the side on which the architecture needs padding: left where it answers from the last position (XLNet).

    Only relative positions stay as they are behind padding. GPT-2 has the key too, and its classifier no use for it.
    """
    reads_last = getattr(config, "summary_type", None) in SUMMARIES
    return "left" if reads_last and position_limit(config) is None else "right"


def choose_pad_token(model: PreTrainedModel, tokenizer: Tokenizer, pad_token_id: int | None) -> int:
    """Return the id of a token to pad with that the model embeds, and that is no part of a word.

    It is the first that can be used of: the config's, the tokenizer's, the end of a text, any special token that the
    tokenizer doesn't write itself. A decoder answers from the last token that is not this one, so its config and its
    tokenizer must name the same.

    Args:
        model: The classifier.
        tokenizer: Its tokenizer.
        pad_token_id: The token that the tokenizer pads with; None: it has none.
    """
    own = getattr(model.config, "pad_token_id", None)
    if own is not None and first_position(model):  # positions are counted from it
        return int(own)
    ends = getattr(model.config, "eos_token_id", None)
    added = tokenizer.get_added_tokens_decoder()
    special = sorted(number for number, token in added.items() if token.special)
    embeddings: Any = model.get_input_embeddings()
    written = tokenizer.encode("a").ids
    others = [token for token in (*(ends if isinstance(ends, list) else [ends]), *special) if token not in written]
    candidates = [own, pad_token_id, *others, *special]
    usable = (token for token in candidates if token in added and token < len(embeddings.weight))
    return int(next(usable, own if own is not None and own >= 0 else 0))
