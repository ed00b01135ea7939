"""What AdamW is given: groups of parameters with their weight decay and rate, and the rate at every step."""

import warnings
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from transformers import PreTrainedModel, get_scheduler

from stages.finetune.methods import EMBEDDINGS, blocks_of
from stages.model.layers import layers_of


def parameter_groups(
    model: PreTrainedModel, *, learning_rate: float, weight_decay: float, layer_decay: float
) -> list[dict[str, Any]]:
    """Return AdamW's groups.

    Matrices decay; the weights of norms, which have one dimension, and biases, which may have more, do not. Frozen
    weights are in the groups too: AdamW ignores weights without a gradient, and weights that are unfrozen later need a
    rate.

    Args:
        model: An encoder with its head.
        learning_rate: Of the head; the highest of the schedule.
        weight_decay: Of matrices, per step and times the rate.
        layer_decay: A layer's rate is this times the rate of the layer above; 1: all layers have the same.
    """
    named = model.named_parameters(remove_duplicate=False)
    biases = {id(parameter) for name, parameter in named if name.endswith("bias")}
    groups = []
    for rate, parameters in _by_rate(model, learning_rate, layer_decay).items():
        matrices = [parameter for parameter in parameters if parameter.ndim > 1 and id(parameter) not in biases]
        vectors = [parameter for parameter in parameters if parameter.ndim == 1 or id(parameter) in biases]
        groups.append({"params": matrices, "lr": rate, "weight_decay": weight_decay})
        groups.append({"params": vectors, "lr": rate, "weight_decay": 0.0})
    return [group for group in groups if group["params"]]


def make_schedule(optimizer: Optimizer, *, kind: str, steps: int, warmup_ratio: float) -> LambdaLR:
    """Return a schedule whose rates rise during warmup and then stay, or fall to 0 after the last of `steps` steps.

    Args:
        optimizer: Its rates are the highest of the schedule.
        kind: `linear`, `cosine` or `constant`.
        steps: Optimizer steps of the whole training (>= 1).
        warmup_ratio: Share of the steps (0 to 1) in which the rate rises.
    """
    rates: LambdaLR = get_scheduler(
        "constant_with_warmup" if kind == "constant" else kind,
        optimizer,
        num_warmup_steps=round(steps * warmup_ratio) + 1,
        num_training_steps=steps + 1,
    )
    with warnings.catch_warnings():  # about a schedule that moves before the optimizer does
        warnings.simplefilter("ignore", UserWarning)
        rates.step()  # transformers' first rate is 0: leave it out, so that the first step trains
    return rates


def clip_in_step(optimizer: Optimizer, grads: Sequence[Tensor], largest_norm: float) -> None:
    """Let the next step of fused AdamW divide gradients by what clips them as it reads them, without a pass of its own.

    Args:
        optimizer: Fused AdamW of the weights.
        grads: The gradients of all weights.
        largest_norm: Of all gradients together.
    """
    norm = nn.utils.get_total_norm(grads)
    optimizer.grad_scale = (norm + 1e-6).div(largest_norm).clamp(min=1.0)  # type: ignore[attr-defined]


def _by_rate(model: PreTrainedModel, learning_rate: float, layer_decay: float) -> dict[float, list[nn.Parameter]]:
    layers = len(layers_of(model))
    rates: dict[float, list[nn.Parameter]] = {}
    for block, parameters in blocks_of(model).items():
        depth = layers + 1 if block == EMBEDDINGS else 0  # how many times the head's rate is decayed
        if block.startswith("layer "):
            depth = layers - int(block.removeprefix("layer "))
        rates.setdefault(learning_rate * layer_decay**depth, []).extend(parameters)
    return rates
