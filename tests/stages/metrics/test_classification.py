"""The metrics against scikit-learn and torchmetrics."""

import numpy as np
import pytest
import sklearn.metrics as reference
import torch
from torchmetrics.functional.classification import multiclass_f1_score, multiclass_matthews_corrcoef

from stages.metrics.bootstrap import count_cells
from stages.metrics.classification import (
    MANY_LABELS,
    brier_scores,
    count_scores,
    log_losses,
    per_class,
    ranks,
    row_values,
)


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
    cells = count_cells(labels, preds)
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
    assert scores.keys() == expected.keys()
    assert {name: float(value) for name, value in scores.items()} == pytest.approx(expected)
    means = {name: values.mean() for name, values in row_values(labels, probabilities).items()}
    indicators = np.eye(num_labels)[labels]
    assert means["log_loss"] == pytest.approx(reference.log_loss(labels, probabilities))
    assert means["brier"] == pytest.approx(((probabilities - indicators) ** 2).sum(1).mean())
    if num_labels == 2:
        auroc = reference.roc_auc_score(labels, probabilities[:, 1])
        precision = reference.average_precision_score(labels, probabilities[:, 1])
    else:
        auroc = reference.roc_auc_score(labels, probabilities, multi_class="ovr")
        precision = reference.average_precision_score(indicators, probabilities)
    assert means["auroc"] == pytest.approx(auroc)
    assert means["average_precision"] == pytest.approx(precision)
    if num_labels == 40:
        top = reference.top_k_accuracy_score(labels, probabilities, k=3)
        assert means["top_3_accuracy"] == pytest.approx(top)


@pytest.mark.parametrize("num_labels", [2, 5])
def test_scores_are_those_of_torchmetrics(num_labels: int) -> None:
    labels, preds, _ = _rows(num_labels)
    cells = count_cells(labels, preds)
    scores = count_scores(cells.sizes, *cells.columns, num_labels=num_labels)
    pair = torch.tensor(preds), torch.tensor(labels)
    assert scores["mcc"] == pytest.approx(float(multiclass_matthews_corrcoef(*pair, num_labels)), abs=1e-6)
    assert scores["macro_f1"] == pytest.approx(float(multiclass_f1_score(*pair, num_labels)), abs=1e-6)


def test_a_class_that_never_occurs_is_left_out_of_the_averages() -> None:
    labels, preds, _ = _rows(3)
    cells = count_cells(labels, preds)
    fewer = count_scores(cells.sizes, *cells.columns, num_labels=3)
    more = count_scores(cells.sizes, *cells.columns, num_labels=9)
    assert {name: float(fewer[name]) for name in fewer} == pytest.approx({name: float(more[name]) for name in more})
    assert not {"quadratic_kappa", "mean_absolute_error"} & set(fewer), "these need classes with an order"


def test_many_resamples_are_scored_at_once() -> None:
    labels, preds, _ = _rows(4)
    cells = count_cells(labels, preds)
    counts = np.stack([cells.sizes, cells.sizes[::-1]])
    together = count_scores(counts, *cells.columns, num_labels=4, ordered=True)
    alone = [count_scores(row, *cells.columns, num_labels=4, ordered=True) for row in counts]
    for name, values in together.items():
        assert values == pytest.approx([float(scores[name]) for scores in alone])


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


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_log_loss_of_certain_answers_is_clipped_as_scikit_learn_does(dtype: type) -> None:
    labels, certain = np.array([1, 0, 1]), np.array([[1, 0], [1, 0], [0.3, 0.7]], dtype=dtype)
    assert log_losses(labels, certain).mean() == pytest.approx(reference.log_loss(labels, certain), rel=1e-6)


@pytest.mark.parametrize("labels", [[0], [3], [11]])
def test_of_equally_probable_classes_the_first_ones_are_predicted(labels: list[int]) -> None:
    """As the predicted label, which is the first of the most probable ones: rank 0 is a right prediction."""
    equal = np.full((1, 12), 1 / 12, dtype=np.float32)
    assert ranks(np.array(labels), equal).tolist() == labels
    assert row_values(np.array(labels), equal)["top_3_accuracy"].tolist() == [labels[0] < 3]


