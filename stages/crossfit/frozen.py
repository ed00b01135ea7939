"""A fold's model as a linear one on the features of the frozen encoder, which are computed once for all folds."""

import numpy as np
from numpy.typing import NDArray

from stages.crossfit.linear import HEADS
from stages.finetune.inputs import Inputs
from stages.finetune.pretrained import pretrained_features
from stages.params import Params
from stages.paths import Paths


def answer_with_frozen(
    inputs: Inputs, predicted: NDArray[np.int64], params: Params, paths: Paths
) -> tuple[NDArray[np.float32], dict[str, float]]:
    """Fit a linear model, and return its answers for the rows at `predicted`, (rows, outputs), and the timings.

    Args:
        inputs: Tokens, labels, and the rows that train, and choose how strongly weights are held at 0.
        predicted: Positions of the fold's rows; shape (rows,).
        params: Of the project; of section finetune what decides the features.
        paths: Of the project.
    """
    rows = np.sort(np.concatenate([inputs.train, inputs.val, predicted]))  # the same for every fold
    features, timings = pretrained_features(inputs.tokens, rows, params, paths)
    train, val, own = (features[np.searchsorted(rows, part)] for part in (inputs.train, inputs.val, predicted))
    of_train, of_val = inputs.train_labels, inputs.tokens.labels[inputs.val]
    fit = HEADS[inputs.target.kind]
    return fit((train, of_train), (val, of_val), own, outputs=len(inputs.labels)), timings
