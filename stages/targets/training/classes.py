"""Learning one of several classes: cross-entropy."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score, MulticlassMatthewsCorrCoef
from transformers import PreTrainedModel

from stages.targets.target import Target

PROBLEM: str | None = None


def outputs(target: Target) -> list[str]:
    """Return the names of the classes."""
    return target.labels


def check_head(model: PreTrainedModel) -> None:
    """Accept every head."""


def learned(values: NDArray[Any], train: NDArray[np.int64]) -> tuple[NDArray[Any], Any]:
    """Return the class indices as they are."""
    return values, _keep


def losses(
    logits: Tensor, labels: Tensor, *, loss: str, smoothing: float, class_weights: Tensor | None = None
) -> Tensor:
    """Return the cross-entropy of each row, (batch,)."""
    return nn.functional.cross_entropy(logits, labels, reduction="none", label_smoothing=smoothing)


def constant_loss(
    labels: NDArray[np.int64], class_weights: NDArray[np.float64], *, loss: str = "auto", smoothing: float = 0.0
) -> float:
    """Return the least mean cross-entropy of the same probabilities for every row: the entropy of the targets.

    Args:
        labels: Label index of each row; shape (rows,), one or more.
        class_weights: Of each class in the mean; shape (classes,).
        loss: finetune.loss.
        smoothing: Share of each target (0 to 1) that is spread evenly over all classes.
    """
    sums = np.bincount(labels, minlength=len(class_weights)) * class_weights
    targets = (1 - smoothing) * sums / sums.sum() + smoothing / len(sums)
    present = targets[targets > 0]
    return float(-(present * np.log(present)).sum())


def weights(labels: Tensor, class_weights: Tensor) -> Tensor:
    """Return the weight of each row's class, (batch,)."""
    return class_weights[labels]


def val_metrics(num_labels: int) -> dict[str, Metric]:
    """Return accuracy, macro F1 and MCC over all rows."""
    return {
        "accuracy": MulticlassAccuracy(num_labels, average="micro"),
        "macro_f1": MulticlassF1Score(num_labels, average="macro"),
        "mcc": MulticlassMatthewsCorrCoef(num_labels),
    }


def _keep(model: PreTrainedModel) -> None:
    """Leave the model as it is."""
