"""Rows that have one of several classes."""

import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stages.errors import DataError
from stages.messages import examples, short
from stages.reading.label_sets import parse_set
from stages.targets.target import Finder, Reader, Target

CHECKS = frozenset({"label_spelling", "conflicting_labels", "unseen_label", "rare_label"})
UNKNOWN = ("the label is not in download.dataset.labels", "Add the label there")
IN_EVERY_SPLIT = True
VALUES: pa.DataType | None = None


def stored(value: str) -> str | None:
    """Return the value: any text names a class."""
    return value


def with_point(value: str, *, decimal_comma: bool) -> str:
    """Return the value: a class that looks like a number is a name."""
    return value


def known(labels: Collection[str], finder: Finder) -> Reader:
    """Return what finds a class; None where no row has it."""
    return finder(labels)


def describe(counts: Mapping[str, int], *, names: Mapping[str, str], order: Sequence[str] = ()) -> Target:
    """Return the classes in class order.

    The order of `names` has no meaning: to DVC, two mappings in another order are equal.

    Args:
        counts: Rows of each class.
        names: Class name of each label value; empty: the values are the names.
        order: The class names in class order; empty: the order of the label values, by number where all are numbers,
            else by name.

    Raises:
        DataError: A row has a list of labels, no row has a name of `names` or `order`, `order` lacks a class or has one
            twice, or there are fewer than two classes.
    """
    if sets := [label for label in counts if parse_set(label) is not None]:
        raise DataError(
            f"A row has a list of labels, {short(sets[0])}, but one class is expected. "
            "Set download.dataset.target: label_set, or give each row one label."
        )
    values = names or {label: label for label in counts}
    sorted_values = sorted(values, key=_by_number) if all(map(_is_number, values)) else sorted(values)
    labels = list(order) or list(dict.fromkeys(values[value] for value in sorted_values))
    key = "label_order" if order else "labels"
    if absent := [label for label in labels if label not in counts]:
        raise DataError(
            f"download.dataset.{key} names [{examples(absent)}], but no row has that label. "
            f"The rows have: [{examples(sorted(counts))}]."
        )
    if sorted(labels) != sorted(counts):
        raise DataError(
            f"download.dataset.label_order is [{examples(labels)}], but the rows have [{examples(sorted(counts))}]. "
            "List each label once."
        )
    if len(labels) < 2:
        raise DataError(
            f"All rows have the label {short(labels[0])}, but a classifier needs at least two labels. "
            "Correct download.dataset.columns.label, or add rows."
        )
    return Target("classes", labels)


def index(column: pa.Array, target: Target) -> NDArray[np.int32]:
    """Return the index of each row's class; shape (rows,)."""
    found = pc.index_in(column, value_set=pa.array(target.labels, pa.string())).cast(pa.int32())
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.int32)


def values(column: pa.Array, target: Target) -> pa.Array:
    """Raise: the index says all."""
    raise NotImplementedError("classes have no column of values")


def _is_number(label: str) -> bool:
    try:
        return not math.isnan(float(label))
    except ValueError:
        return False


def _by_number(label: str) -> tuple[float, str]:
    return float(label), label
