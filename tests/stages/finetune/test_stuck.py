import json
import logging
import re
from typing import Any

import numpy as np
import pytest
import torch

from stages.finetune.__main__ import main
from stages.finetune.inputs import read_inputs
from stages.finetune.stuck import describe_stuck
from stages.finetune.training.fit import Fitted
from stages.paths import Paths
from stages.targets.training.classes import constant_loss
from tests.stages.finetune.runs import options, params

LABELS = np.array([0, 0, 0, 1, 1, 2])


@pytest.mark.parametrize("weights", [[1.0, 1.0, 1.0], [0.2, 1.0, 5.0]])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_no_constant_answer_has_a_lower_loss(weights: list[float], smoothing: float) -> None:
    least = constant_loss(LABELS, np.array(weights), smoothing=smoothing)
    labels, of_row = torch.tensor(LABELS), torch.tensor(weights)[torch.tensor(LABELS)]

    def loss_of(logits: torch.Tensor) -> torch.Tensor:
        losses = torch.nn.functional.cross_entropy(
            logits.expand(len(labels), -1), labels, reduction="none", label_smoothing=smoothing
        )
        return (losses * of_row).sum() / of_row.sum()

    torch.manual_seed(0)
    assert all(loss_of(torch.randn(3)) > least for _ in range(100))
    logits = torch.zeros(3, requires_grad=True)
    optimizer = torch.optim.LBFGS([logits], max_iter=100)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = loss_of(logits)
        loss.backward()
        return loss

    optimizer.step(closure)
    assert loss_of(logits).item() == pytest.approx(least, abs=1e-4)


def test_a_label_that_no_row_has_adds_nothing() -> None:
    assert constant_loss(np.array([0, 0, 1, 1]), np.ones(5)) == pytest.approx(np.log(2))


HIGH, LOW = 2.0, 0.1  # losses above and below those of a constant answer, about 1.1


def stuck(paths: Paths, curve: list[tuple[float, float]], *, steps: int = 500, **changes: Any) -> str | None:
    rows = [{"epoch": index, "train_loss": train, "val_loss": val} for index, (train, val) in enumerate(curve)]
    fitted = Fitted(rows, 1, "val.loss", 1.0, steps, 1.0)
    return describe_stuck(fitted, read_inputs(paths), options(**changes), class_weights=None)


@pytest.mark.parametrize(
    ("curve", "is_stuck"),
    [
        ([(HIGH, HIGH), (HIGH, HIGH)], True),
        ([(HIGH, HIGH), (LOW, HIGH)], False),  # it learned train
        ([(HIGH, LOW)], False),  # its one epoch began high
        ([(LOW, LOW), (HIGH, HIGH)], False),  # the first epoch is the best, and ships
    ],
)
def test_a_loss_that_fell_in_any_epoch_is_not_stuck(
    paths: Paths, curve: list[tuple[float, float]], is_stuck: bool
) -> None:
    assert (stuck(paths, curve) is not None) == is_stuck


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"learning_rate": 1e-3}, r"too high a rate .*: lower finetune.learning_rate \(0.001\), to 0.0002 for example"),
        ({"learning_rate": 1e-7}, r"too low a rate for method full: raise finetune.learning_rate \(1e-07\)"),
        ({"learning_rate": 1e-5, "method": "frozen"}, r"too low a rate for method frozen"),
        ({"learning_rate": 1e-2, "method": "frozen"}, r"features do not tell the labels apart: set finetune.method"),
        ({"steps": 12}, r"too short a training, of 12 steps: raise finetune.max_epochs"),
    ],
)
def test_the_likeliest_cause(paths: Paths, changes: dict[str, Any], cause: str) -> None:
    sentence = stuck(paths, [(HIGH, HIGH)], **changes)
    assert sentence is not None
    assert sentence.startswith("The loss did not fall: on train it was 2.000 at best, and the same answer to every ")
    assert re.search(cause, sentence)


def test_a_trial_of_one_batch_is_no_collapse(paths: Paths) -> None:
    assert stuck(paths, [(HIGH, HIGH)], fast_dev_run=True) is None


def test_the_stage_says_it_and_keeps_it(paths: Paths, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="stages"):
        main(params(learning_rate=1e-12), paths, 7)
    sentence = json.loads(paths.finetune_stats(7).read_text())["stuck"]
    assert "too low a rate" in sentence
    assert sentence in caplog.text
    main(params(max_epochs=25, learning_rate=1e-2, patience=None), paths, 7)
    assert "stuck" not in json.loads(paths.finetune_stats(7).read_text())
