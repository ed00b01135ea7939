"""What a model folder says beside the weights: temperature, threshold, and how its texts were cut in training.

calibration.json: {"temperature": T, "threshold": t | null, "positive": label | null, "max_length": tokens,
"truncation": "head" | "tail" | "head_tail"}. Any key, and the file, may be absent: a temperature of 1, the most
probable label, as many tokens as the model reads, and the head of a longer text.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stages.errors import ModelError
from stages.files import read_json

CALIBRATION_FILE = "calibration.json"


class _File(BaseModel):
    model_config = ConfigDict(strict=True)  # other keys are left to whoever wrote them

    temperature: float = Field(default=1.0, gt=0)
    threshold: float | None = Field(default=None, ge=0, le=1)
    positive: str | None = None
    max_length: int | None = Field(default=None, ge=2)
    truncation: Literal["head", "tail", "head_tail"] = "head"


@dataclass(frozen=True)
class Calibration:
    """How logits become probabilities and labels, and how long a text may be.

    Args:
        temperature: Divides the logits (> 0).
        threshold: Of a binary task: calibrated probability (0 to 1) from which on the label is `positive`; None: the
            most probable label.
        positive: The label that the threshold is for.
        max_length: Tokens per text, special ones included.
        truncation: What stays of a longer text: head, tail or head_tail.

    Source: temperature scaling, Guo et al., On Calibration of Modern Neural Networks (2017), section 4.2.
    """

    temperature: float
    threshold: float | None
    positive: str | None
    max_length: int
    truncation: str

    def decide(self, probabilities: NDArray[np.float32], labels: Sequence[str]) -> NDArray[np.int64]:
        """Return the label index of each row of (rows, num_labels) calibrated probabilities; shape (rows,)."""
        if self.threshold is None:
            return np.asarray(probabilities.argmax(1), dtype=np.int64)
        positive = labels.index(str(self.positive))
        return np.where(probabilities[:, positive] >= self.threshold, positive, 1 - positive).astype(np.int64)


def read_calibration(folder: Path, *, labels: Sequence[str], longest: int) -> Calibration:
    """Read calibration.json of a model folder; what it does not say is taken as neutral.

    Args:
        folder: The model's.
        labels: Its label names.
        longest: Tokens that the model reads at most.

    Raises:
        ModelError: The file does not fit the model.
    """
    path = folder / CALIBRATION_FILE
    try:
        given = _File.model_validate(read_json(path) if path.is_file() else {})
    except ValidationError as error:
        first: Any = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the file"
        raise ModelError(f"{path}: {key}: {first['msg']}, not {first['input']!r}. Make the model again.") from error
    except ValueError as error:
        raise ModelError(f"{path} is not valid JSON: {error}. Make the model again.") from error
    if not math.isfinite(given.temperature):
        raise ModelError(f"{path}: temperature: {given.temperature} is no number over 0. Make the model again.")
    if given.threshold is not None and (len(labels) != 2 or given.positive not in labels):
        raise ModelError(
            f"{path}: a threshold for {given.positive!r}, but the model's labels are {', '.join(labels)}. "
            "Make the model again."
        )
    length = min(longest, given.max_length or longest)
    return Calibration(given.temperature, given.threshold, given.positive, length, given.truncation)
