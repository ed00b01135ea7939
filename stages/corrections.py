"""corrections.csv: what a person decided about the labels of single rows; git keeps it, and `download` applies it.

A line says which row (its id), which text and label it had then, and what was decided:

* relabel    the label is wrong, and `new_label` is right
* keep       the label is right
* unclear    the person can't tell; nothing changes
* set_aside  the row is not used

Of several lines for one row the one with the latest `when` counts; where times are equal, missing, or not of the form
`TIME`, the last of the lines. So git can join two branches by keeping the lines of both: the lines that one branch has
left as they were may then stand after those that the other one has changed.
"""

import contextlib
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path

from stages.errors import DataError
from stages.files import csv_writer, write_text
from stages.messages import examples, short
from stages.reading.edited import decode_edited, read_edited
from stages.spelling_key import typed
from stages.targets.rows import Rows
from stages.yaml_file import conflict_line

SOURCE_LABELS = b"source_labels"  # in the schema of rows.parquet: by id, the source's label of each row relabelled
DECISIONS = ("relabel", "keep", "unclear", "set_aside")
TIME = "%Y-%m-%dT%H:%M:%SZ"  # of `when`, in UTC


@dataclass(frozen=True)
class Correction:
    """A decision about a row: a line of corrections.csv.

    Attributes:
        id: Of the row, as in rows.parquet.
        text_hash: From `text_hash`; a row whose text is another one by now stays as it is.
        old_label: The row's label in its source; a row with another one by now stays as it is.
        decision: One of `DECISIONS`.
        new_label: For `relabel`; else empty.
        who: Who decided.
        when: Date and time in UTC, in the form `TIME`; a person who edits the file may leave it empty.
        note: For people.
        decimal_comma: Whether the program that saved the file writes 12,5 for 12.5; no column.
    """

    id: str
    text_hash: str
    old_label: str
    decision: str
    new_label: str = ""
    who: str = ""
    when: str = ""
    note: str = ""
    decimal_comma: bool = field(default=False, compare=False)


COLUMNS = tuple(column.name for column in fields(Correction) if column.compare)


def text_hash(text_key: int) -> str:
    """Return a row's `text_key` in hexadecimal: equal for texts that differ only in case, width or white space.

    The letter before it keeps spreadsheet programs from rounding it: one hash of 750 looks like a number (`12e4`).
    """
    return f"h{text_key & 0xFFFFFFFFFFFFFFFF:016x}"


def known_decision(text: str) -> str | None:
    """Return the one of `DECISIONS` that a person or a program wrote, such as `Set aside`; None where it is none."""
    letters = "".join(re.split(r"[\s_-]+", typed(text).casefold()))
    return next((decision for decision in DECISIONS if decision.replace("_", "") == letters), None)


def read_corrections(path: Path, *, name: str) -> list[Correction]:
    """Read a file of corrections; none where there is no file: `dvc repro`, which watches it, asks for it.

    Args:
        path: The file.
        name: What messages call it.

    Raises:
        DataError: It is not UTF-8, lacks a column, or a line can't be read.
    """
    text = decode_edited(path.read_bytes(), name) if path.exists() else ",".join(COLUMNS)
    if line := conflict_line(text):
        raise DataError(f"{name} line {line} is a conflict marker of a git merge. Keep the lines of both, without it.")
    header, rows, decimal_comma = read_edited(text, name)
    if missing := [column for column in COLUMNS if column not in header]:
        raise DataError(f"{name} has no column {examples(missing)}. Its first line must be: {','.join(COLUMNS)}")
    return [_correction(values, f"{name} line {line}", decimal_comma) for line, values in rows]


def with_points(correction: Correction, kind: Rows) -> Correction:
    """Return a correction with a point for each decimal comma of its labels, where these are numbers."""
    old, comma = correction.old_label, correction.decimal_comma
    old = old if "." in old else kind.with_point(old, decimal_comma=comma)  # compared with the source, never used
    new = kind.with_point(correction.new_label, decimal_comma=comma)
    return replace(correction, old_label=old, new_label=new, decimal_comma=False)


def format_corrections(corrections: Iterable[Correction]) -> str:
    """Return the content of a file of corrections."""
    file = io.StringIO(newline="")
    writer = csv_writer(file)
    writer.writerow(COLUMNS)
    writer.writerows([getattr(correction, column) for column in COLUMNS] for correction in corrections)
    return file.getvalue()


def write_corrections(path: Path, corrections: Iterable[Correction]) -> None:
    """Write a file of corrections, whole or not at all; raises as `replace_file`."""
    write_text(path, format_corrections(corrections), of_person=True)


def latest_of_each(corrections: Iterable[Correction]) -> dict[str, Correction]:
    """Return the latest correction of each row, by its id.

    A line without a time is as late as the line before it about the row: whoever wrote it by hand saw that one.

    Args:
        corrections: In the order of the file.
    """
    latest: dict[str, Correction] = {}
    times: dict[str, datetime | None] = {}
    for correction in corrections:
        time, before = _time(correction.when), times.get(correction.id)
        if time is None or before is None or time >= before:
            latest[correction.id] = correction
            times[correction.id] = time or before
    return latest


def _time(when: str) -> datetime | None:
    """Return the time of a line; None where it has none in the form `TIME`."""
    with contextlib.suppress(ValueError):
        return datetime.strptime(when.strip(), TIME).replace(tzinfo=UTC)
    return None


def _correction(values: Mapping[str, str], place: str, decimal_comma: bool) -> Correction:
    decision = known_decision(values["decision"])
    if decision is None:
        raise DataError(f"{place}: decision is {short(values['decision'])}. Give one of: {', '.join(DECISIONS)}.")
    correction = Correction(
        **{column: values[column] for column in COLUMNS} | {"decision": decision}, decimal_comma=decimal_comma
    )
    if not correction.id:
        raise DataError(f"{place}: id is empty. Give the id of a row.")
    if correction.decision == "relabel" and not correction.new_label:
        raise DataError(f"{place}: new_label is empty. Give the label that is right, or another decision.")
    return correction
