"""Learning one of several classes in a row: cross-entropy, since no loss that knows the order was better.

Source: benchmarks/ordered.md.
"""

from torch import Tensor
from torchmetrics import Metric
from torchmetrics.classification import MulticlassCohenKappa

from stages.targets.training import classes
from stages.targets.training.classes import PROBLEM, check_head, constant_loss, learned, losses, outputs, weights

__all__ = [
    "PROBLEM",
    "check_head",
    "constant_loss",
    "learned",
    "losses",
    "outputs",
    "val_metrics",
    "weights",
]


class QuadraticKappa(MulticlassCohenKappa):
    """Cohen's kappa over all rows, errors weighted by the square of their distance in classes; 0 where undefined."""

    def compute(self) -> Tensor:
        """Return the kappa of all batches."""
        return super().compute().nan_to_num(0.0)


def val_metrics(num_labels: int) -> dict[str, Metric]:
    """Return accuracy, macro F1, MCC and quadratic kappa over all rows."""
    return {**classes.val_metrics(num_labels), "quadratic_kappa": QuadraticKappa(num_labels, weights="quadratic")}
