import pytest
import torch
from torch import nn

from stages.finetune.acceleration.dropout import WordDropout, attention, keep_mask, speed_up_dropout
from stages.finetune.encoder import load_encoder, save_model
from stages.paths import Paths
from tests.stages.finetune.runs import batch, build
from tests.stages.finetune.tiny import LABELS


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_keeps_the_share_and_the_mean(p: float) -> None:
    torch.manual_seed(0)
    mask = keep_mask(torch.empty(1001, 999), p)
    kept = (mask > 0).float()
    assert kept.mean().item() == pytest.approx(1 - p, abs=0.002)
    assert mask.mean().item() == pytest.approx(1, abs=0.01)
    for lane in range(4):  # each of the four numbers in a 64-bit word
        assert kept.flatten()[lane::4].mean().item() == pytest.approx(1 - p, abs=0.004)
    assert torch.corrcoef(torch.stack([kept[:, 0], kept[:, 1]]))[0, 1].abs() < 0.15
    assert set(mask.unique().tolist()) == {0.0, mask.max().item()}


def test_dropout_is_seeded_and_off_in_eval_mode() -> None:
    layer, values = WordDropout(0.3), torch.ones(50, 7)
    torch.manual_seed(1)
    first = layer(values)
    torch.manual_seed(1)
    assert torch.equal(layer(values), first)
    assert not torch.equal(layer(values), first)
    assert layer.eval()(values) is values


def test_the_gradient_goes_where_values_went() -> None:
    values = torch.randn(40, 5, requires_grad=True)
    result = WordDropout(0.5)(values)
    result.sum().backward()
    assert torch.equal(values.grad == 0, result == 0)  # type: ignore[union-attr]


def test_attention_without_dropout_is_pytorchs() -> None:
    query, key, value = torch.randn(3, 2, 4, 6, 8).unbind(0)
    mask = torch.rand(2, 1, 6, 6) > 0.3
    mask[..., 0] = True
    found, _ = attention(nn.Identity(), query, key, value, mask, scaling=0.3)
    expected = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=0.3)
    assert torch.allclose(found, expected.transpose(1, 2), atol=1e-6)


def test_the_model_is_the_same_but_for_the_numbers_drawn(paths: Paths) -> None:
    module, rows = build(paths).eval(), batch(paths)
    expected = module(rows)
    save_model(module.model, paths.finetuned(1), encoder=paths.encoder)
    speed_up_dropout(module.model)
    assert torch.allclose(module(rows), expected, atol=1e-6)
    module.train()
    assert not torch.equal(module(rows), module(rows))
    save_model(module.model, paths.finetuned(2), encoder=paths.encoder)
    files = [paths.finetuned(seed) / "config.json" for seed in (1, 2)]
    assert files[0].read_text() == files[1].read_text()


def test_every_dropout_is_replaced(paths: Paths) -> None:
    model = load_encoder(paths.encoder, labels=LABELS)
    speed_up_dropout(model)
    assert not any(type(module) is nn.Dropout for module in model.modules())
