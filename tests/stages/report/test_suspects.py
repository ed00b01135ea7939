"""Confident learning against cleanlab's, on labels that were changed on purpose, and on labels that are all right."""

import numpy as np
import pytest

from benchmarks.simulated_suspects import draw_rows
from stages.report.suspects import CONFIDENT, Ranking, rank_suspects


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
def test_rows_are_those_of_cleanlab_that_have_a_confident_prediction(num_labels: int) -> None:
    cleanlab = pytest.importorskip("cleanlab.filter", reason="cleanlab, the reference, is not installed")
    labels, probabilities, _ = _noisy(num_labels)
    expected = cleanlab.find_label_issues(labels, probabilities, filter_by="confident_learning", n_jobs=1)
    confident = probabilities.max(axis=1) >= CONFIDENT
    assert (expected & confident).sum() > 0.9 * expected.sum() > 20
    assert set(rank_suspects(labels, probabilities).rows.tolist()) == set(np.flatnonzero(expected & confident).tolist())


def test_changed_labels_are_found_far_above_chance() -> None:
    labels, probabilities, wrong = _noisy(5)
    ranking = rank_suspects(labels, probabilities)
    suspects = ranking.rows
    assert wrong[suspects].mean() > 5 * wrong.mean()
    assert wrong[suspects].sum() > 0.6 * wrong.sum()
    assert (ranking.suggested != labels[suspects]).all()
    assert wrong[suspects[:10]].mean() >= 0.9  # worst first


@pytest.mark.parametrize("accuracy", [0.3, 0.5, 0.7, 0.95])
@pytest.mark.parametrize(
    ("num_labels", "rows_per_label"), [(2, 50), (5, 10), (5, 50), (20, 5), (100, 1), (100, 2), (500, 1)]
)
def test_few_right_labels_are_suspects_and_each_suggestion_is_the_prediction(
    num_labels: int, rows_per_label: int, accuracy: float
) -> None:
    found = []
    for seed in range(5 if num_labels < 500 else 2):
        labels, probabilities, wrong = draw_rows(num_labels, rows_per_label, max(accuracy, 1.2 / num_labels), 0.0, seed)
        assert not wrong.any()
        for ranking in (rank_suspects(labels, probabilities, ordered=ordered) for ordered in (False, True)):
            rows, suggested = ranking.rows, ranking.suggested
            assert (suggested == probabilities[rows].argmax(axis=1)).all()
            assert (probabilities[rows, suggested] > probabilities[rows, labels[rows]]).all()
            assert len(rows) <= ranking.contradicted <= ranking.confident <= len(labels)
            found.append(len(rows) / len(labels))
    assert max(found[::2]) < 0.2
    assert np.mean(found[::2]) < (0.13 if num_labels < 20 else 0.08)


@pytest.mark.parametrize(("num_labels", "rows_per_label"), [(2, 200), (5, 50), (20, 10), (100, 2), (500, 1)])
def test_planted_errors_are_found_by_a_good_model_however_rare_the_labels_are(
    num_labels: int, rows_per_label: int
) -> None:
    hits = found = planted = 0
    for seed in range(3):
        labels, probabilities, wrong = draw_rows(num_labels, rows_per_label, 0.95, 0.05, seed)
        suspects = rank_suspects(labels, probabilities).rows
        hits, found, planted = hits + wrong[suspects].sum(), found + len(suspects), planted + wrong.sum()
    assert hits / found > 0.85
    assert hits / planted > 0.55


def test_a_model_that_contradicts_a_quarter_of_the_labels_accuses_nobody_and_that_is_counted() -> None:
    labels, probabilities, _ = draw_rows(3, 200, 0.5, 0.0, 1)
    ranking = rank_suspects(labels, probabilities)
    assert ranking.rows.tolist() == ranking.suggested.tolist() == []
    assert ranking.too_weak
    assert ranking.contradicted > 0.25 * ranking.confident > 20


@pytest.mark.parametrize("share", [0.1, 0.2])
def test_many_wrong_labels_are_not_mistaken_for_a_weak_model(share: float) -> None:
    labels, probabilities, wrong = draw_rows(20, 200, 0.95, share, 1)
    suspects = rank_suspects(labels, probabilities).rows
    assert wrong[suspects].mean() > 0.9


def _outlier(rows: int) -> Ranking:
    """Of three labels the last one has `rows` rows, of which the model knows nothing; one row of label 0 is like it."""
    probabilities = np.array([[0.9, 0.05, 0.05]] * 20 + [[0.05, 0.9, 0.05]] * 20 + [[0.4, 0.1, 0.5]] * rows)
    labels = np.array([0] * 20 + [1] * 20 + [2] * rows)
    labels[-1] = 0
    return rank_suspects(labels, probabilities)


@pytest.mark.parametrize(("rows", "suspects"), [(2, 0), (5, 0), (6, 1), (9, 1)])
def test_the_threshold_of_a_label_with_few_rows_is_that_of_all(rows: int, suspects: int) -> None:
    assert len(_outlier(rows).rows) == suspects  # one of `rows` was given another label


@pytest.mark.parametrize(("probability", "suspects"), [(0.85, [11]), (0.6, [])])
def test_a_label_that_no_row_has_is_suggested_above_the_threshold_of_all(
    probability: float, suspects: list[int]
) -> None:
    """The only row of a rare label may be the one that is labelled wrong."""
    rest = (1 - probability) / 2
    probabilities = np.array([[0.8, 0.1, 0.1]] * 6 + [[0.1, 0.8, 0.1]] * 5 + [[rest, rest, probability]])
    assert rank_suspects(np.array([0] * 6 + [1] * 6), probabilities).rows.tolist() == suspects


def test_of_ordered_labels_a_neighbour_is_no_suspect() -> None:
    labels, probabilities, _ = _noisy(5)
    all_rows = rank_suspects(labels, probabilities).rows
    ranking = rank_suspects(labels, probabilities, ordered=True)
    assert 0 < len(ranking.rows) < len(all_rows)
    assert (np.abs(ranking.suggested - labels[ranking.rows]) >= 2).all()


def test_of_ordered_labels_neighbours_share_their_probability() -> None:
    """A model that is sure of 4 or 5 stars but not of which one is confident that 1 star is wrong."""
    probabilities = np.array([[0.9, 0.025, 0.025, 0.025, 0.025]] * 10 + [[0.04, 0.03, 0.03, 0.45, 0.45]] * 10)
    labels = np.array([0] * 10 + [3] * 9 + [0])
    assert rank_suspects(labels, probabilities, ordered=True).rows.tolist() == [19]
    assert rank_suspects(labels, probabilities).rows.tolist() == []


def test_no_rows_have_no_suspects() -> None:
    ranking = rank_suspects(np.array([], dtype=np.int64), np.zeros((0, 3)))
    assert (ranking.rows.tolist(), ranking.confident, ranking.too_weak) == ([], 0, False)
