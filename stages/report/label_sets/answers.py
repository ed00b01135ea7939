"""Single answers, each about a row and a label: the mistakes, and those that point to a wrong label."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stages.metrics.set_rule import as_pairs
from stages.report.judged import Judged
from stages.report.label_sets.results import Results
from stages.report.suspects import rank_suspects
from stages.row_labels import describe_labels

WORDS = ("no", "yes")


@dataclass(frozen=True)
class Mistake:
    """A label that is predicted for a row without it, or not predicted for a row that has it.

    Attributes:
        id: Of the row.
        position: Of the row in rows.parquet.
        label: That the answer is about.
        predicted: yes or no.
        probability: Of the label, calibrated.
        labels: Of the row, as people read them.
        preds: The labels that are predicted for the row.
    """

    id: str
    position: int
    label: str
    predicted: str
    probability: float
    labels: str
    preds: str


@dataclass(frozen=True)
class Suspect:
    """A label that a row has or has not, and probably wrongly: a line of suspects.csv.

    Attributes:
        id: Of the row.
        position: Of the row in rows.parquet.
        split: val or test; with folds also train.
        label: That is in doubt.
        given: Whether the row has it: yes or no.
        suggested: What models say that were not trained on the row: yes or no.
        probability: Of the label, calibrated, the mean over the seeds.
        labels: Of the row, as people read them.
    """

    id: str
    position: int
    split: str
    label: str
    given: str
    suggested: str
    probability: float
    labels: str


def confident_mistakes(results: Results, *, limit: int) -> list[Mistake]:
    """Return the champion's wrong answers of which it is surest, surest first; at most `limit` (>= 0)."""
    predictions, names = results.predictions, results.labels
    probabilities = results.champion.calibrated(results.split)
    sure = np.where(predictions.preds, probabilities, 1 - probabilities)  # (rows, num_labels)
    wrong = np.flatnonzero((predictions.preds != predictions.labels).ravel())
    order = wrong[np.argsort(-sure.ravel()[wrong], kind="stable")][:limit]
    return [
        Mistake(
            id=predictions.ids[row],
            position=int(predictions.positions[row]),
            label=names[label],
            predicted=WORDS[int(predictions.preds[row, label])],
            probability=round(float(probabilities[row, label]), 3),
            labels=describe_labels(predictions.labels[row], names),
            preds=describe_labels(predictions.preds[row], names),
        )
        for row, label in (divmod(int(flat), len(names)) for flat in order)
    ]


def find_suspects(judged: Judged, names: Sequence[str]) -> tuple[list[Suspect], int]:
    """Return the labels that rows have or have not, and probably wrongly, most suspicious first; and for how many
    labels the models are too weak.

    Each label is judged as a task of its own, whether a row has it: see `rank_suspects`.

    Args:
        judged: Rows with calibrated probabilities; labels that they leave unjudged have no suspects.
        names: Of the labels.
    """
    suspects: list[Suspect] = []
    too_weak = 0
    for number, label in enumerate(names):
        if number in judged.unjudged:
            continue
        given, chances = judged.labels[:, number].astype(np.int64), judged.answers[:, number]
        ranking = rank_suspects(given, as_pairs(chances))
        too_weak += ranking.too_weak
        suspects += [
            Suspect(
                id=judged.ids[row],
                position=int(judged.positions[row]),
                split=judged.splits[row],
                label=label,
                given=WORDS[given[row]],
                suggested=WORDS[1 - given[row]],
                probability=round(float(chances[row]), 3),
                labels=describe_labels(judged.labels[row], names),
            )
            for row in ranking.rows.tolist()
        ]
    return sorted(suspects, key=_doubt), too_weak


def _doubt(suspect: Suspect) -> float:
    """The probability of what the row's label says: the lower, the more suspicious."""
    return suspect.probability if suspect.given == "yes" else 1 - suspect.probability
