"""Fine-tune the encoder on train, choose the best epoch on val, and save it as a plain transformers model.

Reads:   data/tokenize/tokens, data/tokenize/labels.json, data/split/{train,val}.parquet, data/download/model
Writes:  data/finetune/SEED/model (save_pretrained and tokenizer files), curve.csv, stats.json
Params:  finetune; and machine, which changes no output

A run that was killed resumes from its last checkpoint (.retune/checkpoints) if its inputs are still the same.

Example: python -m stages.finetune --seed 42
"""

import logging
import sys
import time

from lightning.pytorch import seed_everything

from stages import entry
from stages.files import write_json
from stages.finetune.class_weights import label_weights
from stages.finetune.data_module import FinetuneData
from stages.finetune.devices import detect_device, process_rank
from stages.finetune.encoder import check_computes, check_fit, load_encoder, save_model
from stages.finetune.inputs import input_files, read_inputs
from stages.finetune.pooling import choose_pooling
from stages.finetune.prepare import apply_method, prepared
from stages.finetune.stuck import describe_stuck
from stages.finetune.summary import count_parameters, training_speed, training_stats, write_curve
from stages.finetune.training.checkpoints import key_of, open_folder
from stages.finetune.training.fit import fit
from stages.finetune.training.lightning_module import make_module
from stages.finetune.training.loggers import make_loggers
from stages.kept.store import open_store
from stages.model.heads import source_of
from stages.model.padding import padding_side
from stages.params import Params
from stages.paths import Paths
from stages.targets.target import check_metric
from stages.targets.training import TRAINING

log = logging.getLogger(__name__)


def main(params: Params, paths: Paths, seed: int) -> dict[str, float]:
    """Train with one seed, and save the weights of the epoch with the best `finetune.monitor`."""
    if process_rank():
        logging.getLogger("stages").setLevel(logging.ERROR)  # the first process says what all do
    options, machine, device = params.finetune, params.machine, detect_device(params.finetune)
    loggers = make_loggers(machine.loggers, paths.root / ".retune/logs" / f"finetune-{seed}")
    inputs = read_inputs(paths)
    training = TRAINING[inputs.target.kind]
    training.check_options(options)
    check_metric(inputs.target, params.evaluate.metric)  # evaluate would find it only after the training
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
    files = key_of({"pooling": pooling}, input_files(paths))  # the encoder's files may decide it
    folder = open_folder(paths.checkpoints, seed, key_of({"inputs": files, "options": options.model_dump(mode="json")}))
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
    save_model(model, paths.finetuned(seed), encoder=paths.encoder)
    write_curve(paths.curve(seed), fitted.curve)
    stuck = describe_stuck(fitted, inputs, options, class_weights=class_weights)
    if stuck:
        log.warning("%s", stuck)
    notes = (
        ready.notes
        | ({"stuck": stuck} if stuck else {})
        | {"precision": device.precision_key, "pooling": pooling or "the architecture's own"}
        | {"class_weights": class_weights, "source": source_of(model).facts()}
    )
    write_json(paths.finetune_stats(seed), training_stats(inputs, fitted, blocks, method=options.method, notes=notes))
    speed = training_speed(model, data, fitted, device, seconds=train_seconds, rates=paths.rates)
    return {"prepare_seconds": round(fit_started - started, 2), "train_seconds": round(train_seconds, 2), **speed}


if __name__ == "__main__":
    entry.run(main, stage="finetune", doc=__doc__, argument=entry.Argument("--seed", int))
