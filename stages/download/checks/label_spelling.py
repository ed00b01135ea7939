"""Labels that may be one class spelled several ways: warned of, merged or refused."""

import logging
import re
import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np

from stages.download.checks.rules import Problems
from stages.download.row_store import RowStore
from stages.errors import DataError
from stages.messages import examples, plain, short
from stages.spelling_key import spelling_key, typed

SHOWN = 100  # characters of a label in a message
WHOLE, WHOLE_AS_FLOAT = re.compile(r"[+-]?\d+"), re.compile(r"[+-]?\d+\.0")
PANDAS = (
    " pandas writes a column of whole numbers as 0.0, 1.0 where one of its cells is empty: "
    "write the column as text or as Int64."
)
logger = logging.getLogger(__name__)


def float_note(labels: Sequence[str]) -> str:
    """Return what wrote one whole number in two forms, `1` and `1.0`; empty where no label is in both."""
    forms = (WHOLE, WHOLE_AS_FLOAT)
    return PANDAS if all(any(form.fullmatch(label) for label in labels) for form in forms) else ""


def check_spelling(
    store: RowStore, problems: Problems, *, named: bool, label_order: Sequence[str]
) -> dict[str, dict[str, int]]:
    """Find labels that may be one class, and warn of them, merge them in the store, or fail.

    Names that a person has chosen are left alone: those of `download.dataset.labels`, and spellings that `label_order`
    lists side by side.

    Args:
        store: All rows that can be used by themselves.
        problems: Knows the policy.
        named: Whether download.dataset.labels names the classes.
        label_order: Of download.dataset.

    Returns:
        Rows of each spelling, by the spelling that most rows have (the first one read of equally frequent ones); where
        they are merged, by the name of the class.

    Raises:
        DataError: The policy is `fail`, and a class is spelled several ways.
    """
    if named:
        return {}
    policy, rows = problems.policy("label_spelling"), count_rows(store)
    groups: dict[str, list[str]] = {}
    for label in sorted(rows, key=lambda label: -rows[label]):  # stable: of equally frequent ones the first read
        groups.setdefault(spelling_key(label), []).append(label)
    ordered: dict[str, list[str]] = {}
    for label in label_order:
        ordered.setdefault(spelling_key(label), []).append(label)
    spellings = {}
    for key, labels in groups.items():
        chosen = ordered.get(key, [])
        name = chosen[0] if len(chosen) == 1 and (policy == "merge" or chosen[0] in labels) else labels[0]
        if len(chosen) < 2 and labels != [name] and (policy == "merge" or len(labels) > 1):
            spellings[name] = {label: rows[label] for label in labels}
    if spellings:
        _act(store, problems, policy, spellings)
    return spellings


def _act(store: RowStore, problems: Problems, policy: str, spellings: Mapping[str, Mapping[str, int]]) -> None:
    note = "".join({float_note(list(counts)): None for counts in spellings.values()})
    if policy == "merge":
        store.rename_labels({label: name for name, counts in spellings.items() for label in counts})
        merged = examples(spellings, show=lambda name: f"{short(name)} has the rows of {_counts(spellings[name])}")
        logger.info("label_spelling: merge: %s.%s", merged, note)
        return
    first = first_rows(store)
    shown = examples(spellings, show=lambda name: _counts(spellings[name], first))
    advice = "set download.dataset.checks.label_spelling: merge, or give both one name in download.dataset.labels"
    if policy == "fail":
        problems.raise_failures()
        raise DataError(
            f"Labels differ only in their spelling: {shown}.{note} If they are one class, {advice}; if they are not, "
            "give each a name of its own there, or set label_spelling: warn."
        )
    logger.warning(
        "Labels that differ only in their spelling count as separate classes: %s.%s To join them, %s.",
        shown,
        note,
        advice,
    )


def _counts(counts: Mapping[str, int], first: Mapping[str, str] | None = None) -> str:
    shown = {label: short(label) for label in counts}
    looks = {typed(unicodedata.normalize("NFC", text)) for text in shown.values()}
    if len(looks) < len(shown):  # é in one character, and in two; a hyphen and a dash
        shown = {label: ascii(label[:SHOWN]) for label in counts}
    return " and ".join(
        f"{shown[label]} ({rows} row{'' if rows == 1 else 's'}{f', the first: {first[label]}' if first else ''})"
        for label, rows in counts.items()
    )


def count_rows(store: RowStore) -> dict[str, int]:
    """Return the rows of each label, in the order in which the labels were read."""
    counts = np.bincount(store.label, minlength=len(store.labels))
    return {label: int(counts[index]) for label, index in store.labels.items()}


def first_rows(store: RowStore) -> dict[str, str]:
    """Return where the first row of each label is: its file and number."""
    positions = np.unique(store.label, return_index=True)[1]
    rows = [store.source_row(int(position)) for position in positions]
    return {label: f"{plain(row.file)} row {row.row}" for label, row in zip(store.labels, rows, strict=True)}
