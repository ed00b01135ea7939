"""Baselines, slices, seeds and curves: what the report says beside the metrics."""

import numpy as np
import pytest
from scipy import stats
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import matthews_corrcoef, precision_recall_curve

from stages.metrics.bootstrap import Bootstrap, Estimate
from stages.report.baselines import compare, predict_majority, predict_tfidf
from stages.report.charts.curves import batch_mcc, precision_recall
from stages.report.slices import score_slices
from stages.report.summary import decimals, rounded, widen

BOOTSTRAP = Bootstrap(resamples=300, confidence=0.95, seed=1)


def test_the_majority_baseline_says_how_frequent_each_label_is() -> None:
    probabilities = predict_majority(np.array([0, 1, 1, 1]), 2, num_labels=3)
    assert probabilities.tolist() == [[0.25, 0.75, 0.0]] * 2


def test_tfidf_learns_what_words_tell() -> None:
    texts = ["free prize now", "win a free prize", "dinner at home", "see you at home"] * 5
    labels = np.array([1, 1, 0, 0] * 5)
    probabilities = predict_tfidf(texts, labels, ["a free prize", "at home"], num_labels=3, most_rows=100, seed=0)
    assert probabilities.argmax(1).tolist() == [1, 0]
    assert (probabilities[:, 2] == 0).all()
    fewer = predict_tfidf(texts, labels, ["a free prize"], num_labels=3, most_rows=8, seed=0)
    assert fewer.shape == (1, 3)


def test_tfidf_is_trained_to_the_end_with_many_classes_as_well() -> None:
    chance = np.random.default_rng(0)
    words = [f"word{number}" for number in range(300)]
    labels = np.tile(np.arange(30), 10)
    texts = [" ".join([words[label], *chance.choice(words, size=12)]) for label in labels]
    found = predict_tfidf(texts, labels, texts, num_labels=30, most_rows=999, seed=0)
    features = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit_transform(texts)
    converged = LogisticRegression(C=10.0, solver="newton-cg", max_iter=2000, tol=1e-9).fit(features, labels)
    expected = converged.predict_proba(features)
    assert np.abs(found - expected).max() < 0.01


def test_texts_without_a_word_fall_back_to_the_majority() -> None:
    probabilities = predict_tfidf(["a", "!", "?"], np.array([0, 1, 1]), ["b"], num_labels=2, most_rows=9, seed=0)
    assert probabilities.argmax(1).tolist() == [1]


def test_the_lead_is_the_models_value_less_the_baselines() -> None:
    labels = np.array([0, 1] * 50)
    model = np.where(labels[:, None] == [0, 1], 0.9, 0.1).astype(np.float32)
    model[:10] = model[:10, ::-1]
    baseline = predict_majority(np.array([0, 1, 1]), 100, num_labels=2)
    found = compare(labels, model, {"majority": baseline}, ordered=False, bootstrap=BOOTSTRAP)["majority"]
    assert found["accuracy"]["value"] == pytest.approx(0.5)
    assert found["accuracy"]["difference"] == pytest.approx(0.4)
    assert found["accuracy"]["low"] > 0.2
    assert found["log_loss"]["difference"] < 0


def test_slices_come_weakest_first_with_rows_and_interval() -> None:
    labels = np.array([0, 1] * 40)
    preds = labels.copy()
    preds[:20] = 1 - preds[:20]
    first = np.arange(80) < 20
    slices = {("part", "second"): ~first, ("part", "first"): first}
    found = score_slices(slices, labels, preds, metric="accuracy", num_labels=2, bootstrap=BOOTSTRAP)
    assert [(one.column, one.name, one.rows, one.small, one.value) for one in found] == [
        ("part", "first", 20, True, 0.0),
        ("part", "second", 60, False, 1.0),
    ]


def test_a_slice_without_an_error_has_a_lower_bound_below_one() -> None:
    labels = np.array([0, 1] * 20)
    slices = {("part", "all"): np.ones(40, dtype=bool)}
    (found,) = score_slices(slices, labels, labels, metric="accuracy", num_labels=2, bootstrap=BOOTSTRAP)
    assert (found.value, found.high, found.small) == (1.0, 1.0, False)
    assert found.low == pytest.approx(stats.binomtest(40, 40).proportion_ci(0.95, method="exact").low, abs=0.005)


def test_mcc_per_batch_is_scikit_learns_on_each_32_rows() -> None:
    chance = np.random.default_rng(0)
    labels, preds = chance.integers(2, size=80), chance.integers(2, size=80)
    size, scores = batch_mcc(labels, preds, num_labels=2)
    assert size == 32
    parts = [slice(0, 32), slice(32, 64), slice(64, 80)]
    assert scores == pytest.approx([matthews_corrcoef(labels[part], preds[part]) for part in parts], abs=1e-4)
    assert len(batch_mcc(np.zeros(5000, dtype=np.int64), np.zeros(5000, dtype=np.int64), num_labels=2)[1]) <= 60


def test_precision_recall_is_scikit_learns() -> None:
    chance = np.random.default_rng(0)
    labels, positive = chance.integers(2, size=100), chance.random(100).round(2)
    recall, precision = precision_recall(labels, np.stack([1 - positive, positive], axis=1))
    expected_precision, expected_recall, _ = precision_recall_curve(labels, positive)
    assert recall == pytest.approx(expected_recall[:-1][::-1], abs=1e-4)
    assert precision == pytest.approx(expected_precision[:-1][::-1], abs=1e-4)


@pytest.mark.parametrize(("half", "places"), [(0.5, 2), (0.05, 3), (0.004, 4), (0.0, 4)])
def test_numbers_keep_the_decimals_that_their_interval_supports(half: float, places: int) -> None:
    assert decimals(0.5 - half, 0.5 + half) == places


def test_rounding_never_writes_a_negative_nought() -> None:
    assert str(rounded({"value": -1e-9, "low": -0.1, "high": 0.1})["value"]) == "0.0"


def test_seeds_widen_the_interval_by_the_variance_of_their_mean() -> None:
    rows = Estimate(0.8, 0.7, 0.86, error=0.04)
    wide = widen(rows, 0.06, seeds=4, confidence=0.95)
    assert wide.error == pytest.approx(np.hypot(0.04, 0.03))
    freedom = 0.05**4 / (0.03**4 / 3)
    factor = 1.25 * stats.t.ppf(0.975, freedom) / stats.norm.ppf(0.975)
    assert (wide.value - wide.low) / (rows.value - rows.low) == pytest.approx(factor)
    assert (wide.high - wide.value) / (rows.high - rows.value) == pytest.approx(factor)
    assert widen(rows, 0.0, seeds=4, confidence=0.95) == rows


def test_the_interval_over_few_seeds_holds_the_truth_as_often_as_it_claims() -> None:
    chance = np.random.default_rng(5)
    held = 0
    for _ in range(4000):
        of_rows, of_seeds = chance.normal(0, 0.01), chance.normal(0, 0.02, size=3)
        value = 0.5 + of_rows + of_seeds.mean()
        rows = Estimate(value, value - 0.0196, value + 0.0196, error=0.01)
        wide = widen(rows, float(np.std(of_seeds, ddof=1)), seeds=3, confidence=0.95)
        held += wide.low <= 0.5 <= wide.high
    assert held / 4000 == pytest.approx(0.95, abs=0.02)
