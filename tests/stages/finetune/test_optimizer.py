import pytest
import torch

from stages.finetune.encoder import load_encoder
from stages.finetune.optimizer import decay_groups, linear_schedule
from stages.paths import Paths

from .conftest import LABELS


def test_biases_and_norms_do_not_decay(paths: Paths) -> None:
    model = load_encoder(paths.encoder, labels=LABELS)
    decayed, kept = (set(map(id, group["params"])) for group in decay_groups(model, 0.01))
    for name, parameter in model.named_parameters():
        exempt = name.endswith("bias") or "LayerNorm" in name
        assert (id(parameter) in kept) == exempt, name
        assert (id(parameter) in decayed) != exempt, name


@pytest.mark.parametrize(("steps", "warmup_ratio"), [(10, 0.2), (7, 0.0), (1, 0.5), (100, 0.06)])
def test_the_rate_rises_to_its_highest_and_ends_at_0(steps: int, warmup_ratio: float) -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=2.0)
    schedule = linear_schedule(optimizer, steps=steps, warmup_ratio=warmup_ratio)
    rates = []
    for _ in range(steps):
        rates.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    warmup = round(steps * warmup_ratio)
    assert max(rates) == 2.0 == rates[warmup]
    assert all(rate > 0 for rate in rates)
    assert rates[: warmup + 1] == sorted(rates[: warmup + 1])
    assert rates[warmup:] == sorted(rates[warmup:], reverse=True)
    assert schedule.get_last_lr()[0] == 0
