import math
from typing import get_args

import pytest
import torch

from stages.finetune.encoder import load_encoder
from stages.finetune.methods import blocks_of
from stages.finetune.training.optimizer import make_schedule, parameter_groups
from stages.model.heads import give_head
from stages.paths import Paths
from stages.schema import Finetune
from tests.stages.finetune.kinds import SPECIFIC, kind_model
from tests.stages.finetune.tiny import LABELS


def test_biases_and_norms_do_not_decay(paths: Paths) -> None:
    model = load_encoder(paths.encoder, labels=LABELS)
    decayed, kept = parameter_groups(model, learning_rate=1.0, weight_decay=0.01, layer_decay=1.0)
    assert (decayed["weight_decay"], kept["weight_decay"]) == (0.01, 0.0)
    for name, parameter in model.named_parameters():
        exempt = name.endswith("bias") or "LayerNorm" in name
        assert any(parameter is other for other in kept["params"]) == exempt, name
        assert any(parameter is other for other in decayed["params"]) != exempt, name


@pytest.mark.parametrize("kind", [*SPECIFIC, "bert with a hidden layer"])
def test_no_bias_decays_whatever_its_shape(kind: str) -> None:
    model = kind_model(kind.partition(" ")[0])
    if kind not in SPECIFIC:
        give_head(model, pooling=None, hidden=8, dropout=0.0)  # its bias has two dimensions
    groups = parameter_groups(model, learning_rate=1.0, weight_decay=0.01, layer_decay=1.0)
    decays = {id(parameter) for group in groups if group["weight_decay"] for parameter in group["params"]}
    named = dict(model.named_parameters())
    assert sum(len(group["params"]) for group in groups) == len(named)
    assert [name for name, parameter in named.items() if id(parameter) in decays and name.endswith("bias")] == []
    assert [name for name, parameter in named.items() if id(parameter) not in decays and parameter.ndim > 1] == [
        name for name, parameter in named.items() if name.endswith("bias") and parameter.ndim > 1
    ]


def test_each_layer_has_the_rate_of_the_one_above_times_the_decay(paths: Paths) -> None:
    model = load_encoder(paths.encoder, labels=LABELS)
    groups = parameter_groups(model, learning_rate=1.0, weight_decay=0.01, layer_decay=0.5)
    rates = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}
    found = {block: {rates[id(p)] for p in parameters} for block, parameters in blocks_of(model).items()}
    assert found == {
        "head": {1.0},
        "rest of the encoder": {1.0},  # the pooler
        "layer 1": {0.5},
        "layer 0": {0.25},
        "embeddings": {0.125},
    }


@pytest.mark.parametrize(
    ("kind", "depth"), [("bart", 5), ("ctrl", 3), ("mbart", 5), ("mt5", 5), ("t5", 5), ("xlm", 3), ("xlnet", 3)]
)
def test_the_token_embeddings_have_the_lowest_rate(kind: str, depth: int) -> None:
    model = kind_model(kind)
    groups = parameter_groups(model, learning_rate=1.0, weight_decay=0.01, layer_decay=0.5)
    table = model.get_input_embeddings().weight
    [rate] = [group["lr"] for group in groups if any(parameter is table for parameter in group["params"])]
    assert rate == min(group["lr"] for group in groups) == 0.5**depth


def factor(kind: str, step: int, steps: int, warmup: int) -> float:
    """Return the share of the highest rate: written out, as the schedule was before transformers' own was used."""
    if step < warmup:
        return (step + 1) / (warmup + 1)
    done = (step - warmup) / (steps - warmup)
    return {"linear": 1 - done, "cosine": (1 + math.cos(math.pi * done)) / 2, "constant": 1.0}[kind]


@pytest.mark.parametrize("kind", get_args(Finetune.model_fields["schedule"].annotation))
@pytest.mark.parametrize(("steps", "warmup_ratio"), [(10, 0.2), (7, 0.0), (1, 0.5), (100, 0.06)])
def test_the_rate_rises_to_its_highest_and_then_falls_or_stays(kind: str, steps: int, warmup_ratio: float) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=2.0)
    rule = make_schedule(optimizer, kind=kind, steps=steps, warmup_ratio=warmup_ratio)
    rates = []
    for _ in range(steps):
        rates.append(rule.get_last_lr()[0])
        optimizer.step()
        rule.step()
    warmup = round(steps * warmup_ratio)
    assert rates == pytest.approx([2.0 * factor(kind, step, steps, warmup) for step in range(steps)], abs=1e-12)
    assert max(rates) == 2.0 == rates[warmup]
    assert all(rate > 0 for rate in rates)
    assert rates[: warmup + 1] == sorted(rates[: warmup + 1])
    assert rates[warmup:] == sorted(rates[warmup:], reverse=True)
    assert rule.get_last_lr()[0] == pytest.approx(2.0 if kind == "constant" else 0.0)
    assert len(set(rates[warmup:])) == (1 if kind == "constant" else steps - warmup)
