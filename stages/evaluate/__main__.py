"""Predict val and test with one fine-tuned model, and measure it.

Reads   data/tokenize/tokens, data/tokenize/labels.json, data/split/{val,test}.parquet, data/finetune/SEED/model
Writes  data/evaluate/SEED/predictions.parquet, metrics.json, confusion.csv, calibration.csv
Params  evaluate

Example: python -m stages.evaluate 42
"""

import logging
import time

from stages import entry
from stages.evaluate.metrics import calibration_rows, describe
from stages.evaluate.plots import write_calibration, write_confusion
from stages.files import read_json, write_json
from stages.inference.loading import load_model, predict_tokens
from stages.metrics.estimates import are_ordered
from stages.params import Params
from stages.paths import Paths
from stages.predictions import Predictions, write_predictions
from stages.tokens import open_tokens, read_column, read_positions

log = logging.getLogger(__name__)


def main(params: Params, paths: Paths, seed: int) -> dict[str, float]:
    options = params.evaluate
    labels, tokens = read_json(paths.labels), open_tokens(paths.tokens)
    ids = read_column(paths.tokens, "id")
    model = load_model(paths.finetuned(seed))
    splits = {}
    start = time.perf_counter()
    for name in ("val", "test"):
        positions = read_positions(paths.split(name))
        probabilities = predict_tokens(model, tokens, positions, batch_size=options.batch_size)
        splits[name] = Predictions(positions, ids.take(positions).to_pylist(), tokens.labels[positions], probabilities)
    predicted = time.perf_counter() - start
    bootstrap = options.model_dump(include={"resamples", "confidence", "seed"})
    ordered = are_ordered(labels, options.ordered)
    metrics = describe(splits, labels, metric=options.metric, ordered=ordered, **bootstrap)
    calibration = calibration_rows(splits["test"], metrics["calibration"]["temperature"])
    write_predictions(paths.predictions(seed), splits)
    write_confusion(paths.evaluation(seed) / "confusion.csv", splits["test"], labels)
    write_calibration(paths.evaluation(seed) / "calibration.csv", calibration)
    write_json(paths.metrics(seed), metrics)
    for name in splits:
        if value := metrics[name].get(options.metric):  # none of a split without rows
            log.info("%s: %s %.3f (%.3f to %.3f)", name, options.metric, value["value"], value["low"], value["high"])
    return {"predict_seconds": round(predicted, 1)}


if __name__ == "__main__":
    entry.run(main, stage="evaluate", doc=__doc__, argument=entry.Argument("seed", int))
