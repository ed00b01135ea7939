"""Rows whose given label is probably wrong: the models contradict it with confidence, and none was trained on it.

Confident learning takes a dozen lines here; cleanlab, which has much more, would cost each report 2 s of imports. A
test holds that both find the same rows.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.report.results import SeedResult

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Suspect:
    id: str
    position: int
    split: str
    label: str
    suggested: str
    given_probability: float
    suggested_probability: float


def find_suspects(results: Sequence[SeedResult], labels: list[str], *, ordered: bool) -> list[Suspect]:
    """Return the suspects of val and test, most suspicious first.

    Only rows that no model was trained on: val chose the epoch, test not even that. The seeds' probabilities are
    averaged, which is steadier than any one of them.
    """
    splits = {name: split for name, split in results[0].splits.items() if len(split)}
    given = np.concatenate([split.labels for split in splits.values()])
    probabilities = np.concatenate(
        [np.mean([result.splits[name].probabilities for result in results], axis=0) for name in splits]
    )
    rows = [(name, row) for name, split in splits.items() for row in range(len(split))]
    ranked = rank_suspects(given, probabilities, ordered=ordered)
    suspects = []
    for index, suggested in zip(*(array.tolist() for array in ranked), strict=True):
        name, row = rows[index]
        split, label = splits[name], int(given[index])
        suspects.append(
            Suspect(
                id=split.ids[row],
                position=int(split.positions[row]),
                split=name,
                label=labels[label],
                suggested=labels[suggested],
                given_probability=round(float(probabilities[index, label]), 3),
                suggested_probability=round(float(probabilities[index, suggested]), 3),
            )
        )
    return suspects


def rank_suspects(labels: Ints, probabilities: NDArray[np.floating], *, ordered: bool = False) -> tuple[Ints, Ints]:
    """Return the rows that confident learning puts under another label, and that label; worst first.

    A row counts for a label when its probability reaches that label's threshold, the mean probability among the rows
    given that label; of several the most probable. It is a suspect when that label is not the given one. Ranked by
    the margin between the two probabilities.

    Args:
        labels: Given labels; shape (rows,).
        probabilities: Out of sample; shape (rows, num_labels).
        ordered: Whether the classes have an order: then a neighbour of the given label is a matter of taste, and only
            labels two or more steps away are suspicious.

    Source:
        Northcutt, Jiang, Chuang, "Confident learning: estimating uncertainty in dataset labels", 2021.
    """
    num_labels = probabilities.shape[1]
    counts = np.bincount(labels, minlength=num_labels)
    given = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    thresholds = np.full(num_labels, np.inf)  # a label that no row has confirms nothing
    sums = np.bincount(labels, weights=given, minlength=num_labels)
    thresholds[counts > 0] = sums[counts > 0] / counts[counts > 0]
    confident = np.where(probabilities >= thresholds - 1e-9, probabilities, -1.0)  # (rows, num_labels)
    best = np.argmax(confident, axis=1)
    steps = np.abs(best - labels) if ordered else (best != labels).astype(np.int64)
    found = np.flatnonzero((confident.max(axis=1) > 0) & (steps > int(ordered)))
    margins = given[found] - probabilities[found, best[found]]
    order = found[np.argsort(margins, kind="stable")]
    return order, best[order]


def suspects_csv(suspects: Sequence[Suspect]) -> str:
    """Return suspects.csv: ids and labels, never a text."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "position", "split", "label", "suggested", "given_probability", "suggested_probability"])
    writer.writerows(
        [one.id, one.position, one.split, one.label, one.suggested, one.given_probability, one.suggested_probability]
        for one in suspects
    )
    return text.getvalue()
