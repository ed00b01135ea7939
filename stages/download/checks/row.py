"""Checks of a single row: its fields, its label, and whether its id is new."""

import re
from collections.abc import Collection, Iterator

from stages.download.labels import LabelNames
from stages.download.readers.record import Record, encodable
from stages.texts import is_blank

CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # all but tab and line ends


def broken_rules(
    record: Record, *, value: str, label: str | None, names: LabelNames, columns: Collection[str], ids: Collection[str]
) -> Iterator[tuple[str, str]]:
    """Yield the rules that a record breaks, each with what the message adds to the row's number.

    Args:
        record: The row as read.
        value: Its label as read, or that of its file.
        label: The name of its class; None: download.dataset.labels does not have the value.
        names: Of the classes.
        columns: Fields that its file has.
        ids: Ids of the rows before it.
    """
    if record.problem:
        yield "malformed_row", record.problem
        return
    cells = (record.text, record.text_pair, value, record.id, record.group, *record.slices)
    if not all(encodable(cell) for cell in cells if cell):
        yield "broken_encoding", ""
    if is_blank(record.text or ""):
        yield "empty_text", ""
    if "text_pair" in columns and is_blank(record.text_pair or ""):
        yield "empty_text", "text_pair"
    if not value:
        yield "missing_label", ""
    elif label is None:
        yield "unknown_label", names.describe_unknown(value)
    if "id" in columns and not record.id:
        yield "missing_id", ""
    elif record.id in ids:
        yield "duplicate_id", ""
    if CONTROL.search(record.text or "") or CONTROL.search(record.text_pair or ""):
        yield "control_characters", ""
