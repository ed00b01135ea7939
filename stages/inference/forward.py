"""Outputs of a model for padded rows, logits or embeddings, and whether they depend on the padding."""

import inspect
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from stages.errors import ModelError
from stages.model.packed import attends_packed, pack_rows
from stages.model.pooling import pool, pooling_of
from stages.model.positions import first_position, max_tokens
from stages.tokens import Batch, Tokens

PROBE = 16  # tokens of padding that a row is tried with
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-5}  # between logits, relative to the largest; rounding is 3e-6
HALF_TOLERANCE = 0.05  # in 16 bits


@torch.inference_mode()
def logits_of(model: PreTrainedModel, batch: dict[str, NDArray[np.int64]]) -> torch.Tensor:
    """Return the logits of a padded batch in float32; shape (batch, num_labels). Labels in it are ignored."""
    return model(**inputs_of(model, batch)).logits.float()  # type: ignore[no-any-return]


def embeddings_of(model: PreTrainedModel, batch: Batch) -> torch.Tensor:
    """Return the embedding of each row of a padded batch, (batch, hidden_size)."""
    hidden = model.base_model(**inputs_of(model, batch)).last_hidden_state.float()
    mask = torch.from_numpy(batch["attention_mask"]).to(hidden)  # (batch, tokens); FNet takes none itself
    if hidden.shape[:2] != mask.shape:
        raise ModelError(
            f"An embedding is the mean over a text's tokens, but the last layer of {model.config.model_type} "
            "has no vector for each token. Use a model of another architecture for embeddings."
        )
    return pool(pooling_of(model.config) or "mean", hidden, mask)


def inputs_of(model: PreTrainedModel, batch: dict[str, NDArray[np.int64]]) -> dict[str, Any]:
    """Return the columns of a padded batch that the model takes, on its device, and packed if the model reads that.

    DistilBERT, for example, takes no token_type_ids.
    """
    accepted = set(inspect.signature(model.forward).parameters) - {"labels"}
    batch = {name: array for name, array in batch.items() if name in accepted}
    if attends_packed(model):
        inputs: dict[str, Any] = pack_rows(batch, first_position=first_position(model))
    else:
        inputs = {name: torch.from_numpy(array) for name, array in batch.items()}
    return {name: _moved(values, model.device) for name, values in inputs.items()}


def _moved(values: Any, device: torch.device) -> Any:
    if not isinstance(values, torch.Tensor):
        return values
    return values.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else values.to(device)


@torch.inference_mode()
def reads_padding(model: PreTrainedModel, tokens: Tokens, rows: NDArray[np.int64]) -> bool:
    """Return whether the answer to a row depends on the padding beside it; such a model needs rows of equal length.

    FNet has no mask, and the convolutions of ConvBERT, MobileBERT and Nystromformer read the tokens beside a text.

    Args:
        model: In eval mode.
        tokens: The tokens of all rows.
        rows: Positions of at least one row; the shortest is tried.
    """
    if attends_packed(model):  # it gets no padding
        return False
    row = int(rows[np.argmin(tokens.lengths[rows])])
    length = int(tokens.lengths[row])
    room = PROBE if (most := max_tokens(model)) is None else min(PROBE, most - length)
    if room <= 0:
        return False
    batch = {name: values for name, values in tokens.pad([row], pad_token_id=0).items() if name != "labels"}
    before, after = (room, 0) if tokens.padding_side == "left" else (0, room)
    fill = {"input_ids": model.config.pad_token_id or 0}
    padded = {
        name: np.pad(values, ((0, 0), (before, after)), constant_values=fill.get(name, 0))
        for name, values in batch.items()
    }
    alone, beside = (logits_of(model, inputs) for inputs in (batch, padded))
    tolerance = TOLERANCE.get(model.dtype, HALF_TOLERANCE) * max(1.0, float(alone.abs().max()))
    return not bool(torch.allclose(alone, beside, atol=tolerance, rtol=0, equal_nan=True))
