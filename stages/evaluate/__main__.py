"""Predict val and test with one fine-tuned model, and measure the predictions.

Reads   data/tokenize/tokens, data/tokenize/labels.json, data/split/{val,test}.parquet, data/finetune/SEED/model
Writes  data/evaluate/SEED/predictions.parquet, metrics.json, confusion.csv, calibration.csv
Params  evaluate, split.duplicates; and machine, which changes no output

Example: python -m stages.evaluate --seed 42
"""

import logging
import time
from typing import TYPE_CHECKING

import numpy as np

from stages import entry
from stages.components import read_components
from stages.evaluate.kinds import EVALUATIONS, check_kind
from stages.files import write_json
from stages.inference.computing import RowComputer
from stages.inference.loading import load_model, logits_computer, precision_of, predict_tokens
from stages.kept.store import open_store
from stages.metrics.names import metric_name
from stages.params import Params
from stages.paths import Paths
from stages.predictions import Predictions, write_predictions
from stages.speed import pass_timings
from stages.targets.target import read_target
from stages.tokens import open_tokens, read_column, read_positions

if TYPE_CHECKING:
    from transformers import PreTrainedModel

log = logging.getLogger(__name__)


def main(params: Params, paths: Paths, seed: int) -> dict[str, float]:
    options, target = params.evaluate, read_target(paths.labels)
    metric = target.leading(options.metric)
    model = load_model(paths.finetuned(seed), precision=options.precision)
    check_kind(model.config, target, folder=paths.finetuned(seed))
    start = time.perf_counter()
    computer = logits_computer(model, store=open_store(paths, params.machine))
    raw = predict_splits(paths, model, duplicates=params.split.duplicates, computer=computer)
    seconds = time.perf_counter() - start
    timings = pass_timings(
        model,
        model.device,
        tokens=computer.computed_tokens,
        seconds=seconds,
        kept=computer.keeps,
        rates=paths.rates,
    )
    splits, metrics = EVALUATIONS[target.kind](raw, target, options, folder=paths.evaluation(seed))
    write_predictions(paths.predictions(seed), splits)
    write_json(paths.metrics(seed), metrics | {"precision": precision_of(model)})
    for split in splits:
        if value := metrics[split].get(metric):  # a split without rows has no metrics
            name = metric_name(split, metric)
            log.info("%s %.3f (%.3f to %.3f)", name, value["value"], value["low"], value["high"])
    return {"predict_seconds": round(seconds, 1), **timings}


def predict_splits(
    paths: Paths, model: "PreTrainedModel", *, duplicates: str, computer: RowComputer | None = None
) -> dict[str, Predictions]:
    """Return a model's predictions for val and test.

    Args:
        paths: Of the project.
        model: From `load_model`.
        duplicates: As in `connect_rows`.
        computer: As in `predict_tokens`.
    """
    tokens, ids = open_tokens(paths.tokens), read_column(paths.tokens, "id")
    positions = {name: read_positions(paths.split(name)) for name in ("val", "test")}
    probabilities = predict_tokens(model, tokens, np.concatenate([*positions.values()]), computer=computer)
    parts = np.split(probabilities, [len(positions["val"])])
    return {
        name: Predictions(
            positions=rows,
            ids=ids.take(rows).to_pylist(),
            labels=tokens.labels[rows],
            probabilities=part,
            tokens=tokens.lengths[rows],
            groups=read_components(paths.tokens, rows, duplicates=duplicates),
        )
        for (name, rows), part in zip(positions.items(), parts, strict=True)
    }


if __name__ == "__main__":
    entry.run(main, stage="evaluate", doc=__doc__, argument=entry.Argument("--seed", int))
