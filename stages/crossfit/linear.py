"""Linear models on features: logistic regression of classes and of each label of a set, ridge regression of a number.

They are convex, so each has one solution, without epochs or a learning rate. How strongly weights are held at 0 is
chosen on the fold's val; then the model is fitted again on both.
"""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, Ridge

from stages.targets.target import Kind

Floats = NDArray[np.float32]
Labelled = tuple[Floats, NDArray[Any]]  # features, (rows, width), and labels, (rows, ...)

STRENGTHS = 10.0 ** np.arange(5, -2, -1)  # of the squared weights against the sum of the losses, strongest first
MOST_STEPS = 500  # of L-BFGS
LEAST = 1e-7  # of a probability, so that its logarithm is finite


def fit_classes(train: Labelled, val: Labelled, features: Floats, *, outputs: int) -> Floats:
    """Return the probability of each class for rows with these features; shape (rows, outputs).

    A class that no row of train and val has gets 0. `train`, `val` and `features` are of different rows.
    """
    (train, val), features = _standardised([train, val], features)
    strength, best = STRENGTHS[0], np.inf
    model: Any = LogisticRegression(warm_start=True, max_iter=MOST_STEPS)
    for weaker in STRENGTHS:  # from one to the next the loss on val falls, then rises; the weakest take the most steps
        probabilities = _probabilities(model.set_params(C=1 / weaker), train, val[0], outputs)
        own = probabilities[np.arange(len(val[1])), val[1]]
        loss = float(-np.log(np.maximum(own, LEAST)).mean())
        if loss >= best:
            break
        strength, best = weaker, loss
    last = LogisticRegression(C=1 / strength, max_iter=MOST_STEPS)
    return _probabilities(last, _joined(train, val), features, outputs)


def fit_label_set(train: Labelled, val: Labelled, features: Floats, *, outputs: int) -> Floats:
    """Return the probability of each label, from a model of its own, for rows with these features; (rows, outputs)."""
    columns = [
        fit_classes(
            (train[0], train[1][:, label].astype(np.int64)),
            (val[0], val[1][:, label].astype(np.int64)),
            features,
            outputs=2,
        )[:, 1]
        for label in range(outputs)
    ]
    return np.stack(columns, axis=1)


def fit_number(train: Labelled, val: Labelled, features: Floats, *, outputs: int) -> Floats:
    """Return the number for rows with these features; shape (rows, 1)."""
    (train, val), features = _standardised([train, val], features)
    errors = [
        float(np.square(Ridge(alpha=strength).fit(*train).predict(val[0]) - val[1]).mean()) for strength in STRENGTHS
    ]
    model = Ridge(alpha=STRENGTHS[int(np.argmin(errors))]).fit(*_joined(train, val))
    return np.asarray(model.predict(features)[:, None], dtype=np.float32)


HEADS: Mapping[Kind, Callable[..., Floats]] = {
    "classes": fit_classes,
    "ordered": fit_classes,
    "label_set": fit_label_set,
    "number": fit_number,
}


def _standardised(fitted: list[Labelled], features: Floats) -> tuple[list[Labelled], Floats]:
    """Return all features with mean 0 and standard deviation 1 on the first of `fitted`; constant ones become 0."""
    mean, sd = fitted[0][0].mean(axis=0), fitted[0][0].std(axis=0)
    sd = np.where(sd > 1e-6 * (np.abs(mean) + 1e-6), sd, np.inf).astype(np.float32)
    return [((own - mean) / sd, labels) for own, labels in fitted], (features - mean) / sd


def _joined(train: Labelled, val: Labelled) -> Labelled:
    return np.concatenate([train[0], val[0]]), np.concatenate([train[1], val[1]])


def _probabilities(model: Any, rows: Labelled, features: Floats, outputs: int) -> Floats:
    """Fit, and return the probability of each class, (rows, outputs); 1 where there is only one."""
    classes = np.unique(rows[1])
    probabilities = np.zeros((len(features), outputs), dtype=np.float32)
    if len(classes) < 2:
        probabilities[:, classes] = 1
        return probabilities
    with warnings.catch_warnings():  # of few rows per class, or a model that is nearly fitted: val says how good it is
        warnings.simplefilter("ignore", UserWarning)
        probabilities[:, classes] = model.fit(*rows).predict_proba(features)
    return probabilities
