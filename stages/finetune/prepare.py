"""From the loaded encoder to a model and rows that are ready to train, and back to a plain model."""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from transformers import PreTrainedModel

from stages.finetune.acceleration.features import Encoded, FeatureRows, head_features
from stages.finetune.acceleration.head_input import kept_features
from stages.finetune.acceleration.on_cpu import trains_on_cpu
from stages.finetune.acceleration.packing import agrees
from stages.finetune.acceleration.vocabulary import ShrinkUnused, compact_vocabulary, restore_vocabulary, used_ids
from stages.finetune.batches import TokenRows
from stages.finetune.data_module import Rows
from stages.finetune.devices import Device, checkpoint_layers, compile_layers, features_in_bf16, process_rank
from stages.finetune.encoder import pad_token_id
from stages.finetune.inputs import Inputs
from stages.finetune.lora import add_lora, merge_lora
from stages.finetune.methods import check_something_trains, freeze_encoder, freeze_lowest, set_modes
from stages.kept.store import RowStore
from stages.model.heads import give_head
from stages.model.layers import first_token_only
from stages.model.packed import ROW_OUTPUTS, attend_packed, can_pack
from stages.model.pooling import Pooling, pooling_of
from stages.model.positions import first_position
from stages.schema import Finetune

log = logging.getLogger(__name__)

SAMPLE_ROWS = 8


@dataclass(frozen=True)
class Prepared:
    """What a training needs beside the model.

    Args:
        train, val: The rows of both splits, as the model reads them now.
        callbacks: Callbacks that the changed model needs.
        notes: What was changed, for stats.json.
        encoded: What the frozen encoder gave; None: the encoder trains.
    """

    train: Rows
    val: Rows
    callbacks: list[Callback] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)
    encoded: Encoded | None = None


def apply_method(model: PreTrainedModel, options: Finetune, pooling: Pooling | None = None) -> None:
    """Give the model its head, and freeze the weights that `finetune.method` does not train.

    Args:
        model: From `load_encoder`.
        options: Section finetune of params.yaml.
        pooling: From `choose_pooling`.
    """
    give_head(model, pooling=pooling, hidden=options.head.hidden, dropout=options.head.dropout)
    if options.method in ("frozen", "gradual"):
        freeze_encoder(model)
    elif options.method == "partial":
        freeze_lowest(model, options.frozen_layers)
    elif options.method == "lora":
        add_lora(model, options.lora)
    else:
        set_modes(model)
    check_something_trains(model)


@contextmanager
def prepared(
    model: PreTrainedModel,
    inputs: Inputs,
    options: Finetune,
    device: Device,
    *,
    checkpointing: bool = False,
    store: RowStore | None = None,
) -> Iterator[Prepared]:
    """Make training cheaper while the block runs; after it the model is a plain one again.

    Args:
        model: After `apply_method`.
        inputs: Tokens and splits.
        options: Section finetune of params.yaml.
        device: Where the training runs.
        checkpointing: Compute layers again for their gradient.
        store: Where the vectors of a `frozen` encoder are kept; None: nowhere.
    """
    pad = pad_token_id(model)
    if device.kind == "cuda":
        model.to(torch.device("cuda", process_rank()))  # type: ignore[arg-type]
    with ExitStack() as stack:
        if device.kind == "cpu":
            stack.enter_context(trains_on_cpu(model))
        if options.method == "frozen":
            bf16 = features_in_bf16(options, device)
            yield _frozen_rows(stack, model, inputs, pad_token_id=pad, store=store, bf16=bf16)
            return
        notes: dict[str, Any] = {}
        one_vector = first_token_only(model) or model.config.model_type in ROW_OUTPUTS or pooling_of(model.config)
        packed = packs(model, inputs, options, device, one_vector=bool(one_vector))
        if packed:
            attend_packed(model)
            notes["packed"] = True
        callbacks: list[Callback] = []
        if options.compact_vocabulary and device.kind != "mps":  # MPS has no float64
            rows, size = np.concatenate([inputs.train, inputs.val]), int(model.config.vocab_size)
            start_token = getattr(model.config, "decoder_start_token_id", None)  # a decoder begins every row with it
            always = [pad] if start_token is None else [pad, int(start_token)]
            used = used_ids(inputs.tokens, rows, size=size, always=always)
            compacted = compact_vocabulary(model, used, even_if_frozen=options.method == "gradual")
            if compacted is not None:
                stack.callback(restore_vocabulary, model, compacted)
                callbacks.append(ShrinkUnused(compacted.compact))
                notes["vocabulary"] = compacted.stats()
        start = first_position(model) if packed else None
        train = TokenRows(inputs.tokens, inputs.train, pad_token_id=pad, packed_from=start, filled=packed)
        val = TokenRows(inputs.tokens, inputs.val, pad_token_id=pad, packed_from=start)
        if checkpointing:
            checkpoint_layers(model)
        if options.compile:
            compile_layers(model, device)
        yield Prepared(train, val, callbacks, notes)
        if options.method == "lora":
            stack.callback(merge_lora, model)


def packs(model: PreTrainedModel, inputs: Inputs, options: Finetune, device: Device, *, one_vector: bool) -> bool:
    """Return whether rows are packed: on a GPU with bf16, because the packed kernels have no float32.

    Args:
        model: On the device.
        inputs: Some rows are tried.
        options: Section finetune of params.yaml.
        device: Where the training runs.
        one_vector: Whether the head reads one vector of each row.
    """
    if not options.packing or device.kind != "cuda" or device.precision != "bf16-mixed":
        return False
    if not (one_vector and can_pack(model)):
        log.info("packing is off: the attention of %s needs padded rows", model.config.model_type)
        return False
    return agrees(model, inputs.tokens, inputs.train[:SAMPLE_ROWS], pad_token_id=pad_token_id(model))


def _frozen_rows(
    stack: ExitStack,
    model: PreTrainedModel,
    inputs: Inputs,
    *,
    pad_token_id: int,
    store: RowStore | None,
    bf16: bool,
) -> Prepared:
    """Replace the encoder by its features until `stack` ends, and return them as rows."""
    tokens, train, val = inputs.tokens, inputs.train, inputs.val
    rows = np.concatenate([train, val])
    log.info("frozen: the encoder runs once over %d rows; the epochs train the head alone", len(rows))
    head_input, encoded = head_features(model, tokens, rows, pad_token_id=pad_token_id, store=store, bf16=bf16)
    stack.enter_context(kept_features(model, head_input))
    return Prepared(
        FeatureRows(encoded.vectors[: len(train)], tokens.labels[train], train),
        FeatureRows(encoded.vectors[len(train) :], tokens.labels[val], val),
        encoded=encoded,
    )
