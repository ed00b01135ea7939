"""Answers of a model of label sets: a probability for each label, whatever the others have."""

import torch
from torch import Tensor

PROBLEM: str | None = "multi_label_classification"
HALF_PRECISION = True  # as for classes: the order of the probabilities hardly changes


def answers(logits: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Return the probability of each label, (batch, num_labels)."""
    scaled = logits / temperature
    # The sigmoid. torch's own computes the last few values of a tensor by another formula than the others, so that a
    # row's last bits would depend on how many rows stand beside it.
    return torch.stack([scaled, torch.zeros_like(scaled)], -1).softmax(-1)[..., 0]
