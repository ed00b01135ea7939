"""Predict the rows of one fold with a model that is trained on the rows of the other folds.

Reads:   data/split/folds (FOLD.parquet, tokens.arrow), data/tokenize/labels.json, data/download/model
Writes:  data/crossfit/FOLD/predictions.parquet
Params:  crossfit, finetune; and machine, which changes no output

What a frozen encoder computes of the rows is kept for the other folds, and for finetune, outside DVC (.retune/rows).

Example: python -m stages.crossfit --fold 1
"""

import logging

import numpy as np

from stages import entry
from stages.crossfit.frozen import answer_with_frozen
from stages.finetune.devices import process_rank
from stages.finetune.inputs import Inputs
from stages.folds import read_fold, write_answers
from stages.params import Params
from stages.paths import Paths
from stages.targets.target import read_target
from stages.tokens import open_tokens

log = logging.getLogger(__name__)


def main(params: Params, paths: Paths, fold: int) -> dict[str, float]:
    """Train without the rows of the fold, and write what the model answers for them."""
    if process_rank():
        logging.getLogger("stages").setLevel(logging.ERROR)  # the first process says what all do
    tokens = open_tokens(paths.folds, labels=np.zeros(0))
    rows = read_fold(paths.fold(fold), rows=len(tokens))
    inputs = Inputs(read_target(paths.labels), tokens, rows.train, rows.val).with_labels(rows.labels)
    if params.crossfit.method == "frozen":
        answers, timings = answer_with_frozen(inputs, rows, params, paths)
    else:
        from stages.crossfit.finetuned import answer_with_finetuned  # Lightning takes seconds to import

        answers, timings = answer_with_finetuned(inputs, rows.predicted, params, paths, fold=fold)
    write_answers(paths.fold_predictions(fold), rows.predicted, answers)
    trained = len(rows.train) + len(rows.val)
    log.info("fold %d: %d rows, predicted by a model of %d others", fold, len(rows.predicted), trained)
    return timings


if __name__ == "__main__":
    entry.run(main, stage="crossfit", doc=__doc__, argument=entry.Argument("--fold", int))
