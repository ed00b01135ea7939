"""What is to be beaten: the most frequent label, and TF-IDF with logistic regression; fitted on train."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from stages.metrics.bootstrap import Bootstrap
from stages.metrics.classification import count_scores, mean_scores, row_values
from stages.metrics.estimates import difference
from stages.report.summary import decimals

Ints = NDArray[np.int64]
Floats32 = NDArray[np.float32]

COMPARED = ("accuracy", "balanced_accuracy", "macro_f1", "mcc", "auroc", "log_loss")
MOST_WORDS = 50_000  # words and pairs of words; the rarer ones are left out


def predict_majority(labels: Ints, rows: int, *, num_labels: int) -> Floats32:
    """Return for every one of `rows` how frequent each label is in train; shape (rows, num_labels)."""
    shares = np.bincount(labels, minlength=num_labels) / len(labels)
    return np.tile(shares.astype(np.float32), (rows, 1))


def predict_tfidf(
    train_texts: Sequence[str], train_labels: Ints, texts: Sequence[str], *, num_labels: int, most_rows: int, seed: int
) -> Floats32:
    """Fit TF-IDF of words and pairs of words with logistic regression, and predict `texts`.

    Args:
        train_texts: Texts of train.
        train_labels: Their labels; shape (train rows,).
        texts: What to predict.
        num_labels: Classes of the task.
        most_rows: At most so many rows of train are used, drawn at random (>= 1).
        seed: Of that draw.

    Returns:
        Shape (rows, num_labels).
    """
    rows: Ints = np.arange(len(train_labels))
    if len(rows) > most_rows:
        rows = np.sort(np.random.default_rng(seed).choice(rows, most_rows, replace=False))
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, max_features=MOST_WORDS, dtype=np.float32)
    try:
        words = vectorizer.fit_transform([train_texts[row] for row in rows.tolist()])
    except ValueError:  # no text holds a word of two letters: nothing to learn from
        return predict_majority(train_labels, len(texts), num_labels=num_labels)
    classes = np.unique(train_labels[rows])
    probabilities = np.zeros((len(texts), num_labels), dtype=np.float32)
    if len(classes) < 2:
        probabilities[:, classes] = 1
        return probabilities
    # L-BFGS takes ten times as long, and with many classes its tolerance is met before it has learned anything
    model = LogisticRegression(C=10.0, solver="newton-cg", max_iter=200, tol=1e-4).fit(words, train_labels[rows])
    probabilities[:, classes] = model.predict_proba(vectorizer.transform(texts))
    return probabilities


def compare(
    labels: Ints, model: Floats32, baselines: Mapping[str, Floats32], *, ordered: bool, bootstrap: Bootstrap
) -> dict[str, dict[str, dict[str, float]]]:
    """Score the baselines on the same rows, with the model's lead over each.

    Args:
        labels: Given labels; shape (rows,).
        model: The champion's probabilities; shape (rows, num_labels).
        baselines: The baselines' probabilities by name.
        ordered: Whether the classes have an order.
        bootstrap: Of the intervals.

    Returns:
        `{baseline: {metric: {"value", "difference", "low", "high"}}}`: the baseline's value, and the model's less
        the baseline's with its paired interval.
    """
    return {
        name: _compare_one(labels, model, baseline, ordered=ordered, bootstrap=bootstrap)
        for name, baseline in baselines.items()
    }


def _compare_one(
    labels: Ints, model: Floats32, other: Floats32, *, ordered: bool, bootstrap: Bootstrap
) -> dict[str, dict[str, float]]:
    ones = np.ones(len(labels), dtype=np.int64)
    scores = count_scores(ones, labels, np.argmax(other, axis=1), num_labels=other.shape[1])
    scores |= mean_scores(row_values(labels, other))(ones)
    leads = difference(labels, model, other, ordered=ordered, bootstrap=bootstrap)
    entries = {}
    for name in COMPARED:
        lead = leads[name]
        digits = decimals(lead.low, lead.high)
        numbers = {"value": float(scores[name]), "difference": lead.value, "low": lead.low, "high": lead.high}
        entries[name] = {key: round(number, digits) + 0.0 for key, number in numbers.items()}
    return entries
