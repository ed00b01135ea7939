"""Whether a training taught the model nothing, and the likeliest cause."""

from collections.abc import Sequence

import numpy as np

from stages.finetune.inputs import Inputs
from stages.finetune.training.fit import Fitted
from stages.schema import Finetune
from stages.targets.training import TRAINING

FEW_STEPS = 30  # of the optimizer: fewer seldom teach an encoder anything
LOW_RATES = {"frozen": 1e-4, "lora": 2e-5}  # below them a loss barely moves; other methods train at 1e-5 to 5e-4
LOW_RATE = 5e-6


def describe_stuck(
    fitted: Fitted, inputs: Inputs, options: Finetune, *, class_weights: Sequence[float] | None
) -> str | None:
    """Return a sentence and the likeliest cause if the loss did not fall; None if it did.

    It did not fall if no epoch's loss, on train or on val, is below that of the same answer to every text.

    Args:
        fitted: The outcome of the training.
        inputs: Tokens and splits.
        options: Section finetune of params.yaml.
        class_weights: Of each class in the loss; None: all weigh the same.
    """
    if options.fast_dev_run:
        return None
    labels, smoothing = inputs.tokens.labels, options.label_smoothing
    weights = np.ones(len(inputs.labels)) if class_weights is None else np.array(class_weights)
    constant_loss = TRAINING[inputs.target.kind].constant_loss
    guess = constant_loss(inputs.train_labels, weights, loss=options.loss, smoothing=smoothing)
    best = min(row["train_loss"] for row in fitted.curve)
    val = [row["val_loss"] for row in fitted.curve if "val_loss" in row]
    if best < guess or (val and min(val) < constant_loss(labels[inputs.val], weights, loss=options.loss)):
        return None
    return (
        f"The loss did not fall: on train it was {best:.3f} at best, and the same answer to every text has "
        f"{guess:.3f}. {_likeliest_cause(options, fitted.steps)}"
    )


def _likeliest_cause(options: Finetune, steps: int) -> str:
    rate, method = options.learning_rate, options.method
    if rate < LOW_RATES.get(method, LOW_RATE):
        return f"The likeliest cause is too low a rate for method {method}: raise finetune.learning_rate ({rate:g})."
    if steps < FEW_STEPS:
        return (
            f"The likeliest cause is too short a training, of {steps} steps: raise finetune.max_epochs, or lower "
            "finetune.batch_size or finetune.accumulate_grad_batches."
        )
    if method == "frozen":
        return (
            "The likeliest cause is that the frozen encoder's features do not tell the labels apart: "
            "set finetune.method to full."
        )
    return (
        f"The likeliest cause is too high a rate for this encoder: lower finetune.learning_rate ({rate:g}), "
        f"to {rate / 5:.1g} for example, or raise finetune.warmup_ratio."
    )
