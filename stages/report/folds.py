"""All rows of train, val and test, each answered by the model of its fold, which was not trained on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.components import read_components
from stages.errors import ReportError
from stages.folds import read_answers
from stages.metrics.bootstrap import Estimate
from stages.metrics.summary import MetricValue, exact
from stages.paths import Paths
from stages.report.judged import Judged
from stages.schema import Crossfit
from stages.tokens import open_tokens, read_column, read_positions

Ints = NDArray[np.int64]
SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class FoldAnswers:
    """What the models of the folds answer.

    Attributes:
        method: crossfit.method.
        positions: Positions of the rows in rows.parquet, ascending; shape (rows,).
        ids: Ids of the rows; length rows.
        splits: Names of their splits; length rows.
        labels: Label index, number or flags of each row; shape (rows, ...).
        groups: Equal for rows that belong together; shape (rows,).
        fold: Number of the fold of each row; shape (rows,).
        answers: Probabilities, not calibrated, or numbers; shape (rows, outputs).
    """

    method: str
    positions: Ints
    ids: Sequence[str]
    splits: Sequence[str]
    labels: NDArray[Any]
    groups: Ints
    fold: Ints
    answers: NDArray[np.float32]

    def judged(self, answers: NDArray[np.floating]) -> Judged:
        """Return the rows for the search of suspects.

        A class whose rows are all in one fold is unknown to the model of that fold, which can't judge them: they are
        left out. Of sets, each label is judged by itself, so that label is left out, and the rows stay.

        Args:
            answers: Calibrated probabilities, or numbers; shape (rows, ...).
        """
        rows = np.flatnonzero(~self._of_lone_classes())
        return Judged(
            ids=[self.ids[row] for row in rows.tolist()],
            positions=self.positions[rows],
            splits=[self.splits[row] for row in rows.tolist()],
            labels=self.labels[rows],
            answers=answers[rows],
            unjudged=self._lone_labels(),
        )

    def _of_lone_classes(self) -> NDArray[np.bool_]:
        """Which rows are of a class that no other fold has; none where the label is a number or a set."""
        if self.labels.ndim > 1 or np.issubdtype(self.labels.dtype, np.floating):
            return np.zeros(len(self.labels), dtype=np.bool_)
        return np.isin(self.labels, self._in_one_fold(self.labels))

    def _lone_labels(self) -> frozenset[int]:
        """The labels of sets that the rows of one fold alone have, or that they alone lack; else none."""
        if self.labels.ndim == 1:
            return frozenset()
        return frozenset(number for number, has in enumerate(self.labels.T) if len(self._in_one_fold(has)))

    def _in_one_fold(self, classes: NDArray[Any]) -> Ints:
        """Which classes have all their rows in one fold; `classes` has that of each row, shape (rows,)."""
        pairs = np.unique(np.stack([classes, self.fold], axis=1), axis=0)  # (pairs, 2)
        return np.flatnonzero(np.bincount(pairs[:, 0]) == 1)


@dataclass(frozen=True)
class FoldScore:
    """`crossfit` of metrics.json: the models of the folds on all rows. It says nothing of the champion.

    Attributes:
        method: crossfit.method.
        folds: Number of folds.
        rows: Of train, val and test.
        metrics: Of the answers of all folds together, with the most probable label as the prediction.
    """

    method: str
    folds: int
    rows: int
    metrics: dict[str, MetricValue]

    @classmethod
    def of(cls, folds: FoldAnswers, estimates: Mapping[str, Estimate]) -> "FoldScore":
        """Return the score of all folds from the estimates of the metrics."""
        metrics = {name: MetricValue(*map(exact, (e.value, e.low, e.high))) for name, e in estimates.items()}
        return cls(folds.method, len(np.unique(folds.fold)), len(folds.ids), metrics)


def read_folds(paths: Paths, options: Crossfit) -> FoldAnswers | None:
    """Read what the models of the folds answered; None where there are no folds.

    Raises:
        ReportError: A file is missing, or the folds are not those of these rows.
    """
    if not options.folds:
        return None
    for fold in options.folds:
        if not paths.fold_predictions(fold).is_file():
            raise ReportError(f"{paths.fold_predictions(fold)} is missing. Create it with: dvc repro")
    parts = [read_answers(paths.fold_predictions(fold)) for fold in options.folds]
    positions = np.concatenate([rows for rows, _ in parts])
    order = np.argsort(positions, kind="stable")
    positions = positions[order]
    split_of = {int(row): name for name in SPLITS for row in read_positions(paths.split(name)).tolist()}
    if sorted(split_of) != positions.tolist():
        raise ReportError(f"{paths.root / 'data/crossfit'} has the answers for other rows. Create it with: dvc repro")
    return FoldAnswers(
        method=options.method,
        positions=positions,
        ids=read_column(paths.tokens, "id").take(positions).to_pylist(),
        splits=[split_of[row] for row in positions.tolist()],
        labels=open_tokens(paths.tokens).labels[positions],
        groups=read_components(paths.tokens, positions, duplicates="together"),
        fold=np.repeat(options.folds, [len(rows) for rows, _ in parts])[order],
        answers=np.concatenate([answers for _, answers in parts])[order],
    )
