"""Dropout and attention of a training on a CPU do what PyTorch's do."""

import numpy as np
import pytest
import torch
from scipy.stats import binomtest
from torch import Tensor, nn
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from stages.finetune.acceleration.on_cpu import MOST_TOKENS, Dropout, attention, kept, trains_on_cpu
from tests.stages.finetune.tiny import tiny_models

SHARES = [0.0, 0.001, 0.1, 0.25, 0.5, 0.9, 0.999, 1.0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("share", SHARES)
def test_dropout_drops_its_share_and_raises_the_rest(share: float, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    inputs = torch.ones(37, 41, 43, dtype=dtype, requires_grad=True)
    outputs = Dropout(share)(inputs)
    outputs.sum().backward()  # type: ignore[no-untyped-call]
    dropped = int((outputs == 0).sum())
    assert outputs.dtype == dtype
    assert binomtest(dropped, inputs.numel(), share).pvalue > 1e-4
    if share < 1:
        rounding = 2**-8 if dtype == torch.bfloat16 else 1e-6
        largest = float(outputs.detach().max())
        assert largest == pytest.approx(1 / (1 - share), rel=rounding + 2**-17 / (1 - share))
    torch.testing.assert_close(inputs.grad, outputs.detach())


@pytest.mark.parametrize("shape", [(0,), (1,), (3,), (4, 5), (7, 1, 9)])
def test_a_tensor_of_any_size_is_drawn(shape: tuple[int, ...]) -> None:
    assert kept(torch.Size(shape), 0.5, torch.float32).shape == shape


def test_elements_are_dropped_independently() -> None:
    torch.manual_seed(1)
    dropped = (kept(torch.Size([400_000]), 0.3, torch.float32) == 0).double().numpy()
    for lag in (1, 2, 3, 4, 8, 384):
        assert abs(np.corrcoef(dropped[:-lag], dropped[lag:])[0, 1]) < 4 / len(dropped) ** 0.5
    for place in range(4):  # of a word of 64 bits
        assert dropped[place::4].mean() == pytest.approx(0.3, abs=4 * (0.21 / 100_000) ** 0.5)


def test_a_seed_gives_the_same_elements_again() -> None:
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(kept(torch.Size([1_000]), 0.5, torch.bfloat16))
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_no_dropout_outside_training() -> None:
    inputs = torch.randn(50)
    assert torch.equal(Dropout(0.5).eval()(inputs), inputs)


def test_the_model_is_a_plain_one_after_the_training() -> None:
    model = tiny_models()["bert"]
    before = [type(module) for module in model.modules()]
    with trains_on_cpu(model):
        assert any(type(module) is Dropout for module in model.modules())
        assert ALL_ATTENTION_FUNCTIONS["sdpa"] is attention
        with trains_on_cpu(model):  # as where one training is measured within another
            pass
        assert ALL_ATTENTION_FUNCTIONS["sdpa"] is attention
    assert [type(module) for module in model.modules()] == before
    assert ALL_ATTENTION_FUNCTIONS["sdpa"] is sdpa_attention_forward


def _attend(dropout: float, mask: Tensor | None, *, tokens: int, dtype: torch.dtype, causal: bool = False) -> Tensor:
    torch.manual_seed(3)
    query, key, value = (torch.randn(2, 3, tokens, 8, dtype=dtype, requires_grad=True) for _ in range(3))
    return attention(nn.Module(), query, key, value, mask, dropout=dropout, is_causal=causal)[0]


def test_dropout_of_attention_keeps_the_mean() -> None:
    torch.manual_seed(5)
    rows = [torch.randn(1, 2, 6, 4, requires_grad=True) for _ in range(3)]
    draws = range(4_000)
    found = torch.stack([attention(nn.Module(), *rows, None, dropout=0.3, is_causal=False)[0].detach() for _ in draws])
    plain = sdpa_attention_forward(nn.Module(), *rows, None, is_causal=False)[0]
    assert ((found.mean(0) - plain).abs() <= 5 * found.std(0) / 4_000**0.5).all()
    assert (found.std(0) > 0).all()


@pytest.mark.parametrize("tokens", [1, 5, MOST_TOKENS + 1])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("masked", ["no", "bool", "float"])
@pytest.mark.parametrize("causal", [False, True])
def test_every_mask_is_minded(masked: str, tokens: int, dtype: torch.dtype, causal: bool) -> None:
    keep = torch.ones(2, 1, tokens, tokens, dtype=torch.bool)
    keep[1, ..., tokens // 2 + 1 :] = False
    bias = torch.zeros(keep.shape, dtype=dtype).masked_fill(~keep, torch.finfo(dtype).min)
    mask = {"no": None, "bool": keep, "float": bias}[masked]
    torch.manual_seed(3)
    query, key, value = (torch.randn(2, 3, tokens, 8, dtype=dtype) for _ in range(3))
    expected = sdpa_attention_forward(nn.Module(), query, key, value, mask, is_causal=causal)[0]
    tolerance = 1e-5 if dtype == torch.float32 else 0.03
    for dropout in (0.0, 1e-9):  # none, and so little that nothing is dropped
        found = _attend(dropout, mask, tokens=tokens, dtype=dtype, causal=causal)
        torch.testing.assert_close(found, expected, atol=tolerance, rtol=tolerance)
