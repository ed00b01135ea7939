"""How the predictions of each kind of target are measured: by the module that has the kind's name."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from stages.errors import ModelError
from stages.evaluate import classes, label_set, number
from stages.predictions import Predictions
from stages.schema import Evaluate
from stages.targets.answers import ANSWERS, kind_of
from stages.targets.target import Kind, Target


class Evaluation(Protocol):
    """Fits on val what turns a model's output into its answer, and measures the answers.

    It also writes confusion.csv and calibration.csv into `folder`: dvc.yaml names them for every kind.
    """

    def __call__(
        self, raw: Mapping[str, Predictions], target: Target, options: Evaluate, *, folder: Path
    ) -> tuple[Mapping[str, Predictions], dict[str, Any]]:
        """Return the predictions of val and test as they are stored, and the metrics that metrics.json has."""


EVALUATIONS: Mapping[Kind, Evaluation] = {
    "classes": classes.evaluate,
    "ordered": classes.evaluate,
    "label_set": label_set.evaluate,
    "number": number.evaluate,
}


def check_kind(config: Any, target: Target, *, folder: Path) -> None:
    """Check that a model answers what labels.json says.

    Args:
        config: Its config.json.
        target: From labels.json.
        folder: The model's, for the message.

    Raises:
        ModelError: It was fine-tuned for another kind of target.
    """
    kind = kind_of(config)
    if ANSWERS[kind] is not ANSWERS[target.kind]:
        raise ModelError(
            f"{folder} was fine-tuned for {kind}, but data/tokenize/labels.json says {target.kind}. "
            "Fine-tune again: retune run."
        )
