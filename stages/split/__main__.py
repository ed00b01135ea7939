"""Divide the rows into train, val and test by a seed, with duplicates and groups kept together.

Reads:  data/tokenize/tokens (labels, groups, official splits and text keys; token ids for folds alone), labels.json
Writes: data/split/: train.parquet, val.parquet, test.parquet (positions of the rows), stats.json, folds/
Params: split, crossfit.folds, crossfit.seed

Example: python -m stages.split
"""

import logging

import numpy as np

from stages import entry
from stages.files import write_json
from stages.params import Params
from stages.paths import Paths
from stages.split.division import divide, write_positions
from stages.split.folds import divide_into_folds, write_folds
from stages.split_inputs import read_inputs
from stages.targets.target import read_target
from stages.tokens import TOKENS_FILE

log = logging.getLogger(__name__)


def main(params: Params, paths: Paths) -> None:
    inputs = read_inputs(paths.tokens / TOKENS_FILE)
    positions, stats = divide(inputs, read_target(paths.labels), params.split)
    for note in stats["notes"]:
        log.warning("%s", note)
    for name, rows in positions.items():
        write_positions(paths.split(name), rows)
    write_json(paths.split_stats, stats)
    rows = np.sort(np.concatenate(list(positions.values())))
    folds = divide_into_folds(inputs, rows, folds=params.crossfit.folds, seed=params.crossfit.seed)
    write_folds(paths, folds, inputs)


if __name__ == "__main__":
    entry.run(main, stage="split", doc=__doc__)
