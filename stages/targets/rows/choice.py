"""Which kind of target the rows have: as download.dataset.target says, or as the labels look."""

import logging
import math
from collections.abc import Collection

from stages.errors import DataError, ParamsError
from stages.messages import examples, short
from stages.reading.label_sets import parse_set
from stages.targets.rows import ROWS, Rows
from stages.targets.rows.ordered import FEWEST as FEWEST_IN_ORDER
from stages.targets.target import KINDS, Kind

log = logging.getLogger(__name__)

KEY = "download.dataset.target"
FEWEST = 20  # different labels: of fewer, one that is no number among numbers is a name of a class
MOST_NAMES = 0.05  # share of the different labels: with more, they are names of classes


def declare(target: str, *, sets: bool) -> str:
    """Return download.dataset.target, where `auto` with what only sets of labels have is label_set.

    Args:
        target: download.dataset.target.
        sets: Whether several columns are the label, or a separator is between labels.

    Raises:
        ParamsError: Sets of labels are described, and another kind is asked for.
    """
    if not sets or target == "label_set":
        return target
    if target != "auto":
        raise ParamsError(
            f"{KEY} is {target}, but several columns in download.dataset.columns.label, or a label_separator, are for "
            f"sets of labels. Set {KEY}: label_set, or name one column and set label_separator: null."
        )
    return "label_set"


def declared_rows(declared: str) -> Rows:
    """Return how labels are read before all are known: as declared; for auto as texts."""
    return next((rows for kind, rows in ROWS.items() if kind == declared), ROWS["classes"])


def choose_kind(declared: str, labels: Collection[str], *, named: bool) -> Kind:
    """Return the kind; what `auto` took is logged, with how to say otherwise, unless params.yaml names the classes.

    Args:
        declared: download.dataset.target.
        labels: The different labels, as read.
        named: Whether params.yaml names the classes, or their order.

    Raises:
        DataError: `auto`, and nearly all labels are numbers with fractions, but not all.
    """
    kind = look_at_kind(declared, labels, named=named)
    if declared == "auto" and not named:
        log.info("%s: auto treats the labels as %s (%s).%s", KEY, *_say(kind, labels), _otherwise(kind, labels))
    return kind


def look_at_kind(declared: str, labels: Collection[str], *, named: bool) -> Kind:
    """Return the kind as `choose_kind` does, and log nothing, because rows may still be set aside."""
    if declared != "auto":
        return next(kind for kind in KINDS if kind == declared)
    return "label_set" if _are_sets(labels) else "classes" if named else _look(labels)


def _are_sets(labels: Collection[str]) -> bool:
    """Whether all labels are JSON lists.

    Raises:
        DataError: Some are, and others are not.
    """
    others = [label for label in labels if parse_set(label) is None]
    if labels and others and len(others) < len(labels):
        some = next(label for label in labels if parse_set(label) is not None)
        raise DataError(
            f"{KEY}: auto finds lists of labels such as {short(some)}, but also {examples(sorted(others))}. "
            "Write every label as a list, or none."
        )
    return bool(labels) and not others


def _look(labels: Collection[str]) -> Kind:
    numbers = {label: number for label in labels if (number := _number(label)) is not None}
    if all(number == int(number) for number in numbers.values()):
        values = sorted(set(numbers.values()))
        in_a_row = len(values) >= FEWEST_IN_ORDER and values[-1] - values[0] == len(values) - 1
        return "ordered" if in_a_row and len(numbers) == len(labels) else "classes"
    names = [label for label in labels if label not in numbers]
    if not names:
        return "number"
    mistaken = all(map(_is_number, names))  # nan and inf name no classes among fractions
    if not mistaken and (len(labels) < FEWEST or len(names) > MOST_NAMES * len(labels)):
        return "classes"
    raise DataError(
        f"{KEY}: auto finds numbers with fractions, but also {examples(sorted(names))}. Correct these "
        f"rows, or set {KEY}: number with download.dataset.checks.unknown_label: set_aside. For classes, "
        f"set {KEY}: classes."
    )


def _say(kind: Kind, labels: Collection[str]) -> tuple[str, str]:
    if kind == "ordered":
        return "classes in order", f"consecutive whole numbers, {examples(sorted(labels, key=float), most=5)}"
    names = {"classes": "classes", "label_set": "sets of labels", "number": "numbers"}
    return names[kind], f"{len(labels)} different values, such as {examples(list(labels), most=3)}"


def _otherwise(kind: Kind, labels: Collection[str]) -> str:
    """How to say that the labels are of another kind, after a space; empty where they can be of no other."""
    if kind == "label_set":
        return " For one label per row, write the labels without lists."
    if kind != "classes":
        return f" For classes, set {KEY}: classes."
    numbers = all(_number(label) is not None for label in labels)
    in_order = f"classes in order, set {KEY}: ordered{'' if numbers else ' and give download.dataset.label_order'}"
    others = [in_order] * (len(labels) >= FEWEST_IN_ORDER) + [f"numbers, set {KEY}: number"] * numbers
    return f" For {'; for '.join(others)}." if others else ""


def _number(label: str) -> float | None:
    """The finite number that a label is; None for another text."""
    return float(label) if _is_number(label) and math.isfinite(float(label)) else None


def _is_number(label: str) -> bool:
    """Whether a label is a number, nan or inf."""
    try:
        float(label)
    except ValueError:
        return False
    return "_" not in label
