"""The label of a row as it is stored: under the name of its class, or in the form of its kind."""

import logging
from collections import Counter
from collections.abc import Mapping

from stages.download.checks.label_spelling import float_note
from stages.messages import examples, short
from stages.reading.label_sets import text_of_separated
from stages.spelling_key import spelling_key
from stages.targets.rows import Rows

logger = logging.getLogger(__name__)


class LabelNames:
    """The class name of each label value.

    Args:
        names: By label value, download.dataset.labels; empty: the values are the names.
        merge: Whether a value in another spelling than that of `names` has its name too. Values that are spelled alike
            and have several names stay apart.
        kind: Says how a value without a name is stored.
        separator: Between the labels of a row; None: a row has one, or a list.
    """

    def __init__(self, names: Mapping[str, str], *, merge: bool, kind: Rows, separator: str | None = None) -> None:
        self._names, self._merge, self._kind, self._separator = names, merge, kind, separator
        self._merged: Counter[tuple[str, str]] = Counter()  # rows by value, and the value of `names` it stands for
        self._misspelled: dict[str, str] = {}  # the value of `names` that a value may stand for
        spelled: dict[str, list[str]] = {}
        for value in names:
            spelled.setdefault(spelling_key(value), []).append(value)
        self._values = {key: values[0] for key, values in spelled.items() if len({names[v] for v in values}) == 1}

    def read(self, value: str | None) -> str:
        """Return a label as read, without blanks around it: of labels with a separator their list; empty for none."""
        if value is None or self._separator is None:
            return (value or "").strip()
        return text_of_separated(value, self._separator)

    def rename(self, value: str) -> str | None:
        """Return a label value as it is stored; None where download.dataset.labels or the kind has no such value."""
        if not self._names:
            return self._kind.stored(value)
        if value in self._names:
            return self._names[value]
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
        return f"{value}; did you mean {short(known)}?"

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
                self._merged, show=lambda pair: f"{short(pair[0])} ({self._merged[pair]} rows) as {short(pair[1])}"
            )
            note = float_note([value for pair in self._merged for value in pair])
            logger.info("label_spelling: merge: counts %s, which download.dataset.labels has.%s", shown, note)
        rows: dict[str, dict[str, int]] = {}
        for (value, known), count in self._merged.items():
            rows.setdefault(self._names[known], {})[value] = count
        return rows
