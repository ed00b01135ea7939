"""Statistics of the rows' lengths in tokens: what truncation cuts, and what padding would add."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.row_labels import label_pairs

PADDED_BATCH = 32  # rows per batch that padding is computed for
SAMPLE = 100_000  # rows at most that padding is computed on
COVERED = 0.99  # share of the rows that the suggested max_length does not cut
MULTIPLE = 8  # tokens; GPUs are fastest where the length of a batch is a multiple of it


class Lengths:
    """Counts rows by length, and cuts by label, in memory that does not grow with the rows.

    Args:
        labels: Label names in class order.
        max_length: Tokens per row, special tokens included.
        truncation: What is kept of a longer row: head, tail or head_tail.
        limit: Tokens that the encoder takes at most; None: not known.
    """

    def __init__(self, labels: Sequence[str], *, max_length: int, truncation: str, limit: int | None) -> None:
        self._labels = labels
        self._max_length, self._truncation, self._limit = max_length, truncation, limit
        self._rows: Counter[int] = Counter()  # rows by length before truncation
        self._per_label = np.zeros((len(labels), 3), dtype=np.int64)  # rows, rows cut, tokens cut
        self._total = [0, 0, 0]  # the same of all rows, each once
        self._unknown: Counter[str] = Counter()

    def add(self, label: NDArray[Any], length: NDArray[np.int64], *, unknown: NDArray[np.int64], special: int) -> None:
        """Add a batch of rows.

        Args:
            label: Label index, (rows,); or flags that say which labels a row has, (rows, num_labels).
            length: Tokens before truncation, (rows,).
            unknown: Tokens of unknown words after truncation, (rows,).
            special: Special tokens per row.
        """
        self._rows.update(length.tolist())
        lost = np.maximum(length - self._max_length, 0)
        row, label_of = label_pairs(label)
        for column, values in enumerate((np.ones_like(lost), lost > 0, lost)):
            np.add.at(self._per_label[:, column], label_of, values[row])
            self._total[column] += int(values.sum())
        words = np.minimum(length, self._max_length) - special
        self._unknown["tokens"] += int(unknown.sum())
        self._unknown["rows_mostly_unknown"] += int((2 * unknown > words).sum())
        self._unknown["rows_without_tokens"] += int((words <= 0).sum())

    def histogram(self) -> str:
        """Return lengths.csv: the number of rows by length before truncation, special tokens included."""
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["tokens", "rows"])
        writer.writerows(sorted(self._rows.items()))
        return file.getvalue()

    def stats(self) -> dict[str, Any]:
        """Return stats.json."""
        rows, rows_cut, tokens_cut = self._total
        length = np.array(sorted(self._rows), dtype=np.int64)  # (lengths,)
        below = np.cumsum([self._rows[int(tokens)] for tokens in length])  # rows of at most this length, (lengths,)
        return {
            "max_length": self._max_length,
            "suggested_max_length": self._suggestion(_quantile(length, below, COVERED)),
            "truncation": self._truncation,
            "rows": rows,
            "tokens": int(np.dot(length, np.diff(below, prepend=0))) - tokens_cut,
            "rows_cut": rows_cut,
            "tokens_cut": tokens_cut,
            "unknown": {name: self._unknown[name] for name in ("tokens", "rows_mostly_unknown", "rows_without_tokens")},
            "length": _summary(length, below),
            "padding": _padding(np.minimum(_sample(length, below), self._max_length), self._max_length),
            "per_label": {
                label: {"rows": int(counts[0]), "rows_cut": int(counts[1]), "tokens_cut": int(counts[2])}
                for label, counts in zip(self._labels, self._per_label, strict=True)
            },
        }

    def _suggestion(self, covered: int) -> int:
        rounded = -(-covered // MULTIPLE) * MULTIPLE
        return min(rounded, self._limit) if self._limit else rounded


def _summary(length: NDArray[np.int64], below: NDArray[np.int64]) -> dict[str, float]:
    quantiles = {"median": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "longest": 1.0}
    mean = float(np.dot(length, np.diff(below, prepend=0)) / below[-1])
    return {"mean": round(mean, 2), **{name: _quantile(length, below, share) for name, share in quantiles.items()}}


def _quantile(length: NDArray[np.int64], below: NDArray[np.int64], share: float) -> int:
    """The least length that `share` of the rows, or more, do not exceed."""
    return int(length[np.searchsorted(below, share * below[-1])])


def _sample(length: NDArray[np.int64], below: NDArray[np.int64]) -> NDArray[np.int64]:
    """The lengths of the rows, ascending; of more than SAMPLE rows, an evenly spread sample."""
    rows = int(below[-1])
    count = min(rows, SAMPLE)
    return length[np.searchsorted(below, np.arange(count) * rows // count, side="right")]


def _padding(truncated: NDArray[np.int64], max_length: int) -> dict[str, float]:
    """Share of a batch's tokens (0 to 1) that is padding, by how batches are made.

    Args:
        truncated: Tokens of each row after truncation, ascending, (rows,).
        max_length: Tokens per row that `to_max_length` pads to.
    """
    shuffled = np.random.default_rng(0).permutation(truncated)
    padded = {
        "to_max_length": len(truncated) * max_length,
        "to_longest_in_batch": _padded(shuffled),
        "by_length": _padded(truncated),
    }
    return {name: round(1 - float(truncated.sum()) / tokens, 4) for name, tokens in padded.items()}


def _padded(lengths: NDArray[np.int64]) -> int:
    """Tokens in batches of rows in this order, each padded to its longest row."""
    starts = np.arange(0, len(lengths), PADDED_BATCH)
    return int((np.maximum.reduceat(lengths, starts) * np.diff(starts, append=len(lengths))).sum())
