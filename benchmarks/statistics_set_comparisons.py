"""Simulates comparisons of two models that predict sets of labels, of which the truth is known.

Example: python benchmarks/statistics_set_comparisons.py false-alarms --simulations 1000
         python benchmarks/statistics_set_comparisons.py gates

Each prints a Markdown table; benchmarks/label_sets.md has them. A score is the margin of the model, plus a part that
all models share, because some answers are harder, and one of each model's own; above 0 the answer is right.
"""

import math
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.comparison_rates import Kind, Models
from pipeline.comparison.statistics.set_values import SetSide, set_metric_values

Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]
SHARES = {  # of the rows that have each label
    "6 labels of 30%": (0.3,) * 6,
    "6 labels of 3 to 40%": (0.4, 0.3, 0.2, 0.1, 0.05, 0.03),
    "20 labels of 5%": (0.05,) * 20,
}


@dataclass(frozen=True)
class Task(Models):
    """A test set and two configurations; a seed adds a number of the spread `shift` to the margin.

    Attributes:
        rows: Number of test rows.
        labels: Key of `SHARES`.
        margin: Of base, in standard deviations of a score's noise: 1.3 answers 90% right.
    """

    rows: int
    labels: str
    margin: float = 1.3

    @property
    def name(self) -> str:
        return f"{self.rows} rows, {self.labels}{self.groups}"


@dataclass(frozen=True)
class Draw:
    """One comparison: which labels each row has, what each seed of base and of head answers, and the rows' groups."""

    labels: Flags
    base: SetSide
    head: SetSide
    units: Ints | None


def draw(task: Task, margin: float, generator: np.random.Generator) -> Draw:
    """Draw rows and models; `margin` is head's."""
    units = np.arange(task.rows) // task.group
    shape = (int(units.max()) + 1, len(SHARES[task.labels]))
    labels: Flags = (generator.random(shape) < np.array(SHARES[task.labels]))[units]
    shared = generator.normal(size=shape)[units]
    sides = []
    for mean in (task.margin, margin):
        own = generator.normal(size=(task.seeds, *labels.shape))
        seeds = mean + task.shift * generator.normal(size=(task.seeds, 1, 1))
        scores = seeds + math.sqrt(task.shared) * shared + math.sqrt(1 - task.shared) * own
        probabilities = ndtr(np.where(labels, scores, -scores)).astype(np.float32)
        sides.append(SetSide((scores > 0) == labels, list(probabilities)))
    return Draw(labels, *sides, None if task.group == 1 else units)


def metric_of(task: Task, metric: str, margin: float) -> float:
    """Return a metric of infinitely many rows, without a spread of seeds."""
    shares, right = np.array(SHARES[task.labels]), float(ndtr(margin))
    if metric == "subset_accuracy":
        return float(right ** len(shares))
    hits, predicted = shares * right, shares * right + (1 - shares) * (1 - right)
    if metric == "micro_f1":
        return float(2 * hits.sum() / (shares + predicted).sum())
    return float((2 * hits / (shares + predicted)).mean())


def margin_of(task: Task, metric: str, loss: float) -> float:
    """Return head's margin if the metric of infinitely many rows is worse by `loss`."""
    target = metric_of(task, metric, task.margin) - loss
    return float(brentq(lambda margin: metric_of(task, metric, margin) - target, -1, task.margin))


KIND = Kind(
    metrics={"micro_f1": "micro F1", "macro_f1": "macro F1", "sample_f1": "sample F1", "subset_accuracy": "subsets"},
    draw=draw,
    values=lambda _, found: set_metric_values(found.labels, found.base, found.head),
    equal=lambda task: task.margin,
    worse=margin_of,
    tasks=[
        *(Task(rows, labels) for rows in (20, 60, 200, 1000) for labels in SHARES),
        Task(200, "6 labels of 30%", group=10),
        Task(1000, "6 labels of 3 to 40%", group=20),
    ],
    ungated=["sample_f1"],
)


if __name__ == "__main__":
    KIND.print(__doc__ or "")
