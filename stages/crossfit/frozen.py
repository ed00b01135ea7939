"""A fold's model as a linear one on the features of the frozen encoder, which are computed once for all folds."""

import numpy as np
from numpy.typing import NDArray

from stages.crossfit.linear import HEADS
from stages.finetune.inputs import Inputs
from stages.finetune.pretrained import pretrained_features
from stages.folds import Fold
from stages.params import Params
from stages.paths import Paths


def answer_with_frozen(
    inputs: Inputs, fold: Fold, params: Params, paths: Paths
) -> tuple[NDArray[np.float32], dict[str, float]]:
    """Fit a linear model, and return its answers for the fold's rows, (rows, outputs), and the timings.

    Args:
        inputs: Tokens, and labels of the rows of other folds.
        fold: Which rows the model is fitted on, those of train and val, and which it predicts.
        params: Of the project; of section finetune what decides the features.
        paths: Of the project.
    """
    fitted = np.concatenate([fold.train, fold.val])
    rows = np.sort(np.concatenate([fitted, fold.predicted]))  # the same for every fold
    features, timings = pretrained_features(inputs.tokens, rows, params, paths)
    own, answered = (features[np.searchsorted(rows, part)] for part in (fitted, fold.predicted))
    fit = HEADS[inputs.target.kind]
    labelled = own, inputs.tokens.labels[fitted]
    answers = fit(labelled, fold.units[fitted], answered, outputs=len(inputs.labels))
    return answers, timings
