"""Fine-tune the encoder on train, choose the best epoch on val, and save it as a plain transformers model.

Reads:   data/tokenize/tokens, data/tokenize/labels.json, data/split/{train,val}.parquet, data/download/model
Writes:  data/finetune/SEED/model (save_pretrained and tokenizer files), curve.csv, stats.json
Params:  finetune

Example: python -m stages.finetune 42
"""

import time

from lightning.pytorch import seed_everything

from stages import entry
from stages.files import read_json, write_json
from stages.finetune.batches import train_loader, val_loader
from stages.finetune.classifier import Classifier
from stages.finetune.encoder import check_fit, load_encoder, save_model
from stages.finetune.results import describe, write_curve
from stages.finetune.training import fit
from stages.finetune.weights import label_weights
from stages.params import Params
from stages.paths import Paths
from stages.tokens import open_tokens, read_positions


def main(params: Params, paths: Paths, seed: int) -> dict[str, float]:
    """Train with one seed; the weights that are saved are those of the epoch with the best `finetune.monitor`."""
    options = params.finetune
    labels = read_json(paths.labels)
    tokens = open_tokens(paths.tokens)
    train, val = read_positions(paths.split("train")), read_positions(paths.split("val"))
    seed_everything(seed, verbose=False)
    model = load_encoder(paths.encoder, labels=labels)
    check_fit(model.config, tokens)
    classifier = Classifier(
        model,
        num_labels=len(labels),
        learning_rate=options.learning_rate,
        weight_decay=options.weight_decay,
        warmup_ratio=options.warmup_ratio,
        class_weights=label_weights(options.class_weights, labels=labels, train_labels=tokens.labels[train]),
    )
    started = time.monotonic()
    fitted = fit(
        classifier,
        train_loader(tokens, train, batch_size=options.batch_size, pad_token_id=model.config.pad_token_id, seed=seed),
        val_loader(tokens, val, batch_size=options.batch_size, pad_token_id=model.config.pad_token_id),
        max_epochs=options.max_epochs,
        gradient_clip=options.gradient_clip,
        monitor=options.monitor,
        patience=options.patience,
        accelerator=options.accelerator,
        precision=options.precision,
        checkpoints=paths.checkpoints / f"finetune-{seed}",
    )
    train_seconds = time.monotonic() - started
    save_model(model, paths.finetuned(seed), encoder=paths.encoder)
    write_curve(paths.curve(seed), fitted.curve)
    write_json(paths.finetune_stats(seed), describe(options.method, model, fitted, tokens, train=train, val=val))
    return {"train_seconds": round(train_seconds, 2)}


if __name__ == "__main__":
    entry.run(main, stage="finetune", doc=__doc__, item=entry.Item("seed", kind=int))
