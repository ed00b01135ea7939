"""Which vector of a row the head reads: what the recipe asks for, what the encoder was trained for, or the usual."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from stages.errors import ModelError
from stages.finetune.acceleration.head_input import closest_vector, evaluated
from stages.finetune.encoder import pad_token_id
from stages.model.pooling import Pooling
from stages.model_folder import pooling_of_folder
from stages.tokens import Tokens

log = logging.getLogger(__name__)

LENGTHS = 4  # rows that are tried: of so many lengths, the shortest
OWN = {"first": "cls", "mean": "mean", "last": "last", "end": "end"}  # VECTORS of head_input, as poolings


def choose_pooling(
    model: PreTrainedModel, folder: Path, tokens: Tokens, *, wanted: str, frozen: bool
) -> Pooling | None:
    """Return the pooling that the head needs in place of the architecture's own; None: its own head is right.

    Args:
        model: The encoder with the architecture's own head.
        folder: The encoder's folder; `auto` takes what its files say it was trained for.
        tokens: Of the data set: some rows are tried.
        wanted: finetune.head.pooling.
        frozen: Whether the encoder does not train: `auto` then takes what sentence-transformers trained it for.

    Raises:
        ModelError: The architecture can't classify so.
    """
    pooling = asked_pooling(folder, wanted=wanted, frozen=frozen)
    if pooling is None:
        return None
    own, kind = own_pooling(model, tokens), model.config.model_type
    if pooling == own:
        return None
    if own == "end" or (own == "last" and pooling == "cls"):
        if wanted == "auto":
            return None
        reads = "the end token" if own == "end" else "the last token, and its first token sees no other"
        raise ModelError(f"finetune.head.pooling is {pooling}, but {kind} classifies from {reads}. Set it to auto.")
    if not _has_a_vector_per_token(model, tokens):
        if wanted == "auto":
            return None
        raise ModelError(
            f"finetune.head.pooling is {pooling}, but {kind} gives fewer vectors than a text has tokens. "
            "Set it to auto."
        )
    log.info(
        "the head reads %s",
        {"cls": "each row's first token", "last": "each row's last token"}.get(
            pooling, "the mean of each row's tokens"
        ),
    )
    return pooling  # type: ignore[return-value]


def asked_pooling(folder: Path, *, wanted: str, frozen: bool) -> str | None:
    """Return the pooling that the recipe, or with `auto` the encoder's folder, asks for; None: neither does."""
    return pooling_of_folder(folder, sentence_transformers=frozen) if wanted == "auto" else wanted


def own_pooling(model: PreTrainedModel, tokens: Tokens) -> str | None:
    """Return what the architecture's own head reads: cls, mean, last, or end; None: more than one vector."""
    found = closest_vector(model, _tried(model, tokens))
    return OWN[found.vector] if found else None


@torch.no_grad()
def _has_a_vector_per_token(model: PreTrainedModel, tokens: Tokens) -> bool:
    batch = _tried(model, tokens)
    with evaluated(model):
        output: Any = model.base_model(**batch)
    return bool(output.last_hidden_state.shape[:2] == batch["input_ids"].shape)


def _tried(model: PreTrainedModel, tokens: Tokens) -> dict[str, torch.Tensor]:
    rows = np.unique(tokens.lengths, return_index=True)[1][:LENGTHS]
    batch = tokens.pad(rows, pad_token_id=pad_token_id(model))
    return {name: torch.from_numpy(values) for name, values in batch.items() if name != "labels"}
