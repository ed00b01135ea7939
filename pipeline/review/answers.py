"""The answers in a file: the CSV of `retune review --export`, and what Argilla and Label Studio export."""

import contextlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.review.decisions import NOTHING, Said, read_exported
from pipeline.review.exports import EXPORTED
from pipeline.review.records import FORMS, read_records
from stages.corrections import known_decision
from stages.errors import DataError
from stages.messages import examples, short
from stages.reading.label_sets import set_text
from stages.shown import spreadsheet_unsafe

SUBMITTED = (None, "submitted")  # status of a response of Argilla; others are drafts, or discarded
NO_LABEL = ("", "[]")  # of a row with several labels, [] may say that none applies, or that none was asked for
OF_RECORD = (  # what Label Studio's JSON_MIN has of a task and of its annotation, beside the answers
    *("id", "annotation_id", "annotator", "created_at", "updated_at", "lead_time", "agreement"),
    *("retune_id", "text_hash", "text", "text_pair", "given", "label"),
)
OF_ROW = ("text_hash", "text", "text_pair")  # what a file says of a row, so that no answer is about another text
OWN = ("id", "decision", "new_label", "note", *OF_ROW)  # columns of the CSV of --export
NEEDED = ("id", "decision", "new_label")  # of those: without one, its answers would be passed over
NO_VALUE = ("nan", "null", "none", "na", "n/a", "<na>")  # what a program may write for an empty cell; no decision


@dataclass(frozen=True)
class Answer:
    """What a line of the file says about a row.

    Attributes:
        id: Of the row.
        decision: One of `DECISIONS`; empty: the new label says it.
        label: The new label; empty where there is none.
        note: For people.
        text_hash: Of the row as it was exported; empty where the file does not say.
        text: Of the row; empty where the file does not say.
        text_pair: Its second text, likewise.
        shown: The label that the row had when the file was written; empty where the file does not say.
        of_tool: Whether several people may have answered, so that two answers may differ.
        exported: What was decided when the file was written (`exported`): nothing in a file of a tool, which gets only
            rows without a decision; None where the file does not say.
        decimal_comma: Whether the program that saved the file writes 12,5 for 12.5.
        label_is_empty: Whether the program that saved the file writes empty cells as the new label is.
    """

    id: str
    decision: str
    label: str
    note: str = ""
    text_hash: str = ""
    text: str = ""
    text_pair: str = ""
    shown: str = ""
    of_tool: bool = False
    exported: Said | None = NOTHING
    decimal_comma: bool = False
    label_is_empty: bool = False

    @property
    def given(self) -> bool:
        """Whether it decides anything."""
        return bool(self.decision or self.label)


def read_answers(path: Path, *, several: bool) -> list[Answer]:
    """Read the answers of a file; lines without one are left out.

    Args:
        path: The file.
        several: Whether a row has any number of labels, so that one label alone is a set, too.

    Raises:
        DataError: The file is missing, is not text, or is of no known form.
    """
    if not path.is_file():
        raise DataError(f"{path} is missing, or is not a file. Correct --import.")
    records, decimal_comma = read_records(path)
    try:
        answers = [
            replace(answer, decimal_comma=decimal_comma)
            for record in records
            for answer in _answers(record, path, several)
        ]
        named = any(answer.decision or answer.label not in NO_LABEL for answer in answers)
        names = set() if named else {name for record in records for name in _other_names(record)}
    except (
        AttributeError,
        TypeError,
        KeyError,
        RecursionError,
    ) as error:  # a list where a tool writes a record, or the like
        raise DataError(f"{path} has records of an unknown form. Give {FORMS}.") from error
    if names:
        raise DataError(f"{path} has answers called {examples(sorted(names))}, but none called label. Give {FORMS}.")
    return [answer for answer in _without_empty(answers) if answer.given]


def _without_empty(answers: Sequence[Answer]) -> list[Answer]:
    """Return answers without what the program that saved the file writes for empty cells, as pandas may write NaN."""
    cells = {cell for answer in answers for cell in (answer.decision, (answer.exported or NOTHING).decision)}
    words = {cell for cell in cells if is_no_value(cell)}  # in these columns, such a word means nothing else
    return [_without_words(answer, words) for answer in answers] if words else [*answers]


def _without_words(answer: Answer, words: Collection[str]) -> Answer:
    def cell(value: str) -> str:
        return "" if value in words else value

    return replace(
        answer,
        decision=cell(answer.decision),
        note=cell(answer.note),
        text_hash=cell(answer.text_hash),
        text=cell(answer.text),
        text_pair=cell(answer.text_pair),
        exported=NOTHING if answer.exported and answer.exported.decision in words else answer.exported,
        label_is_empty=answer.label in words,
    )


def is_no_value(cell: str) -> bool:
    """Whether a cell has a word that programs write for an empty one."""
    return cell.casefold() in NO_VALUE


