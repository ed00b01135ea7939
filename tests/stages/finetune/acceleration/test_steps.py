from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from stages.finetune.acceleration.packing import pack
from stages.finetune.acceleration.steps import ProductLinear, Recorder, Steps
from stages.finetune.training.lightning_module import FinetuneModule
from stages.model.layers import first_token_only
from stages.model.packed import attend_packed
from stages.paths import Paths
from stages.tokens import open_tokens
from tests.stages.finetune.runs import build, train
from tests.stages.finetune.tiny import tiny_models

ROWS = np.arange(12)


def mean_losses(logits: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    losses = nn.functional.cross_entropy(logits.float(), labels, reduction="none")
    return losses, torch.ones_like(losses)


def optimizer_of(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.1, fused=True)


@pytest.mark.parametrize("kind", ["bert", "modernbert", "distilbert"])
def test_a_whole_step_is_forward_backward_clipping_and_the_optimizer(paths: Paths, kind: str) -> None:
    tokens = open_tokens(paths.tokens)
    plain, whole = (tiny_models()[kind].eval() for _ in range(2))
    for parameter in (*plain.get_input_embeddings().parameters(), *whole.get_input_embeddings().parameters()):
        parameter.requires_grad_(False)
    for model in (plain, whole):
        first_token_only(model)
        attend_packed(model)
    batch = pack(tokens, ROWS, first_position=0, filler=0)
    inputs = {name: values for name, values in batch.items() if name != "labels"}
    optimizer = optimizer_of(plain)
    steps = Steps(whole, mean_losses, optimizer_of(whole), gradient_clip=0.1, dtype=torch.float32, record=False)
    for _ in range(4):
        labels: Any = batch["labels"]
        loss = nn.functional.cross_entropy(plain(**inputs).logits[: len(labels)], labels)
        loss.backward()
        assert nn.utils.clip_grad_norm_(plain.parameters(), 0.1) > 0.1  # it is clipped
        optimizer.step()
        optimizer.zero_grad()
        found, losses, weights = steps(dict(batch))
        assert float(found) == pytest.approx(float(loss.detach()), abs=1e-5)
        assert losses.shape == weights.shape == labels.shape
    for (name, expected), values in zip(plain.named_parameters(), whole.parameters(), strict=True):
        assert torch.allclose(values, expected, atol=1e-5), name
        assert values.grad is None


def test_the_weights_stay_float32_where_copies_are_bf16(paths: Paths) -> None:
    model = tiny_models()["bert"].eval()
    first_token_only(model)
    attend_packed(model)
    before = {name: values.clone() for name, values in model.named_parameters()}
    steps = Steps(model, mean_losses, optimizer_of(model), gradient_clip=1.0, record=False)
    assert {copy.dtype for copy in steps.copies.values()} == {torch.bfloat16}
    loss, _, _ = steps(dict(pack(open_tokens(paths.tokens), ROWS, first_position=0, filler=0)))
    assert loss.dtype == torch.float32
    assert {values.dtype for values in model.parameters()} == {torch.float32}
    assert not torch.equal(model.classifier.weight, before["classifier.weight"])


def test_lightning_trains_the_same_through_whole_steps(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    def whole_steps(self: FinetuneModule) -> Steps:
        optimizer: Any = self.optimizers(use_pl_optimizer=False)
        clip = float(self.trainer.gradient_clip_val or 0.0)
        losses = self._train_losses
        return Steps(self.model, losses, optimizer, gradient_clip=clip, dtype=torch.float32, record=False)

    curves, weights = [], []
    for whole in (False, True):
        torch.manual_seed(0)
        module = build(paths)
        if whole:
            monkeypatch.setattr(FinetuneModule, "_whole_steps", whole_steps)
        curves.append(train(paths, module).curve)
        weights.append(module.model.state_dict())
        assert module.steps is None  # the copies are let go of
    for expected, found in zip(*curves, strict=True):
        assert found == pytest.approx(expected, abs=1e-4)
    for name, values in weights[0].items():
        assert torch.allclose(weights[1][name], values, atol=1e-5), name


def test_recorded_steps_make_room_for_one_that_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: (0, 0))
    recorder = Recorder(optimizer_of(nn.Linear(1, 1)), torch.device("cpu"))
    recorder.works = False
    result = (torch.ones(()), torch.ones(2), torch.ones(2))
    calls: list[Any] = []

    def compute(batch: dict[str, torch.Tensor | int]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        calls.append(batch)
        if recorder.graphs or len(calls) > 2:
            raise torch.OutOfMemoryError("it does not fit")
        return result

    batch: dict[str, torch.Tensor | int] = {"input_ids": torch.zeros(1, 4)}
    recorder.graphs[("another shape",)] = (torch.ones(()), [], result)  # type: ignore[assignment]
    assert recorder.run(compute, batch) is result
    assert not recorder.graphs
    with pytest.raises(torch.OutOfMemoryError):  # nothing is left to make room: Lightning's loop halves the batch
        recorder.run(compute, batch)


def test_a_bias_has_the_gradient_that_pytorch_gives_it() -> None:
    torch.manual_seed(0)
    layer, inputs, grad = nn.Linear(5, 7), torch.randn(2, 3, 5, requires_grad=True), torch.randn(2, 3, 7)
    found = []
    for kind in (nn.Linear, ProductLinear):
        layer.__class__ = kind
        inputs.grad = None
        layer.zero_grad()
        layer(inputs).backward(grad)
        found.append([values.grad for values in (inputs, layer.weight, layer.bias)])
    for expected, values in zip(*found, strict=True):
        assert expected is not None
        assert values is not None
        assert torch.allclose(values, expected, atol=1e-6)
