"""Rows that have any number of several labels, none included."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stages.errors import DataError
from stages.messages import examples, short
from stages.reading.label_sets import parse_set, set_text
from stages.targets.target import Finder, Reader, Target

CHECKS = frozenset({"conflicting_labels"})
UNKNOWN = (
    "the label is not a list of labels",
    'Write it as a JSON list such as ["a", "b"], set download.dataset.label_separator, or name a column of 0 and 1 for '
    "each label in download.dataset.columns.label",
)
IN_EVERY_SPLIT = True
VALUES: pa.DataType | None = None

FLAGS = frozenset({"0", "1", "true", "false"})  # a list [0, 1, 0] says which labels a row has, by their places


def stored(value: str) -> str | None:
    """Return the JSON list of the labels, sorted and each once; None where the value is not a JSON list."""
    labels = parse_set(value)
    return None if labels is None else set_text(labels)


def with_point(value: str, *, decimal_comma: bool) -> str:
    """Return the value: labels are names."""
    return value


def known(labels: Collection[str], finder: Finder) -> Reader:
    """Return what reads a set; None where it is no JSON list, or has a label that no row has."""
    find = finder(label for text in labels for label in parse_set(text) or [])

    def read(value: str) -> str | None:
        given = parse_set(value)
        found = [label for label in map(find, given or []) if label is not None]
        return None if given is None or len(found) < len(given) else set_text(found)

    return read


def describe(counts: Mapping[str, int], *, names: Mapping[str, str], order: Sequence[str]) -> Target:
    """Return the labels, in their order or by name.

    Args:
        counts: Rows of each stored label set.
        names: Must be empty: labels in sets get no other names.
        order: Every label once; empty: by name.

    Raises:
        DataError: `names` is not empty, the lists are flags, a label of `order` has no row, `order` lacks a label, or
            there are fewer than two labels.
    """
    if names:
        raise DataError(
            "download.dataset.labels renames classes, but a row has several labels. Set download.dataset.labels: {}, "
            "and rename the labels in the file."
        )
    present = sorted({label for text in counts for label in parse_set(text) or []})
    if present and set(present) <= FLAGS:
        raise DataError(
            f"The lists hold {examples(present)} alone, so they are flags and name no labels. Write the names of a "
            'row\'s labels, such as ["a", "b"]; or a column of 0 and 1 for each label, and list these columns in '
            "download.dataset.columns.label."
        )
    if absent := [label for label in order if label not in present]:
        raise DataError(
            f"No row has the label [{examples(absent)}], so a model can't learn it. Add rows with it, or take it out "
            "of download.dataset.columns.label and label_order."
        )
    if order and sorted(order) != present:
        raise DataError(
            f"download.dataset.label_order is [{examples(order)}], but the rows have [{examples(present)}]. "
            "List each label once."
        )
    if len(present) < 2:
        found = f"only the label {short(present[0])}" if present else "no label at all"
        raise DataError(
            f"The rows have {found}, but sets of labels need at least two different ones. For one, have a row of each "
            "answer (yes, no) and set download.dataset.target: classes."
        )
    return Target("label_set", list(order) or present)


def index(column: pa.Array, target: Target) -> NDArray[np.bool_]:
    """Return which labels each row has; shape (rows, num_labels)."""
    encoded = column.dictionary_encode()
    position = {label: number for number, label in enumerate(target.labels)}
    flags = np.zeros((len(encoded.dictionary), len(target.labels)), dtype=np.bool_)
    for number, text in enumerate(encoded.dictionary.to_pylist()):
        flags[number, [position[label] for label in parse_set(text) or []]] = True
    return np.asarray(flags[encoded.indices.to_numpy(zero_copy_only=False)], dtype=np.bool_)


def values(column: pa.Array, target: Target) -> pa.Array:
    """Raise: the flags say all."""
    raise NotImplementedError("label sets have no column of values")
