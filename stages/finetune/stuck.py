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
HIGH_RATES = {"frozen": 0.1}  # nobody should raise a rate beyond them
HIGH_RATE = 5e-4
STEADY = 0.7  # share of the pairs of epochs by which more fall than rise; of noise, at most 1 curve in 24 has it


def describe_stuck(
    fitted: Fitted, inputs: Inputs, options: Finetune, *, class_weights: Sequence[float] | None
) -> str | None:
    """Return what to change if no epoch's loss, on train or on val, is below that of the same answer to every text.

    None if an epoch's is.

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
        f"The loss did not get below that of one constant answer for all texts: on train the best was {best:.3f}, and "
        f"a constant answer has {guess:.3f}. {_likeliest_cause(fitted, options, guess)}"
    )


def _likeliest_cause(fitted: Fitted, options: Finetune, guess: float) -> str:
    rate, method, steps = options.learning_rate, options.method, fitted.steps
    losses = np.array([row["train_loss"] for row in fitted.curve])
    if _still_fell(losses, guess):
        end = "max_epochs" if len(losses) >= options.max_epochs or options.patience is None else "patience"
        longer = f"finetune.{end} ({getattr(options, end)})"
        can_rise = rate < HIGH_RATES.get(method, HIGH_RATE)
        advice = f"finetune.learning_rate ({rate:g}) or {longer}" if can_rise else longer
        return f"The training was too short, because the loss on train was still falling: raise {advice}."
    if rate < LOW_RATES.get(method, LOW_RATE):
        return (
            f"The likeliest cause is too low a learning rate for method {method}: "
            f"raise finetune.learning_rate ({rate:g})."
        )
    rose = losses[-1] > 1.05 * losses.min()  # noise of an epoch's mean is less
    if not rose and (steps < FEW_STEPS or (method == "frozen" and len(losses) == 1)):
        return (
            f"The likeliest cause is too short a training, of {steps} steps: raise finetune.max_epochs, or lower "
            "finetune.batch_size or finetune.accumulate_grad_batches."
        )
    if method == "frozen" and not rose:
        return (
            "The likeliest cause is that the frozen encoder's features do not tell the labels apart: "
            "set finetune.method to full."
        )
    return (
        f"The likeliest cause is too high a learning rate for {'the head' if method == 'frozen' else 'this encoder'}: "
        f"lower finetune.learning_rate ({rate:g}), to {rate / 5:.1g} for example, or raise finetune.warmup_ratio."
    )


def _still_fell(losses: np.ndarray, guess: float) -> bool:
    """Whether the loss fell steadily, until the last epoch or the one before it, and had not settled at `guess`.

    A model that learns to answer every text alike also has a loss that falls to the end; it then hardly changes.
    """
    epochs, fall = len(losses), losses[0] - losses.min()
    if epochs < 2 or losses.argmin() < epochs - (1 if epochs < 4 else 2):
        return False
    first, second = np.triu_indices(epochs, 1)
    if np.sign(losses[first] - losses[second]).mean() < STEADY:
        return False
    if epochs < 4:  # so few fall in a row by chance, too
        return bool(fall > 0.01 * losses[0])
    settled = losses.min() - guess < 0.1 * (losses[0] - guess) and losses[epochs // 2] - losses.min() < 0.1 * fall
    return not settled
