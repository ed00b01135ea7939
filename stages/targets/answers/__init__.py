"""From a model's logits to its answers, for evaluate and inference: on the device, so it needs PyTorch."""

from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor

from stages.targets.answers import classes, label_set, number
from stages.targets.target import Kind


class Answers(Protocol):
    """What differs between the kinds where a model answers; a module per kind has it.

    Attributes:
        PROBLEM: problem_type in config.json of a saved model; None: none, or that of classes.
        HALF_PRECISION: Whether a GPU may compute it in bf16.
    """

    @property
    def PROBLEM(self) -> str | None: ...  # noqa: N802  (a constant of a module)

    @property
    def HALF_PRECISION(self) -> bool: ...  # noqa: N802

    def answers(self, logits: Tensor, *, temperature: float = 1.0) -> Tensor:
        """Return the answer of each row, (batch, outputs), from logits in float32 of the same shape."""


ANSWERS: Mapping[Kind, Answers] = {
    "classes": classes,
    "ordered": classes,
    "label_set": label_set,
    "number": number,
}


def kind_of(config: Any) -> Kind:
    """Return the kind of target that a model with this config.json answers; classes where no kind fits."""
    problem = getattr(config, "problem_type", None)
    return next((kind for kind, answers in ANSWERS.items() if problem == answers.PROBLEM), "classes")


def is_known(config: Any) -> bool:
    """Return whether a kind fits the problem_type of a config.json."""
    problems = {None, "single_label_classification", *(answers.PROBLEM for answers in ANSWERS.values())}
    return getattr(config, "problem_type", None) in problems
