"""Confident learning against cleanlab's, and on labels that were changed on purpose."""

import numpy as np
import pytest

from stages.report.suspects import rank_suspects


def _noisy(num_labels: int, rows: int = 600, share: float = 0.08) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return labels, probabilities, and which labels were changed."""
    chance = np.random.default_rng(num_labels)
    truth = chance.integers(num_labels, size=rows)
    logits = chance.normal(size=(rows, num_labels)) + 2.5 * np.eye(num_labels)[truth]
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    wrong = chance.random(rows) < share
    labels = np.where(wrong, (truth + 1) % num_labels, truth)
    return labels, probabilities, wrong


@pytest.mark.parametrize("num_labels", [2, 5])
def test_rows_and_order_are_cleanlabs(num_labels: int) -> None:
    cleanlab = pytest.importorskip("cleanlab.filter", reason="cleanlab, the reference, is not installed")
    labels, probabilities, _ = _noisy(num_labels)
    suspects, _ = rank_suspects(labels, probabilities)
    expected = cleanlab.find_label_issues(labels, probabilities, filter_by="confident_learning", n_jobs=1)
    assert set(suspects.tolist()) == set(np.flatnonzero(expected).tolist())


def test_changed_labels_are_found_far_above_chance() -> None:
    labels, probabilities, wrong = _noisy(5)
    suspects, suggested = rank_suspects(labels, probabilities)
    assert wrong[suspects].mean() > 5 * wrong.mean()
    assert wrong[suspects].sum() > 0.6 * wrong.sum()
    assert (suggested != labels[suspects]).all()
    assert wrong[suspects[:10]].mean() >= 0.9  # worst first


def test_a_label_that_no_row_has_is_never_suggested() -> None:
    probabilities = np.array([[0.2, 0.1, 0.7], [0.8, 0.1, 0.1], [0.1, 0.8, 0.1]])
    suspects, _ = rank_suspects(np.array([0, 0, 1]), probabilities)
    assert suspects.tolist() == []


def test_of_ordered_labels_a_neighbour_is_no_suspect() -> None:
    labels, probabilities, _ = _noisy(5)
    all_rows, _ = rank_suspects(labels, probabilities)
    suspects, suggested = rank_suspects(labels, probabilities, ordered=True)
    assert 0 < len(suspects) < len(all_rows)
    assert (np.abs(suggested - labels[suspects]) >= 2).all()
