"""The suspect rows as a file: CSV for spreadsheets, and what Argilla and Label Studio read."""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.review.decisions import exported
from pipeline.review.rows import DataSet, ReviewRow
from stages.corrections import Correction
from stages.errors import DataError
from stages.files import csv_writer, write_text
from stages.reading.label_sets import parse_set
from stages.shown import spreadsheet_safe as safe

COLUMNS = ("id", "text_hash", "text", "text_pair", "label", "suggested", "given_probability", "suggested_probability")
ANSWERS = ("decision", "new_label", "note")  # that a person fills in
EXPORTED = "exported"  # column of the CSV: the decision as it was then, so that the import sees what is new


def write(
    path: Path,
    rows: Sequence[ReviewRow],
    decided: Mapping[str, Correction],
    data: DataSet,
    file_format: str,
    *,
    spreadsheet_safe: bool = False,
) -> int:
    """Write rows to a file; none where there are none to write.

    Args:
        path: The file.
        rows: The rows.
        decided: Decisions about them, by id. The CSV has them filled in; the other forms leave these rows out.
        data: What the rows belong to.
        file_format: One of `FORMATS`.
        spreadsheet_safe: Of CSV: put an apostrophe before what a spreadsheet would compute.

    Returns:
        How many rows were written.

    Raises:
        DataError: There is such a file already.
    """
    if path.exists():
        raise DataError(
            f"{path} exists and may hold answers. Import it first, then delete it, or give another --export."
        )
    if file_format != "csv":
        rows = [row for row in rows if row.id not in decided]
    if rows and file_format == "csv":
        write_text(path, _csv(rows, decided, protect=safe if spreadsheet_safe else str), of_person=True)
    elif rows:
        records = [RECORDS[file_format](row, data) for row in rows]
        write_text(path, json.dumps(records, indent=1, ensure_ascii=False) + "\n", of_person=True)
    return len(rows)


def _csv(rows: Sequence[ReviewRow], decided: Mapping[str, Correction], *, protect: Callable[[str], str]) -> str:
    file = io.StringIO(newline="")
    writer = csv_writer(file)
    writer.writerow([*COLUMNS, *ANSWERS, EXPORTED])
    for row in rows:
        texts = (row.id, row.text_hash, row.text, row.text_pair or "", row.label, row.suggested)
        decision = _of_label_shown(decided[row.id], row) if row.id in decided else None
        answers = [getattr(decision, column) if decision else "" for column in ANSWERS]
        before = exported(decision)
        writer.writerow([*map(protect, texts), *(row.doubt or ("", "")), *map(protect, (*answers, before))])
    return file.getvalue()


def _of_label_shown(decision: Correction, row: ReviewRow) -> Correction:
    """Return a decision as a file has it: there, keep is about the label beside it, not about that of the source."""
    if decision.decision == "keep" and row.label != row.source_label:
        return replace(decision, decision="relabel", new_label=row.source_label)
    return decision


def _argilla(row: ReviewRow, data: DataSet) -> dict[str, Any]:
    """Return a record as `Dataset.records.from_json` of Argilla 2 reads it; the question is called `label`."""
    suggestion = {"value": _value(row.suggested, data), "agent": "retune"}
    return {
        "id": row.id,
        "fields": _texts(row),
        "metadata": {"text_hash": row.text_hash, "given": data.kind.shown(row.label)},
        "suggestions": {"label": suggestion | ({"score": row.doubt[1]} if row.doubt else {})},
        "responses": {},
        "vectors": {},
    }


def _label_studio(row: ReviewRow, data: DataSet) -> dict[str, Any]:
    """Return a task of Label Studio with a prediction; the control is called `label`, the object `text`."""
    value = _value(row.suggested, data)
    choices = value if isinstance(value, list) else [value]
    of_type = {"number": float(row.suggested)} if data.kind.choice == "typed" else {"choices": choices}
    result = {"from_name": "label", "to_name": "text", "type": next(iter(of_type)), "value": of_type}
    prediction = {"model_version": "retune", "result": [result]} | ({"score": row.doubt[1]} if row.doubt else {})
    known = {"retune_id": row.id, "text_hash": row.text_hash, "given": data.kind.shown(row.label)}
    return {"data": _texts(row) | known, "predictions": [prediction]}


def _texts(row: ReviewRow) -> dict[str, str]:
    return {"text": row.text} | ({"text_pair": row.text_pair} if row.text_pair is not None else {})


def _value(label: str, data: DataSet) -> str | list[str]:
    return parse_set(label) or [] if data.kind.choice == "several" else label


RECORDS: Mapping[str, Callable[[ReviewRow, DataSet], dict[str, Any]]] = {
    "argilla": _argilla,
    "label-studio": _label_studio,
}
FORMATS: Mapping[str, str] = {"csv": ".csv", **dict.fromkeys(RECORDS, ".json")}  # and how the names of their files end
