"""A fold's model as a linear one on the features of the frozen encoder, which are computed once for all folds."""

import hashlib
import logging

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stages.crossfit.linear import HEADS
from stages.finetune.acceleration.features import CONTENT, encode, stored
from stages.finetune.acceleration.head_input import find_head_input
from stages.finetune.devices import detect_device
from stages.finetune.encoder import check_computes, check_fit, load_encoder, pad_token_id
from stages.finetune.inputs import Inputs
from stages.finetune.keys import key_of
from stages.finetune.pooling import choose_pooling
from stages.model.heads import give_head
from stages.model.padding import padding_side
from stages.params import Params
from stages.paths import Paths
from stages.tokens import TOKENS_FILE

log = logging.getLogger(__name__)

SAMPLE_ROWS = 8
ANY_LABELS = ("0", "1")  # the encoder is loaded with a head, which computes nothing here


def answer_with_frozen(
    inputs: Inputs, predicted: NDArray[np.int64], params: Params, paths: Paths
) -> NDArray[np.float32]:
    """Fit a linear model, and return its answers for the rows at `predicted`; shape (rows, outputs).

    Args:
        inputs: Tokens, labels, and the rows that train, and choose how strongly weights are held at 0.
        predicted: Positions of the fold's rows; shape (rows,).
        params: Of the project; of section finetune what decides the features.
        paths: Of the project.
    """
    rows = np.sort(np.concatenate([inputs.train, inputs.val, predicted]))  # the same for every fold
    features = _features(inputs, rows, params, paths)
    train, val, own = (features[np.searchsorted(rows, part)] for part in (inputs.train, inputs.val, predicted))
    of_train, of_val = inputs.train_labels, inputs.tokens.labels[inputs.val]
    fit = HEADS[inputs.target.kind]
    return fit((train, of_train), (val, of_val), own, outputs=len(inputs.labels))


def _features(inputs: Inputs, rows: NDArray[np.int64], params: Params, paths: Paths) -> NDArray[np.float32]:
    """What a frozen fine-tune's head would read of each row, stored by the first fold for all; shape (rows, width)."""
    options, device = params.finetune, detect_device(params.finetune)
    values = {
        "pooling": options.head.pooling,
        "rows": hashlib.sha256(rows.tobytes()).hexdigest(),
        "device": device.kind,
        "content": CONTENT,
    }
    key = key_of(values, [paths.folds / TOKENS_FILE, *sorted(paths.encoder.glob("*.*"))])

    def compute() -> dict[str, Tensor]:
        log.info("frozen: the encoder runs once over %d rows, for all folds", len(rows))
        return {"rows": _encode(inputs, rows, params, paths, device=device.kind)}

    return stored(paths.features / "crossfit" / f"{key}.safetensors", compute)["rows"].numpy()


def _encode(inputs: Inputs, rows: NDArray[np.int64], params: Params, paths: Paths, *, device: str) -> Tensor:
    model = load_encoder(paths.encoder, labels=ANY_LABELS)
    inputs = inputs.with_labels(np.zeros(len(inputs.tokens), dtype=np.int64)).padded_on(padding_side(model.config))
    tokens = inputs.tokens
    check_fit(model, tokens)
    check_computes(model, tokens)
    wanted = params.finetune.head.pooling
    pooling = choose_pooling(model, paths.encoder, tokens, wanted=wanted, frozen=True)
    give_head(model, pooling=pooling, hidden=None, dropout=0.0)
    model.to(torch.device(device))  # type: ignore[arg-type]
    longest = rows[np.argsort(-tokens.lengths[rows], kind="stable")]
    pad = pad_token_id(model)
    batch = tokens.pad(np.concatenate([longest[:SAMPLE_ROWS], longest[-1:]]), pad_token_id=pad)
    del batch["labels"]
    sample = {name: torch.from_numpy(values).to(model.device) for name, values in batch.items()}
    return encode(model, tokens, rows, pad_token_id=pad, vector=find_head_input(model, sample).vector)
