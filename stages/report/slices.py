"""Where the model is weak: the headline metric on parts of the rows, each with its interval."""

import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.metrics.bootstrap import estimate, group
from stages.metrics.classification import count_scores
from stages.metrics.estimates import allow_for_unseen_errors
from stages.report.summary import rounded

Ints = NDArray[np.int64]

SMALL = 30  # rows; the interval of a smaller slice is rough
MOST_VALUES = 12  # of a column, the most frequent ones; the others are one slice together
LONGEST = 60  # characters of a value
NONE = "(none)"  # rows without a value


@dataclass(frozen=True)
class Slice:
    column: str
    name: str
    rows: int
    small: bool
    value: float
    low: float
    high: float


def token_slices(lengths: Ints, cut: Ints) -> dict[str, Sequence[str | None]]:
    """Name each row's quarter by length, and whether truncation took something from it.

    Args:
        lengths: Tokens of each row that stayed; shape (rows,).
        cut: Tokens of each row that were cut; shape (rows,).
    """
    edges = np.unique(np.quantile(lengths, [0.25, 0.5, 0.75]).astype(np.int64))
    bounds = [0, *edges.tolist(), int(lengths.max())]
    names = [f"{low + 1} to {high} tokens" for low, high in itertools.pairwise(bounds)]
    quarters = np.searchsorted(edges, lengths, "left")
    return {
        "length": [names[number] for number in quarters],
        "truncation": ["cut" if lost else "whole" for lost in cut.tolist()],
    }


def score_slices(
    columns: Mapping[str, Sequence[str | None]],
    labels: Ints,
    preds: Ints,
    *,
    metric: str,
    num_labels: int,
    **options: Any,
) -> list[Slice]:
    """Return the metric on every slice, weakest first; a column with one value alone says nothing and is left out.

    Args:
        columns: Each row's value in each column; the rows without one are a slice of their own.
        labels: Given labels; shape (rows,).
        preds: Predicted labels; shape (rows,).
        metric: One of `count_scores`.
        num_labels: Classes of the task.
        **options: resamples, confidence and seed of the bootstrap.
    """
    slices = []
    for column, values in columns.items():
        names, numbers = _values(values)
        if len(names) < 2:
            continue
        for number, name in enumerate(names):
            mask = numbers == number
            one = _score(labels[mask], preds[mask], metric=metric, num_labels=num_labels, **options)
            rows = int(mask.sum())
            slices.append(Slice(column, name, rows, rows < SMALL, **one))
    return sorted(slices, key=lambda one: (one.value, one.column, one.name))


def _values(values: Sequence[str | None]) -> tuple[list[str], Ints]:
    """Return the most frequent values, with all others as one more, and the number of each row's; shape (rows,)."""
    array = np.array([NONE if value is None else str(value)[:LONGEST] for value in values])
    found, numbers, counts = np.unique(array, return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    names = [str(found[index]) for index in order[:MOST_VALUES]]
    others = len(order) - len(names)
    if others:
        names.append(f"{others:,} other value{'s' if others > 1 else ''}")
    return names, np.minimum(rank, MOST_VALUES)[numbers]


def _score(labels: Ints, preds: Ints, *, metric: str, num_labels: int, **options: Any) -> dict[str, float]:
    cells = group(labels, preds)
    score = functools.partial(count_scores, labels=cells.columns[0], preds=cells.columns[1], num_labels=num_labels)
    found = estimate(lambda counts: {metric: score(counts)[metric]}, cells.sizes, cells.columns[0], **options)
    if (labels == preds).all():
        found = allow_for_unseen_errors(
            found, labels, num_labels=num_labels, ordered=False, confidence=options["confidence"]
        )
    one = found[metric]
    return rounded({"value": one.value, "low": one.low, "high": one.high})
