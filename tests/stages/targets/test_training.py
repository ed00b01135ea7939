"""A number is learned in standard deviations, and the saved model answers in the number's own unit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import huber
from sklearn.metrics import cohen_kappa_score

from stages.errors import DataError, ModelError
from stages.finetune.encoder import load_encoder
from stages.model.heads import give_head
from stages.targets.training import classes, number, ordered
from tests.stages.finetune.tiny import tiny_models, write_encoder


def inputs() -> dict[str, torch.Tensor]:
    ids = torch.tensor([[2, 11, 12, 3], [2, 30, 31, 3], [2, 7, 50, 3]])
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


@pytest.mark.parametrize("hidden", [None, 1, 8])
@pytest.mark.parametrize("pooling", [None, "mean", "cls"])
def test_the_head_gives_the_unit_back(pooling: Any, hidden: int | None, tmp_path: Path) -> None:
    write_encoder(tmp_path)
    model = load_encoder(tmp_path, labels=number.outputs(None), problem_type=number.PROBLEM)  # type: ignore[arg-type]
    give_head(model, pooling=pooling, hidden=hidden, dropout=0.1)
    number.check_head(model)
    model.eval()
    with torch.no_grad():
        before = model(**inputs()).logits
        number.restore_unit(model, mean=1_000.0, sd=25.0)
        after = model(**inputs()).logits
    assert before.shape == (3, 1)
    torch.testing.assert_close(after, before * 25 + 1_000)
    assert model.config.problem_type == "regression"
    assert model.config.id2label == {0: "number"}


def test_a_head_without_a_bias_is_refused_before_the_training() -> None:
    model = tiny_models()["gpt2"]
    with pytest.raises(ModelError, match=r"gpt2 has no bias.*finetune\.head\.pooling"):
        number.check_head(model)


def test_numbers_have_mean_0_and_sd_1_on_train_alone() -> None:
    values, train = np.array([10.0, 20.0, 30.0, 1_000.0]), np.array([0, 1, 2])
    learned, _ = number.learned(values, train)
    assert learned[train].mean() == pytest.approx(0, abs=1e-6)
    assert learned[train].std() == pytest.approx(1)
    assert learned.dtype == np.float32


def test_one_number_in_train_is_refused() -> None:
    with pytest.raises(DataError, match="All 2 rows of train have the number 7, so there is nothing to learn"):
        number.learned(np.array([7.0, 7.0, 8.0]), np.array([0, 1]))


@pytest.mark.parametrize(
    ("loss", "expected"),
    [("auto", [0.25, 9.0]), ("mse", [0.25, 9.0]), ("huber", [0.125, 2.5])],  # Huber: e^2 / 2 to 1, then |e| - 1 / 2
)
def test_losses_by_hand(loss: str, expected: list[float]) -> None:
    losses = number.losses(torch.tensor([[0.5], [3.0]]), torch.tensor([0.0, 0.0]), loss=loss, smoothing=0.0)
    assert losses.tolist() == expected


@pytest.mark.parametrize(
    ("loss", "value", "slope"),
    [
        ("mse", np.square, lambda error: 2 * error),
        ("huber", lambda error: huber(1, error), lambda error: error.clip(-1, 1)),
    ],
)
def test_losses_and_gradients_are_those_of_scipy_and_of_the_formula(loss: str, value: Any, slope: Any) -> None:
    errors = np.array([-3.0, -1.0, -0.2, 0.0, 0.7, 1.5])
    labels = torch.tensor([5.0, -2.0, 0.0, 1.0, 30.0, 0.25], dtype=torch.float64)
    outputs = (labels + torch.from_numpy(errors)).unsqueeze(-1).requires_grad_()
    losses = number.losses(outputs, labels, loss=loss, smoothing=0.0)
    (gradient,) = torch.autograd.grad(losses.mean(), outputs)
    assert losses.detach().numpy() == pytest.approx(value(errors))
    assert gradient.squeeze(-1).numpy() == pytest.approx(slope(errors) / len(errors))


@pytest.mark.parametrize("loss", ["auto", "huber"])
def test_no_constant_number_has_a_lower_loss(loss: str) -> None:
    labels = np.array([-1.0, -0.5, 0.0, 0.1, 4.0], dtype=np.float32)
    least = number.constant_loss(labels, np.ones(1), loss=loss)
    tried = [
        float(number.losses(torch.full((5, 1), float(answer)), torch.from_numpy(labels), loss=loss, smoothing=0).mean())
        for answer in np.linspace(-1, 4, 501)
    ]
    assert least == pytest.approx(min(tried), abs=1e-4)
    assert least <= min(tried) + 1e-7


def test_metrics_of_val_are_over_all_rows() -> None:
    metrics = number.val_metrics(1)
    for outputs, labels in (([[1.0], [2.0]], [1.0, 3.0]), ([[5.0]], [4.0])):
        for metric in metrics.values():
            metric.update(torch.tensor(outputs), torch.tensor(labels))
    assert float(metrics["r2"].compute()) == pytest.approx(1 - 2 / (14 / 3))
    assert float(metrics["pearson"].compute()) == pytest.approx(np.corrcoef([1, 2, 5], [1, 3, 4])[0, 1])


def test_quadratic_kappa_of_val_is_over_all_rows() -> None:
    metric = ordered.val_metrics(4)["quadratic_kappa"]
    labels, preds = np.array([0, 1, 2, 3, 3, 0, 2]), np.array([0, 2, 2, 1, 3, 0, 3])
    for rows in (slice(0, 4), slice(4, 7)):
        metric.update(torch.eye(4)[preds[rows]], torch.from_numpy(labels[rows]))
    assert float(metric.compute()) == pytest.approx(cohen_kappa_score(labels, preds, weights="quadratic"))


def test_quadratic_kappa_of_rows_that_are_all_of_one_class_is_0() -> None:
    metric = ordered.val_metrics(3)["quadratic_kappa"]
    metric.update(torch.eye(3)[[1, 1]], torch.tensor([1, 1]))
    assert float(metric.compute()) == 0


def test_ordered_classes_are_learned_as_classes_are() -> None:
    differs = {name for name in ordered.__all__ if getattr(ordered, name) is not getattr(classes, name, None)}
    assert differs == {"val_metrics"}
