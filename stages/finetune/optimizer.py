"""What AdamW gets: groups of parameters, and the rate at every step."""

from typing import Any

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def decay_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Return AdamW's groups: matrices decay; biases and the weights of norms, which have one dimension, do not."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [parameter for parameter in trained if parameter.ndim > 1], "weight_decay": weight_decay},
        {"params": [parameter for parameter in trained if parameter.ndim <= 1], "weight_decay": 0.0},
    ]


def linear_schedule(optimizer: Optimizer, *, steps: int, warmup_ratio: float) -> LambdaLR:
    """Return a schedule whose rate rises during warmup and then falls, to 0 after the last of `steps` steps.

    Args:
        optimizer: Its rates are the highest of the schedule.
        steps: Optimizer steps of the whole training (>= 1).
        warmup_ratio: Share of the steps (0 to 1) in which the rate rises.
    """
    warmup = round(steps * warmup_ratio)

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / (warmup + 1)  # the first step moves too
        return max(0.0, (steps - step) / (steps - warmup))

    return LambdaLR(optimizer, factor)
