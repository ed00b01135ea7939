"""A weighted mean over batches and devices."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric


class WeightedMean(Metric):
    """The weighted mean of all values so far, computed without a wait for the GPU.

    torchmetrics' own MeanMetric waits at every update to look for NaN, or, told not to, leaves the weights out (1.9).
    """

    full_state_update = False
    is_differentiable = False
    total: Tensor
    weight: Tensor

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for name in ("total", "weight"):
            self.add_state(name, default=torch.tensor(0.0), dist_reduce_fx="sum")

    def update(self, values: Tensor, weights: Tensor) -> None:
        """Add values with their weights, both (batch,)."""
        self.total += (values * weights).sum()
        self.weight += weights.sum()

    def compute(self) -> Tensor:
        """Return the mean; NaN if there are no values."""
        return self.total / self.weight
