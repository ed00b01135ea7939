import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from stages.errors import TrainingError
from stages.finetune.methods import freeze_encoder
from stages.finetune.training.lightning_module import FinetuneModule
from stages.paths import Paths
from tests.stages.finetune.runs import batch, build


def test_dropout_is_on_in_a_training_step(paths: Paths) -> None:
    module, rows = build(paths), batch(paths)
    losses = {module.training_step(rows, 0).item() for _ in range(4)}
    assert len(losses) == 4
    module.eval()
    assert len({module.training_step(rows, 0).item() for _ in range(4)}) == 1


def test_a_trained_module_in_eval_mode_stops_the_training(paths: Paths) -> None:
    module = build(paths)
    module.trainer = Trainer(logger=False)
    module.on_train_epoch_start()
    module.model.bert.encoder.layer[1].output.dropout.eval()
    with pytest.raises(
        TrainingError,
        match=r"1 modules are in the wrong mode, the first is 'bert.encoder.layer.1.output.dropout'\. Trained",
    ):
        module.on_train_epoch_start()


@pytest.mark.parametrize("weights", [None, [0.2, 1.0, 5.0]])
def test_loss_is_the_weighted_cross_entropy(paths: Paths, weights: list[float] | None) -> None:
    module, rows = build(paths, weights).eval(), batch(paths)
    expected = cross_entropy(module(rows), rows["labels"], weight=None if weights is None else torch.tensor(weights))
    assert module.training_step(rows, 0).item() == pytest.approx(expected.item())


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_label_smoothing_is_that_of_the_cross_entropy(paths: Paths, share: float) -> None:
    module, rows = build(paths, label_smoothing=share).eval(), batch(paths)
    expected = cross_entropy(module(rows), rows["labels"], label_smoothing=share)
    assert module.training_step(rows, 0).item() == pytest.approx(expected.item())


def configured(module: FinetuneModule, *, steps: int = 10) -> tuple[list[dict[str, Any]], list[float]]:
    """Return the optimizer's groups as they start, and the head's rate at each step."""
    module._trainer = SimpleNamespace(scaler=None, estimated_stepping_batches=steps)  # type: ignore[assignment]
    chosen = module.configure_optimizers()
    optimizer, schedule = chosen["optimizer"], chosen["lr_scheduler"]["scheduler"]
    groups = [dict(group) for group in optimizer.param_groups]
    rates = []
    for _ in range(steps):
        rates.append(max(schedule.get_last_lr()))
        optimizer.step()
        schedule.step()
    return groups, rates


def test_the_optimizer_is_what_the_options_say(paths: Paths) -> None:
    module = build(paths, learning_rate=3e-3, weight_decay=0.07, layer_decay=0.5, schedule="cosine", warmup_ratio=0.2)
    groups, rates = configured(module)
    highest = sorted({group["initial_lr"] for group in groups})
    assert highest == pytest.approx([0.375e-3, 0.75e-3, 1.5e-3, 3e-3])
    assert {group["weight_decay"] for group in groups} == {0.0, 0.07}
    assert rates[:4] == pytest.approx([1e-3, 2e-3, 3e-3, 3e-3 * (1 + math.cos(math.pi / 8)) / 2])


@pytest.mark.parametrize(("kind", "last"), [("linear", 0.1), ("constant", 1.0)])
def test_the_schedule_is_the_one_that_the_options_name(paths: Paths, kind: str, last: float) -> None:
    _, rates = configured(build(paths, learning_rate=1.0, schedule=kind, warmup_ratio=0.0))
    assert (rates[0], rates[-1]) == pytest.approx((1.0, last))


def test_frozen_weights_are_optimized_only_where_they_are_unfrozen_later(paths: Paths) -> None:
    for method, more in (("full", False), ("gradual", True)):
        module = build(paths, method=method)
        freeze_encoder(module.model)
        groups, _ = configured(module)
        assert (sum(len(group["params"]) for group in groups) > 2) == more


class Fixed(nn.Module):
    """Returns logits that its input names, whatever its weights."""

    def forward(self, input_ids: Tensor) -> Any:
        logits = torch.eye(3)[input_ids[:, 0]] * 2
        return type("Output", (), {"logits": logits})


def test_metrics_are_over_rows_and_not_means_of_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    module = FinetuneModule(
        Fixed(), num_labels=3, learning_rate=1.0, weight_decay=0.0, class_weights=[1.0, 2.0, 3.0], label_smoothing=0.4
    )
    logged: dict[str, float] = {}
    monkeypatch.setattr(module, "log", lambda name, value: logged.update({name: float(value)}))
    monkeypatch.setattr(module, "log_dict", lambda values: logged.update({n: float(v) for n, v in values.items()}))
    preds, labels = torch.tensor([0, 1, 2, 2, 0, 1, 1]), torch.tensor([0, 1, 1, 2, 2, 1, 0])
    for rows in (slice(0, 5), slice(5, 7)):
        module.validation_step({"input_ids": preds[rows, None], "labels": labels[rows]}, 0)
    module.on_validation_epoch_end()
    from sklearn.metrics import f1_score, matthews_corrcoef

    assert logged["val.accuracy"] == pytest.approx(4 / 7)
    assert logged["val.macro_f1"] == pytest.approx(f1_score(labels, preds, average="macro"))
    assert logged["val.mcc"] == pytest.approx(matthews_corrcoef(labels, preds))
    expected = cross_entropy(torch.eye(3)[preds] * 2, labels, weight=torch.tensor([1.0, 2.0, 3.0]))
    assert logged["val.loss"] == pytest.approx(expected.item())


def test_the_losses_of_an_epoch_are_weighted_by_class(paths: Paths) -> None:
    weights = [0.5, 1.0, 30.0]
    module = build(paths, class_weights=weights)
    inputs = batch(paths)
    of_row = torch.tensor(weights)[inputs["labels"]]
    module.eval()
    losses = nn.functional.cross_entropy(module(inputs), inputs["labels"], reduction="none").detach()
    expected = float((losses * of_row).sum() / of_row.sum())
    assert abs(expected - float(losses.mean())) > 1e-3
    module.training_step(inputs, 0)
    module.validation_step(inputs, 0)
    assert float(module.train_loss.compute()) == pytest.approx(expected, abs=1e-6)
    assert float(module.val_loss.compute()) == pytest.approx(expected, abs=1e-6)
