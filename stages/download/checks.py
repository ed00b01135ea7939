"""Rows that can't be used: counted, listed with file and row, and either the end of the stage or set aside."""

import csv
from collections import Counter
from collections.abc import Mapping
from typing import IO, NamedTuple

from stages.download.records import Record
from stages.errors import DataError

EXAMPLES = 5  # rows named per problem in the message; set_aside.csv names them all


class Rule(NamedTuple):
    """What is wrong with a row, and what a person can do about it."""

    what: str
    mend: str


RULES = {
    "malformed_row": Rule("cannot be read", "Mend it, or set delimiter, header and quoting as the file has them."),
    "broken_encoding": Rule("bytes that are no text", "Set download.dataset.encoding to the file's own."),
    "empty_text": Rule("the text is empty", "Give it a text"),
    "missing_label": Rule("the label is empty", "Give it a label"),
    "unknown_label": Rule("the label is not in download.dataset.labels", "Name it there, or mend the row."),
    "missing_id": Rule("the id is empty", "Give it one, or set download.dataset.columns.id: null."),
    "duplicate_id": Rule("the id is an earlier row's", "Give it its own, set download.dataset.columns.id: null"),
}


class Checks:
    """Collects the rows that can't be used; call `raise_failures` when all rows are read.

    Args:
        policies: `fail` or `set_aside` by rule; a rule that is not named fails.
        file: Open text file for the rows that are set aside.
    """

    def __init__(self, policies: Mapping[str, str], file: IO[str]) -> None:
        self._policies = policies
        self._writer = csv.writer(file, lineterminator="\n")
        self._writer.writerow(["file", "row", "reason", "id", "text"])
        self._failures: dict[tuple[str, str], list[str]] = {}
        self._failed: Counter[tuple[str, str]] = Counter()
        self.set_aside: Counter[str] = Counter()

    def reject(self, rule: str, name: str, record: Record, detail: str = "") -> None:
        """Note that a row can't be used: it fails the stage at the end, or is written down as set aside."""
        if self._policies.get(rule, "fail") == "set_aside":
            self.set_aside[rule] += 1
            self._writer.writerow([name, record.row, rule, _printable(record.id), _printable(record.text)])
            return
        self._failed[name, rule] += 1
        examples = self._failures.setdefault((name, rule), [])
        if len(examples) < EXAMPLES:
            examples.append(f"{record.row} ({detail})" if detail else str(record.row))

    def raise_failures(self) -> None:
        """Raise everything that was found, as one error.

        Raises:
            DataError: At least one row broke a rule whose policy is `fail`.
        """
        if self._failed:
            raise DataError(" ".join(self._message(name, rule, rows) for (name, rule), rows in self._failures.items()))

    def _message(self, name: str, rule: str, rows: list[str]) -> str:
        count = self._failed[name, rule]
        mend = RULES[rule].mend
        if rule in self._policies:
            mend += f", or set download.dataset.checks.{rule}: set_aside."
        shown = ", ".join(rows) + (f" and {count - len(rows)} more" if count > len(rows) else "")
        return f"{name} row {shown}: {RULES[rule].what}. {mend}"


def _printable(text: str | None) -> str:
    """Text that can be written as UTF-8 whatever was read: what is no character becomes an escape."""
    return (text or "").encode("utf-8", "backslashreplace").decode("utf-8")
