"""Learning a number: squared or Huber loss of the number standardised on train; the saved model answers in its unit."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from torch import Tensor, nn
from torchmetrics import Metric, PearsonCorrCoef, R2Score
from transformers import PreTrainedModel

from stages.errors import DataError, ModelError
from stages.model.heads import HiddenHead
from stages.model.pooling import PooledHead
from stages.targets.target import Target

PROBLEM: str | None = "regression"

OUTPUT = "number"  # name of the model's output
HUBER_DELTA = 1.0  # standard deviations: an error counts by its square up to here, and above in proportion to its size


def _squared(outputs: Tensor, labels: Tensor) -> Tensor:
    return nn.functional.mse_loss(outputs, labels, reduction="none")


def _huber(outputs: Tensor, labels: Tensor) -> Tensor:
    return nn.functional.huber_loss(outputs, labels, reduction="none", delta=HUBER_DELTA)


LOSSES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {"auto": _squared, "mse": _squared, "huber": _huber}


class R2(R2Score):
    """R2 over all rows, of outputs of shape (batch, 1)."""

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Add a batch."""
        super().update(preds.float().squeeze(-1), target)


class Pearson(PearsonCorrCoef):
    """Pearson's correlation over all rows, of outputs of shape (batch, 1)."""

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Add a batch."""
        super().update(preds.float().squeeze(-1), target)


def outputs(target: Target) -> list[str]:
    """Return the name of the only output."""
    return [OUTPUT]


def check_head(model: PreTrainedModel) -> None:
    """Check that the unit of the numbers can be put into the head's last layer.

    Raises:
        ModelError: It has no bias.
    """
    layer = _last_layer(model)
    if layer is None or layer.bias is None:
        raise ModelError(
            f"The head of {model.config.model_type} has no bias, which a number needs. "
            "Set finetune.head.pooling: last (for a decoder) or mean."
        )


def learned(
    values: NDArray[Any], train: NDArray[np.int64]
) -> tuple[NDArray[np.float32], Callable[[PreTrainedModel], None]]:
    """Return the numbers with mean 0 and standard deviation 1 on train, and what puts both back into a model.

    Raises:
        DataError: All rows of train have one number.
    """
    of_train = values[train].astype(np.float64)
    mean, sd = float(of_train.mean()), float(of_train.std())
    if not sd > 0:
        raise DataError(
            f"All {len(of_train)} rows of train have the number {of_train[0]:g}, so there is nothing to learn. "
            "Correct download.dataset.columns.label, or add rows."
        )
    return ((values - mean) / sd).astype(np.float32), lambda model: restore_unit(model, mean=mean, sd=sd)


@torch.no_grad()
def restore_unit(model: PreTrainedModel, *, mean: float, sd: float) -> None:
    """Let a model answer `sd` times its output plus `mean`, by other weights of its last layer."""
    layer: Any = _last_layer(model)
    weight, bias = (parameter.double() for parameter in (layer.weight, layer.bias))
    layer.weight.copy_(weight * sd)
    layer.bias.copy_(bias * sd + mean)


def losses(
    logits: Tensor, labels: Tensor, *, loss: str, smoothing: float, class_weights: Tensor | None = None
) -> Tensor:
    """Return the squared error of each row's standardised number, or Huber's loss of it, (batch,)."""
    return LOSSES[loss](logits.squeeze(-1), labels)


def constant_loss(
    labels: NDArray[np.float32], class_weights: NDArray[np.float64], *, loss: str = "auto", smoothing: float = 0.0
) -> float:
    """Return the least mean loss of the same number for every row of standardised numbers, (rows,)."""
    numbers = torch.from_numpy(labels).double()

    def mean(answer: float) -> float:
        return float(LOSSES[loss](torch.full_like(numbers, answer), numbers).mean())

    return float(minimize_scalar(mean, bounds=(float(numbers.min()), float(numbers.max())), method="bounded").fun)


def weights(labels: Tensor, class_weights: Tensor) -> Tensor:
    """Return 1 for each row."""
    return torch.ones_like(labels)


def val_metrics(num_labels: int) -> dict[str, Metric]:
    """Return R2 and Pearson's correlation; both are the same in any unit."""
    return {"r2": R2(), "pearson": Pearson()}


def _last_layer(model: PreTrainedModel) -> Any:
    """The layer whose output is the model's; None: there is none outside the encoder."""
    inside = set(model.base_model.modules())
    outside = [module for module in model.modules() if module not in inside]
    ours = [module for module in outside if isinstance(module, HiddenHead | PooledHead)]
    plain = [module for module in outside if isinstance(module, nn.Linear)]
    return ours[-1] if ours else plain[-1] if plain else None
