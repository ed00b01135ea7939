import io
import logging
import sys
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.strategies import DDPStrategy

from stages.finetune.devices import Device
from stages.finetune.training.lightning_module import FinetuneModule
from stages.finetune.training.trainer import make_trainer
from stages.paths import Paths
from tests.stages.finetune.runs import build, options, train


class Record(Callback):
    """Keeps what a training does: rows of each batch, the head after each step and as val sees it in each epoch."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.val_batches = 0
        self.steps: list[torch.Tensor] = []
        self.epochs: list[torch.Tensor] = []

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self.batches.append(len(batch["labels"]))
        if trainer.global_step > len(self.steps):
            self.steps.append(pl_module.model.classifier.weight.detach().clone())

    def on_validation_batch_start(
        self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self.val_batches += 1
        if batch_idx == 0:
            self.epochs.append(pl_module.model.classifier.weight.detach().clone())


def recorded(paths: Paths, **changes: Any) -> tuple[Record, FinetuneModule]:
    record, module = Record(), build(paths, **changes)
    train(paths, module, callbacks=[record], **changes)
    return record, module


def test_a_row_and_a_line_per_epoch(paths: Paths, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="stages")
    fitted = train(paths, build(paths))
    assert [row["epoch"] for row in fitted.curve] == [1, 2, 3]
    assert fitted.curve[-1]["learning_rate"] == 0  # the schedule ends at the last step
    assert [record.message[:12] for record in caplog.records] == [f"epoch {epoch} of 3" for epoch in (1, 2, 3)]
    assert not paths.checkpoints.joinpath("1").exists()


@pytest.mark.parametrize("monitor", ["val.loss", "val.accuracy", "val.macro_f1", "val.mcc"])
def test_the_weights_of_the_epoch_with_the_best_monitor_are_kept(paths: Paths, monitor: str) -> None:
    record, module = Record(), build(paths, learning_rate=2e-2)  # so high that a later epoch is worse
    fitted = train(paths, module, max_epochs=6, monitor=monitor, callbacks=[record])
    values = [row[monitor.replace(".", "_")] for row in fitted.curve]
    best = min(values) if monitor == "val.loss" else max(values)
    assert min(values) < max(values)
    assert (fitted.monitor, fitted.best) == (monitor, best)
    assert fitted.best_epoch == values.index(best) + 1
    assert torch.equal(module.model.classifier.weight, record.epochs[fitted.best_epoch - 1])


def test_training_stops_after_patience_epochs_without_a_better_value(paths: Paths) -> None:
    for patience in (1, 2):
        fitted = train(paths, build(paths, learning_rate=0.3), max_epochs=30, patience=patience)
        assert len(fitted.curve) == fitted.best_epoch + patience < 30


@pytest.mark.parametrize("decay", [0.5, 0.9])
def test_the_moving_average_of_the_weights_is_what_val_sees_and_what_is_kept(paths: Paths, decay: float) -> None:
    record, module = recorded(paths, ema_decay=decay, learning_rate=1e-2, max_epochs=1)
    average = record.steps[0]
    for weights in record.steps[1:]:
        average = decay * average + (1 - decay) * weights
    assert torch.allclose(module.model.classifier.weight, average, atol=1e-6)
    assert torch.allclose(record.epochs[0], average, atol=1e-6)
    assert not torch.allclose(record.steps[-1], average, atol=1e-4)


@pytest.mark.parametrize("decay", [0.9, 0.95, 0.9999])  # of which rounding would make other integers
def test_a_moving_average_leaves_the_tables_that_do_not_train_as_they_are(paths: Paths, decay: float) -> None:
    module = build(paths)
    module.model.register_buffer("positions", torch.arange(30_000))
    seen: list[torch.Tensor] = []
    watch = Callback()
    watch.on_validation_batch_start = lambda _, pl_module, *__, **___: seen.append(pl_module.model.positions.clone())  # type: ignore[method-assign]
    train(paths, module, ema_decay=decay, max_epochs=1, callbacks=[watch])
    assert seen
    assert all(torch.equal(positions, torch.arange(30_000)) for positions in [*seen, module.model.positions])


@pytest.mark.parametrize(
    ("changes", "batches", "steps"),
    [
        ({"max_epochs": 2}, 12, 12),
        ({"accumulate_grad_batches": 2, "max_epochs": 1}, 6, 3),
        ({"batch_size": 45, "max_epochs": 1}, 2, 2),
        ({"limit_train_batches": 2, "max_epochs": 2}, 4, 4),
        ({"limit_train_share": 0.5, "max_epochs": 1}, 3, 3),
        ({"fast_dev_run": True}, 1, 1),
    ],
)
def test_batches_and_steps_are_as_many_as_the_options_say(
    paths: Paths, changes: dict[str, Any], batches: int, steps: int
) -> None:
    record, _ = recorded(paths, **changes)
    assert (len(record.batches), len(record.steps)) == (batches, steps)


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ({"limit_val_share": 1.0}, 4),
        ({"limit_val_share": 1}, 4),  # what is equal to DVC means the same
        ({"limit_val_batches": 1}, 1),
        ({"limit_val_batches": 2}, 2),
        ({"limit_val_share": 0.25}, 1),
        ({"limit_val_share": 0.01}, 1),  # never none, however few there are
    ],
)
def test_val_batches_are_as_many_as_the_options_say(paths: Paths, limit: dict[str, Any], expected: int) -> None:
    record, _ = recorded(paths, batch_size=2, limit_train_batches=1, max_epochs=1, **limit)
    assert record.val_batches == expected


def test_the_seed_decides_dropout(paths: Paths) -> None:
    heads = []
    for seed in (1, 1, 2):  # with the same head and the same order of rows
        module = build(paths)
        train(paths, module, seed=seed, max_epochs=1)
        heads.append(module.model.classifier.weight.detach().clone())
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


def test_the_trainer_has_the_device(paths: Paths) -> None:
    trainer = make_trainer(options(), Device("cpu", 2, "ddp", "bf16-mixed"), callbacks=[])
    assert (trainer.num_devices, trainer.precision) == (2, "bf16-mixed")
    assert isinstance(trainer.strategy, DDPStrategy)


@pytest.mark.parametrize("precision", ["32", "bf16"])
def test_the_gradient_is_clipped(paths: Paths, precision: str) -> None:
    def step(gradient_clip: float) -> float:
        module = build(paths)
        norms: list[float] = []
        original = module.optimizer_step

        def clipped(*args: Any, **kwargs: Any) -> None:
            original(*args, **kwargs)
            gradients = [p.grad for p in module.parameters() if p.grad is not None]
            norms.append(torch.nn.utils.get_total_norm(gradients).item())

        module.optimizer_step = clipped  # type: ignore[method-assign]
        train(paths, module, max_epochs=1, gradient_clip=gradient_clip, precision=precision)
        return max(norms)

    assert step(0.01) == pytest.approx(0.01, rel=1e-3)  # in bf16 Lightning itself would refuse
    assert step(0) > 0.1


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_bar_leaves_a_terminal_usable_whenever_the_process_ends(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C ends a stage at once, so what hides the cursor would leave it hidden."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")
    train(paths, build(paths), max_epochs=1)
    assert "Epoch 0: 100%" in terminal.getvalue()
    assert "\x1b[?" not in terminal.getvalue()  # sets a mode of the terminal
