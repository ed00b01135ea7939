"""Linear models on features: logistic regression of classes and of each label of a set, ridge regression of a number.

They are convex, so each has one solution, without epochs or a learning rate. How strongly weights are held at 0 is
chosen by leaving out parts of the rows, each row once: a fold's val alone has too few to choose by.
"""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from stages.ridge import fit_ridge, leave_out
from stages.targets.target import Kind

Floats = NDArray[np.float32]
Labelled = tuple[Floats, NDArray[Any]]  # features, (rows, width), and labels, (rows, ...)

STRENGTHS = 10.0 ** np.arange(5, -2, -1)  # of the squared weights against the sum of the losses, strongest first
MOST_STEPS = 500  # of L-BFGS
LEAST = 1e-7  # of a probability, so that its logarithm is finite


def fit_classes(rows: Labelled, units: NDArray[np.int64], features: Floats, *, outputs: int) -> Floats:
    """Return the probability of each class for rows with these features; shape (rows, outputs).

    A class that no fitted row has gets 0.

    Args:
        rows: What is fitted.
        units: Equal for rows that are left out together, as in `leave_out`; shape (fitted rows,).
        features: Of other rows.
        outputs: Number of classes.
    """
    rows, features = _standardised(rows, features)
    strength = _choose_strength(rows, units, outputs)
    return _probabilities(LogisticRegression(C=1 / strength, max_iter=MOST_STEPS), rows, features, outputs)


def fit_label_set(rows: Labelled, units: NDArray[np.int64], features: Floats, *, outputs: int) -> Floats:
    """Return the probability of each label, from a model of its own, for rows with these features; (rows, outputs)."""
    columns = [
        fit_classes((rows[0], rows[1][:, label].astype(np.int64)), units, features, outputs=2)[:, 1]
        for label in range(outputs)
    ]
    return np.stack(columns, axis=1)


def fit_number(rows: Labelled, units: NDArray[np.int64], features: Floats, *, outputs: int) -> Floats:
    """Return the number for rows with these features; shape (rows, 1)."""
    rows, features = _standardised(rows, features)
    return np.asarray(fit_ridge(*rows, units).predict(features)[:, None], dtype=np.float32)


HEADS: Mapping[Kind, Callable[..., Floats]] = {
    "classes": fit_classes,
    "ordered": fit_classes,
    "label_set": fit_label_set,
    "number": fit_number,
}


def _standardised(rows: Labelled, features: Floats) -> tuple[Labelled, Floats]:
    """Return all features with mean 0 and standard deviation 1 on the fitted rows; constant ones become 0."""
    mean, sd = rows[0].mean(axis=0), rows[0].std(axis=0)
    sd = np.where(sd > 1e-6 * (np.abs(mean) + 1e-6), sd, np.inf).astype(np.float32)
    return ((rows[0] - mean) / sd, rows[1]), (features - mean) / sd


def _choose_strength(rows: Labelled, units: NDArray[np.int64], outputs: int) -> float:
    """Return the strength with the least log loss on rows that are left out."""
    divided = list(leave_out(units))
    if not divided:
        return float(np.median(STRENGTHS))
    models: list[Any] = [LogisticRegression(warm_start=True, max_iter=MOST_STEPS) for _ in divided]
    strength, least = float(STRENGTHS[0]), np.inf
    for (
        weaker
    ) in STRENGTHS.tolist():  # from one to the next the loss falls, then rises; the weakest take the most steps
        loss = 0.0
        for model, (kept, left) in zip(models, divided, strict=True):
            fitted = rows[0][kept], rows[1][kept]
            probabilities = _probabilities(model.set_params(C=1 / weaker), fitted, rows[0][left], outputs)
            loss -= float(np.log(np.maximum(probabilities[np.arange(len(left)), rows[1][left]], LEAST)).sum())
        if loss >= least:
            break
        strength, least = weaker, loss
    return strength


def _probabilities(model: Any, rows: Labelled, features: Floats, outputs: int) -> Floats:
    """Fit, and return the probability of each class, (rows, outputs); 1 where there is only one."""
    classes = np.unique(rows[1])
    probabilities = np.zeros((len(features), outputs), dtype=np.float32)
    if len(classes) < 2:
        probabilities[:, classes] = 1
        return probabilities
    with (
        warnings.catch_warnings()
    ):  # of few rows per class, or a model that is nearly fitted: the rows left out say how good it is
        warnings.simplefilter("ignore", UserWarning)
        probabilities[:, classes] = model.fit(*rows).predict_proba(features)
    return probabilities
