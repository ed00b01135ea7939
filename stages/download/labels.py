"""Names of the classes, and their order, which does not depend on the order of the rows."""

import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from stages.download.checks.label_spelling import float_note
from stages.download.checks.spelling_key import spelling_key
from stages.errors import DataError
from stages.messages import examples, short

logger = logging.getLogger(__name__)


class LabelNames:
    """The class name of each label value.

    Args:
        names: By label value, download.dataset.labels; empty: the values are the names.
        merge: Whether a value in another spelling than that of `names` has its name too. Values that are spelled alike
            and have several names stay apart.
    """

    def __init__(self, names: Mapping[str, str], *, merge: bool) -> None:
        self._names, self._merge = names, merge
        self._merged: Counter[tuple[str, str]] = Counter()  # rows by value, and the value of `names` it stands for
        self._misspelled: dict[str, str] = {}  # the value of `names` that a value may stand for
        spelled: dict[str, list[str]] = {}
        for value in names:
            spelled.setdefault(spelling_key(value), []).append(value)
        self._values = {key: values[0] for key, values in spelled.items() if len({names[v] for v in values}) == 1}

    def rename(self, value: str) -> str | None:
        """Return the class name of a label value; None where download.dataset.labels lacks it."""
        if not self._names or value in self._names:
            return self._names.get(value, value)
        known = self._values.get(spelling_key(value)) if self._merge and value else None
        if known is None:
            return None
        self._merged[value, known] += 1
        return self._names[known]

    def describe_unknown(self, value: str) -> str:
        """Return a value that `rename` does not know, with the one that it may be another spelling of."""
        known = self._values.get(spelling_key(value))
        if known is None:
            return value
        self._misspelled.setdefault(value, known)
        return f"{value}; {short(known)} is there"

    @property
    def advice(self) -> str:
        """What to do about values that are another spelling of one that download.dataset.labels has; empty for none."""
        if not self._misspelled or self._merge:
            return ""
        note = float_note([*self._misspelled, *self._misspelled.values()])
        return (
            f"download.dataset.checks.label_spelling: merge takes {examples(list(self._misspelled))} for "
            f"{examples(sorted(set(self._misspelled.values())))}.{note}"
        )

    def log_merged(self) -> dict[str, dict[str, int]]:
        """Log which values were taken for others; return their rows by class name and value."""
        if self._merged:
            shown = examples(
                self._merged, show=lambda pair: f"{short(pair[0])} ({self._merged[pair]} rows) for {short(pair[1])}"
            )
            note = float_note([value for pair in self._merged for value in pair])
            logger.info("label_spelling: merge: of download.dataset.labels, takes %s.%s", shown, note)
        rows: dict[str, dict[str, int]] = {}
        for (value, known), count in self._merged.items():
            rows.setdefault(self._names[known], {})[value] = count
        return rows


def in_class_order(present: Collection[str], names: Mapping[str, str], order: Sequence[str] = ()) -> list[str]:
    """Return the class names in class order.

    The order of `names` has no meaning: to DVC, two mappings in another order are equal.

    Args:
        present: Class names that rows have.
        names: Class name of each label value; empty: the values are the names.
        order: The class names in class order; empty: the order of the label values, by number where all are numbers,
            else by name.

    Raises:
        DataError: No row has a name of `names` or `order`, `order` lacks a class or has one twice, or there are fewer
            than two classes.
    """
    values = names or {label: label for label in present}
    sorted_values = sorted(values, key=_by_number) if all(map(_is_number, values)) else sorted(values)
    labels = list(order) or list(dict.fromkeys(values[value] for value in sorted_values))
    key = "label_order" if order else "labels"
    if absent := [label for label in labels if label not in present]:
        raise DataError(
            f"download.dataset.{key} names [{examples(absent)}], but no row has that label. "
            f"The rows have: [{examples(sorted(present))}]."
        )
    if sorted(labels) != sorted(present):
        raise DataError(
            f"download.dataset.label_order is [{examples(labels)}], but the rows have [{examples(sorted(present))}]. "
            "List each label once."
        )
    if len(labels) < 2:
        raise DataError(
            f"All rows have the label {short(labels[0])}, but a classifier needs at least two labels. "
            "Correct download.dataset.columns.label, or add rows."
        )
    return labels


def _is_number(label: str) -> bool:
    try:
        return float(label) == float(label)
    except ValueError:
        return False


def _by_number(label: str) -> tuple[float, str]:
    return float(label), label
