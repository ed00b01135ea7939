"""Rows whose label is probably wrong: the models, which were not trained on them, confidently predict another label.

Confident learning takes a dozen lines; importing cleanlab, which offers much more, would cost each report 2 s. A test
checks that both select the same rows.
"""

import dataclasses
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from stages.files import csv_writer
from stages.report.judged import Judged
from stages.shown import spreadsheet_safe, visible

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Ints = NDArray[np.int64]
Line = TypeVar("Line", bound="DataclassInstance")


@dataclass(frozen=True)
class Suspect:
    """A row whose label is probably wrong: a line of suspects.csv."""

    id: str
    position: int
    split: str
    label: str
    suggested: str
    given_probability: float  # of `label`
    suggested_probability: float


def find_suspects(judged: Judged, names: Sequence[str], *, ordered: bool) -> list[Suspect]:
    """Return the rows whose label is probably wrong, most suspicious first.

    Args:
        judged: Rows with calibrated probabilities.
        names: Of the labels.
        ordered: Whether the labels have an order.
    """
    ranked = rank_suspects(judged.labels, judged.answers, ordered=ordered)
    suspects = []
    for row, suggested in zip(*(array.tolist() for array in ranked), strict=True):
        label = int(judged.labels[row])
        suspects.append(
            Suspect(
                id=judged.ids[row],
                position=int(judged.positions[row]),
                split=judged.splits[row],
                label=names[label],
                suggested=names[suggested],
                given_probability=round(float(judged.answers[row, label]), 3),
                suggested_probability=round(float(judged.answers[row, suggested]), 3),
            )
        )
    return suspects


def rank_suspects(labels: Ints, probabilities: NDArray[np.floating], *, ordered: bool = False) -> tuple[Ints, Ints]:
    """Return the rows that confident learning assigns to another label, and that label; most suspicious first.

    The threshold of a label is the mean probability of that label among the rows that have it. A row is assigned to
    the most probable of the labels whose threshold its probabilities reach. It is a suspect if that is not its own
    label. Suspects are ranked by the difference between the two probabilities.

    Args:
        labels: Label of each row; shape (rows,).
        probabilities: From models that were not trained on these rows; shape (rows, num_labels).
        ordered: Whether the labels have an order. Neighbours are then easily confused by people too, so a row is a
            suspect only if the labels are two or more steps apart.

    Returns:
        Indices of the rows, and their suggested labels; shape (suspects,) each.

    Source:
        Northcutt, Jiang, Chuang, "Confident learning: estimating uncertainty in dataset labels", 2021.
    """
    num_labels = probabilities.shape[1]
    counts = np.bincount(labels, minlength=num_labels)
    own = probabilities[np.arange(len(labels)), labels].astype(np.float64)  # (rows,)
    thresholds = np.full(num_labels, np.inf)  # a label without rows is never suggested
    sums = np.bincount(labels, weights=own, minlength=num_labels)
    thresholds[counts > 0] = sums[counts > 0] / counts[counts > 0]
    confident = np.where(probabilities >= thresholds - 1e-9, probabilities, -1.0)  # (rows, num_labels)
    best = np.argmax(confident, axis=1)
    steps = np.abs(best - labels) if ordered else (best != labels).astype(np.int64)
    suspects = np.flatnonzero((confident.max(axis=1) > 0) & (steps > int(ordered)))
    margins = own[suspects] - probabilities[suspects, best[suspects]]
    order = suspects[np.argsort(margins, kind="stable")]
    return order, best[order]


def suspects_csv(columns: type[Line], suspects: Sequence[Line]) -> str:
    """Return suspects.csv: ids, labels and numbers, but no texts; safe to open in a spreadsheet.

    Args:
        columns: The dataclass of a line.
        suspects: The lines.
    """
    file = io.StringIO(newline="")
    writer = csv_writer(file)
    writer.writerow([field.name for field in dataclasses.fields(columns)])
    for suspect in suspects:
        values = vars(suspect).values()
        writer.writerow(spreadsheet_safe(visible(value)) if isinstance(value, str) else value for value in values)
    return file.getvalue()
