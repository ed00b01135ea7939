import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from stages.finetune.acceleration.packing import agrees, pack
from stages.model.layers import first_token_only
from stages.model.packed import FILLER_ROWS, KERNEL_ROWS, SMALLEST_STEP, attend_packed, can_pack, filled_length
from stages.model.positions import first_position
from stages.paths import Paths
from stages.tokens import open_tokens
from tests.stages.finetune.tiny import tiny_models

ROWS = np.array([3, 17, 60, 61, 90])


def loss_and_gradients(model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> tuple[float, dict[str, torch.Tensor]]:
    model.zero_grad()
    inputs = {name: values for name, values in batch.items() if name != "labels"}
    loss = cross_entropy(model(**inputs).logits[: len(batch["labels"])], batch["labels"])
    loss.backward()
    return loss.item(), {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


PACKS = [kind for kind, model in tiny_models().items() if can_pack(model)]


def test_which_architectures_pack() -> None:
    assert sorted(PACKS) == ["albert", "bert", "distilbert", "electra", "modernbert", "roberta"]


@pytest.mark.parametrize("filler", [None, 0])
@pytest.mark.parametrize("kind", [*PACKS, "modernbert mean"])
def test_packed_and_padded_give_the_same_loss_and_gradients(paths: Paths, kind: str, filler: int | None) -> None:
    kind, _, pooling = kind.partition(" ")
    tokens, model = open_tokens(paths.tokens), tiny_models()[kind].eval()
    padded = {name: torch.from_numpy(values) for name, values in tokens.pad(ROWS, pad_token_id=0).items()}
    if pooling:
        model.config.classifier_pooling = pooling
    loss, grads = loss_and_gradients(model, padded)
    first_token_only(model)
    attend_packed(model)
    packed = pack(tokens, ROWS, first_position=first_position(model), filler=filler)
    assert packed["input_ids"].shape == (1, tokens.lengths[ROWS].sum() if filler is None else SMALLEST_STEP)
    found_loss, found_grads = loss_and_gradients(model, packed)  # type: ignore[arg-type]
    assert found_loss == pytest.approx(loss, abs=1e-5)
    for name, values in grads.items():
        assert torch.allclose(found_grads[name], values, atol=1e-5), name


def test_what_a_packed_batch_holds(paths: Paths) -> None:
    tokens = open_tokens(paths.tokens)
    packed = pack(tokens, ROWS, first_position=2)
    assert packed["cu_seqlens"].tolist() == [0, *np.cumsum(tokens.lengths[ROWS]).tolist()]
    assert packed["input_ids"][0].tolist() == [int(token) for row in ROWS for token in tokens.row(row)]
    assert packed["position_ids"][0].tolist() == [2 + at for row in ROWS for at in range(tokens.lengths[row])]
    assert packed["longest"] == tokens.lengths[ROWS].max()
    assert packed["labels"].tolist() == tokens.labels[ROWS].tolist()


def test_a_filled_batch_has_one_of_few_lengths(paths: Paths) -> None:
    tokens = open_tokens(paths.tokens)
    total = int(tokens.lengths[ROWS].sum())
    packed = pack(tokens, ROWS, first_position=2, filler=7)
    starts = packed["cu_seqlens"].tolist()
    assert starts[: len(ROWS) + 1] == [0, *np.cumsum(tokens.lengths[ROWS]).tolist()]
    assert len(starts) == len(ROWS) + 1 + FILLER_ROWS
    assert starts[-1] == SMALLEST_STEP
    assert max(np.diff(starts[len(ROWS) :])) <= packed["longest"]
    assert packed["input_ids"][0, total:].tolist() == [7] * (SMALLEST_STEP - total)
    assert packed["longest"] == KERNEL_ROWS
    for length in range(1, 20_000, 7):
        assert 0 <= filled_length(length) - length < max(SMALLEST_STEP, length / 8)
    assert len({filled_length(length) for length in range(1, 16_384)}) < 60


def test_a_device_is_asked_first_whether_it_agrees(paths: Paths) -> None:
    tokens, model = open_tokens(paths.tokens), tiny_models()["bert"]
    assert first_token_only(model)
    before = model.config._attn_implementation
    assert agrees(model, tokens, ROWS, pad_token_id=0)
    assert model.config._attn_implementation == before
    assert model.training


def test_a_device_that_can_not_pack_is_no_error(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_kernel(model: PreTrainedModel) -> None:
        raise RuntimeError("no kernel for this device")

    monkeypatch.setattr("stages.finetune.acceleration.packing.attend_packed", no_kernel)
    assert not agrees(tiny_models()["bert"], open_tokens(paths.tokens), ROWS, pad_token_id=0)
