"""Fine-tune the encoder on train, choose the best epoch on val, and save it as a plain transformers model.

Reads:   data/tokenize/tokens, data/tokenize/labels.json, data/split/{train,val}.parquet, data/download/model
Writes:  data/finetune/SEED/model (save_pretrained and tokenizer files), curve.csv, stats.json
Params:  finetune

A run that was killed goes on from its last checkpoint (.retune/checkpoints) when its inputs are still the same.

Example: python -m stages.finetune 42
"""

import time

from lightning.pytorch import seed_everything

from stages import entry
from stages.files import read_json, write_json
from stages.finetune.checkpoints import key_of, open_folder
from stages.finetune.classifier import Classifier
from stages.finetune.devices import check_devices, compiled, device_name, make_loggers, precision_name
from stages.finetune.encoder import check_fit, load_encoder, save_model
from stages.finetune.prepare import apply_method, prepared
from stages.finetune.results import describe, describe_blocks, write_curve
from stages.finetune.training import fit
from stages.finetune.weights import label_weights
from stages.params import Params
from stages.paths import Paths
from stages.tokens import open_tokens, read_positions


def main(params: Params, paths: Paths, seed: int) -> dict[str, float]:
    """Train with one seed; the weights that are saved are those of the epoch with the best `finetune.monitor`."""
    options = params.finetune
    check_devices(options.accelerator, options.devices)
    loggers = make_loggers(options.loggers, paths.root / ".retune/logs" / f"finetune-{seed}")
    labels, tokens = read_json(paths.labels), open_tokens(paths.tokens)
    train, val = read_positions(paths.split("train")), read_positions(paths.split("val"))
    seed_everything(seed, verbose=False)
    model = load_encoder(paths.encoder, labels=labels)
    check_fit(model.config, tokens)
    apply_method(
        model,
        options.method,
        hidden=options.head.hidden,
        head_dropout=options.head.dropout,
        frozen_layers=options.frozen_layers,
        rank=options.lora.rank,
        alpha=options.lora.alpha,
        lora_dropout=options.lora.dropout,
        target_modules=options.lora.target_modules,
    )
    blocks = describe_blocks(model)
    class_weights = label_weights(options.class_weights, labels=labels, train_labels=tokens.labels[train])
    bf16 = precision_name(options.precision, options.accelerator) == "bf16-mixed"
    started = time.monotonic()
    files = [paths.labels, *sorted(paths.tokens.iterdir()), *(paths.split(name) for name in ("train", "val"))]
    inputs = key_of({}, [*files, *sorted(paths.encoder.glob("*.*"))])
    device = device_name(options.accelerator)
    with prepared(
        model,
        tokens,
        train,
        val,
        method=options.method,
        compact=options.compact_vocabulary,
        packing=options.packing and bf16,  # its kernels know no float32
        device=device,
        features=paths.features / f"{key_of({'inputs': inputs, 'device': device})}.safetensors",
    ) as ready:
        compiled(model, wanted=options.compile, accelerator=options.accelerator)
        classifier = Classifier(
            model,
            num_labels=len(labels),
            learning_rate=options.learning_rate,
            weight_decay=options.weight_decay,
            layer_decay=options.layer_decay,
            schedule=options.schedule,
            warmup_ratio=options.warmup_ratio,
            class_weights=class_weights,
            label_smoothing=options.label_smoothing,
            frozen_epochs=options.frozen_epochs if options.method == "gradual" else None,
        )
        key = key_of({"inputs": inputs, "options": options.model_dump(mode="json"), "seed": seed})
        fit_started = time.monotonic()
        fitted = fit(
            classifier,
            ready.data,
            seed=seed,
            folder=open_folder(paths.checkpoints, seed, key),
            batch_size=options.batch_size,
            max_epochs=options.max_epochs,
            gradient_clip=options.gradient_clip,
            accumulate_grad_batches=options.accumulate_grad_batches,
            max_tokens_per_batch=options.max_tokens_per_batch,
            ema_decay=options.ema_decay,
            monitor=options.monitor,
            patience=options.patience,
            checkpoint_minutes=options.checkpoint_minutes,
            accelerator=options.accelerator,
            num_workers=options.num_workers,
            callbacks=ready.callbacks,
            devices=options.devices,
            strategy=options.strategy,
            precision=options.precision,
            limit_train_batches=options.limit_train_batches,
            limit_val_batches=options.limit_val_batches,
            fast_dev_run=options.fast_dev_run,
            logger=loggers or False,
        )
        fit_seconds = time.monotonic() - fit_started
    prepare_seconds = fit_started - started
    save_model(model, paths.finetuned(seed), encoder=paths.encoder)
    write_curve(paths.curve(seed), fitted.curve)
    notes = ready.notes | {"class_weights": class_weights}
    stats = describe(options.method, fitted, tokens, blocks=blocks, notes=notes, train=train, val=val)
    write_json(paths.finetune_stats(seed), stats)
    return {"prepare_seconds": round(prepare_seconds, 2), "train_seconds": round(fit_seconds, 2)}


if __name__ == "__main__":
    entry.run(main, stage="finetune", doc=__doc__, item=entry.Item("seed", kind=int))
