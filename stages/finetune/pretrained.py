"""Features of the pretrained encoder as it is: what the head of a frozen fine-tune would read of each row."""

import dataclasses

import numpy as np
import torch
from numpy.typing import NDArray

from stages.finetune.acceleration.features import head_features
from stages.finetune.devices import detect_device, features_in_bf16
from stages.finetune.encoder import check_computes, check_fit, load_encoder, pad_token_id
from stages.finetune.pooling import choose_pooling
from stages.kept.store import open_store
from stages.model.heads import give_head
from stages.model.padding import padding_side
from stages.params import Params
from stages.paths import Paths
from stages.speed import pass_timings
from stages.tokens import Tokens

ANY_LABELS = ("0", "1")  # the encoder is loaded with a head, which computes nothing here


def pretrained_features(
    tokens: Tokens, rows: NDArray[np.int64], params: Params, paths: Paths
) -> tuple[NDArray[np.float32], dict[str, float]]:
    """Return a vector per row, (rows, width), and timings. A row that any stage has computed is not computed again.

    Args:
        tokens: The tokens of all rows.
        rows: Positions of at least one row.
        params: Of the project; finetune.head.pooling says which vector, finetune.accelerator and finetune.precision how
            it is computed.
        paths: Of the project.

    Raises:
        ModelError: The encoder can't be loaded, or can't compute these rows.
    """
    model = load_encoder(paths.encoder, labels=ANY_LABELS)
    tokens = dataclasses.replace(tokens, padding_side=padding_side(model.config))
    check_fit(model, tokens)
    check_computes(model, tokens)
    pooling = choose_pooling(model, paths.encoder, tokens, wanted=params.finetune.head.pooling, frozen=True)
    give_head(model, pooling=pooling, hidden=None, dropout=0.0)
    device = detect_device(params.finetune)
    model.to(torch.device(device.kind))  # type: ignore[arg-type]
    store = open_store(paths, params.machine)
    bf16 = features_in_bf16(params.finetune, device)
    _, encoded = head_features(model, tokens, rows, pad_token_id=pad_token_id(model), store=store, bf16=bf16)
    timings = pass_timings(
        model,
        model.device,
        tokens=encoded.computed_tokens,
        seconds=encoded.seconds,
        kept=encoded.kept,
        rates=paths.rates,
    )
    return encoded.vectors.numpy(), timings
