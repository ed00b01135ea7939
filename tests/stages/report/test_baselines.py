"""Baselines: the majority class and TF-IDF, and the model's lead over them."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from stages.metrics.bootstrap import Bootstrap
from stages.report.baselines import predict_majority, predict_tfidf, score_baselines
from tests.stages.report.results import make_results


def test_the_majority_baseline_says_how_frequent_each_label_is() -> None:
    probabilities = predict_majority(np.array([0, 1, 1, 1]), 2, num_labels=3)
    assert probabilities.tolist() == [[0.25, 0.75, 0.0]] * 2


def test_tfidf_learns_what_words_tell() -> None:
    texts = ["free prize now", "win a free prize", "dinner at home", "see you at home"] * 5
    labels = np.array([1, 1, 0, 0] * 5)
    probabilities = predict_tfidf(texts, labels, ["a free prize", "at home"], num_labels=3, max_train_rows=100, seed=0)
    assert probabilities.argmax(1).tolist() == [1, 0]
    assert (probabilities[:, 2] == 0).all()
    fewer = predict_tfidf(texts, labels, ["a free prize"], num_labels=3, max_train_rows=8, seed=0)
    assert fewer.shape == (1, 3)


def test_tfidf_is_trained_until_it_converges_with_many_classes_as_well() -> None:
    chance = np.random.default_rng(0)
    words = [f"word{number}" for number in range(300)]
    labels = np.tile(np.arange(30), 10)
    texts = [" ".join([words[label], *chance.choice(words, size=12)]) for label in labels]
    probabilities = predict_tfidf(texts, labels, texts, num_labels=30, max_train_rows=999, seed=0)
    features = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit_transform(texts)
    converged = LogisticRegression(C=10.0, solver="newton-cg", max_iter=2000, tol=1e-9).fit(features, labels)
    expected = converged.predict_proba(features)
    assert np.abs(probabilities - expected).max() < 0.01


def test_many_classes_learn_from_fewer_words_so_that_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = []
    fit = LogisticRegression.fit

    def watched(self: LogisticRegression, words: object, labels: object) -> object:
        shapes.append(words.shape[1] * len(np.unique(labels)))  # type: ignore[attr-defined]
        return fit(self, words, labels)

    monkeypatch.setattr(LogisticRegression, "fit", watched)
    monkeypatch.setattr("stages.report.baselines.MAX_WEIGHTS", 1_000)
    texts = [f"word{number} other{number % 50}" for number in range(200)]
    for num_labels in (2, 20, 100):
        labels = np.arange(200) % num_labels
        predict_tfidf(texts, labels, texts[:1], num_labels=num_labels, max_train_rows=999, seed=0)
    assert shapes == [2 * 450, 1_000, 1_000]  # 200 words, 50 others, 200 pairs of both; and what the bound leaves


def test_texts_without_a_word_fall_back_to_the_majority() -> None:
    probabilities = predict_tfidf(["a", "!", "?"], np.array([0, 1, 1]), ["b"], num_labels=2, max_train_rows=9, seed=0)
    assert probabilities.argmax(1).tolist() == [1]


def test_the_lead_is_the_models_value_minus_the_baselines() -> None:
    labels = np.array([0, 1] * 50)
    model = np.where(labels[:, None] == [0, 1], 0.9, 0.1).astype(np.float32)
    model[:10] = model[:10, ::-1]
    baseline = predict_majority(np.array([0, 1, 1]), 100, num_labels=2)
    bootstrap = Bootstrap(resamples=300, confidence=0.95, seed=1)
    scores = score_baselines(make_results(labels, model), {"majority": baseline}, bootstrap)["majority"]
    assert scores["accuracy"].value == pytest.approx(0.5)
    assert scores["accuracy"].difference == pytest.approx(0.4)
    assert scores["accuracy"].low > 0.2
    assert scores["log_loss"].difference < 0
