"""Positions of an encoder, as its table of position embeddings says: the first of a row, and how many tokens fit."""

import re
from typing import Any

from torch import Tensor
from transformers import PretrainedConfig, PreTrainedModel

TABLE = re.compile(r"(.*\.)?(embed_positions|position_embeddings|positions_embed|wpe)")
LIMITS = ("max_position_embeddings", "n_positions", "max_seq_len")  # in a config whose model has no table


def first_position(model: PreTrainedModel) -> int:
    """Return the number of a row's first position."""
    table, limit = _table(model), position_limit(model.config)
    if table is None:
        return 0
    if (offset := getattr(table, "offset", None)) is not None:  # OPT, BART
        return int(offset)
    if getattr(table, "padding_idx", None) is not None:  # RoBERTa, MPNet: they count from the padding token's id plus 1
        return int(table.padding_idx) + 1
    return max(0, len(table.weight) - limit) if limit else 0  # Nystromformer, YOSO: more rows than positions


def table_tokens(model: PreTrainedModel) -> int | None:
    """Return how many tokens the encoder's table of positions has rows for; None where positions are computed."""
    table = _table(model)
    return None if table is None else len(table.weight) - first_position(model)


def max_tokens(model: PreTrainedModel) -> int | None:
    """Return how many tokens the encoder has positions for; where they are computed, how many its config.json names.

    A model can read more than its config.json names, and may be poor at it. None: nothing names a number.
    """
    tokens = table_tokens(model)
    return position_limit(model.config) if tokens is None else tokens


def _table(model: PreTrainedModel) -> Any:
    """Return the encoder's table of one embedding per position; None where positions are computed or relative."""
    tables = (module for name, module in model.base_model.named_modules() if TABLE.fullmatch(name))
    return next((table for table in tables if isinstance(getattr(table, "weight", None), Tensor)), None)


def position_limit(config: PretrainedConfig) -> int | None:
    """Return the number of positions that a config names; None: it names none (XLNet, T5)."""
    limits = (getattr(config, name, None) for name in LIMITS)
    return next((limit for limit in limits if isinstance(limit, int) and limit > 0), None)
