from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from stages.errors import TrainingError
from stages.finetune.batches import Batch, TokenRows
from stages.finetune.encoder import load_encoder
from stages.finetune.lightning_module import Classifier
from stages.paths import Paths
from stages.tokens import open_tokens

from .conftest import LABELS


def classifier(paths: Paths, class_weights: Sequence[float] | None = None) -> Classifier:
    torch.manual_seed(0)
    return Classifier(
        load_encoder(paths.encoder, labels=LABELS),
        num_labels=len(LABELS),
        learning_rate=1e-3,
        weight_decay=0.01,
        warmup_ratio=0.1,
        class_weights=class_weights,
    )


def batch(paths: Paths) -> Batch:
    return TokenRows(open_tokens(paths.tokens), np.arange(40), pad_token_id=0)[np.arange(40)]


def test_dropout_is_on_in_a_training_step(paths: Paths) -> None:
    module, rows = classifier(paths), batch(paths)
    losses = {module.training_step(rows, 0).item() for _ in range(4)}
    assert len(losses) == 4
    module.eval()
    assert len({module.training_step(rows, 0).item() for _ in range(4)}) == 1


def test_a_trained_module_in_eval_mode_stops_the_training(paths: Paths) -> None:
    module = classifier(paths)
    module.trainer = Trainer(logger=False)
    module.on_train_epoch_start()
    module.model.bert.encoder.layer[1].output.dropout.eval()
    with pytest.raises(
        TrainingError, match=r"1 modules are in the wrong mode, the first is 'bert.encoder.layer.1.output.dropout'"
    ):
        module.on_train_epoch_start()


@pytest.mark.parametrize("weights", [None, [0.2, 1.0, 5.0]])
def test_loss_is_the_weighted_cross_entropy(paths: Paths, weights: list[float] | None) -> None:
    module, rows = classifier(paths, weights).eval(), batch(paths)
    expected = cross_entropy(module(rows), rows["labels"], weight=None if weights is None else torch.tensor(weights))
    assert module.training_step(rows, 0).item() == pytest.approx(expected.item())


class Fixed(nn.Module):
    """Gives the logits it is told, whatever it reads."""

    def forward(self, input_ids: Tensor) -> Any:
        logits = torch.eye(3)[input_ids[:, 0]] * 2
        return type("Output", (), {"logits": logits})


def test_metrics_are_over_rows_and_not_means_of_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    module = Classifier(
        Fixed(), num_labels=3, learning_rate=1.0, weight_decay=0.0, warmup_ratio=0.0, class_weights=[1.0, 2.0, 3.0]
    )
    logged: dict[str, float] = {}
    monkeypatch.setattr(module, "log", lambda name, value: logged.update({name: float(value)}))
    monkeypatch.setattr(module, "log_dict", lambda values: logged.update({n: float(v) for n, v in values.items()}))
    preds, labels = torch.tensor([0, 1, 2, 2, 0, 1, 1]), torch.tensor([0, 1, 1, 2, 2, 1, 0])
    for rows in (slice(0, 5), slice(5, 7)):
        module.validation_step({"input_ids": preds[rows, None], "labels": labels[rows]}, 0)
    module.on_validation_epoch_end()
    from sklearn.metrics import f1_score, matthews_corrcoef

    assert logged["val/accuracy"] == pytest.approx(4 / 7)
    assert logged["val/macro_f1"] == pytest.approx(f1_score(labels, preds, average="macro"))
    assert logged["val/mcc"] == pytest.approx(matthews_corrcoef(labels, preds))
    expected = cross_entropy(torch.eye(3)[preds] * 2, labels, weight=torch.tensor([1.0, 2.0, 3.0]))
    assert logged["val/loss"] == pytest.approx(expected.item())
