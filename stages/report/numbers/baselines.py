"""Baselines of a number, fitted on train: the mean, and ridge regression on TF-IDF."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from stages.metrics.number_intervals import number_differences
from stages.metrics.regression import METRICS, number_scores
from stages.metrics.summary import exact
from stages.paths import Paths
from stages.report.baselines import BaselineScore, sample_rows, weigh_words
from stages.report.numbers.results import Results
from stages.report.rows import read_texts, read_train

Floats = NDArray[np.float64]


def predict_baselines(paths: Paths, results: Results, *, max_train_rows: int) -> dict[str, Floats]:
    """Return the numbers that each baseline predicts for the rows of the report's split; shape (rows,) each.

    Args:
        paths: Of the project.
        results: Of all seeds.
        max_train_rows: TF-IDF is fitted on at most this many rows of train; 0 leaves it out.
    """
    texts, numbers = read_train(paths)
    rows = results.predictions.positions
    baselines = {"mean": np.full(len(rows), float(np.mean(numbers)))}
    if max_train_rows:
        baselines["tfidf_ridge"] = predict_tfidf(
            texts, numbers.astype(np.float64), read_texts(paths, rows), max_train_rows=max_train_rows, seed=0
        )
    return baselines


def predict_tfidf(
    train_texts: Sequence[str], numbers: Floats, texts: Sequence[str], *, max_train_rows: int, seed: int
) -> Floats:
    """Fit ridge regression on TF-IDF of words and pairs of words, and predict `texts`; shape (rows,).

    Args:
        train_texts: Texts of train.
        numbers: Their numbers; shape (train rows,).
        texts: Texts to predict.
        max_train_rows: A larger train is sampled down to this many rows (>= 1).
        seed: Of the sampling.
    """
    rows = sample_rows(len(numbers), max_train_rows, seed=seed)
    words = weigh_words([train_texts[row] for row in rows.tolist()], texts, outputs=1, dtype=np.float64)
    if words is None:
        return np.full(len(texts), float(numbers.mean()))
    model = Ridge(alpha=1.0, solver="sparse_cg", tol=1e-6).fit(words[0], numbers[rows])
    return np.asarray(model.predict(words[1]), dtype=np.float64)


def score_baselines(
    results: Results, baselines: Mapping[str, Floats], *, confidence: float
) -> dict[str, dict[str, BaselineScore]]:
    """Return each baseline's metrics on the rows of the champion, and the champion's lead with its interval."""
    predictions = results.predictions
    numbers, model = predictions.labels.astype(np.float64), predictions.preds.astype(np.float64)
    scores = {}
    for name, baseline in baselines.items():
        values = number_scores(np.ones(len(numbers)), numbers, baseline)
        leads = number_differences(numbers, model, baseline, groups=predictions.groups, confidence=confidence)
        scores[name] = {
            metric: BaselineScore(
                exact(values[metric]), exact(leads[metric].value), exact(leads[metric].low), exact(leads[metric].high)
            )
            for metric in METRICS
        }
    return scores
