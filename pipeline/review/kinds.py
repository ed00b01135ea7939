"""What differs between the kinds of target where a person reviews labels."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from stages.metrics.calibration import scale
from stages.metrics.set_rule import SetRule
from stages.reading.label_sets import parse_set, set_text
from stages.targets.rows import number
from stages.targets.target import Kind

Suspects = Mapping[str, str]  # a line of suspects.csv, by column


class ReviewedKind(NamedTuple):
    """How labels of a kind are chosen, shown, and suggested.

    Attributes:
        choice: How a person chooses: one of the labels, several of them, or typed.
        unknown: What is wrong with a label that a row can't have, as messages say it.
        shown: Return a stored label as people read it.
        suggest: Return the stored label that the lines of suspects.csv about one row suggest, from its own label and
            those lines.
        doubt: Return the probabilities of the given and of the suggested label that such lines have.
        calibrate: Return the probabilities of each label as the model ships, from the model's own and its temperature;
            None: there are none.
        texts: Columns of suspects.csv that `suggest` and `doubt` read as they are.
        numbers: Columns that they read as numbers.
    """

    choice: str
    unknown: str
    shown: Callable[[str], str]
    suggest: Callable[[str, Sequence[Suspects]], str]
    doubt: Callable[[Sequence[Suspects]], tuple[float, float] | None]
    calibrate: Callable[[NDArray[np.float32], float], NDArray[np.float32]] | None
    texts: tuple[str, ...]
    numbers: tuple[str, ...]


def _suggest_class(label: str, suspects: Sequence[Suspects]) -> str:
    return suspects[0]["suggested"]


def _doubt_of_class(suspects: Sequence[Suspects]) -> tuple[float, float] | None:
    return float(suspects[0]["given_probability"]), float(suspects[0]["suggested_probability"])


def _suggest_set(label: str, suspects: Sequence[Suspects]) -> str:
    labels = set(parse_set(label) or [])
    for suspect in suspects:
        labels = labels | {suspect["label"]} if suspect["suggested"] == "yes" else labels - {suspect["label"]}
    return set_text(labels)


def _suggest_number(label: str, suspects: Sequence[Suspects]) -> str:
    return number.stored(f"{float(suspects[0]['predicted']):.3g}") or label


def _show_set(label: str) -> str:
    return ", ".join(parse_set(label) or []) or "none"


def _calibrate_sets(probabilities: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    return SetRule(temperature, ()).calibrate(probabilities)


def _nothing(_: Any) -> None:
    return None


PROBABILITIES = ("given_probability", "suggested_probability")
NO_ROW = "that no row has"
NO_NUMBER = (
    "that is not a plain number such as 1000 or 12.5 (1,000 may be 1 or 1000, and so may 1.000 in a file with ;)"
)
CLASSES = ReviewedKind("one", NO_ROW, str, _suggest_class, _doubt_of_class, scale, ("suggested",), PROBABILITIES)
KINDS: Mapping[Kind, ReviewedKind] = {
    "classes": CLASSES,
    "ordered": CLASSES,
    "label_set": ReviewedKind(
        "several", NO_ROW, _show_set, _suggest_set, _nothing, _calibrate_sets, ("label", "suggested"), ()
    ),
    "number": ReviewedKind("typed", NO_NUMBER, str, _suggest_number, _nothing, None, (), ("predicted",)),
}
