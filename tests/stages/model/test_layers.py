import pytest
import torch
from transformers import PreTrainedModel

from stages.model.layers import first_token, first_token_only
from tests.stages.finetune.tiny import tiny_models

IDS = torch.tensor([[2, 12, 30, 41, 3], [2, 11, 3, 0, 0], [2, 50, 51, 3, 0]])
MASK = (IDS != 0).long()


def gradients(model: PreTrainedModel) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    model.zero_grad()
    logits = model(IDS, attention_mask=MASK).logits
    (logits * torch.arange(1.0, 4.0)).sum().backward()
    return logits.detach(), {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("kind", ["bert", "roberta", "electra"])
def test_same_logits_and_gradients(kind: str) -> None:
    model = tiny_models()[kind].eval()
    logits, grads = gradients(model)
    assert first_token_only(model)
    assert model.base_model(IDS, attention_mask=MASK).last_hidden_state.shape == (3, 1, 16)
    found_logits, found_grads = gradients(model)
    assert torch.allclose(found_logits, logits, atol=1e-6)
    assert found_grads.keys() == grads.keys()
    for name, values in grads.items():
        assert torch.allclose(found_grads[name], values, atol=1e-5), name


def test_other_architectures_are_left_alone() -> None:
    for kind in ("distilbert", "albert", "deberta-v2", "modernbert", "gpt2"):
        assert not first_token_only(tiny_models()[kind])


def test_the_last_layer_is_whole_again_after_the_block() -> None:
    model = tiny_models()["bert"].eval()
    before = model.base_model(IDS, attention_mask=MASK).last_hidden_state
    with pytest.raises(KeyError), first_token(model):
        assert model.base_model(IDS, attention_mask=MASK).last_hidden_state.shape[1] == 1
        raise KeyError
    assert torch.equal(model.base_model(IDS, attention_mask=MASK).last_hidden_state, before)
