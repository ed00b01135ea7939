"""Layers that are computed again for their gradient, and fp16 with a scaled loss: what each keeps and changes."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from lightning.pytorch.plugins import MixedPrecision
from safetensors.torch import load_file

from stages.errors import TrainingError
from stages.finetune.__main__ import main
from stages.finetune.acceleration.steps import Steps
from stages.finetune.devices import checkpoint_layers
from stages.finetune.training import trainer
from stages.finetune.training.callbacks import WatchLoss
from stages.finetune.training.lightning_module import FinetuneModule
from stages.model.layers import first_token_only
from stages.model.packed import attend_packed
from stages.paths import Paths
from tests.stages.finetune.kinds import kind_model
from tests.stages.finetune.runs import build, params
from tests.stages.finetune.training.plain_loop import KINDS

METHODS: list[dict[str, Any]] = [
    {"method": "full"},
    {"method": "lora"},
    {"method": "partial", "frozen_layers": 1},
    {"method": "gradual", "frozen_epochs": 1},
    {"method": "frozen"},
]


def weights_of(paths: Paths, **changes: Any) -> dict[str, torch.Tensor]:
    main(params(**changes), paths, 7)
    return load_file(paths.finetuned(7) / "model.safetensors")


@pytest.mark.parametrize("changes", METHODS, ids=lambda changes: str(changes["method"]))
@pytest.mark.parametrize("kind", ["bert", "gpt2", "t5"])
def test_checkpointing_changes_last_digits_at_most(paths: Paths, kind: str, changes: dict[str, Any]) -> None:
    """On some processors sums depend on where in memory a value lies; another dropout would move weights by 1e-3."""
    for name in ("config.json", "model.safetensors"):
        (paths.encoder / name).unlink()
    kind_model(kind).base_model.save_pretrained(paths.encoder)
    plain = weights_of(paths, **changes)
    again = weights_of(paths, gradient_checkpointing=True, **changes)
    assert plain.keys() == again.keys()
    for name, values in plain.items():
        torch.testing.assert_close(again[name], values, rtol=0, atol=1e-6, msg=name)


@pytest.mark.parametrize("kind", KINDS)
def test_checkpointing_keeps_less_for_the_gradient(kind: str) -> None:
    kept = []
    for checkpointed in (False, True):
        model = kind_model(kind, num_hidden_layers=6).train()
        if checkpointed:
            checkpoint_layers(model)
        bytes_kept = 0

        def count(values: torch.Tensor) -> torch.Tensor:
            nonlocal bytes_kept
            bytes_kept += values.numel() * values.element_size()
            return values

        ids = torch.randint(4, 20, (8, 30))
        with torch.autograd.graph.saved_tensors_hooks(count, lambda values: values):
            model(input_ids=ids, attention_mask=torch.ones_like(ids))
        kept.append(bytes_kept)
    assert kept[1] < kept[0] / 2


def test_layers_computed_again_and_whole_steps_exclude_each_other(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole steps compute with copies of the weights, which a second computation would not find."""
    module = build(paths)
    first_token_only(module.model)
    attend_packed(module.model)

    class Gpu:
        world_size = accumulate_grad_batches = 1
        precision, gradient_clip_val = "bf16-mixed", 1.0

    monkeypatch.setattr(FinetuneModule, "trainer", Gpu())
    monkeypatch.setattr(FinetuneModule, "device", torch.device("cuda"))
    monkeypatch.setattr(FinetuneModule, "optimizers", lambda *args, **kwargs: None)
    made: list[Any] = []
    monkeypatch.setattr(Steps, "__init__", lambda self, *args, **kwargs: made.append(self))
    assert module._whole_steps() is not None
    checkpoint_layers(module.model)
    assert module._whole_steps() is None
    assert len(made) == 1


@pytest.fixture
def fp16(monkeypatch: pytest.MonkeyPatch) -> Iterator[torch.amp.GradScaler]:
    """Train in fp16 on the CPU, which the stage itself leaves to GPUs; the first steps overflow and are left out."""
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40)

    def make(**settings: Any) -> Trainer:
        del settings["precision"]
        return Trainer(**settings, plugins=[MixedPrecision("16-mixed", "cpu", scaler=scaler)])

    monkeypatch.setattr(trainer, "Trainer", make)
    yield scaler
    assert scaler.get_scale() < 2.0**40


SLOW: dict[str, Any] = {"learning_rate": 1e-4, "max_epochs": 10, "weight_decay": 0.5, "patience": None}


def test_fp16_trains_as_float32_does(paths: Paths, fp16: torch.amp.GradScaler, monkeypatch: pytest.MonkeyPatch) -> None:
    found = weights_of(paths, gradient_clip=0.1, **SLOW)
    monkeypatch.setattr(trainer, "Trainer", Trainer)
    expected = weights_of(paths, gradient_clip=0.1, **SLOW)
    for name, values in expected.items():
        torch.testing.assert_close(
            found[name], values, atol=2e-3, rtol=0, msg=lambda text, name=name: f"{name}: {text}"
        )


def test_a_step_that_fp16_leaves_out_decays_no_embedding(paths: Paths, fp16: torch.amp.GradScaler) -> None:
    start = fp16.get_scale()
    compact = weights_of(paths, **SLOW)
    fp16.update(start)
    whole = weights_of(paths, compact_vocabulary=False, **SLOW)
    for name, values in whole.items():
        torch.testing.assert_close(compact[name], values, atol=1e-6, rtol=0)


@pytest.mark.parametrize("scaled", [True, False])
def test_a_loss_that_overflows_in_fp16_names_the_precision(scaled: bool) -> None:
    class Training:
        scaler = object() if scaled else None
        current_epoch = 0

    watch = WatchLoss()
    outputs = {"loss": torch.tensor(float("nan"))}
    with pytest.raises(TrainingError, match="The loss is nan") as error:
        watch.on_train_batch_end(Training(), build, outputs, {"rows": torch.tensor([3])}, 0)  # type: ignore[arg-type]
    assert ("Set finetune.precision to 32" in str(error.value)) == scaled
    assert "finetune.learning_rate, set finetune.gradient_clip" in str(error.value)
