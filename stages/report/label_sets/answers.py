"""Single answers, each about a row and a label: the mistakes, and those that point to a wrong label."""

import dataclasses
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.files import csv_writer
from stages.metrics.set_rule import as_pairs
from stages.report.label_sets.results import Results
from stages.report.suspects import rank_suspects
from stages.row_labels import describe_labels
from stages.shown import spreadsheet_safe, visible

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
        split: val or test.
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


def find_suspects(results: Results) -> list[Suspect]:
    """Return the suspects of val and test, most suspicious first.

    Each label is judged as a task of its own, whether a row has it: see `rank_suspects`. Rows of train are left out,
    because a model reproduces the labels that it was trained on.
    """
    splits = {name: split for name, split in results.champion.predictions.items() if len(split)}
    flags: NDArray[np.bool_] = np.concatenate([split.labels for split in splits.values()])
    probabilities = np.concatenate(
        [np.mean([seed.calibrated(name) for seed in results.seeds], axis=0) for name in splits]
    )
    rows = [(name, row) for name, split in splits.items() for row in range(len(split))]
    suspects = []
    for number, label in enumerate(results.labels):
        given, chances = flags[:, number].astype(np.int64), probabilities[:, number]
        for index in rank_suspects(given, as_pairs(chances))[0].tolist():
            name, row = rows[index]
            suspects.append(
                Suspect(
                    id=splits[name].ids[row],
                    position=int(splits[name].positions[row]),
                    split=name,
                    label=label,
                    given=WORDS[given[index]],
                    suggested=WORDS[1 - given[index]],
                    probability=round(float(chances[index]), 3),
                    labels=describe_labels(splits[name].labels[row], results.labels),
                )
            )
    return sorted(suspects, key=_doubt)


def suspects_csv(suspects: Sequence[Suspect]) -> str:
    """Return suspects.csv: ids and labels, but no texts; safe to open in a spreadsheet."""
    file = io.StringIO(newline="")
    writer = csv_writer(file)
    writer.writerow([field.name for field in dataclasses.fields(Suspect)])
    for suspect in suspects:
        values = vars(suspect).values()
        writer.writerow(spreadsheet_safe(visible(value)) if isinstance(value, str) else value for value in values)
    return file.getvalue()


def _doubt(suspect: Suspect) -> float:
    """The probability of what the row's label says: the lower, the more suspicious."""
    return suspect.probability if suspect.given == "yes" else 1 - suspect.probability
