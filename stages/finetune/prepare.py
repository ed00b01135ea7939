"""From the encoder's folder to what is trained: head, fixed weights, LoRA, what makes it faster; and back."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedModel

from stages.encoders import first_token_only
from stages.finetune.batches import TokenRows
from stages.finetune.dropout import speed_up_dropout
from stages.finetune.features import FeatureRows, encode, kept_features, stored
from stages.finetune.lora import add_lora, merge_lora
from stages.finetune.methods import check_something_trains, fix_encoder, fix_lowest, set_modes
from stages.finetune.packing import agrees
from stages.finetune.training import Data
from stages.finetune.vocabulary import ShrinkUnused, compact_vocabulary, restore_vocabulary, used_ids
from stages.heads import add_hidden_layer
from stages.packed import ROW_OUTPUTS, attend_packed, can_pack, first_position
from stages.tokens import Tokens

log = logging.getLogger(__name__)

SAMPLE_ROWS = 8


@dataclass
class Prepared:
    """A model ready to train.

    Args:
        data: The rows as it reads them.
        callbacks: What must run beside the training.
        notes: For stats.json.
    """

    data: Data
    callbacks: list[Callback] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)


def apply_method(
    model: PreTrainedModel,
    method: str,
    *,
    hidden: int | None,
    head_dropout: float,
    frozen_layers: int,
    rank: int,
    alpha: float,
    lora_dropout: float,
    target_modules: str | Sequence[str],
) -> None:
    """Give the model its head, and fix what the method does not train.

    Args:
        model: An encoder with its head.
        method: `full`, `frozen`, `partial`, `gradual` or `lora`.
        hidden: Width of a hidden layer in the head; None: the architecture's own head.
        head_dropout: In that head (0 to 1).
        frozen_layers: `partial`: how many of the lowest layers are fixed.
        rank, alpha, lora_dropout, target_modules: `lora`: see `add_lora`.
    """
    if hidden is not None:
        add_hidden_layer(model, hidden=hidden, dropout=head_dropout)
    if method in ("frozen", "gradual"):
        fix_encoder(model)
    elif method == "partial":
        fix_lowest(model, frozen_layers)
    elif method == "lora":
        add_lora(model, rank=rank, alpha=alpha, dropout=lora_dropout, target_modules=target_modules)
    else:
        set_modes(model)
    check_something_trains(model)


@contextmanager
def prepared(
    model: PreTrainedModel,
    tokens: Tokens,
    train: NDArray[np.int64],
    val: NDArray[np.int64],
    *,
    method: str,
    compact: bool,
    packing: bool,
    device: str,
    features: Path,
) -> Iterator[Prepared]:
    """Make training cheaper while the block runs; after it the model is a plain one again.

    Args:
        model: After `apply_method`.
        tokens: The tokens of all rows.
        train, val: Rows of the splits.
        method: `finetune.method`.
        compact: Cut the embedding table to the rows in use.
        packing: On a GPU, pack rows without padding where the architecture allows.
        device: Where the training will be: `cpu`, `cuda` or `mps`, for which nothing is made cheaper.
        features: File for what a `frozen` encoder gives; see `stored`.
    """
    pad = pad_token_id(model)
    if device == "cpu":
        speed_up_dropout(model)
    if device == "cuda":
        model.to("cuda")  # type: ignore[arg-type]
    with ExitStack() as stack:
        if method == "frozen":
            yield _kept(stack, model, tokens, train, val, pad=pad, file=features)
            return
        notes: dict[str, Any] = {}
        one_vector = first_token_only(model) or model.config.model_type in ROW_OUTPUTS
        packed = device == "cuda" and packing and can_pack(model) and one_vector
        if device == "cuda" and packing and not packed:
            log.info("packing: %s attends in a way that needs padded rows", model.config.model_type)
        packed = packed and agrees(model, tokens, train[:SAMPLE_ROWS], pad_token_id=pad)
        if packed:
            attend_packed(model)
            notes["packed"] = True
        callbacks: list[Callback] = []
        if compact and device != "mps":  # which has no float64
            size = int(model.config.vocab_size)
            used = used_ids(tokens, np.concatenate([train, val]), size=size, always=[pad])
            if (cut := compact_vocabulary(model, used, even_if_fixed=method == "gradual")) is not None:
                stack.callback(restore_vocabulary, model, cut)
                callbacks.append(ShrinkUnused(cut.compact))
                notes["vocabulary"] = cut.describe()
        start = first_position(model) if packed else None
        data = Data(
            TokenRows(tokens, train, pad_token_id=pad, packed_from=start, filled=packed),
            TokenRows(tokens, val, pad_token_id=pad, packed_from=start),
            tokens.lengths[train],
            tokens.lengths[val],
        )
        yield Prepared(data, callbacks, notes)
        if method == "lora":
            stack.callback(merge_lora, model)


def pad_token_id(model: PreTrainedModel) -> int:
    """Return the id that pads; a decoder that has none pads with the end of a text, and then needs to know."""
    if model.config.pad_token_id is None:
        ends = model.config.eos_token_id
        model.config.pad_token_id = ends[0] if isinstance(ends, list) else ends or 0
    return int(model.config.pad_token_id)


def _kept(
    stack: ExitStack,
    model: PreTrainedModel,
    tokens: Tokens,
    train: NDArray[np.int64],
    val: NDArray[np.int64],
    *,
    pad: int,
    file: Path,
) -> Prepared:
    def compute() -> dict[str, Tensor]:
        log.info("frozen: the encoder runs once over %d rows; epochs train the head alone", len(train) + len(val))
        splits = {"train": train, "val": val}
        return {name: encode(model, tokens, rows, pad_token_id=pad) for name, rows in splits.items()}

    features = stored(file, compute)
    batch = tokens.pad(train[:SAMPLE_ROWS], pad_token_id=pad)
    del batch["labels"]
    sample = {name: torch.from_numpy(values).to(model.device) for name, values in batch.items()}
    stack.enter_context(kept_features(model, features["train"][:SAMPLE_ROWS], sample))
    data = Data(
        FeatureRows(features["train"], tokens.labels[train], train),
        FeatureRows(features["val"], tokens.labels[val], val),
        np.ones(len(train), dtype=np.int64),
        np.ones(len(val), dtype=np.int64),
    )
    return Prepared(data)
