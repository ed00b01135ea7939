"""From the pretrained encoder to a plain fine-tuned model, by one training or several, on a split or a fold."""

import gc
import logging
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from lightning.pytorch import seed_everything
from transformers import PreTrainedModel

from stages.files import remove_folder
from stages.finetune.class_weights import label_weights
from stages.finetune.data_module import FinetuneData
from stages.finetune.devices import Device, detect_device, process_rank
from stages.finetune.encoder import check_computes, check_fit, load_encoder
from stages.finetune.inputs import Inputs
from stages.finetune.pooling import asked_pooling, choose_pooling
from stages.finetune.prepare import Prepared, apply_method, prepared
from stages.finetune.soup import Bowl, Member, member_seeds, outcome
from stages.finetune.stuck import describe_stuck
from stages.finetune.summary import count_parameters, training_speed, training_stats
from stages.finetune.training.checkpoints import key_of, open_folder
from stages.finetune.training.fit import Fitted, fit, measure
from stages.finetune.training.lightning_module import FinetuneModule, make_module
from stages.finetune.training.loggers import make_loggers
from stages.kept.store import open_store
from stages.model.heads import source_of
from stages.model.padding import padding_side
from stages.model.pooling import Pooling
from stages.params import Params
from stages.paths import Paths
from stages.targets.options import check_options
from stages.targets.target import MONITORS
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
    options = params.finetune
    training = TRAINING[inputs.target.kind]
    check_options(inputs.target.kind, options)
    learned, in_own_unit = training.learned(inputs.tokens.labels, inputs.train)
    job = Job(inputs.with_labels(learned), params, paths, detect_device(options), seed)
    pooling = asked_pooling(paths.encoder, wanted=options.head.pooling, frozen=options.method == "frozen")
    decides = {"options": options.model_dump(mode="json"), "pooling": pooling}  # by files that `files` may lack
    folder = open_folder(paths.checkpoints, name, key_of(decides, files))
    trained = job.run(name, seed, folder) if options.soup == 1 else job.run_soup(name, folder)
    if process_rank():
        sys.exit()  # the first process writes what all have trained
    remove_folder(folder)
    in_own_unit(trained.model)
    if stuck := trained.stats.get("stuck"):
        log.warning("%s", stuck)
    return trained


@dataclass(frozen=True)
class Job:
    """What the trainings of a run share.

    Args:
        inputs: Tokens, what the model learns of each row, and the rows of train and val.
        params: Of the project.
        paths: Of the project.
        device: Where the training runs.
        seed: Of the head's first weights.
    """

    inputs: Inputs
    params: Params
    paths: Paths
    device: Device
    seed: int

    def run(self, name: str, seed: int, folder: Path) -> Trained:
        """Train once; the model does not answer in the rows' own unit yet.

        Args:
            name: Of the training's logs.
            seed: Of dropout and the rows' order.
            folder: For its checkpoints.
        """
        options, machine, paths, device = self.params.finetune, self.params.machine, self.paths, self.device
        loggers = make_loggers(machine.loggers, paths.root / ".retune/logs" / name)
        model, pooling = self._load()
        inputs = self.inputs.padded_on(padding_side(model.config))
        blocks, class_weights = count_parameters(model), self._class_weights
        started = time.monotonic()
        with self._ready(model) as ready:
            module, data, callbacks = self._module(model), self._data(ready, seed), ready.callbacks
            fit_started = time.monotonic()
            fitted = fit(
                module, data, options, device, machine, seed=seed, folder=folder, callbacks=callbacks, loggers=loggers
            )
            train_seconds = time.monotonic() - fit_started
        stuck = describe_stuck(fitted, inputs, options, class_weights=class_weights)
        notes = (
            ready.notes
            | ({"stuck": stuck} if stuck else {})
            | {"precision": "bf16" if ready.encoded and ready.encoded.bf16 else device.precision_key}
            | {"pooling": pooling or "the architecture's own"}
            | {"class_weights": class_weights, "source": source_of(model).facts()}
        )
        stats = training_stats(inputs, fitted, blocks, method=options.method, notes=notes)
        speed = training_speed(
            model, data, fitted, device, encoded=ready.encoded, seconds=train_seconds, rates=paths.rates
        )
        timings = {"prepare_seconds": round(fit_started - started, 2), "train_seconds": round(train_seconds, 2)}
        return Trained(model, fitted, stats, timings | {"epochs": len(fitted.curve)} | speed)

    def run_soup(self, name: str, folder: Path) -> Trained:
        """Train `finetune.soup` times from the same first weights, and return a model with the mean of the weights.

        Args:
            name: Of the run.
            folder: For checkpoints, and for what the trainings that have ended gave.
        """
        bowl, seeds = Bowl(folder), member_seeds(self.seed, self.params.finetune.soup)
        for number in range(len(bowl.members) + 1, len(seeds) + 1):
            log.info("training %d of %d, whose weights are averaged", number, len(seeds))
            trained = self.run(f"{name}.{number}", seeds[number - 1], folder / str(number))
            bowl.add(trained.model, Member(trained.fitted, trained.timings, trained.stats.get("stuck")))
            if number < len(seeds):
                if not process_rank():
                    bowl.save()
                del trained
                gc.collect()  # a training's objects refer to one another, and hold its model
        bowl.pour(trained.model)
        mode = MONITORS[self.inputs.target.kind][self.params.finetune.monitor]
        fitted, stats, timings = outcome(bowl.members, self._measure(trained.model), mode=mode)
        return Trained(trained.model, fitted, trained.stats | stats, trained.timings | timings)

    @cached_property
    def _class_weights(self) -> list[float] | None:
        inputs = self.inputs
        return label_weights(self.params.finetune.class_weights, labels=inputs.labels, train_labels=inputs.train_labels)

    def _load(self) -> tuple[PreTrainedModel, Pooling | None]:
        """Load the encoder with a new head, ready for `finetune.method`."""
        options, inputs, encoder = self.params.finetune, self.inputs, self.paths.encoder
        training = TRAINING[inputs.target.kind]
        seed_everything(self.seed, verbose=False)
        model = load_encoder(encoder, labels=training.outputs(inputs.target), problem_type=training.PROBLEM)
        tokens = inputs.padded_on(padding_side(model.config)).tokens
        check_fit(model, tokens)
        check_computes(model, tokens)
        wanted, frozen = options.head.pooling, options.method == "frozen"
        pooling = choose_pooling(model, encoder, tokens, wanted=wanted, frozen=frozen)
        apply_method(model, options, pooling)
        training.check_head(model)
        return model, pooling

    def _ready(self, model: PreTrainedModel) -> AbstractContextManager[Prepared]:
        inputs, machine = self.inputs.padded_on(padding_side(model.config)), self.params.machine
        store, checkpointing = open_store(self.paths, machine), machine.gradient_checkpointing
        return prepared(model, inputs, self.params.finetune, self.device, checkpointing=checkpointing, store=store)

    def _module(self, model: PreTrainedModel) -> FinetuneModule:
        kind = self.inputs.target.kind
        return make_module(model, self.params.finetune, kind=kind, class_weights=self._class_weights)

    def _data(self, ready: Prepared, seed: int) -> FinetuneData:
        options, workers = self.params.finetune, self.params.machine.num_workers
        return FinetuneData(ready.train, ready.val, options, self.device, seed=seed, num_workers=workers)

    def _measure(self, model: PreTrainedModel) -> float | None:
        """Return `finetune.monitor` of a trained model on val; None for `fast_dev_run`."""
        with self._ready(model) as ready:
            return measure(self._module(model), self._data(ready, self.seed), self.params.finetune, self.device)
