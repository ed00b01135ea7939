"""Attention as a CPU trains with it gives every architecture the logits and gradients of PyTorch's own."""

from typing import Any

import pytest
import torch
from torch import Tensor
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from stages.finetune.acceleration import on_cpu
from stages.model.layers import first_token_only
from tests.architectures.models import ARCHITECTURES, classifier
from tests.architectures.tokenizers import make_tokenizer, sample_texts

NO_SHARE = 1e-9  # of dropout: the products are taken, and all elements kept
ALIKE = 1e-5  # of the largest gradient
FUSED = {"bert", "distilbert", "modernbert", "roberta", "xlm-roberta", "camembert", "electra", "albert", "bart"}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[torch.Size]:
    """Take the products where gradients are wanted, and note what they were taken of."""
    noted: list[torch.Size] = []

    def attention(*args: Any, **options: Any) -> Any:
        return on_cpu.attention(*args, **options | {"dropout": NO_SHARE})

    def kept(shape: torch.Size, share: float, dtype: torch.dtype) -> Tensor:
        noted.append(shape)
        return torch.ones(shape, dtype=dtype)

    monkeypatch.setattr(on_cpu, "kept", kept)
    monkeypatch.setitem(ALL_ATTENTION_FUNCTIONS, "sdpa", attention)
    return noted


def loss_and_gradients(model: Any, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    model.zero_grad()
    logits = model(**batch).logits.float()
    logits.square().sum().backward()
    return logits.detach(), torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_logits_and_gradients_are_those_of_pytorchs_attention(
    name: str, calls: list[torch.Size], monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer = make_tokenizer(ARCHITECTURES[name].tokenizer)
    model = classifier(name, tokenizer).eval()
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
        model.config.pad_token_id = tokenizer.pad_token_id
    texts = sorted(sample_texts(), key=len)[2:8]
    batch = dict(tokenizer(texts, padding=True, truncation=True, max_length=24, return_tensors="pt"))
    first_token_only(model)
    logits, gradients = loss_and_gradients(model, batch)
    taken = len(calls)
    monkeypatch.setitem(ALL_ATTENTION_FUNCTIONS, "sdpa", sdpa_attention_forward)
    expected_logits, expected = loss_and_gradients(model, batch)
    assert len(calls) == taken, "the second pass is PyTorch's own"
    assert taken or name not in FUSED
    torch.testing.assert_close(logits, expected_logits, atol=1e-5, rtol=1e-5)
    assert (gradients - expected).abs().max() <= ALIKE * expected.abs().max()
