"""Mistakes: the most confident ones first, and which labels are confused."""

import numpy as np

from stages.metrics.rule import DecisionRule
from stages.report.mistakes import Confusion, confident_mistakes, frequent_confusions
from tests.stages.report.results import make_results


def test_the_most_confident_mistakes_come_first_and_correct_rows_never() -> None:
    probabilities = np.array([[0.6, 0.4], [0.1, 0.9], [0.8, 0.2], [0.01, 0.99]])
    predictions = make_results(np.array([1, 0, 1, 1]), probabilities).predictions
    mistakes = confident_mistakes(predictions, ["ham", "spam"], DecisionRule(), limit=2)
    assert [(mistake.id, mistake.label, mistake.predicted, mistake.probability) for mistake in mistakes] == [
        ("r1", "ham", "spam", 0.9),
        ("r2", "spam", "ham", 0.8),
    ]


def test_mistakes_are_those_of_the_rule_with_the_probability_that_predict_shows() -> None:
    rule = DecisionRule(temperature=2.0, threshold=0.3)
    results = make_results(np.array([0, 0, 1]), np.array([[0.7, 0.3], [0.99, 0.01], [0.6, 0.4]]), rule)
    mistakes = confident_mistakes(results.predictions, ["ham", "spam"], rule, limit=5)
    odds = (0.3 / 0.7) ** 0.5  # of spam, with halved logits
    assert [(mistake.id, mistake.predicted, mistake.probability) for mistake in mistakes] == [
        ("r0", "spam", round(odds / (1 + odds), 3))
    ]


def test_confusions_are_ordered_by_rows_with_their_share_of_the_label() -> None:
    matrix = np.array([[5, 1, 4], [0, 7, 0], [2, 0, 0]])
    assert frequent_confusions(matrix, ["a", "b", "c"], limit=2) == [
        Confusion("a", "c", 4, 0.4),
        Confusion("c", "a", 2, 1.0),
    ]
    assert len(frequent_confusions(matrix, ["a", "b", "c"], limit=9)) == 3
