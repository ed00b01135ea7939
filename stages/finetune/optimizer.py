"""What AdamW gets: groups of parameters with their decay and rate, and the rate at every step."""

import math
from typing import Any

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from transformers import PreTrainedModel

from stages.finetune.methods import EMBEDDINGS, blocks_of
from stages.model.layers import layers_of


def parameter_groups(
    model: PreTrainedModel, *, learning_rate: float, weight_decay: float, layer_decay: float
) -> list[dict[str, Any]]:
    """Return AdamW's groups.

    Matrices decay; biases and the weights of norms, which have one dimension, do not. Weights that are fixed now are
    in their group too: without a gradient AdamW leaves them alone, and one that is unfixed later finds its rate.

    Args:
        model: An encoder with its head.
        learning_rate: Of the head; the highest of the schedule.
        weight_decay: Of matrices, per step and times the rate.
        layer_decay: A layer has the rate of the one above it times this; 1: the same for all.
    """
    groups = []
    for rate, parameters in _by_rate(model, learning_rate, layer_decay).items():
        matrices = [parameter for parameter in parameters if parameter.ndim > 1]
        vectors = [parameter for parameter in parameters if parameter.ndim == 1]
        groups.append({"params": matrices, "lr": rate, "weight_decay": weight_decay})
        groups.append({"params": vectors, "lr": rate, "weight_decay": 0.0})
    return [group for group in groups if group["params"]]


def schedule(optimizer: Optimizer, *, kind: str, steps: int, warmup_ratio: float) -> LambdaLR:
    """Return a schedule whose rates rise during warmup and then stay, or fall to 0 after the last of `steps` steps.

    Args:
        optimizer: Its rates are the highest of the schedule.
        kind: `linear`, `cosine` or `constant`.
        steps: Optimizer steps of the whole training (>= 1).
        warmup_ratio: Share of the steps (0 to 1) in which the rate rises.
    """
    warmup = round(steps * warmup_ratio)

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / (warmup + 1)  # the first step moves too
        done = min(1.0, (step - warmup) / max(1, steps - warmup))
        return {"linear": 1 - done, "cosine": (1 + math.cos(math.pi * done)) / 2, "constant": 1.0}[kind]

    return LambdaLR(optimizer, factor)


def _by_rate(model: PreTrainedModel, learning_rate: float, layer_decay: float) -> dict[float, list[nn.Parameter]]:
    layers = len(layers_of(model))
    rates: dict[float, list[nn.Parameter]] = {}
    for block, parameters in blocks_of(model).items():
        below = layers + 1 if block == EMBEDDINGS else 0  # layers between this block and the head, and one
        if block.startswith("layer "):
            below = layers - int(block.removeprefix("layer "))
        rates.setdefault(learning_rate * layer_decay**below, []).extend(parameters)
    return rates
