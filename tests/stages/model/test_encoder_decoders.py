"""An encoder-decoder answers the same for a text with an end token in it, alone and beside any other."""

import pytest
import torch

from stages.model.encoder_decoders import read_last_end
from tests.stages.finetune.kinds import kind_model

KINDS = ["bart", "bigbird_pegasus", "mbart", "mt5", "t5", "umt5"]
ROWS = [
    [2, 12, 3, 30, 41, 3],
    [2, 11, 3],
    [2, 50, 51, 3],
    [2, 3, 3, 12, 3],
    [2, 12, 30, 3, 7],
]  # 3: the end; 7: a language


def padded() -> dict[str, torch.Tensor]:
    longest = max(map(len, ROWS))
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in ROWS])
    return {"input_ids": ids, "attention_mask": (ids != 0).long()}


@pytest.mark.parametrize("kind", KINDS)
def test_an_end_token_inside_a_text(kind: str) -> None:
    plain, ours = kind_model(kind), kind_model(kind)
    batch = padded()
    with pytest.raises((ValueError, RuntimeError)):
        plain(**batch)
    read_last_end(ours)
    logits = ours(**batch).logits
    for row, expected in zip(ROWS, logits, strict=True):
        ids = torch.tensor([row])
        mask = torch.ones_like(ids)
        assert torch.allclose(plain(input_ids=ids, attention_mask=mask).logits[0], expected, atol=1e-5)
        assert torch.allclose(ours(input_ids=ids, attention_mask=mask).logits[0], expected, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_encoder_alone_needs_no_tokens_for_the_decoder(kind: str) -> None:
    model = kind_model(kind)
    read_last_end(model)
    assert model.base_model(**padded()).last_hidden_state.shape == (len(ROWS), 6, 16)


def test_other_architectures_are_left_alone() -> None:
    model = kind_model("bert")
    read_last_end(model)
    assert "forward" not in vars(model)
