"""How long the rows are in tokens, and what truncation took from them, per class."""

import csv
import io
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Lengths:
    """Counts rows by length, and what was cut by label; in memory that does not grow with the rows.

    Args:
        labels: Label names in class order.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = labels
        self._rows: Counter[int] = Counter()  # rows by length before truncation
        self._kept = 0
        self._per_label = np.zeros((len(labels), 3), dtype=np.int64)  # rows, rows cut, tokens cut

    def add(self, label: NDArray[np.int32], length: Sequence[int], kept: Sequence[int]) -> None:
        """Count a batch of rows: label index, tokens, and tokens that stay, each (rows,)."""
        self._rows.update(length)
        self._kept += sum(kept)
        lost = np.asarray(length, dtype=np.int64) - np.asarray(kept, dtype=np.int64)
        for column, values in enumerate((np.ones_like(lost), lost > 0, lost)):
            np.add.at(self._per_label[:, column], label, values)

    def histogram(self) -> str:
        """Return lengths.csv: rows by tokens per row, special tokens included, before truncation."""
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["tokens", "rows"])
        writer.writerows(sorted(self._rows.items()))
        return file.getvalue()

    def stats(self, *, max_length: int, truncation: str) -> dict[str, Any]:
        """Return stats.json."""
        rows, rows_cut, tokens_cut = (int(count) for count in self._per_label.sum(axis=0))
        return {
            "max_length": max_length,
            "truncation": truncation,
            "rows": rows,
            "tokens": self._kept,
            "rows_cut": rows_cut,
            "tokens_cut": tokens_cut,
            "length": self._summary(),
            "per_label": {
                label: {"rows": int(counts[0]), "rows_cut": int(counts[1]), "tokens_cut": int(counts[2])}
                for label, counts in zip(self._labels, self._per_label, strict=True)
            },
        }

    def _summary(self) -> dict[str, float]:
        tokens = np.array(sorted(self._rows), dtype=np.int64)
        below = np.cumsum([self._rows[int(length)] for length in tokens])  # rows at most that long
        quantiles = {"median": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "longest": 1.0}
        found = {name: int(tokens[np.searchsorted(below, share * below[-1])]) for name, share in quantiles.items()}
        return {"mean": round(float(np.dot(tokens, np.diff(below, prepend=0)) / below[-1]), 2), **found}