def test_the_rank_of_a_label_counts_the_classes_before_it() -> None:
    rows = np.array([[0.2, 0.5, 0.2, 0.1], [0.2, 0.5, 0.2, 0.1], [0.25, 0.25, 0.25, 0.25]])
    assert ranks(np.array([0, 2, 3]), rows).tolist() == [1, 2, 3]
    chance = np.random.default_rng(0).integers(4, size=(200, 12)) / 4
    labels = np.random.default_rng(1).integers(12, size=200)
    assert ((ranks(labels, chance) == 0) == (chance.argmax(1) == labels)).all()


def test_brier_score_is_the_squared_error_over_all_classes() -> None:
    scores = brier_scores(np.array([0, 1]), np.array([[0.7, 0.2, 0.1], [1.0, 0.0, 0.0]]))
    assert scores == pytest.approx([0.3**2 + 0.2**2 + 0.1**2, 2.0])


@pytest.mark.filterwarnings("error")
def test_per_class_of_fixed_numbers() -> None:
    # class 0: 2 of its 3 rows and of its 4 predictions are right; class 1: none; class 2: no row, no prediction
    measured = per_class(np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 0, 0]), num_labels=3)
    assert measured["precision"].tolist() == [0.5, 0.0, 0.0]
    assert measured["recall"].tolist() == [2 / 3, 0.0, 0.0]
    assert measured["f1"].tolist() == [4 / 7, 0.0, 0.0]
    assert measured["support"].tolist() == [3, 2, 0]


@pytest.mark.parametrize("num_labels", [2, 7, 60])
def test_per_class_is_the_ratio_of_counts(num_labels: int) -> None:
    labels, preds, _ = _rows(num_labels)
    pairs = np.zeros((num_labels, num_labels))
    np.add.at(pairs, (labels, preds), 1)
    hits, support, predicted = np.diag(pairs), pairs.sum(1), pairs.sum(0)
    expected = {
        "precision": hits / np.maximum(predicted, 1),
        "recall": hits / np.maximum(support, 1),
        "f1": 2 * hits / np.maximum(support + predicted, 1),
        "support": support,
    }
    for name, values in per_class(labels, preds, num_labels=num_labels).items():
        assert values == pytest.approx(expected[name], abs=1e-9), name


def test_scores_where_a_denominator_is_zero_are_zero() -> None:
    scores = count_scores(np.zeros(2), np.array([0, 1]), np.array([1, 0]), num_labels=2, ordered=True)
    assert {name: float(value) for name, value in scores.items()} == dict.fromkeys(scores, 0.0)


def test_the_top_three_are_scored_from_eleven_classes_on() -> None:
    for num_labels in (MANY_LABELS, MANY_LABELS + 1):
        labels, _, probabilities = _rows(num_labels, rows=30)
        assert ("top_3_accuracy" in row_values(labels, probabilities)) == (num_labels > MANY_LABELS)
    tied = np.full((1, 11), 1 / 11)
    assert row_values(np.array([2]), tied)["top_3_accuracy"].tolist() == [1.0]


def test_a_class_of_one_row_counts_in_the_averages() -> None:
    labels, preds = np.array([0, 0, 0, 1, 2]), np.array([0, 0, 3, 1, 0])
    cells = count_cells(labels, preds)
    scores = count_scores(cells.sizes, *cells.columns, num_labels=4)
    assert scores["balanced_accuracy"] == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert scores["macro_f1"] == pytest.approx((2 / 3 + 1 + 0 + 0) / 4)


@pytest.mark.parametrize(("rank", "hit"), [(1, 1.0), (3, 1.0), (4, 0.0), (11, 0.0)])
def test_the_top_three_end_after_the_third(rank: int, hit: float) -> None:
    probabilities = np.arange(11, 0, -1)[None, :] / 66
    assert row_values(np.array([rank - 1]), probabilities)["top_3_accuracy"].tolist() == [hit]


def test_probabilities_of_single_precision_are_summed_in_double_precision() -> None:
    labels, _, probabilities = _rows(40)
    single = probabilities.astype(np.float32)
    squares = ((single.astype(np.float64) - np.eye(40)[labels]) ** 2).sum(1)
    assert brier_scores(labels, single) == pytest.approx(squares, rel=1e-12)
