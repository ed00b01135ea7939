"""Intervals of metrics of labels and predictions, such as macro F1 and MCC, by test inversion.

The rows, counted in cells, give a distribution of further rows. Each class also gets a few rows' worth of what all
classes have in common: their share of right predictions, and an error if none was seen. So a class of one row is not
certain to be predicted as that row was, and no interval has zero width. Exponential tilting by a metric's influence
values makes of it a family of distributions; the interval's ends are the metric under the two members for which the
observed value is just too high or too low to be chance.

One set of resamples serves all members: each resample is weighed by how much likelier the member makes it. A resample
draws how many rows each class has, but no fewer than one, because `split` leaves no class out.

Source:
    Efron, "Nonparametric standard errors and confidence intervals", 1981. DiCiccio, Romano, "Nonparametric confidence
    limits by resampling methods and least favorable families", 1990. Hesterberg, "Bootstrap tilting confidence
    intervals and hypothesis tests", 1999 (weighed resamples).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from stages.metrics.bootstrap import CHUNK, Bootstrap, Estimate, count_cells
from stages.metrics.classification import cell_features, score_sums
from stages.metrics.effective_rows import Sample, weigh_sample

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PRIOR_ROWS = 2.0  # per class, of what all classes have in common; chosen by benchmarks/statistics.py
STEP = 1e-6  # rows by which a sum is changed for its derivative
TIES = 1e-9  # closer values of a metric are equal
FARTHEST = 40  # steps of the search for an end
LARGEST, SMALLEST = 600.0, 1e-300  # of an exponent, and of a chance: within what a number can hold
PRECISION = 1e-3  # of the tilt, in standard errors


@dataclass(frozen=True)
class CellTable:
    """A distribution of rows over cells.

    Attributes:
        labels: Position of each cell's label among the classes that occur; shape (cells,).
        weights: Share of each cell, with a sum of 1; shape (cells,).
        shares: Share of each class that occurs; shape (classes,).
        features: What each model adds to the sums of `score_sums`, by cell; shape (cells, sums) each.
        num_labels: Number of classes.
        ordered: Whether they have an order.
    """

    labels: Ints
    weights: Floats
    shares: Floats
    features: Sequence[Floats]
    num_labels: int
    ordered: bool

    def score(self, counts: NDArray[np.number]) -> dict[str, Floats]:
        """Return each metric's mean over the models, from counts or weights of shape (..., cells)."""
        models = [
            score_sums(counts.astype(np.float64) @ features, num_labels=self.num_labels, ordered=self.ordered)
            for features in self.features
        ]
        return {name: np.mean([model[name] for model in models], axis=0) for name in models[0]}

    def influence(self) -> dict[str, Floats]:
        """Return each metric's derivative by the weight of a cell; shape (cells,)."""
        total: dict[str, Floats] = {}
        for features in self.features:
            sums = self.weights @ features
            here = score_sums(sums, num_labels=self.num_labels, ordered=self.ordered)
            slopes = {name: np.empty(len(sums)) for name in here}
            size = max(1, CHUNK // len(sums))
            for start in range(0, len(sums), size):
                changed = np.arange(start, min(start + size, len(sums)))
                moved = np.repeat(sums[None], len(changed), axis=0)
                moved[np.arange(len(changed)), changed] += STEP
                for name, value in score_sums(moved, num_labels=self.num_labels, ordered=self.ordered).items():
                    slopes[name][changed] = (value - here[name]) / STEP
            for name, slope in slopes.items():
                total[name] = total.get(name, 0.0) + features @ slope / len(self.features)
        return total

    def by_class(self, values: Floats) -> Floats:
        """Return the sum of `values` over each class's cells; shape (classes,)."""
        return np.asarray(np.bincount(self.labels, weights=values, minlength=len(self.shares)), dtype=np.float64)

    def center(self, values: Floats) -> Floats:
        """Return `values` minus their mean in their class; shape (cells,)."""
        return values - (self.by_class(self.weights * values) / self.shares)[self.labels]

    def tilted(self, influence: Floats, tilt: float) -> tuple[Floats, Floats]:
        """Return the weights that the cells get within their classes, and by class the logarithm of their sum."""
        exponents = tilt * influence
        highest = np.full(len(self.shares), -np.inf)
        np.maximum.at(highest, self.labels, exponents)
        raised = self.weights * np.exp(exponents - highest[self.labels])
        growth = self.by_class(raised) / self.shares
        return raised / growth[self.labels], highest + np.log(growth)


@dataclass(frozen=True)
class Resamples:
    """Resamples of a table.

    Attributes:
        classes: Rows of each class; shape (resamples, classes).
        scores: The metrics; shape (resamples,) each.
        influences: The metrics' influence values, summed over the rows; shape (resamples,) each.
    """

    classes: Floats
    scores: dict[str, Floats]
    influences: dict[str, Floats]


def measure_counts(
    labels: Ints,
    preds: Sequence[Ints],
    *,
    num_labels: int,
    ordered: bool,
    groups: Ints | None,
    bootstrap: Bootstrap,
) -> dict[str, Estimate]:
    """Return each metric of `count_scores`, its mean over the models, with its interval.

    Args:
        labels: Label of each row; shape (rows,).
        preds: The labels that each model predicts; shape (rows,) each.
        num_labels: Number of classes.
        ordered: Whether the classes have an order.
        groups: Equal for rows that belong together; shape (rows,). None: each row is its own.
        bootstrap: Of the intervals.
    """
    cells = count_cells(labels, *preds)
    table, cell_of_row = _smooth(labels, preds, cells.columns, cells.sizes, num_labels=num_labels, ordered=ordered)
    observed = table.score(np.concatenate([cells.sizes, np.zeros(len(table.weights) - len(cells.sizes))]))
    influences = table.influence()
    within = {name: table.center(influence) for name, influence in influences.items()}
    drawn: dict[int, Resamples] = {}
    estimates = {}
    for name, influence in influences.items():
        of_rows = influence[cell_of_row]
        sample = weigh_sample(of_rows, groups, confidence=bootstrap.confidence)
        rows = max(round(sample.rows), len(table.shares))
        if rows not in drawn:
            drawn[rows] = _resample(table, within, rows, bootstrap)
        value = float(observed[name])
        ends = [_end(table, name, within[name], value, drawn[rows], sample, side) for side in (-1, 1)]
        error = float(of_rows.std()) / math.sqrt(sample.rows)
        estimates[name] = Estimate(value, min(value, *ends), max(value, *ends), error)
    return estimates


def _smooth(
    labels: Ints, preds: Sequence[Ints], columns: Sequence[Ints], sizes: Ints, *, num_labels: int, ordered: bool
) -> tuple[CellTable, Ints]:
    """The table of the rows' cells and the prior's, and the cell of each row."""
    present, of_cell = np.unique(columns[0], return_inverse=True)
    right = present
    wrong = np.where(present < num_labels - 1, present + 1, present - 1)  # a neighbour: a small error where ordered
    hits = float(np.mean([np.sum(column == labels) for column in preds]))
    share = (hits + 0.5) / (len(labels) + 1)
    class_rows = np.bincount(of_cell, weights=sizes)
    prior = np.concatenate([np.full(len(present), share), np.full(len(present), 1 - share)]) * PRIOR_ROWS
    positions = np.concatenate([of_cell, np.tile(np.arange(len(present)), 2)]).astype(np.int64)
    shares = class_rows / len(labels)
    weights = np.concatenate([sizes, prior]) / (class_rows + PRIOR_ROWS)[positions] * shares[positions]
    cell_labels = np.concatenate([columns[0], present, present])
    features = [
        cell_features(cell_labels, np.concatenate([column, right, wrong]), num_labels=num_labels)
        for column in columns[1:]
    ]
    _, cell_of_row = np.unique(np.stack([labels, *preds], axis=1), axis=0, return_inverse=True)
    return CellTable(positions, weights, shares, features, num_labels, ordered), cell_of_row.ravel().astype(np.int64)


def _resample(table: CellTable, influences: dict[str, Floats], rows: int, bootstrap: Bootstrap) -> Resamples:
    generator = np.random.default_rng(bootstrap.seed)
    size = max(1, CHUNK // len(table.weights))
    parts = []
    for start in range(0, bootstrap.resamples, size):
        resamples = min(size, bootstrap.resamples - start)
        classes = _at_least_one(generator.multinomial(rows, table.shares / table.shares.sum(), size=resamples))
        cells = np.zeros((resamples, len(table.weights)))
        for number in range(len(table.shares)):
            own = np.flatnonzero(table.labels == number)
            chances = table.weights[own] / table.weights[own].sum()
            cells[:, own] = generator.multinomial(classes[:, number], chances)
        sums = {name: cells @ influence for name, influence in influences.items()}
        parts.append(Resamples(classes.astype(np.float64), table.score(cells), sums))
    return Resamples(
        np.concatenate([part.classes for part in parts]),
        {name: np.concatenate([part.scores[name] for part in parts]) for name in influences},
        {name: np.concatenate([part.influences[name] for part in parts]) for name in influences},
    )


def _at_least_one(classes: Ints) -> Ints:
    """Move a row from the largest class of a resample to each class without one."""
    for number in range(classes.shape[1]):
        without = np.flatnonzero(classes[:, number] == 0)
        classes[without, classes[without].argmax(1)] -= 1
        classes[without, number] = 1
    return classes


def _end(
    table: CellTable, name: str, influence: Floats, value: float, drawn: Resamples, sample: Sample, side: int
) -> float:
    """The metric under the member of the family for which `value` is just too high (side -1: the lower end) or too
    low (side 1) to be chance."""
    spread = math.sqrt(float(table.weights @ influence**2))
    if spread <= TIES:
        return float(table.score(table.weights)[name])
    beyond = side * (value - drawn.scores[name])
    counted = np.where(np.abs(beyond) <= TIES, 0.5, beyond > 0)  # resamples at least as far; half of the ties
    kept = counted > 0
    exponents, classes, counted = drawn.influences[name][kept], drawn.classes[kept], counted[kept]

    def excess(tilt: float) -> float:
        likelihoods = tilt * exponents - classes @ table.tilted(influence, tilt)[1]
        chance = float(counted @ np.exp(np.minimum(likelihoods, LARGEST))) / len(kept)
        return math.log(max(chance, SMALLEST) / sample.tail)

    start = excess(0.0)
    step = math.copysign(1 / (spread * math.sqrt(drawn.classes[0].sum())), side * start)
    inner, outer = 0.0, step
    for _ in range(FARTHEST):
        if (excess(outer) > 0) != (start > 0):
            outer = float(brentq(excess, inner, outer, xtol=PRECISION * abs(step)))
            break
        inner, outer = outer, outer * 1.7
    return float(table.score(table.tilted(influence, outer)[0])[name])
