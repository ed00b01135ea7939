"""Losses of classes in a row: cross-entropy, and four that know the order.

Each takes logits, (batch, classes), and labels, (batch,), and returns each row's loss and its weight, both (batch,).

Sources:
    corn: Shi, Cao, Raschka, "Deep neural networks for rank-consistent ordinal regression based on conditional
        probabilities", 2021.
    emd: Hou, Yu, Samaras, "Squared earth mover's distance-based loss for training deep neural networks", 2016.
    soft: Diaz, Marathe, "Soft labels for ordinal regression", 2019.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

SOFTNESS = 2.0  # the target falls by exp(-2) with each step


def corn(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean of each row's conditional losses, and their number: the row's weight. The last logit is unused.

    Output k says whether the class is above k, given that it is above k - 1; so a row is in the losses up to its own.
    """
    steps = torch.arange(logits.shape[1] - 1, device=logits.device)
    dtype = torch.promote_types(logits.dtype, torch.float32)
    above = (labels[:, None] > steps).to(dtype)  # (batch, classes - 1)
    asked = (labels[:, None] >= steps).to(dtype)
    losses = nn.functional.binary_cross_entropy_with_logits(logits[:, :-1], above, reduction="none") * asked
    return losses.sum(1) / asked.sum(1), asked.sum(1)


def emd(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the sum of squared differences of the cumulative probabilities, (batch,), and weights of one."""
    target = nn.functional.one_hot(labels, logits.shape[1])
    losses = (logits.softmax(1).cumsum(1) - target.cumsum(1)).square().sum(1)
    return losses, torch.ones_like(losses)


def ce(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy, (batch,), and weights of one."""
    losses = nn.functional.cross_entropy(logits, labels, reduction="none")
    return losses, torch.ones_like(losses)


def both(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy plus the squared earth mover's distance, (batch,), and weights of one."""
    losses, weights = ce(logits, labels)
    return losses + emd(logits, labels)[0], weights


def soft(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the cross-entropy with targets that fall with the distance to the label, (batch,), and weights of one."""
    distance = (torch.arange(logits.shape[1], device=labels.device) - labels[:, None]).abs()
    losses = nn.functional.cross_entropy(logits, (-SOFTNESS * distance).softmax(1), reduction="none")
    return losses, torch.ones_like(losses)


LOSSES: dict[str, Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]] = {
    "ce": ce,
    "corn": corn,
    "emd": emd,
    "ce+emd": both,
    "soft": soft,
}


def class_probabilities(loss: str, logits: Tensor) -> NDArray[np.float32]:
    """Return the probability of each class, (rows, classes)."""
    if loss != "corn":
        return logits.softmax(1).numpy()
    above = logits[:, :-1].double().sigmoid().cumprod(1)  # P(class > k)
    edges = nn.functional.pad(nn.functional.pad(above, (1, 0), value=1.0), (0, 1), value=0.0)
    return (edges[:, :-1] - edges[:, 1:]).float().numpy()


def median(probabilities: NDArray[np.floating]) -> NDArray[np.int64]:
    """Return the first class at which half of the probability is reached; shape (rows,)."""
    return (probabilities.cumsum(1) < 0.5).sum(1).clip(max=probabilities.shape[1] - 1)
