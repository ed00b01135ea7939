"""Learning which of several labels a row has: binary cross-entropy of each."""

from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.classification import MultilabelF1Score
from transformers import PreTrainedModel

from stages.errors import DataError
from stages.targets.target import Target

PROBLEM: str | None = "multi_label_classification"

SMALLEST = 1e-12  # of a probability, so that its logarithm is finite


class SetF1(MultilabelF1Score):
    """F1 over all rows, of logits: torchmetrics takes logits that all lie between 0 and 1 for probabilities."""

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Add a batch."""
        super().update(preds.float().sigmoid(), target.int())


def outputs(target: Target) -> list[str]:
    """Return the names of the labels."""
    return target.labels


def check_head(model: PreTrainedModel) -> None:
    """Accept every head."""


def learned(values: NDArray[Any], train: NDArray[np.int64]) -> tuple[NDArray[np.float32], Any]:
    """Return 1 for each label that a row has, else 0.

    Raises:
        DataError: No row of train has a label.
    """
    if not (values[train].any(axis=0)).all():
        number = int(np.argmin(values[train].any(axis=0)))
        raise DataError(
            f"No row of train has label {number + 1} of data/tokenize/labels.json, so a model can't learn it. Add rows "
            "with it to train, or take the label out."
        )
    return values.astype(np.float32), _keep


def losses(
    logits: Tensor, labels: Tensor, *, loss: str, smoothing: float, class_weights: Tensor | None = None
) -> Tensor:
    """Return the binary cross-entropy of each row, the mean over the labels, (batch,).

    The weight of a label counts where a row has it, as `pos_weight` of PyTorch's BCEWithLogitsLoss.
    """
    labels = labels * (1 - smoothing) + smoothing / 2
    elements = nn.functional.binary_cross_entropy_with_logits(
        logits, labels, pos_weight=class_weights, reduction="none"
    )  # (batch, labels)
    return elements.mean(dim=-1)


def constant_loss(
    labels: NDArray[Any], class_weights: NDArray[np.float64], *, loss: str = "auto", smoothing: float = 0.0
) -> float:
    """Return the least mean loss of the same probabilities for every row, the mean over the labels.

    Args:
        labels: From `learned`; shape (rows, num_labels), one row or more.
        class_weights: Of having each label; shape (num_labels,).
        loss: finetune.loss.
        smoothing: finetune.label_smoothing.
    """
    shares = labels.mean(axis=0, dtype=np.float64) * (1 - smoothing) + smoothing / 2
    yes, no = shares * class_weights, 1 - shares
    best = np.clip(yes / (yes + no), SMALLEST, 1 - SMALLEST)
    return float(-(yes * np.log(best) + no * np.log1p(-best)).mean())


def weights(labels: Tensor, class_weights: Tensor) -> Tensor:
    """Return 1 for each row: the weights of labels are in the loss."""
    return torch.ones(len(labels), device=labels.device)


def val_metrics(num_labels: int) -> dict[str, Metric]:
    """Return micro and macro F1 over all rows, each label predicted from a probability of one half."""
    averages: tuple[Literal["micro", "macro"], ...] = ("micro", "macro")
    return {f"{average}_f1": SetF1(num_labels, average=average) for average in averages}


def _keep(model: PreTrainedModel) -> None:
    """Leave the model as it is."""
