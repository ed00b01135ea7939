"""The decision rule of a model folder: temperature, threshold, and how its texts are cut; from calibration.json.

    {"temperature": T, "threshold": t | null, "positive": label | null, "max_length": tokens, "truncation": "head"}

Where the model gives a number, half_width (of the interval around it) and its confidence are in place of the first
three; where a text has any number of labels, "thresholds": {label: t | null, ...} is in place of the second and third.
Without the file, or a key of it: temperature 1, the most probable label (of a set: each from 0.5 on), no interval, as
many tokens as the model reads, and the head of a longer text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stages.errors import ModelError
from stages.metrics.rule import DecisionRule
from stages.metrics.set_rule import THRESHOLD
from stages.model_config import read_object
from stages.model_files import is_present

CALIBRATION_FILE = "calibration.json"
UNLIMITED = 1_000_000  # tokens
SMALLEST = 1e-6  # distance of a threshold from 0 and 1, so that a certain label is closer to neither
REPAIR = "Write the folder again: retune run report"


class _File(BaseModel):
    model_config = ConfigDict(strict=True)  # other keys are allowed: they are for other programs

    temperature: float = Field(default=1.0, ge=1e-6, le=1e6, allow_inf_nan=False)  # fits are within 0.01 and 100
    threshold: float | None = Field(default=None, ge=0, le=1)
    positive: str | None = None
    thresholds: dict[str, Annotated[float, Field(ge=0, le=1)] | None] = {}
    half_width: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    max_length: int | None = Field(default=None, ge=2, le=UNLIMITED)
    truncation: Literal["head", "tail", "head_tail"] = "head"


@dataclass(frozen=True)
class Calibration:
    """How logits become probabilities and labels, and how long a text may be.

    Args:
        temperature: Divides the logits (> 0).
        threshold: In a binary task, the least calibrated probability (0 to 1) of `positive` with which the label is
            `positive`; None: the most probable label is chosen.
        positive: The label that the threshold is for.
        max_length: Tokens per text at most, special tokens included.
        truncation: What is kept of a longer text: head, tail or head_tail.
        half_width: Of a model of a number: how far the true one is from the prediction at most, with the confidence
            of the intervals; None: unknown.
        thresholds: Of a model of label sets: by label, the least calibrated probability (0 to 1) with which a text has
            it; 0.5 for None and for a label that is not there.

    Source: temperature scaling, Guo et al., On Calibration of Modern Neural Networks (2017), section 4.2.
    """

    temperature: float
    threshold: float | None
    positive: str | None
    max_length: int
    truncation: str
    half_width: float | None = None
    thresholds: Mapping[str, float | None] = field(default_factory=dict)

    def decide(self, probabilities: NDArray[np.float32], labels: Sequence[str]) -> NDArray[np.int64]:
        """Return the label index of each row of (rows, num_labels) calibrated probabilities; shape (rows,)."""
        return DecisionRule(self.temperature, self.threshold, self.positive_index(labels)).decide(probabilities)

    def positive_index(self, labels: Sequence[str]) -> int:
        """Return the index of the label that the threshold is for."""
        return 1 if self.positive is None else labels.index(self.positive)


def closeness(probabilities: NDArray[np.floating], threshold: float | None) -> NDArray[np.float64]:
    """Return how close probabilities of a label are to its threshold: 1 at it, 0 where the label is certain; (rows,).

    Args:
        probabilities: Shape (rows,).
        threshold: From which probability on (0 to 1) the label is predicted; None: 0.5.
    """
    least = np.clip(THRESHOLD if threshold is None else threshold, SMALLEST, 1 - SMALLEST)
    yes, no = probabilities.astype(np.float64) * (1 - least), (1 - probabilities.astype(np.float64)) * least
    return np.asarray(1 - np.abs(yes - no) / (yes + no))


def read_calibration(folder: Path, *, labels: Sequence[str], longest: int, most: int | None = None) -> Calibration:
    """Read calibration.json of a model folder; absent keys have neutral values.

    Args:
        folder: The model's folder.
        labels: The model's labels in class order.
        longest: Tokens that the model reads at most where the file doesn't say how many it was trained on.
        most: Tokens that it has positions for; None: there is no such limit.

    Raises:
        ModelError: The file is damaged, or it does not fit the model.
    """
    path = folder / CALIBRATION_FILE
    try:
        values = _File.model_validate(read_object(path, str(folder)) if is_present(path, str(folder)) else {})
    except ValidationError as error:
        first: Any = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the file"
        raise ModelError(f"{path}: {key}: {first['msg']}, not {first['input']!r}. {REPAIR}") from error
    if values.threshold is not None and (len(labels) != 2 or values.positive not in labels):
        raise ModelError(
            f"{path}: threshold is for the label {values.positive!r} of a binary task, but the model's labels are "
            f"{', '.join(labels)}. {REPAIR}"
        )
    if values.positive is not None and values.positive not in labels:
        raise ModelError(
            f"{path}: positive is {values.positive!r}, but the model's labels are {', '.join(labels)}. {REPAIR}"
        )
    if unknown := [label for label in values.thresholds if label not in labels]:
        raise ModelError(
            f"{path}: thresholds has {unknown[0]!r}, but the model's labels are {', '.join(labels)}. {REPAIR}"
        )
    length = min(values.max_length or longest, most or UNLIMITED)
    return Calibration(
        values.temperature,
        values.threshold,
        values.positive,
        length,
        values.truncation,
        values.half_width,
        values.thresholds,
    )
