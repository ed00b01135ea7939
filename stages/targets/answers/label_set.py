"""Answers of a model of label sets: a probability for each label, whatever the others have."""

from torch import Tensor

PROBLEM: str | None = "multi_label_classification"
HALF_PRECISION = True  # as for classes: the order of the probabilities hardly changes


def answers(logits: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Return the probability of each label, (batch, num_labels)."""
    return (logits / temperature).sigmoid()
