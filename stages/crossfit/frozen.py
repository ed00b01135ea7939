"""A fold's model as a linear one on the features of the frozen encoder, which are computed once for all folds."""

import numpy as np
import torch
from numpy.typing import NDArray

from stages.crossfit.linear import HEADS
from stages.finetune.acceleration.features import encode
from stages.finetune.acceleration.head_input import find_head_input
from stages.finetune.devices import detect_device
from stages.finetune.encoder import check_computes, check_fit, load_encoder, pad_token_id
from stages.finetune.inputs import Inputs
from stages.finetune.pooling import choose_pooling
from stages.kept.store import open_store
from stages.model.heads import give_head
from stages.model.padding import padding_side
from stages.params import Params
from stages.paths import Paths

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
    """What a frozen fine-tune's head would read of each row, computed once for all folds; shape (rows, width)."""
    model = load_encoder(paths.encoder, labels=ANY_LABELS)
    tokens = inputs.padded_on(padding_side(model.config)).tokens
    check_fit(model, tokens)
    check_computes(model, tokens)
    wanted = params.finetune.head.pooling
    pooling = choose_pooling(model, paths.encoder, tokens, wanted=wanted, frozen=True)
    give_head(model, pooling=pooling, hidden=None, dropout=0.0)
    model.to(torch.device(detect_device(params.finetune).kind))  # type: ignore[arg-type]
    longest = rows[np.argsort(-tokens.lengths[rows], kind="stable")]
    batch = tokens.pad(np.concatenate([longest[:SAMPLE_ROWS], longest[-1:]]), pad_token_id=pad_token_id(model))
    del batch["labels"]
    sample = {name: torch.from_numpy(values).to(model.device) for name, values in batch.items()}
    vector, store = find_head_input(model, sample).vector, open_store(paths, params.machine)
    return encode(model, tokens, rows, vector=vector, store=store).numpy()
