"""Decisions from a file of answers, all or nothing: where one can't be used, the message names what is wrong."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from pipeline.review.answers import Answer, is_no_value
from pipeline.review.decisions import Said, Wish, in_line, said
from pipeline.review.row_texts import is_text
from pipeline.review.rows import DataSet, ReviewRow
from stages.corrections import DECISIONS, Correction
from stages.errors import DataError
from stages.messages import counted, examples
from stages.shown import spreadsheet_unsafe

SET_ASIDE = "that {} sets aside (to decide about them again, delete their lines there, then: retune run)"

CHANGED = "whose text has changed since"
EMPTY_OR_LABEL = "with a new_label that the file also has for empty cells (leave cells without an answer empty)"
OTHER_TEXT = (
    "whose cells text or text_pair have the text of another row (if one column was sorted alone, export again; empty "
    "cells are not compared)"
)


def check_answers(
    answers: Sequence[Answer], data: DataSet, before: Mapping[str, Correction], *, name: str
) -> list[Wish]:
    """Return what is decided about which rows.

    People who answered differently in an annotation tool make a row unclear. A row that an earlier decision has set
    aside is no row of the data any more: it can be set aside again, which changes nothing.

    Args:
        answers: From `read_answers`.
        data: The rows of the last run.
        before: The latest decision about each row, by its id.
        name: Of the file, in messages.

    Raises:
        DataError: An answer is about no row, about another text, gives a label that no row has, or contradicts another
            one of the same file.
    """
    problems: dict[str, list[str]] = {}
    of_rows: dict[str, list[tuple[Answer, str, str]]] = {}
    untouched: dict[str, Wish] = {}
    for answer in answers:
        row_id = _find(answer.id, data.position) or _id_of_program(answer, data)
        decision = answer.decision or "relabel"
        label = _label(answer.label, answer, data) if answer.label else ""
        if label and answer.label_is_empty:
            problems.setdefault(EMPTY_OR_LABEL, []).append(answer.label)
            continue
        if label is None and is_no_value(answer.label) and (answer.label_is_empty or decision != "relabel"):
            label, answer = "", replace(answer, label="")
            if not answer.given:
                continue
        row = data.row(row_id) if row_id is not None else None
        earlier = before.get(row_id or _find(answer.id, before) or "")
        own = row.label if row else ""
        shown = own if not answer.shown or answer.shown == own else _label(answer.shown, answer, data)
        if decision == "keep" and label in ("", shown):  # of the label in the file, whatever label the row has by now
            decision, label = "relabel", shown
        source = row.source_label if row else earlier.old_label if earlier else ""
        as_written, answer = answer.exported, _with_known_label(answer, source, data)
        if answer.exported and _is_untouched(answer, decision, label, source, data, as_written):
            if row and not _is_other_text(answer, row, data):
                untouched[row.id] = Wish(row, *answer.exported, answer.exported)
            continue
        if row is None:
            if earlier is None or earlier.decision != "set_aside":
                problems.setdefault("with an id that no row has", []).append(answer.id)
            elif decision != "set_aside":
                problems.setdefault(SET_ASIDE.format(data.corrections), []).append(answer.id)
            continue
        if _is_other_text(answer, row, data):
            problems.setdefault(OTHER_TEXT if answer.text_hash == row.text_hash else CHANGED, []).append(answer.id)
        elif decision not in DECISIONS:
            problems.setdefault(f"with a decision other than {', '.join(DECISIONS)}", []).append(decision)
        elif label is None:
            problems.setdefault(f"with a label {data.kind.unknown}", []).append(answer.label or answer.shown)
        elif decision == "relabel" and not label:
            problems.setdefault("with the decision relabel, and no new_label", []).append(answer.id)
        elif decision != "relabel" and label:
            problems.setdefault(f"with a new_label although the decision is {decision}", []).append(answer.id)
        else:
            of_rows.setdefault(row.id, []).append((answer, decision, label))
    wishes = [wish for row_id, wish in untouched.items() if row_id not in of_rows]
    for row_id, given in of_rows.items():
        different = list(dict.fromkeys((decision, label) for _, decision, label in given))
        (decision, label), note = different[0], spreadsheet_unsafe(given[0][0].note)
        if len(different) > 1 and given[0][0].of_tool:
            decision, label = "unclear", ""
            note = f"different answers: {', '.join(data.kind.shown(label) for _, label in different)}"
        elif len(different) > 1:
            problems.setdefault("with two different decisions", []).append(row_id)
        wishes.append(Wish(data.row(row_id), decision, label, note, given[0][0].exported))
    if problems:
        listed = "; ".join(
            f"{counted(len(values), 'row')} {what}: {examples(values)}" for what, values in problems.items()
        )
        raise DataError(f"{name}: nothing is imported, because of {listed}. Correct or delete these lines.")
    return wishes


def _with_known_label(answer: Answer, source: str, data: DataSet) -> Answer:
    """Return an answer whose `exported` is as `said` has it."""
    return replace(answer, exported=answer.exported and said(answer.exported, source, data))


def _is_untouched(
    answer: Answer, decision: str, label: str | None, source: str, data: DataSet, as_written: Said | None
) -> bool:
    """Whether a line says what was decided when it was written, in the same cells or as a program has saved them."""
    text, note = spreadsheet_unsafe(answer.label), in_line(spreadsheet_unsafe(answer.note))
    cells = Said(answer.decision or "relabel", text, note)
    return cells == as_written or said(Said(decision, label or text, note), source, data) == answer.exported


def _label(text: str, answer: Answer, data: DataSet) -> str | None:
    """Return a label in the file as rows.parquet has it; None where a row can't have it."""
    return data.known_label(_find(text, data.labels) or text, decimal_comma=answer.decimal_comma)


def _find(value: str, values: Collection[str]) -> str | None:
    """Return the one of `values` that this is, or is the spreadsheet-safe form of."""
    return next((form for form in (value, spreadsheet_unsafe(value)) if form in values), None)


def _id_of_program(answer: Answer, data: DataSet) -> str | None:
    """Return the id that a spreadsheet program took for a number (`7` or `7.0` for `007`), if the text is the row's."""
    return data.spelled_id(answer.id) if answer.text_hash or answer.text else None


def _is_other_text(answer: Answer, row: ReviewRow, data: DataSet) -> bool:
    """Whether a line is about another text than the row's.

    With the row's hash it is only if a cell has the text of another row; without one, if a cell has not the row's text.
    """
    if answer.text_hash and answer.text_hash != row.text_hash:
        return True
    cells = (("text", answer.text, row.text), ("text_pair", answer.text_pair, row.text_pair or ""))
    if answer.text_hash:
        return any(cell and data.texts.is_another(cell, text, column) for column, cell, text in cells)
    return any(cell and not is_text(cell, text) for _, cell, text in cells)
