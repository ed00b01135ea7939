"""The metrics against scikit-learn and torchmetrics."""

import numpy as np
import pytest
import sklearn.metrics as reference
import torch
from torchmetrics.functional.classification import multiclass_f1_score, multiclass_matthews_corrcoef

from stages.metrics.bootstrap import group
from stages.metrics.classification import count_scores, mean_scores, per_class, row_losses, row_values


def _rows(num_labels: int, rows: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    chance = np.random.default_rng(num_labels)
    labels = chance.integers(num_labels, size=rows)
    probabilities = chance.dirichlet(np.ones(num_labels), size=rows)
    probabilities[np.arange(rows), labels] += 0.3
    probabilities /= probabilities.sum(1, keepdims=True)
    return labels, probabilities.argmax(1), probabilities


@pytest.mark.parametrize("num_labels", [2, 5, 40])
def test_scores_are_those_of_scikit_learn(num_labels: int) -> None:
    labels, preds, probabilities = _rows(num_labels)
    cells = group(labels, preds)
    scores = count_scores(cells.sizes, *cells.columns, num_labels=num_labels, ordered=True)
    expected = {
        "accuracy": reference.accuracy_score(labels, preds),
        "balanced_accuracy": reference.balanced_accuracy_score(labels, preds),
        "macro_f1": reference.f1_score(labels, preds, average="macro"),
        "weighted_f1": reference.f1_score(labels, preds, average="weighted"),
        "micro_f1": reference.f1_score(labels, preds, average="micro"),
        "mcc": reference.matthews_corrcoef(labels, preds),
        "kappa": reference.cohen_kappa_score(labels, preds),
        "quadratic_kappa": reference.cohen_kappa_score(labels, preds, weights="quadratic"),
        "mean_absolute_error": reference.mean_absolute_error(labels, preds),
    }
    assert {name: float(value) for name, value in scores.items()} == pytest.approx(expected)
    means = mean_scores(row_values(labels, probabilities))(np.ones((1, len(labels))))
    indicators = np.eye(num_labels)[labels]
    assert means["log_loss"][0] == pytest.approx(reference.log_loss(labels, probabilities))
    assert means["brier"][0] == pytest.approx(((probabilities - indicators) ** 2).sum(1).mean())
    if num_labels == 2:
        auroc = reference.roc_auc_score(labels, probabilities[:, 1])
        precision = reference.average_precision_score(labels, probabilities[:, 1])
    else:
        auroc = reference.roc_auc_score(labels, probabilities, multi_class="ovr")
        precision = reference.average_precision_score(indicators, probabilities)
    assert means["auroc"][0] == pytest.approx(auroc)
    assert means["average_precision"][0] == pytest.approx(precision)
    if num_labels == 40:
        top = reference.top_k_accuracy_score(labels, probabilities, k=3)
        assert means["top_3_accuracy"][0] == pytest.approx(top)


@pytest.mark.parametrize("num_labels", [2, 5])
def test_scores_are_those_of_torchmetrics(num_labels: int) -> None:
    labels, preds, _ = _rows(num_labels)
    cells = group(labels, preds)
    scores = count_scores(cells.sizes, *cells.columns, num_labels=num_labels)
    pair = torch.tensor(preds), torch.tensor(labels)
    assert scores["mcc"] == pytest.approx(float(multiclass_matthews_corrcoef(*pair, num_labels)), abs=1e-6)
    assert scores["macro_f1"] == pytest.approx(float(multiclass_f1_score(*pair, num_labels)), abs=1e-6)


def test_a_class_that_never_occurs_is_left_out_of_the_averages() -> None:
    labels, preds, _ = _rows(3)
    cells = group(labels, preds)
    fewer = count_scores(cells.sizes, *cells.columns, num_labels=3)
    more = count_scores(cells.sizes, *cells.columns, num_labels=9)
    assert {name: float(fewer[name]) for name in fewer} == pytest.approx({name: float(more[name]) for name in more})


def test_many_resamples_are_scored_at_once() -> None:
    labels, preds, _ = _rows(4)
    cells = group(labels, preds)
    counts = np.stack([cells.sizes, cells.sizes[::-1]])
    together = count_scores(counts, *cells.columns, num_labels=4)
    alone = [count_scores(one, *cells.columns, num_labels=4) for one in counts]
    for name, values in together.items():
        assert values == pytest.approx([float(one[name]) for one in alone])


def test_per_class_is_scikit_learns_report() -> None:
    labels, preds, _ = _rows(5)
    precision, recall, f1, support = reference.precision_recall_fscore_support(labels, preds)
    measured = per_class(labels, preds, num_labels=5)
    for name, values in {"precision": precision, "recall": recall, "f1": f1, "support": support}.items():
        assert measured[name] == pytest.approx(values)


def test_one_class_alone_gives_numbers_and_no_warning() -> None:
    scores = count_scores(np.array([7]), np.array([0]), np.array([0]), num_labels=2)
    assert scores["accuracy"] == 1
    assert scores["mcc"] == 0


def test_log_loss_of_an_impossible_label_is_finite() -> None:
    loss = row_losses(np.array([1]), np.array([[1.0, 0.0]], dtype=np.float32))["log_loss"]
    assert np.isfinite(loss).all()
