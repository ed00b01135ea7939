import logging
from typing import Any

import pytest
import torch

from stages.finetune.batches import TokenRows
from stages.finetune.lightning_module import Classifier
from stages.finetune.training import Data, Fitted, fit
from stages.paths import Paths
from stages.tokens import open_tokens, read_positions

from .test_classifier import classifier


def train(paths: Paths, module: Classifier, **changes: Any) -> Fitted:
    tokens = open_tokens(paths.tokens)
    splits = [read_positions(paths.split(name)) for name in ("train", "val")]
    rows = [TokenRows(tokens, split, pad_token_id=0) for split in splits]
    options: dict[str, Any] = {
        "seed": 1,
        "folder": paths.checkpoints / "1",
        "batch_size": 16,
        "max_epochs": 3,
        "gradient_clip": 1.0,
        "accelerator": "cpu",
        "precision": "32",
    }
    return fit(module, Data(*rows, *(tokens.lengths[split] for split in splits)), **(options | changes))


def test_a_row_and_a_line_per_epoch(paths: Paths, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="stages")
    fitted = train(paths, classifier(paths))
    assert [row["epoch"] for row in fitted.curve] == [1, 2, 3]
    assert fitted.curve[-1]["learning_rate"] == 0  # stepped per batch, to the end
    assert [record.message[:12] for record in caplog.records] == [f"epoch {epoch} of 3" for epoch in (1, 2, 3)]
    assert not paths.checkpoints.joinpath("1").exists()


def test_the_weights_of_the_best_epoch_are_kept(paths: Paths) -> None:
    module = classifier(paths)
    module.hparams["learning_rate"] = 0.3  # so high that a later epoch is worse
    seen: dict[int, torch.Tensor] = {}
    module.on_validation_epoch_end = _spy(module, seen)  # type: ignore[method-assign]
    fitted = train(paths, module, max_epochs=30, patience=2)
    losses = [row["val_loss"] for row in fitted.curve]
    assert fitted.best_epoch == losses.index(min(losses)) + 1 < len(losses)
    assert fitted.best == min(losses)
    assert torch.equal(module.model.classifier.weight, seen[fitted.best_epoch])


def _spy(module: Classifier, seen: dict[int, torch.Tensor]) -> Any:
    original = module.on_validation_epoch_end

    def hook() -> None:
        original()
        seen[module.current_epoch + 1] = module.model.classifier.weight.clone()

    return hook


def test_training_stops_after_patience_epochs_without_a_better_value(paths: Paths) -> None:
    module = classifier(paths)
    module.hparams["learning_rate"] = 0.3
    fitted = train(paths, module, max_epochs=30, patience=2)
    assert len(fitted.curve) == fitted.best_epoch + 2 < 30


@pytest.mark.parametrize("precision", ["32", "bf16"])
def test_the_gradient_is_clipped(paths: Paths, precision: str) -> None:
    def step(gradient_clip: float) -> float:
        module = classifier(paths)
        norms: list[float] = []
        module.on_before_optimizer_step = lambda optimizer: norms.append(  # type: ignore[method-assign]
            torch.nn.utils.get_total_norm([p.grad for p in module.parameters() if p.grad is not None]).item()
        )
        original = module.optimizer_step

        def clipped(*args: Any, **kwargs: Any) -> None:
            original(*args, **kwargs)
            norms.append(
                torch.nn.utils.get_total_norm([p.grad for p in module.parameters() if p.grad is not None]).item()
            )

        module.optimizer_step = clipped  # type: ignore[method-assign]
        train(paths, module, max_epochs=1, gradient_clip=gradient_clip, precision=precision)
        return max(norms[1::2])  # after the step: clipped

    assert step(0.01) == pytest.approx(0.01, rel=1e-3)  # in bf16 Lightning itself would refuse
    assert step(0) > 0.1
