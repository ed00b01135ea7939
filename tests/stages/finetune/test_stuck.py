import json
import logging
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from stages.finetune.__main__ import main
from stages.finetune.inputs import read_inputs
from stages.finetune.stuck import _still_fell, describe_stuck
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


GUESS = 1.1  # about; of the constant answer
CURVES = {
    "flat": [HIGH] * 6,
    "noise": [2.0, 2.03, 1.99, 2.02, 1.98, 2.01],
    "falls to the end": [2.0, 1.9, 1.82, 1.75, 1.7, 1.68],
    "falls as the rate decays": [1.69, 1.678, 1.663, 1.65, 1.639, 1.629, 1.621, 1.616, 1.613, 1.6105, 1.6098, 1.6086],
    "falls but for an epoch": [2.0, 1.9, 1.92, 1.75, 1.7, 1.71],
    "falls in two epochs": [2.0, 1.9],
    "settles at the constant answer": [2.5, 1.3, 1.16, 1.15, 1.145, 1.14],
    "fell, then rose": [1.9, 1.5, 1.3, 1.6, 1.9, 2.1],
    "rises and falls": [1.3, 2.27, 1.86, 1.2, 1.51],
    "one epoch": [HIGH],
}
LOW_RATE = r"too low a learning rate for method METHOD: raise finetune.learning_rate \(RATE\)"
HIGH_RATE = r"too high a learning rate for (this encoder|the head): lower finetune.learning_rate \(RATE\), to \S+ for"
FEATURES = r"features do not tell the labels apart: set finetune.method to full"
NOT_ENDED = r"was too short, because the loss on train was still falling: raise "
BOTH = NOT_ENDED + r"finetune.learning_rate \(RATE\) or finetune.max_epochs \(EPOCHS\)\."
LONGER = NOT_ENDED + r"finetune.max_epochs \(EPOCHS\)\."
RATES = {  # too low, one that fits, too high
    "frozen": (1e-5, 2e-4, 3.0),
    "full": (1e-7, 2e-5, 1e-2),
    "partial": (1e-7, 2e-5, 1e-2),
    "gradual": (1e-7, 2e-5, 1e-2),
    "lora": (1e-6, 2e-4, 1e-2),
}


def of_frozen(cause: str) -> Callable[[str, int], str]:
    """The cause of a curve that tells of no fall: this one of method frozen, too high a rate of others."""
    return lambda method, level: LOW_RATE if level == 0 else cause if method == "frozen" else HIGH_RATE


def fell(method: str, level: int) -> str:
    return LONGER if level == 2 else BOTH


EXPECTED = {
    **{curve: fell for curve in CURVES if curve.startswith("falls")},
    **{curve: of_frozen(FEATURES) for curve in ("flat", "noise", "settles at the constant answer")},
    **{curve: of_frozen(HIGH_RATE) for curve in ("fell, then rose", "rises and falls")},
    "one epoch": of_frozen("too short a training, of 500 steps"),
}


@pytest.mark.parametrize("method", RATES)
@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("level", range(3), ids=["low", "fits", "high"])
def test_the_advice_follows_from_the_curve_the_method_and_the_rate(
    paths: Paths, curve: str, method: str, level: int
) -> None:
    rate, losses = RATES[method][level], CURVES[curve]
    sentence = stuck(
        paths, [(loss, HIGH) for loss in losses], method=method, learning_rate=rate, max_epochs=len(losses)
    )
    assert sentence is not None
    assert sentence.startswith(
        "The loss did not get below that of one constant answer for all texts: on train the best was "
    )
    cause = EXPECTED[curve](method, level)
    pattern = cause.replace("METHOD", method).replace("RATE", re.escape(f"{rate:g}"))
    assert re.search(pattern.replace("EPOCHS", str(len(losses))), sentence)


def test_few_steps_are_the_cause_where_nothing_fell_or_rose(paths: Paths) -> None:
    short = "too short a training, of 12 steps: raise finetune.max_epochs"
    for losses, cause in (
        ([HIGH] * 3, short),
        ([2.0, 1.8, 1.7], "was too short"),
        ([1.5, 1.9, 2.2], "too high a learning rate"),
    ):
        sentence = stuck(paths, [(loss, HIGH) for loss in losses], steps=12)
        assert cause in str(sentence)


def test_a_training_that_patience_ended_needs_more_of_it(paths: Paths) -> None:
    curve = [(2.0, HIGH), (1.8, HIGH), (1.6, HIGH)]
    sentence = stuck(paths, curve, learning_rate=2e-5, max_epochs=9, patience=2)
    assert "raise finetune.learning_rate (2e-05) or finetune.patience (2)." in str(sentence)


@pytest.mark.parametrize("epochs", [4, 6, 10, 20])
def test_noise_is_seldom_taken_for_a_fall(epochs: int) -> None:
    curves = np.random.default_rng(0).normal(2.0, 0.02, (2000, epochs))
    assert np.mean([_still_fell(curve, GUESS) for curve in curves]) < 0.06


def test_a_trial_of_one_batch_is_no_collapse(paths: Paths) -> None:
    assert stuck(paths, [(HIGH, HIGH)], fast_dev_run=True) is None


def test_the_stage_says_it_and_keeps_it(paths: Paths, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="stages"):
        main(params(learning_rate=1e-12), paths, 7)
    sentence = json.loads(paths.finetune_stats(7).read_text())["stuck"]
    assert "too low a learning rate" in sentence
    assert sentence in caplog.text
    main(params(max_epochs=25, learning_rate=1e-2, patience=None), paths, 7)
    assert "stuck" not in json.loads(paths.finetune_stats(7).read_text())
