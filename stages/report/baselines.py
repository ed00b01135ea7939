"""Baselines to compare the model with: the majority class, and TF-IDF with logistic regression; fitted on train."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from stages.metrics.bootstrap import Bootstrap
from stages.metrics.classification import count_scores, row_values
from stages.metrics.estimates import difference
from stages.metrics.names import OF_ORDERED
from stages.metrics.summary import exact
from stages.paths import Paths
from stages.report.results import Results
from stages.report.rows import read_texts, read_train

Ints = NDArray[np.int64]
Floats32 = NDArray[np.float32]

COMPARED = (*OF_ORDERED, "accuracy", "balanced_accuracy", "macro_f1", "mcc", "auroc", "log_loss")
MAX_FEATURES = 50_000  # the most frequent words and pairs of words
MAX_WEIGHTS = 10_000_000  # features times classes: the solver holds several arrays of them, 2,000 classes took 5 GB


@dataclass(frozen=True)
class BaselineScore:
    """A metric of a baseline, and the difference of the model (model minus baseline) with its interval."""

    value: float
    difference: float
    low: float
    high: float


def predict_baselines(paths: Paths, results: Results, *, max_train_rows: int) -> dict[str, Floats32]:
    """Return the probabilities of each baseline for the rows of the report's split; shape (rows, num_labels) each.

    Args:
        paths: Of the project.
        results: Of all seeds.
        max_train_rows: TF-IDF is fitted on at most this many rows of train; 0 leaves it out.
    """
    texts, labels = read_train(paths)
    num_labels, predictions = len(results.labels), results.predictions
    baselines = {"majority": predict_majority(labels, len(predictions), num_labels=num_labels)}
    if max_train_rows:
        test_texts = read_texts(paths, predictions.positions)
        baselines["tfidf"] = predict_tfidf(
            texts, labels, test_texts, num_labels=num_labels, max_train_rows=max_train_rows, seed=0
        )
    return baselines


def predict_majority(labels: Ints, rows: int, *, num_labels: int) -> Floats32:
    """Return the frequency of each label in train, repeated for each row; shape (rows, num_labels)."""
    shares = np.bincount(labels, minlength=num_labels) / len(labels)
    return np.tile(shares.astype(np.float32), (rows, 1))


def predict_tfidf(
    train_texts: Sequence[str],
    train_labels: Ints,
    texts: Sequence[str],
    *,
    num_labels: int,
    max_train_rows: int,
    seed: int,
) -> Floats32:
    """Fit TF-IDF of words and pairs of words with logistic regression, and predict `texts`.

    Args:
        train_texts: Texts of train.
        train_labels: Their labels; shape (train rows,).
        texts: Texts to predict.
        num_labels: Number of classes.
        max_train_rows: A larger train is sampled down to this many rows (>= 1).
        seed: Of the sampling.

    Returns:
        Shape (rows, num_labels).
    """
    rows = sample_rows(len(train_labels), max_train_rows, seed=seed)
    words = weigh_words([train_texts[row] for row in rows.tolist()], texts, outputs=num_labels)
    if words is None:
        return predict_majority(train_labels, len(texts), num_labels=num_labels)
    classes = np.unique(train_labels[rows])
    probabilities = np.zeros((len(texts), num_labels), dtype=np.float32)
    if len(classes) < 2:
        probabilities[:, classes] = 1
        return probabilities
    # not L-BFGS: it takes ten times as long, and with many classes it stops long before it has converged
    model = LogisticRegression(C=10.0, solver="newton-cg", max_iter=200, tol=1e-4).fit(words[0], train_labels[rows])
    probabilities[:, classes] = model.predict_proba(words[1])
    return probabilities


def sample_rows(rows: int, most: int, *, seed: int) -> Ints:
    """Return all rows, or of more than `most` a random sample; ascending, shape (rows,)."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def weigh_words(
    train_texts: Sequence[str], texts: Sequence[str], *, outputs: int, dtype: type[np.floating] = np.float32
) -> tuple[Any, Any] | None:
    """Return the TF-IDF of words and pairs of words, fitted on train: of its texts, and of `texts`.

    Args:
        train_texts: Texts of train.
        texts: Texts to predict.
        outputs: Of the model: the more, the fewer words.
        dtype: Of the weights.

    Returns:
        Sparse matrices; shape (texts, words). None: no text of train contains a word of two or more letters.
    """
    features = min(MAX_FEATURES, max(1, MAX_WEIGHTS // outputs))
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, max_features=features, dtype=dtype)
    try:
        return vectorizer.fit_transform(train_texts), vectorizer.transform(texts)
    except ValueError:
        return None


def score_baselines(
    results: Results, baselines: dict[str, Floats32], bootstrap: Bootstrap
) -> dict[str, dict[str, BaselineScore]]:
    """Return each baseline's metrics on the rows that the champion is scored on, and the champion's lead.

    Args:
        results: Of all seeds.
        baselines: Probabilities by name of the baseline; shape (rows, num_labels) each.
        bootstrap: Of the intervals.

    Returns:
        The scores by name of the baseline and name of the metric.
    """
    return {name: _score(results, probabilities, bootstrap) for name, probabilities in baselines.items()}


def _score(results: Results, baseline: Floats32, bootstrap: Bootstrap) -> dict[str, BaselineScore]:
    labels, model = results.predictions.labels, results.predictions.probabilities
    counts = np.ones(len(labels), dtype=np.int64)
    preds, num_labels = np.argmax(baseline, axis=1), baseline.shape[1]
    values = count_scores(counts, labels, preds, num_labels=num_labels, ordered=results.ordered)
    values |= {name: of_rows.mean() for name, of_rows in row_values(labels, baseline).items()}
    leads = difference(
        labels,
        model,
        baseline,
        preds=results.predictions.preds,
        ordered=results.ordered,
        groups=results.predictions.groups,
        bootstrap=bootstrap,
    )
    scores = {}
    for name in (name for name in COMPARED if name in leads):
        lead = leads[name]
        numbers = (float(values[name]), lead.value, lead.low, lead.high)
        scores[name] = BaselineScore(*map(exact, numbers))
    return scores
