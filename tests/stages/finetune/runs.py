"""Small trainings: params with a few changes, a module, a batch, and a training of its own."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch.callbacks import Callback

from stages.finetune.batches import Batch, TokenRows
from stages.finetune.data_module import FinetuneData
from stages.finetune.devices import Device, detect_device
from stages.finetune.encoder import load_encoder
from stages.finetune.inputs import read_inputs
from stages.finetune.training.fit import Fitted, fit
from stages.finetune.training.lightning_module import FinetuneModule, make_module
from stages.params import Params, read_params
from stages.paths import Paths
from stages.schema import Finetune, Machine
from stages.tokens import open_tokens
from tests.stages.finetune.tiny import LABELS

DEFAULT = Path(__file__).parents[3] / "recipes/default.yaml"
CPU = Device("cpu")


def params(*, machine: dict[str, Any] | None = None, **finetune: Any) -> Params:
    """Return the default params with small batches, two epochs and some changes, of `machine` too."""
    defaults = read_params(DEFAULT)
    machine = {key: finetune.pop(key) for key in set(finetune) & set(Machine.model_fields)} | (machine or {})
    changed = Machine.model_validate(defaults.machine.model_dump() | machine)
    return defaults.model_copy(update={"finetune": options(**({"max_epochs": 2} | finetune)), "machine": changed})


def options(**changes: Any) -> Finetune:
    """Return section finetune with small batches, float32 on every processor, and some changes.

    `head` and `lora` may be given in part.
    """
    values = read_params(DEFAULT).finetune.model_dump() | {"accelerator": "cpu", "max_epochs": 3, "precision": "32"}
    values |= {"learning_rate": 1e-3, "patience": None}
    for name, value in changes.items():
        values[name] = values[name] | value if name in ("head", "lora") else value
    return Finetune.model_validate(values)


def build(paths: Paths, class_weights: Sequence[float] | None = None, **changes: Any) -> FinetuneModule:
    """Return a module of the tiny BERT with a head that is the same in every test."""
    torch.manual_seed(0)
    model = load_encoder(paths.encoder, labels=LABELS)
    return make_module(model, options(**changes), class_weights=class_weights)


def batch(paths: Paths) -> Batch:
    """Return the first 40 rows as a padded batch."""
    return TokenRows(open_tokens(paths.tokens), np.arange(40), pad_token_id=0)[np.arange(40)]


def rows(paths: Paths, changed: Finetune, *, seed: int = 1, num_workers: int = 0) -> FinetuneData:
    """Return the rows of train and val as the stage loads them."""
    inputs = read_inputs(paths)
    train, val = (TokenRows(inputs.tokens, split, pad_token_id=0) for split in (inputs.train, inputs.val))
    return FinetuneData(train, val, changed, CPU, seed=seed, num_workers=num_workers)


def train(
    paths: Paths, module: FinetuneModule, *, seed: int = 1, callbacks: Sequence[Callback] = (), **changes: Any
) -> Fitted:
    """Train in `paths.checkpoints / "1"`; the rows' order is the same for every seed."""
    changed, machine = options(**changes), read_params(DEFAULT).machine
    folder = paths.checkpoints / "1"
    device = detect_device(changed)
    return fit(module, rows(paths, changed), changed, device, machine, seed=seed, folder=folder, callbacks=callbacks)
