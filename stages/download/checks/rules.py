"""What is wrong with rows: counted, listed with file and row; it ends the stage, is warned of, or is set aside."""

import csv
import logging
from collections import Counter
from collections.abc import Mapping
from typing import IO, NamedTuple

from stages.errors import DataError

logger = logging.getLogger(__name__)

EXAMPLES = 5  # rows named per problem in a message; set_aside.csv names them all


class Rule(NamedTuple):
    """What is wrong with a row, and what a person can do about it."""

    what: str
    mend: str


RULES = {
    "malformed_row": Rule("it cannot be read", "Mend it, or set delimiter, header and quoting as the file has them"),
    "broken_encoding": Rule("bytes that are no text", "Set download.dataset.encoding to the file's own"),
    "control_characters": Rule(
        "control characters in the text", "Mend it; is download.dataset.encoding the file's own?"
    ),
    "empty_text": Rule("the text is empty", "Give it a text"),
    "missing_label": Rule("the label is empty", "Give it a label"),
    "unknown_label": Rule("the label is not in download.dataset.labels", "Name it there"),
    "missing_id": Rule("the id is empty", "Give it one, or set download.dataset.columns.id: null"),
    "duplicate_id": Rule("the id is an earlier row's", "Give it its own, set download.dataset.columns.id: null"),
    "conflicting_labels": Rule("the same text stands with another label too", "Decide for one"),
    "duplicate_text": Rule("the text is an earlier row's", "Take it out"),
    "near_duplicate": Rule("the text is nearly an earlier row's", "Take it out"),
    "rare_label": Rule(
        "the label has fewer rows than download.dataset.checks.min_rows_per_label",
        "Give it more rows, join it with another class in download.dataset.labels",
    ),
}


class Place(NamedTuple):
    """Where a row stands, and what set_aside.csv shows of it."""

    file: str
    row: int
    id: str | None = None
    text: str | None = None


class Checks:
    """Collects what is wrong; call `raise_failures` when all rows are read.

    Args:
        policies: fail, warn, set_aside or ignore by rule; a rule that is not named fails.
        file: Open text file for the rows that are set aside.
    """

    def __init__(self, policies: Mapping[str, str], file: IO[str]) -> None:
        self._policies = policies
        self._writer = csv.writer(file, lineterminator="\n")
        self._writer.writerow(["file", "row", "reason", "id", "text"])
        self._examples: dict[tuple[str, str], list[str]] = {}
        self._found: Counter[tuple[str, str]] = Counter()  # by file and rule
        self.set_aside: Counter[str] = Counter()

    def policy(self, rule: str) -> str:
        """Return what is to happen to rows that break the rule."""
        return self._policies.get(rule, "fail")

    def note(self, rule: str, place: Place, detail: str = "") -> bool:
        """Note that a row breaks a rule; return whether it stays in the data set."""
        policy = self.policy(rule)
        if policy == "set_aside":
            self.write_aside(rule, place)
        elif policy != "ignore":
            self._found[place.file, rule] += 1
            examples = self._examples.setdefault((place.file, rule), [])
            if len(examples) < EXAMPLES:
                described = ", ".join(filter(None, [f"id {printable(place.id)}" if place.id else "", detail]))
                examples.append(f"{place.row} ({described})" if described else str(place.row))
        return policy in ("warn", "ignore")

    def write_aside(self, rule: str, place: Place) -> None:
        """Write a row down as set aside."""
        self.set_aside[rule] += 1
        self._writer.writerow([place.file, place.row, rule, printable(place.id), printable(place.text)])

    @property
    def warnings(self) -> dict[str, int]:
        """Rows by rule that is warned of."""
        counts: Counter[str] = Counter()
        for (_, rule), count in self._found.items():
            counts[rule] += count
        return {rule: count for rule, count in sorted(counts.items()) if self.policy(rule) == "warn"}

    def raise_failures(self) -> None:
        """Raise everything that was found, as one error; and log what is only warned of.

        Raises:
            DataError: At least one row broke a rule whose policy is `fail`.
        """
        failed = [self._message(*key) for key in self._found if self.policy(key[1]) == "fail"]
        if failed:
            raise DataError(" ".join(failed))
        for key in self._found:
            logger.warning("%s", self._message(*key))

    def _message(self, name: str, rule: str) -> str:
        count, shown = self._found[name, rule], self._examples[name, rule]
        more = f" and {count - len(shown)} more" if count > len(shown) else ""
        if self.policy(rule) == "warn":
            return f"{name}: {count} rows: {RULES[rule].what} (row {', '.join(shown)}{more})"
        mend = RULES[rule].mend
        if rule in self._policies:
            mend += f", or set download.dataset.checks.{rule}: set_aside"
        return f"{name} row {', '.join(shown)}{more}: {RULES[rule].what}. {mend}."


def printable(text: str | None) -> str:
    """Text that can be written as UTF-8 whatever was read: what is no character becomes an escape."""
    return (text or "").encode("utf-8", "backslashreplace").decode("utf-8")
