"""Predict val and test with one fine-tuned model, and measure the predictions.

Reads   data/tokenize/tokens, data/tokenize/labels.json, data/split/{val,test}.parquet, data/finetune/SEED/model
Writes  data/evaluate/SEED/predictions.parquet, metrics.json, confusion.csv, calibration.csv
Params  evaluate, split.duplicates

Example: python -m stages.evaluate --seed 42
"""

import logging
import time

from transformers import PreTrainedModel

from stages import entry
from stages.components import read_components
from stages.evaluate.kinds import EVALUATIONS, check_kind
from stages.files import write_json
from stages.inference.loading import load_model, predict_tokens
from stages.metrics.names import metric_name
from stages.params import Params
from stages.paths import Paths
from stages.predictions import Predictions, write_predictions
from stages.targets.target import read_target
from stages.tokens import open_tokens, read_column, read_positions

log = logging.getLogger(__name__)


def main(params: Params, paths: Paths, seed: int) -> dict[str, float]:
    options, target = params.evaluate, read_target(paths.labels)
    metric = target.leading(options.metric)
    model = load_model(paths.finetuned(seed))
    check_kind(model.config, target, folder=paths.finetuned(seed))
    start = time.perf_counter()
    raw = predict_splits(paths, model, batch_size=options.batch_size, duplicates=params.split.duplicates)
    seconds = time.perf_counter() - start
    splits, metrics = EVALUATIONS[target.kind](raw, target, options, folder=paths.evaluation(seed))
    write_predictions(paths.predictions(seed), splits)
    write_json(paths.metrics(seed), metrics)
    for split in splits:
        if value := metrics[split].get(metric):  # a split without rows has no metrics
            name = metric_name(split, metric)
            log.info("%s %.3f (%.3f to %.3f)", name, value["value"], value["low"], value["high"])
    return {"predict_seconds": round(seconds, 1)}


def predict_splits(paths: Paths, model: PreTrainedModel, *, batch_size: int, duplicates: str) -> dict[str, Predictions]:
    """Return a model's predictions for val and test; `duplicates` as in `connect_rows`."""
    tokens, ids = open_tokens(paths.tokens), read_column(paths.tokens, "id")
    splits = {}
    for name in ("val", "test"):
        positions = read_positions(paths.split(name))
        splits[name] = Predictions(
            positions=positions,
            ids=ids.take(positions).to_pylist(),
            labels=tokens.labels[positions],
            probabilities=predict_tokens(model, tokens, positions, batch_size=batch_size),
            tokens=tokens.lengths[positions],
            groups=read_components(paths.tokens, positions, duplicates=duplicates),
        )
    return splits


if __name__ == "__main__":
    entry.run(main, stage="evaluate", doc=__doc__, argument=entry.Argument("--seed", int))
