"""The records of a file of answers: CSV, a workbook, a JSON list, or JSON lines."""

import io
import json
from pathlib import Path
from typing import Any

from stages.errors import DataError
from stages.reading.dialect import Dialect
from stages.reading.edited import decode_edited, read_edited
from stages.reading.workbook import read_workbook

WORKBOOK = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # first bytes of xlsx, and of xls, which has a message of its own
FORMS = (
    "the CSV of retune review --export (also saved as xlsx), JSON or CSV of Label Studio (with retune_id), or JSON of "
    "Argilla. The choice or question must be named label"
)


def read_records(path: Path) -> tuple[list[dict[str, Any]], bool]:
    """Return the records of a file, and whether it has the comma for numbers.

    Raises:
        DataError: It is not text, or is of no known form.
    """
    content = path.read_bytes()
    if content.startswith(WORKBOOK):
        sheet = read_workbook(io.BytesIO(content), str(path), Dialect("excel"))
        names = [name.strip() for name in sheet.names]
        return [dict(zip(names, row.cells or (), strict=True)) for row in sheet.rows], False
    text = decode_edited(content, str(path))
    if text.lstrip()[:1] in ("[", "{"):
        return _json_records(text, path), False
    edited = read_edited(text, str(path))
    return [record for _, record in edited.rows], edited.decimal_comma


def _json_records(text: str, path: Path) -> list[dict[str, Any]]:
    try:
        records = json.loads(text)
    except RecursionError as error:
        raise DataError(f"{path} is not JSON: {error}. Export it again.") from error
    except ValueError as error:
        if error.args[0].startswith("Extra data") and text.lstrip().startswith("{"):
            return _json_lines(text, path)
        raise DataError(f"{path} is not JSON: {error}. Export it again.") from error
    if isinstance(records, dict) and records and all(isinstance(column, dict) for column in records.values()):
        raise DataError(f"{path} has columns of records. Write it as a list, in pandas with orient='records'.")
    records = [records] if isinstance(records, dict) else records
    if not all(isinstance(record, dict) for record in records):
        raise DataError(f"{path} is not a list of records. Give {FORMS}.")
    return [*records]


def _json_lines(text: str, path: Path) -> list[dict[str, Any]]:
    records = []
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            record = json.loads(line) if line.strip() else None
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path} line {number} is not JSON: {error}. Export it again.") from error
        if isinstance(record, dict):
            records.append(record)
        elif line.strip():
            raise DataError(f"{path} line {number} is not a record. Give {FORMS}.")
    return records
