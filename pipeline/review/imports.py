"""Decisions from a file of answers, all or nothing: where one can't be used, the message names what is wrong."""

from collections.abc import Collection, Sequence

from pipeline.review.answers import Answer
from pipeline.review.rows import DataSet, ReviewRow
from stages.corrections import DECISIONS
from stages.errors import DataError
from stages.messages import examples
from stages.shown import spreadsheet_safe

Decision = tuple[ReviewRow, str, str, str]  # row, decision, new label, note


def check_answers(answers: Sequence[Answer], data: DataSet, *, name: str) -> list[Decision]:
    """Return what is decided about which rows.

    People who answered differently in an annotation tool make a row unclear.

    Raises:
        DataError: An answer is about no row, about another text, gives a label that no row has, or contradicts another
            one of the same file.
    """
    problems: dict[str, list[str]] = {}
    ids, labels = _Unsafe(data.position), _Unsafe(data.labels)
    of_rows: dict[str, list[tuple[Answer, str, str]]] = {}
    for answer in answers:
        row_id = ids.find(answer.id)
        decision = answer.decision or "relabel"
        label = data.known_label(labels.find(answer.label) or answer.label) if decision == "relabel" else ""
        if row_id is None:
            problems.setdefault("with an id that no row has", []).append(answer.id)
        elif _is_other_text(answer, data.row(row_id)):
            problems.setdefault("whose text has changed since", []).append(answer.id)
        elif decision not in DECISIONS:
            problems.setdefault(f"with a decision other than {', '.join(DECISIONS)}", []).append(decision)
        elif label is None:
            problems.setdefault("with a label that no row has", []).append(answer.label)
        else:
            of_rows.setdefault(row_id, []).append((answer, decision, label))
    decisions = []
    for row_id, given in of_rows.items():
        different = list(dict.fromkeys((decision, label) for _, decision, label in given))
        (decision, label), note = different[0], given[0][0].note
        if len(different) > 1 and given[0][0].of_tool:
            decision, label = "unclear", ""
            note = f"different answers: {', '.join(data.kind.shown(label) for _, label in different)}"
        elif len(different) > 1:
            problems.setdefault("decided twice, and differently", []).append(row_id)
        decisions.append((data.row(row_id), decision, label, note))
    if problems:
        listed = "; ".join(f"{len(values)} {what}: {examples(values)}" for what, values in problems.items())
        raise DataError(f"{name}: nothing is imported, because of rows {listed}. Correct or delete these lines.")
    return decisions


class _Unsafe:
    """Finds a value whose spreadsheet-safe form a file may have."""

    def __init__(self, values: Collection[str]) -> None:
        self._values = values
        self._of_safe = {safe: value for value in values if (safe := spreadsheet_safe(value)) != value}

    def find(self, value: str) -> str | None:
        return value if value in self._values else self._of_safe.get(value)


def _is_other_text(answer: Answer, row: ReviewRow) -> bool:
    if answer.text_hash:
        return answer.text_hash != row.text_hash
    return bool(answer.text) and answer.text.split() not in (row.text.split(), spreadsheet_safe(row.text).split())
