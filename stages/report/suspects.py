"""Rows whose label is probably wrong: the models, which were not trained on them, confidently predict another label.

Confident learning takes a dozen lines; importing cleanlab, which offers much more, would cost each report 2 s. A test
compares the rows with cleanlab's.
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

FEWEST_ROWS = 5  # of a label, for a threshold of its own: the mean over fewer rows is chance
CONFIDENT = 0.5  # probability: above it, the predicted label is likelier than all others together
MOST_CONTRADICTED = 0.25  # of the confident predictions; with more, most of the suspects would be errors of the models


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


@dataclass(frozen=True)
class Ranking:
    """Which rows confident learning suspects.

    Attributes:
        rows: Indices of the suspects, most suspicious first; none if the models are too weak; shape (suspects,).
        suggested: Their suggested labels; shape (suspects,).
        confident: Rows of whose label the models are confident.
        contradicted: Of these, those that have another label.
    """

    rows: Ints
    suggested: Ints
    confident: int
    contradicted: int

    @property
    def too_weak(self) -> bool:
        """Whether the models contradict so many labels that their own errors are the likelier cause."""
        return self.contradicted > MOST_CONTRADICTED * self.confident


def find_suspects(judged: Judged, names: Sequence[str], *, ordered: bool) -> tuple[list[Suspect], Ranking]:
    """Return the rows whose label is probably wrong, most suspicious first, and what they were ranked by.

    Args:
        judged: Rows with calibrated probabilities.
        names: Of the labels.
        ordered: Whether the labels have an order.
    """
    ranking = rank_suspects(judged.labels, judged.answers, ordered=ordered)
    suspects = []
    for row, suggested in zip(ranking.rows.tolist(), ranking.suggested.tolist(), strict=True):
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
    return suspects, ranking


def rank_suspects(labels: Ints, probabilities: NDArray[np.floating], *, ordered: bool = False) -> Ranking:
    """Return the rows for which the models confidently predict another label; most suspicious first.

    The models are confident of a row if the probability of its most probable label is at least `CONFIDENT` and at least
    the threshold of that label: the mean probability of the label among the rows that have it. A label with too few
    rows has the threshold of all rows. A suspect is a row of another label than the one that the models are confident
    of. Suspects are ranked by the difference between the two probabilities.

    If more than `MOST_CONTRADICTED` of the confident predictions contradict the labels, there are no suspects.

    Args:
        labels: Label of each row; shape (rows,).
        probabilities: From models that were not trained on these rows; shape (rows, num_labels).
        ordered: Whether the labels have an order. Neighbours are then easily confused by people too, so a row is a
            suspect only if the labels are two or more steps apart, and the probability of the neighbours counts towards
            `CONFIDENT`.

    Source:
        Northcutt, Jiang, Chuang, "Confident learning: estimating uncertainty in dataset labels", 2021. What differs,
        and how much it helps: benchmarks/suspects.md.
    """
    num_labels, rows = probabilities.shape[1], np.arange(len(labels))
    counts = np.bincount(labels, minlength=num_labels)
    own = probabilities[rows, labels].astype(np.float64)  # (rows,)
    sums = np.bincount(labels, weights=own, minlength=num_labels)
    thresholds = np.where(counts >= FEWEST_ROWS, sums / np.maximum(counts, 1), own.mean() if len(own) else 0.0)
    best = np.argmax(probabilities, axis=1)
    top = probabilities[rows, best]
    sure = _with_neighbours(probabilities)[rows, best] if ordered else top
    confident = (top >= thresholds[best] - 1e-9) & (sure >= CONFIDENT)
    apart = np.abs(best - labels) > 1 if ordered else best != labels
    suspects = np.flatnonzero(confident & apart)
    order = suspects[np.argsort(own[suspects] - top[suspects], kind="stable")]
    ranking = Ranking(order, best[order], int(confident.sum()), len(suspects))
    return dataclasses.replace(ranking, rows=order[:0], suggested=order[:0]) if ranking.too_weak else ranking


def _with_neighbours(probabilities: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the probability of each label together with those of the labels one step away; same shape."""
    sums = probabilities.copy()
    sums[:, 1:] += probabilities[:, :-1]
    sums[:, :-1] += probabilities[:, 1:]
    return sums


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
