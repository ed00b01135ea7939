"""Answers of a model of classes: a probability for each."""

from torch import Tensor

PROBLEM: str | None = None


def answers(logits: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Return the probabilities of the classes, (batch, num_labels)."""
    return (logits / temperature).softmax(-1)
