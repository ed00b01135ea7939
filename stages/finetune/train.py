"""One training from the pretrained encoder to a plain fine-tuned model, on the rows of a split or of a fold."""

import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning.pytorch import seed_everything
from transformers import PreTrainedModel

from stages.finetune.class_weights import label_weights
from stages.finetune.data_module import FinetuneData
from stages.finetune.devices import detect_device, process_rank
from stages.finetune.encoder import check_computes, check_fit, load_encoder
from stages.finetune.inputs import Inputs
from stages.finetune.pooling import choose_pooling
from stages.finetune.prepare import apply_method, prepared
from stages.finetune.stuck import describe_stuck
from stages.finetune.summary import count_parameters, training_speed, training_stats
from stages.finetune.training.checkpoints import key_of, open_folder
from stages.finetune.training.fit import Fitted, fit
from stages.finetune.training.lightning_module import make_module
from stages.finetune.training.loggers import make_loggers
from stages.kept.store import open_store
from stages.model.heads import source_of
from stages.model.padding import padding_side
from stages.params import Params
from stages.paths import Paths
from stages.targets.training import TRAINING

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Trained:
    """What a training leaves.

    Args:
        model: With the weights of the best epoch; it answers in the rows' own unit.
        fitted: The outcome of the training.
        stats: What was trained, on what, and which epoch was chosen: stats.json.
        timings: Seconds by part of the training, its epochs, and its speed.
    """

    model: PreTrainedModel
    fitted: Fitted
    stats: dict[str, Any]
    timings: dict[str, float]


def train(inputs: Inputs, params: Params, paths: Paths, *, seed: int, name: str, files: Sequence[Path]) -> Trained:
    """Train as section finetune says, and return in the first process alone: others end here.

    Args:
        inputs: Tokens, labels, and the rows of train and val.
        params: Of the project: section finetune; and machine, which changes no weight.
        paths: Of the encoder, and of what is kept for later runs: checkpoints, rows, logs.
        seed: Of the head's first weights, dropout and the rows' order.
        name: Of the run, such as finetune-42: its checkpoints and logs have it. A run of this name with other inputs
            can't be resumed, and its checkpoints are removed.
        files: Every file whose bytes decide what is computed.
    """
    options, machine, device = params.finetune, params.machine, detect_device(params.finetune)
    loggers = make_loggers(machine.loggers, paths.root / ".retune/logs" / name)
    training = TRAINING[inputs.target.kind]
    training.check_options(options)
    learned, in_own_unit = training.learned(inputs.tokens.labels, inputs.train)
    seed_everything(seed, verbose=False)
    model = load_encoder(paths.encoder, labels=training.outputs(inputs.target), problem_type=training.PROBLEM)
    inputs = inputs.with_labels(learned).padded_on(padding_side(model.config))
    check_fit(model, inputs.tokens)
    check_computes(model, inputs.tokens)
    wanted, frozen = options.head.pooling, options.method == "frozen"
    pooling = choose_pooling(model, paths.encoder, inputs.tokens, wanted=wanted, frozen=frozen)
    apply_method(model, options, pooling)
    training.check_head(model)
    blocks = count_parameters(model)
    class_weights = label_weights(options.class_weights, labels=inputs.labels, train_labels=inputs.train_labels)
    started = time.monotonic()
    files_key = key_of({"pooling": pooling}, files)  # the encoder's files may decide it
    run_key = key_of({"inputs": files_key, "options": options.model_dump(mode="json")})
    folder = open_folder(paths.checkpoints, name, run_key)
    store, checkpointing = open_store(paths, machine), machine.gradient_checkpointing
    with prepared(model, inputs, options, device, checkpointing=checkpointing, store=store) as ready:
        module = make_module(model, options, kind=inputs.target.kind, class_weights=class_weights)
        data = FinetuneData(ready.train, ready.val, options, device, seed=seed, num_workers=machine.num_workers)
        fit_started = time.monotonic()
        fitted = fit(
            module, data, options, device, machine, seed=seed, folder=folder, callbacks=ready.callbacks, loggers=loggers
        )
        train_seconds = time.monotonic() - fit_started
    if process_rank():
        sys.exit()  # the first process writes what all have trained
    in_own_unit(model)
    stuck = describe_stuck(fitted, inputs, options, class_weights=class_weights)
    if stuck:
        log.warning("%s", stuck)
    notes = (
        ready.notes
        | ({"stuck": stuck} if stuck else {})
        | {"precision": "bf16" if ready.encoded and ready.encoded.bf16 else device.precision_key}
        | {"pooling": pooling or "the architecture's own"}
        | {"class_weights": class_weights, "source": source_of(model).facts()}
    )
    stats = training_stats(inputs, fitted, blocks, method=options.method, notes=notes)
    speed = training_speed(model, data, fitted, device, encoded=ready.encoded, seconds=train_seconds, rates=paths.rates)
    timings = {"prepare_seconds": round(fit_started - started, 2), "train_seconds": round(train_seconds, 2)}
    return Trained(model, fitted, stats, timings | {"epochs": len(fitted.curve)} | speed)
