"""Corrections of people, each applied while its row has the text and the label that it was made for."""

import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from stages.corrections import Correction, latest_of_each, text_hash, with_points
from stages.download.row_store import RowStore
from stages.messages import examples
from stages.spelling_key import finder, spelling_key
from stages.targets.rows import Rows

logger = logging.getLogger(__name__)

OUTCOMES = {  # of a correction -> what a person reads
    "relabelled": "the label was changed",
    "set_aside": "the row was set aside",
    "kept": "the label was found right",
    "unclear": "nobody could tell",
    "replaced": "another line decides about the same row",
    "unknown_id": "no row has the id",
    "stale_text": "the text has changed since",
    "stale_label": "the source has another label by now",
    "unknown_label": "no row has the new label",
}
IN_VAIN = ("unknown_id", "stale_text", "stale_label", "unknown_label")
RULE = "corrections"  # under which set_aside.csv and the account list a row that a person set aside


@dataclass(frozen=True)
class Corrected:
    """What became of the corrections.

    Attributes:
        outcomes: Corrections by outcome, without those that have none; together they are all lines of the file.
        set_aside: By position of each row that a person set aside, the rule `RULE`.
        source_labels: By id of each row that has another label now, its label in the source.
    """

    outcomes: Mapping[str, int]
    set_aside: Mapping[int, str]
    source_labels: Mapping[str, str]


def apply_corrections(
    store: RowStore, corrections: Sequence[Correction], *, kind: Rows, named: Collection[str]
) -> Corrected:
    """Give rows their corrected labels, and log which corrections apply to no row.

    Args:
        store: All rows that can be used by themselves, whose labels are changed.
        corrections: In the order of the file; of several for one row the latest counts.
        kind: Of the target.
        named: Labels that params.yaml names: they can be given where no row has them.
    """
    last = latest_of_each(corrections)
    positions = _positions(store, last) if last else {}
    label, text_key = store.label, store.text_key
    names, known = list(store.labels), kind.known({*store.labels, *named}, finder)
    by_outcome: dict[str, list[str]] = {"replaced": [""] * (len(corrections) - len(last))}
    aside: dict[int, str] = {}
    source_labels: dict[str, str] = {}
    for row_id, saved in last.items():
        correction, position = with_points(saved, kind), positions.get(row_id)
        new = known(correction.new_label)
        if position is None:
            outcome = "unknown_id"
        elif text_hash(int(text_key[position])) != correction.text_hash:
            outcome = "stale_text"
        elif not _is_label(correction.old_label, names[label[position]], kind):
            outcome = "stale_label"
        elif correction.decision == "relabel" and new is None:
            outcome = "unknown_label"
        elif correction.decision == "relabel" and new is not None:
            source_label = names[label[position]]
            outcome = "relabelled" if new != source_label else "kept"
            if new != source_label:
                store.relabel(position, new)
                source_labels[row_id] = source_label
        elif correction.decision == "set_aside":
            aside[position] = RULE
            outcome = "set_aside"
        else:
            outcome = {"keep": "kept", "unclear": "unclear"}[correction.decision]
        by_outcome.setdefault(outcome, []).append(row_id)
    for outcome in IN_VAIN:
        if ids := by_outcome.get(outcome):
            logger.warning(
                "download.dataset.corrections: %d not applied, because %s: %s",
                *(len(ids), OUTCOMES[outcome], examples(ids)),
            )
    counts = Counter({outcome: len(ids) for outcome, ids in by_outcome.items()})
    return Corrected({outcome: counts[outcome] for outcome in OUTCOMES if counts[outcome]}, aside, source_labels)


def _is_label(value: str, label: str, kind: Rows) -> bool:
    """Whether a value is a row's label, if in the spelling of a spreadsheet program: `1.0` for 1, `TRUE` for true."""
    return kind.stored(value) == label or spelling_key(value) == spelling_key(label)


def _positions(store: RowStore, ids: Collection[str]) -> dict[str, int]:
    """The position of each row that has one of these ids."""
    positions: dict[str, int] = {}
    start = 0
    for _, batch in store.batches_with_ids():
        positions |= {row_id: start + offset for offset, row_id in enumerate(batch) if row_id in ids}
        start += len(batch)
    return positions
