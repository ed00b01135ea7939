"""How a model learns each kind of target: for finetune alone, because it needs PyTorch."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric
from transformers import PreTrainedModel

from stages.targets.target import Kind, Target
from stages.targets.training import classes, label_set, number, ordered

Undo = Callable[[PreTrainedModel], None]


class Training(Protocol):
    """What differs between the kinds where a model is trained; a module per kind has it.

    Attributes:
        PROBLEM: problem_type in config.json, by which other programs know the kind; None: one of several classes.
    """

    @property
    def PROBLEM(self) -> str | None: ...  # noqa: N802

    def outputs(self, target: Target) -> list[str]:
        """Return the names of the model's outputs: id2label in config.json."""

    def check_head(self, model: PreTrainedModel) -> None:
        """Check that the model's head can give the answers.

        Raises:
            ModelError: It can't.
        """

    def learned(self, values: NDArray[Any], train: NDArray[np.int64]) -> tuple[NDArray[Any], Undo]:
        """Return what the model learns of each row, and what makes the trained model answer in the rows' own unit.

        Args:
            values: Of all rows, from tokens.arrow: class indices, or the column `target`; shape (rows, ...).
            train: Positions of the rows of train.

        Raises:
            DataError: Nothing can be learned of the rows of train.
        """

    def losses(
        self, logits: Tensor, labels: Tensor, *, loss: str, smoothing: float, class_weights: Tensor | None = None
    ) -> Tensor:
        """Return the loss of each row, (batch,).

        Args:
            logits: Of the model in float32, (batch, outputs).
            labels: From `learned`, (batch, ...).
            loss: finetune.loss.
            smoothing: finetune.label_smoothing in training; 0 on val.
            class_weights: As for `weights`, where a row has several labels.
        """

    def constant_loss(
        self, labels: NDArray[Any], class_weights: NDArray[np.float64], *, loss: str = "auto", smoothing: float = 0.0
    ) -> float:
        """Return the least mean loss of the same answer to every row.

        Args:
            labels: From `learned`; shape (rows, ...).
            class_weights: One per label of the target.
            loss: finetune.loss.
            smoothing: finetune.label_smoothing.
        """

    def weights(self, labels: Tensor, class_weights: Tensor) -> Tensor:
        """Return the weight of each row in the loss, (batch,).

        Args:
            labels: From `learned`, (batch, ...).
            class_weights: One per output of the model; 1 where finetune.class_weights is none.
        """

    def val_metrics(self, num_labels: int) -> dict[str, Metric]:
        """Return the metrics of val by their name without `val.`; they are updated with logits and labels."""


TRAINING: Mapping[Kind, Training] = {
    "classes": classes,
    "ordered": ordered,
    "label_set": label_set,
    "number": number,
}
