"""A fold's model as section finetune says, fine-tuned on the rows of the other folds."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.finetune.inputs import Inputs
from stages.finetune.train import train
from stages.inference.loading import placed, predict_tokens
from stages.params import Params
from stages.paths import Paths
from stages.tokens import TOKENS_FILE


def answer_with_finetuned(
    inputs: Inputs, predicted: NDArray[np.int64], params: Params, paths: Paths, *, fold: int
) -> tuple[NDArray[np.float32], dict[str, float]]:
    """Fine-tune, and return the model's answers for the rows at `predicted`, (rows, outputs), and the timings.

    Args:
        inputs: Tokens, labels, and the rows that train, and choose the epoch.
        predicted: Positions of the fold's rows; shape (rows,).
        params: Of the project.
        paths: Of the project.
        fold: Its number.
    """
    encoder = sorted(paths.encoder.glob("*.*"))
    files = [paths.labels, paths.fold(fold), paths.folds / TOKENS_FILE, *encoder]
    trained = train(inputs, params, paths, seed=params.crossfit.seed, name=f"crossfit-{fold}", files=files)
    model: Any = trained.model
    model = placed(model.eval(), "32" if params.finetune.precision == "32" else "auto")
    return predict_tokens(model, inputs.tokens, predicted), trained.timings
