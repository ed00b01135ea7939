"""Features of the pretrained encoder as it is: a vector per row, of the whole data set once."""

import dataclasses
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from transformers import AutoModel, PreTrainedModel
from transformers.utils import logging as transformers_logging

from stages.errors import ModelError
from stages.inference.computing import RowComputer
from stages.inference.forward import inputs_of
from stages.kept.store import RowStore
from stages.model.outputs import compute_errors
from stages.model.padding import padding_side
from stages.model.pooling import pool
from stages.model.pretrained import read_config, read_weights
from stages.model_folder import check_model_folder, offline, pooling_of_folder
from stages.tokens import Batch, Tokens

OFF = "Set extrapolate.seeds to [], or choose another model."


def encoder_features(
    folder: Path, tokens: Tokens, positions: NDArray[np.int64], *, store: RowStore
) -> NDArray[np.float64]:
    """Return the encoder's vector of some rows, on the GPU if there is one; shape (rows, width).

    It is the vector that the encoder's files say it was trained for, else the mean over the tokens.

    Args:
        folder: Of the pretrained encoder.
        tokens: Of all rows.
        positions: Of the rows; shape (rows,).
        store: Where the vectors are kept for the next time.

    Raises:
        ModelError: The encoder can't be loaded, can't compute a row, or gives no finite vectors.
    """
    model, pooling = _load(folder), pooling_of_folder(folder, sentence_transformers=True) or "mean"
    tokens = dataclasses.replace(tokens, padding_side=padding_side(model.config))

    def forward(batch: Batch) -> torch.Tensor:
        hidden = model(**inputs_of(model, batch)).last_hidden_state.float()  # (batch, tokens, width)
        mask = torch.from_numpy(batch["attention_mask"]).to(hidden.device)  # FNet takes none itself
        return pool(pooling, hidden, mask)

    computer = RowComputer(model, forward, f"vectors by {pooling}", store=store)
    what = f"{model.config.model_type} can't compute a row of {tokens.lengths[positions].max()} tokens"
    with compute_errors(what, advice=OFF):
        vectors = computer.compute(tokens, positions, width=model.config.hidden_size)
    if not np.isfinite(vectors).all():
        raise ModelError(f"{folder} gives vectors that are not finite numbers. {OFF}")
    return vectors.astype(np.float64)


def scaled(features: NDArray[np.float64], reference: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return features with, over the rows `reference`, mean 0 and a mean square norm of 1."""
    centred = features - features[reference].mean(axis=0)
    norm = np.sqrt((centred[reference] ** 2).sum(axis=1).mean())
    return np.asarray(centred / (norm or 1.0))


def _load(folder: Path) -> PreTrainedModel:
    check_model_folder(folder, name=str(folder))
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # weights of a head are not used
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        with offline():
            model, _ = read_weights(AutoModel, folder, read_config(folder), dtype=torch.float32)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(f"{folder} can't be loaded as an encoder: {reason}. {OFF}") from error
    encoder: PreTrainedModel = model.get_encoder() if model.config.is_encoder_decoder else model
    encoder.eval()  # type: ignore[no-untyped-call]
    encoder.to("cuda" if torch.cuda.is_available() else "cpu")  # type: ignore[arg-type]
    return encoder