def _answers(record: Mapping[str, Any], path: Path, several: bool) -> list[Answer]:
    """Return the answers of a record, by the form that it has."""
    if "data" in record and {"annotations", "predictions"} & record.keys():  # as exported, a task has only predictions
        values = [value for annotation in record.get("annotations") or [] for value in _values(annotation)]
        return _of_label_studio(record["data"], values, several)
    if "annotation_id" in record and "retune_id" in record:
        label = record.get("label")
        values = [[] if label in (None, "") else label] if _is_annotated(record) else []
        return _of_label_studio(record, values, several)
    if "responses" in record and "fields" in record:
        responses = (record["responses"] or {}).get("label") or []
        values = [response.get("value") for response in responses if response.get("status") in SUBMITTED]
        return _of_argilla(record, values, record.get("metadata") or {}, several)
    if "label.responses" in record:
        return _of_argilla(record, _submitted(record), record, several)
    record = {"_".join(name.lower().split()): cell for name, cell in record.items()} | {**record}
    if {"decision", "new_label"} & record.keys():
        if missing := [name for name in NEEDED if name not in record]:
            raise DataError(
                f"{path} has no column {examples(missing)}. Call its columns {', '.join(OWN)}, as exported."
            )
        row_id, decision, label, note, of_text, text, pair = (_cell(record.get(name)) for name in OWN)
        exported = read_exported(spreadsheet_unsafe(_cell(record[EXPORTED]))) if EXPORTED in record else None
        note = note if "note" in record or exported is None else exported.note
        shown, decision = _cell(record.get("label")), known_decision(decision) or decision
        return [Answer(row_id, decision, label, note, of_text, text, pair, shown, exported=exported)]
    raise DataError(f"{path} has columns {examples(list(record))}. Give {FORMS}.")


def _cell(value: Any) -> str:
    """Return the text of a cell of CSV, or of a value of JSON."""
    return "" if value is None else (json.dumps(value) if isinstance(value, list) else str(value)).strip()


def _of_label_studio(data: Mapping[str, Any], values: Sequence[Any], several: bool) -> list[Answer]:
    row_id, of_text, text, pair = (str(data.get(key) or "") for key in ("retune_id", *OF_ROW))
    return [Answer(row_id, "", _label(value, several), "", of_text, text, pair, of_tool=True) for value in values]


def _values(annotation: Mapping[str, Any]) -> list[Any]:
    """The labels of an annotation; an empty list among them where it was submitted without one."""
    if annotation.get("was_cancelled"):
        return []
    results = annotation.get("result") or []
    return [result.get("value") for result in results if result.get("from_name") == "label"] or [[]]


def _is_annotated(record: Mapping[str, Any]) -> bool:
    return record["annotation_id"] not in (None, "")


def _other_names(record: Mapping[str, Any]) -> set[str]:
    """The controls of Label Studio, or the questions of Argilla, other than label that a record has answers of."""
    if "annotation_id" in record:
        return {name for name in record if record[name] and _is_annotated(record)} - {*OF_RECORD}
    results = [result for annotation in record.get("annotations") or [] for result in annotation.get("result") or []]
    questions = [name for name, values in (record.get("responses") or {}).items() if values]
    return {*(str(result.get("from_name")) for result in results), *questions} - {"label"}


def _of_argilla(
    record: Mapping[str, Any], values: Sequence[Any], known: Mapping[str, Any], several: bool
) -> list[Answer]:
    cells = {**(record.get("fields") or record), "text_hash": known.get("text_hash")}
    row_id, (of_text, text, pair) = str(record.get("id", "")), (str(cells.get(name) or "") for name in OF_ROW)
    return [Answer(row_id, "", _label(value, several), "", of_text, text, pair, of_tool=True) for value in values]


def _submitted(record: Mapping[str, Any]) -> list[Any]:
    """The responses of a flat record of Argilla that are not drafts and not discarded."""
    values = record["label.responses"] or []
    if not isinstance(values, list):
        raise DataError(
            f"label.responses is {short(values)}. Export the records of Argilla as JSON: records.to_json(FILE)."
        )
    status = record.get("label.responses.status") or [None] * len(values)
    return [value for value, state in zip(values, status, strict=False) if state in SUBMITTED]


def _label(value: Any, several: bool) -> str:
    """Return the text of what an annotation tool gives as a label: a name, names, or a number."""
    if isinstance(value, str) and value.startswith(("{", "[")):  # in a cell of CSV
        with contextlib.suppress(ValueError, RecursionError):
            value = json.loads(value)
    if value is None or value == "":
        return ""
    names: list[str] = []
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict):  # Label Studio: {"choices": ["a", "b"]}, {"number": 3}
            item = next(iter(item.values()), None)
            names += [str(name) for name in (item if isinstance(item, list) else [item]) if name is not None]
        else:
            names.append(str(item))
    if several or len(names) > 1:
        return set_text(names)
    return names[0].strip() if names else ""
