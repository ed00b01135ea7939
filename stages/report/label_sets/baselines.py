"""Baselines of label sets, fitted on train: the most frequent set, and TF-IDF with a logistic regression per label."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from stages.metrics.bootstrap import Bootstrap
from stages.metrics.label_set_intervals import SetModel, measure_sets, set_differences
from stages.metrics.set_rule import THRESHOLD
from stages.metrics.summary import exact
from stages.paths import Paths
from stages.report.baselines import BaselineScore, sample_rows, weigh_words
from stages.report.label_sets.results import Results
from stages.report.rows import read_texts, read_train

Flags = NDArray[np.bool_]
Floats32 = NDArray[np.float32]


def predict_baselines(paths: Paths, results: Results, *, max_train_rows: int) -> dict[str, SetModel]:
    """Return what each baseline answers for the rows of the report's split.

    Args:
        paths: Of the project.
        results: Of all seeds.
        max_train_rows: TF-IDF is fitted on at most this many rows of train; 0 leaves it out.
    """
    texts, learned = read_train(paths)
    labels: Flags = learned.astype(np.bool_)
    rows = results.predictions.positions
    baselines = {"frequent_set": predict_frequent_set(labels, len(rows))}
    if max_train_rows:
        probabilities = predict_tfidf(texts, labels, read_texts(paths, rows), max_train_rows=max_train_rows, seed=0)
        baselines["tfidf"] = SetModel(probabilities, probabilities, probabilities >= THRESHOLD)
    return baselines


def predict_frequent_set(labels: Flags, rows: int) -> SetModel:
    """Answer each row with the most frequent set of train, and with the share of train that has each label.

    Args:
        labels: Which labels each row of train has; shape (train rows, num_labels).
        rows: To answer.
    """
    sets, counts = np.unique(labels, axis=0, return_counts=True)
    shares = np.tile(labels.mean(axis=0).astype(np.float32), (rows, 1))
    return SetModel(shares, shares, np.tile(sets[counts.argmax()], (rows, 1)))


def predict_tfidf(
    train_texts: Sequence[str], train_labels: Flags, texts: Sequence[str], *, max_train_rows: int, seed: int
) -> Floats32:
    """Fit TF-IDF of words and pairs of words with a logistic regression for each label, and predict `texts`.

    Args:
        train_texts: Texts of train.
        train_labels: Which labels they have; shape (train rows, num_labels).
        texts: Texts to predict.
        max_train_rows: A larger train is sampled down to this many rows (>= 1).
        seed: Of the sampling.

    Returns:
        The probability of each label; shape (rows, num_labels).
    """
    rows = sample_rows(len(train_labels), max_train_rows, seed=seed)
    shares = train_labels[rows].mean(axis=0).astype(np.float32)
    probabilities = np.tile(shares, (len(texts), 1))
    words = weigh_words([train_texts[row] for row in rows.tolist()], texts, outputs=train_labels.shape[1])
    if words is None:
        return probabilities
    varied = np.flatnonzero((shares > 0) & (shares < 1))  # all others are the same in every row: nothing to learn
    if len(varied):
        model = OneVsRestClassifier(LogisticRegression(C=10.0, solver="newton-cg", max_iter=200, tol=1e-4))
        model.fit(words[0], train_labels[rows][:, varied].astype(np.int64))
        answers = np.asarray(model.predict_proba(words[1])).reshape(len(texts), -1)
        probabilities[:, varied] = answers[:, -len(varied) :]  # of a single label it returns both shares
    return probabilities


def score_baselines(
    results: Results, baselines: Mapping[str, SetModel], bootstrap: Bootstrap
) -> dict[str, dict[str, BaselineScore]]:
    """Return each baseline's metrics on the rows of the champion, and the champion's lead with its interval."""
    predictions, model = results.predictions, results.champion.answers(results.split)
    labels, groups = predictions.labels, predictions.groups
    scores = {}
    for name, baseline in baselines.items():
        values = measure_sets(labels, [baseline], groups=groups, bootstrap=bootstrap)
        leads = set_differences(labels, model, baseline, groups=groups, bootstrap=bootstrap)
        scores[name] = {
            metric: BaselineScore(*map(exact, (values[metric].value, lead.value, lead.low, lead.high)))
            for metric, lead in leads.items()
        }
    return scores
