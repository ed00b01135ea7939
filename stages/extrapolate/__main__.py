"""Measure how the metric grows with the number of labelled rows, and read on what more of them would bring.

The model is a linear one on the features of the frozen encoder, so that a hundred are fitted in seconds.

Reads   data/tokenize/tokens, data/tokenize/labels.json, data/split/{train,val,test}.parquet, data/download/model
Writes  data/extrapolate/SEED/forecast.json
Params  extrapolate, finetune.head.pooling, finetune.accelerator, finetune.precision, evaluate.metric,
        evaluate.confidence, split.duplicates

Example: python -m stages.extrapolate --seed 42
"""

import logging

import numpy as np

from stages import entry
from stages.components import read_components
from stages.errors import DataError
from stages.extrapolate.curve import curve_sizes, draw_answers
from stages.extrapolate.forecast import fit_curve, forecast_json
from stages.extrapolate.heads import HEADS, scaled
from stages.files import write_json
from stages.finetune.pretrained import pretrained_features
from stages.params import Params
from stages.paths import Paths
from stages.targets.target import read_target
from stages.tokens import open_tokens, read_positions

log = logging.getLogger(__name__)


def main(params: Params, paths: Paths, seed: int) -> dict[str, float]:
    target, tokens = read_target(paths.labels), open_tokens(paths.tokens)
    train, val, test = (read_positions(paths.split(name)) for name in ("train", "val", "test"))
    measured = np.concatenate([val, test])
    if not len(measured):
        raise DataError("val and test have no rows. Set split.val or split.test to a share above 0.")
    sizes, head = curve_sizes(len(train)), HEADS[target.kind]
    vectors, timings = pretrained_features(tokens, np.concatenate([train, measured]), params, paths)
    features = scaled(vectors.astype(np.float64), np.arange(len(train)))
    answers = draw_answers(
        head,
        features[: len(train)],
        tokens.labels[train],
        read_components(paths.tokens, train, duplicates="together"),
        features[len(train) :],
        sizes=sizes,
        draws=params.extrapolate.draws,
        seed=seed,
    )
    curve = fit_curve(
        head.score,
        tokens.labels[measured],
        answers,
        metric=target.leading(params.evaluate.metric),
        sizes=sizes,
        groups=read_components(paths.tokens, measured, duplicates=params.split.duplicates),
        seed=seed,
    )
    content = forecast_json(curve, measured=len(measured), confidence=params.evaluate.confidence)
    write_json(paths.forecast(seed), content)
    for gain in content["gains"]:
        if content["contradiction"]:
            log.info("%s more rows: no forecast of %s, whose points contradict a power law", gain["rows"], curve.metric)
        elif gain["known"]:
            log.info("%s more rows: %s %+.3f to %+.3f", gain["rows"], curve.metric, gain["low"], gain["high"])
        else:
            log.info("%s more rows: no forecast of %s, which could become anything", gain["rows"], curve.metric)
    return timings


if __name__ == "__main__":
    entry.run(main, stage="extrapolate", doc=__doc__, argument=entry.Argument("--seed", int))
