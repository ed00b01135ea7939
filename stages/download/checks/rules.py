"""The rules for rows, and the rows that break one: counted, named in messages, or set aside in a file."""

import logging
from collections import Counter
from collections.abc import Mapping
from typing import IO, NamedTuple

from stages.errors import DataError
from stages.files import csv_writer
from stages.messages import EXAMPLES, plain
from stages.shown import spreadsheet_safe, visible

logger = logging.getLogger(__name__)


class Rule(NamedTuple):
    """What is wrong with a row that breaks the rule, and how to fix it."""

    problem: str
    fix: str


RULES = {
    "malformed_row": Rule(
        "can't be read",
        "Correct it, make delimiter, header and quoting of download.dataset match the file (CSV), name another column "
        "(JSON, tables)",
    ),
    "broken_encoding": Rule(
        "has bytes that are not text in this encoding", "Set download.dataset.encoding to the file's encoding"
    ),
    "control_characters": Rule(
        "has control characters in the text",
        "Delete them, or set download.dataset.encoding to the file's encoding",
    ),
    "empty_text": Rule("the text is empty", "Give it a text"),
    "missing_label": Rule("the label is empty", "Give it a label"),
    "unknown_label": Rule("the label is of no known value", "Correct it"),  # in the words of each kind of target
    "missing_id": Rule("the id is empty", "Give it an id, or set download.dataset.columns.id: null"),
    "duplicate_id": Rule(
        "has the id of an earlier row", "Give it an id of its own, set download.dataset.columns.id: null"
    ),
    "conflicting_labels": Rule("the same text also has another label", "Keep one label"),
    "duplicate_text": Rule("duplicates the text of an earlier row", "Delete it"),
    "near_duplicate": Rule("nearly duplicates the text of an earlier row", "Delete it"),
    "unseen_label": Rule(
        "no row for train has the label, so the model can't learn it",
        "Add rows of it to a file with split: train, join it with another class in download.dataset.labels, give the "
        "files no split so that all rows are divided again",
    ),
    "rare_label": Rule(
        "the label has fewer rows than download.dataset.checks.min_rows_per_label",
        "Add rows of this label, join it with another class in download.dataset.labels",
    ),
}


class SourceRow(NamedTuple):
    """A row of a file: where it is, and what set_aside.csv shows of it."""

    file: str
    row: int
    id: str | None = None
    text: str | None = None


class Problems:
    """Collects the rows that break a rule; call `raise_failures` when all rows are read.

    Args:
        policies: fail, warn, set_aside or ignore, by rule; rules without a policy fail.
        file: Open text file for the rows that are set aside.

    Attributes:
        set_aside: Rows that are set aside, by rule.
        rules: What is wrong with a row that breaks a rule, by rule.
        advice: What a failure's message says after its rule's own advice, by rule.
    """

    def __init__(self, policies: Mapping[str, str], file: IO[str]) -> None:
        self._policies = policies
        self._writer = csv_writer(file)
        self._writer.writerow(["file", "row", "reason", "id", "text"])
        self._examples: dict[tuple[str, str], list[str]] = {}  # by file and rule
        self._counts: Counter[tuple[str, str]] = Counter()  # by file and rule
        self._aside: Counter[tuple[str, str]] = Counter()  # by file and rule
        self.set_aside: Counter[str] = Counter()
        self.rules = dict(RULES)
        self.advice: dict[str, str] = {}

    def policy(self, rule: str) -> str:
        """Return what happens to rows that break the rule."""
        return self._policies.get(rule, "fail")

    def add(self, rule: str, row: SourceRow, detail: str = "") -> bool:
        """Record that a row breaks a rule; return whether the row can still be used.

        Args:
            rule: Name of the rule.
            row: The row.
            detail: What a message adds to the row's number.
        """
        policy = self.policy(rule)
        if policy == "set_aside":
            self.write_set_aside(rule, row)
        elif policy != "ignore":
            self._counts[row.file, rule] += 1
            examples = self._examples.setdefault((row.file, rule), [])
            if len(examples) < EXAMPLES:
                details = ", ".join(filter(None, [f"id {plain(row.id)}" if row.id else "", plain(detail)]))
                examples.append(f"{row.row} ({details})" if details else str(row.row))
        return policy in ("warn", "ignore")

    def write_set_aside(self, rule: str, row: SourceRow) -> None:
        """Write a row that is set aside to the file, which people open in a spreadsheet."""
        self.set_aside[rule] += 1
        self._aside[row.file, rule] += 1
        file, row_id, text = (spreadsheet_safe(visible(printable(value))) for value in (row.file, row.id, row.text))
        self._writer.writerow([file, row.row, rule, row_id, text])

    def log_set_aside(self, rows: Mapping[str, int], splits: Mapping[str, str | None]) -> None:
        """Log how many rows of each file are set aside; a whole file, or a whole official split, is a warning.

        Args:
            rows: Rows that were read, by file.
            splits: Official split, by file; None: it has none.
        """
        aside = {file: sum(n for (name, _), n in self._aside.items() if name == file) for file, _ in self._aside}
        empty = {file for file, count in aside.items() if count == rows[file]}
        for file, count in aside.items():
            rules = ", ".join(f"{rule} {n}" for (name, rule), n in self._aside.items() if name == file)
            line = f"{file}: {count} of {rows[file]} rows are set aside ({rules}); set_aside.csv names them"
            logger.log(logging.WARNING if file in empty else logging.INFO, "%s", line)
        for split in dict.fromkeys(filter(None, splits.values())):
            if all(file in empty for file, of in splits.items() if of == split):
                logger.warning(
                    "All rows with split: %s are set aside, so the data set has no official %s", split, split
                )

    @property
    def warnings(self) -> dict[str, int]:
        """Rows by rule, for the rules whose policy is `warn`."""
        counts: Counter[str] = Counter()
        for (_, rule), count in self._counts.items():
            counts[rule] += count
        return {rule: count for rule, count in sorted(counts.items()) if self.policy(rule) == "warn"}

    def raise_failures(self) -> None:
        """Log what is only warned of, or raise all failures as one error.

        Raises:
            DataError: At least one row broke a rule whose policy is `fail`.
        """
        failures = [self._message(*key) for key in self._counts if self.policy(key[1]) == "fail"]
        if failures:
            raise DataError(" ".join(failures))
        for key in self._counts:
            logger.warning("%s", self._message(*key))

    def _message(self, file: str, rule: str) -> str:
        count, examples = self._counts[file, rule], self._examples[file, rule]
        more = f" and {count - len(examples)} more" if count > len(examples) else ""
        problem, fix = self.rules[rule]
        if self.policy(rule) == "warn":
            return f"{file}: {count} row{'s' if count != 1 else ''}: {problem} (row {', '.join(examples)}{more})"
        if rule in self._policies:
            fix += f", or set download.dataset.checks.{rule}: set_aside"
        advice = f" {self.advice[rule]}" if self.advice.get(rule) else ""
        return f"{file} row {', '.join(examples)}{more}: {problem}. {fix}.{advice}"


def printable(text: str | None) -> str:
    """Return `text` with escapes for bytes that could not be decoded, so that it can be written as UTF-8."""
    return (text or "").encode("utf-8", "backslashreplace").decode("utf-8")
