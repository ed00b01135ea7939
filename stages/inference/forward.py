"""Outputs of a model for padded rows, logits or embeddings, and whether they depend on the padding."""

import contextlib
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
from stages.model.threads import Forward
from stages.tokens import Batch, Tokens

PROBE = 16  # tokens of padding that a row is tried with
PROBE_SIZES = (1, 2, 4, 8)  # tokens of the rows that are tried: large weights can hide what one of them reads
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-5}  # between outputs, relative to the largest; rounding is 3e-6
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
def reads_padding(model: PreTrainedModel, forward: Forward, tokens: Tokens, row: int) -> bool:
    """Return whether an output for a row depends on the padding beside it; such a model needs rows of equal length.

    FNet has no mask, and the convolutions of ConvBERT, MobileBERT and Nystromformer read the tokens beside a text. They
    reach a few tokens, and an output that is read at one end is out of their reach where the row is long. So short rows
    are tried, whose tokens are the first and the last of a real row.

    Args:
        model: In eval mode.
        forward: Gives the output for a padded batch.
        tokens: The tokens of all rows.
        row: Position of a row with at least one token.
    """
    if attends_packed(model):  # it gets no padding
        return False
    most, tried = max_tokens(model), False
    for size in PROBE_SIZES:
        length = min(size, int(tokens.lengths[row]), size if most is None else max(1, most // 2))
        room = PROBE if most is None else min(PROBE, most - length)
        with contextlib.suppress(RuntimeError, IndexError):  # Funnel can't compute a row of so few tokens
            if room > 0 and _differs_padded(model, forward, _cut(tokens, row, length), room):
                return True
            tried = tried or room > 0
    return not tried


def _cut(tokens: Tokens, row: int, length: int) -> Tokens:
    """Return one row of the first and the last tokens of a row: encoder-decoders answer from the last one."""
    kept = np.r_[: length // 2, int(tokens.lengths[row]) - (length - length // 2) : int(tokens.lengths[row])]
    types = [tokens.types(row)[kept]] if tokens.token_type_ids else []
    zero, lengths = np.zeros(1, dtype=np.int64), np.array([length], dtype=np.int64)
    return Tokens(tokens.labels[[row]], lengths, zero, zero, [tokens.row(row)[kept]], types, tokens.padding_side)


def _differs_padded(model: PreTrainedModel, forward: Forward, row: Tokens, room: int) -> bool:
    """Return whether the output for the only row of `row` changes with `room` tokens of padding beside it."""
    alone = row.pad([0], pad_token_id=0)
    before, after = (room, 0) if row.padding_side == "left" else (0, room)
    fill = {"input_ids": model.config.pad_token_id or 0}
    padded = {
        name: np.pad(values, ((0, 0), (before, after)), constant_values=fill.get(name, 0))
        for name, values in alone.items()
        if name != "labels"
    }
    expected, actual = (forward(model, batch) for batch in (alone, padded))
    tolerance = TOLERANCE.get(model.dtype, HALF_TOLERANCE) * max(1.0, float(expected.abs().max()))
    return not bool(torch.allclose(expected, actual, atol=tolerance, rtol=0, equal_nan=True))
