"""Linear models on features, and the metrics of their answers, by the kind of target; fast enough to fit hundreds."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from stages.metrics.classification import cell_features, score_sums
from stages.metrics.label_sets import score_sets, set_features
from stages.metrics.regression import number_scores
from stages.ridge import fit_ridge
from stages.targets.target import Kind

Floats = NDArray[np.float64]

STRENGTH = 0.1  # of logistic regression: of the squared weights against the summed losses, of scaled features
MOST_STEPS = 300  # of L-BFGS


class Predict(Protocol):
    """Fits a head, and answers."""

    def __call__(self, train: Floats, labels: NDArray[Any], units: NDArray[np.int64], features: Floats) -> NDArray[Any]:
        """Return the answers of a head that is fitted on `train`, (rows, width), and `labels`, (rows, ...).

        What it chooses, it chooses on these rows, where those of one unit, (rows,), belong together.
        """


class Score(Protocol):
    """Scores answers of weighted rows."""

    def __call__(self, weights: Floats, labels: NDArray[Any], answers: NDArray[Any], /) -> Mapping[str, Floats]:
        """Return the metrics, (resamples,) each; `weights` has the shape (resamples, rows)."""


@dataclass(frozen=True)
class Head:
    """A linear model of a kind of target, and its metrics."""

    predict: Predict
    score: Score


def scaled(features: NDArray[np.float64], reference: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return features with, over the rows `reference`, mean 0 and a mean square norm of 1."""
    centred = features - features[reference].mean(axis=0)
    norm = np.sqrt((centred[reference] ** 2).sum(axis=1).mean())
    return np.asarray(centred / (norm or 1.0))


def _predict_class(
    train: Floats, labels: NDArray[Any], units: NDArray[np.int64], features: Floats
) -> NDArray[np.int64]:
    first = labels[0]
    if (labels == first).all():
        return np.full(len(features), first, dtype=np.int64)
    with warnings.catch_warnings():  # of few rows per class; and a head that is nearly fitted answers like one that is
        warnings.simplefilter("ignore", UserWarning)
        model = LogisticRegression(C=1 / STRENGTH, max_iter=MOST_STEPS, tol=1e-3).fit(train, labels)
    return np.asarray(model.predict(features), dtype=np.int64)


def _predict_set(train: Floats, labels: NDArray[Any], units: NDArray[np.int64], features: Floats) -> NDArray[np.bool_]:
    columns = [_predict_class(train, column.astype(np.int64), units, features) for column in labels.T]
    return np.stack(columns, axis=1).astype(np.bool_)


def _predict_number(train: Floats, labels: NDArray[Any], units: NDArray[np.int64], features: Floats) -> Floats:
    return fit_ridge(train, labels, units).predict(features)


def _score_classes(weights: Floats, labels: NDArray[Any], answers: NDArray[Any]) -> Mapping[str, Floats]:
    num_labels = int(max(labels.max(), answers.max())) + 1
    return score_sums(
        weights @ cell_features(labels, answers, num_labels=num_labels), num_labels=num_labels, ordered=True
    )


def _score_sets(weights: Floats, labels: NDArray[Any], answers: NDArray[Any]) -> Mapping[str, Floats]:
    return score_sets(weights @ set_features(labels, answers), num_labels=labels.shape[1])


HEADS: Mapping[Kind, Head] = {
    "classes": Head(_predict_class, _score_classes),
    "ordered": Head(_predict_class, _score_classes),
    "label_set": Head(_predict_set, _score_sets),
    "number": Head(_predict_number, number_scores),
}
