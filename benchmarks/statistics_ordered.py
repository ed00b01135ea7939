"""Simulates comparisons of two models of ordered classes, of which the truth is known.

Example: python benchmarks/statistics_ordered.py false-alarms --simulations 1000
         python benchmarks/statistics_ordered.py gates

Each prints a Markdown table; benchmarks/statistics.md has them. A class is a range of a normal number. A model predicts
the range of the number plus an error, of which all models share a part, because some rows are harder.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from scipy.special import ndtri

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.comparison_rates import Kind, Models
from benchmarks.statistics_comparison import Draw
from pipeline.comparison.statistics.metric_values import label_metric_values
from stages.metrics.classification import count_scores
from stages.metrics.names import OF_ORDERED, lower_is_better

SHARES: Mapping[str, tuple[float, ...]] = {
    "even": (0.2, 0.2, 0.2, 0.2, 0.2),
    "as of app reviews": (0.3, 0.08, 0.1, 0.17, 0.35),
    "3% in the first": (0.03, 0.07, 0.15, 0.3, 0.45),
    "3 classes": (0.25, 0.5, 0.25),
}
MANY = 300_000  # rows that tell a metric to 0.002


@dataclass(frozen=True)
class Task(Models):
    """A test set and two configurations; a seed scales its errors by the exponential of a number of the spread `shift`.

    Attributes:
        rows: Number of test rows.
        shares: Key of `SHARES`: how frequent the classes are, in their order.
        error: Standard deviation of a model's errors, where that of the numbers is 1.
    """

    rows: int
    shares: str = "even"
    error: float = 0.7

    @property
    def classes(self) -> int:
        return len(SHARES[self.shares])

    @property
    def name(self) -> str:
        return f"{self.rows} rows, {self.shares}{self.groups}"


def draw(task: Task, factor: float, generator: np.random.Generator) -> Draw:
    """Draw rows and models; head's errors are `factor` times as large as base's."""
    units = np.arange(task.rows) // task.group
    numbers = generator.normal(size=task.rows)
    shared = np.sqrt(task.shared) * generator.normal(size=int(units.max()) + 1)[units]
    cuts = ndtri(np.cumsum(SHARES[task.shares])[:-1])
    sides = []
    for scale in (1.0, factor):
        own = np.sqrt(1 - task.shared) * generator.normal(size=(task.seeds, task.rows))
        errors = np.exp(task.shift * generator.normal(size=(task.seeds, 1))) * (shared + own)
        sides.append(np.searchsorted(cuts, numbers + scale * task.error * errors))
    return Draw(np.searchsorted(cuts, numbers), *sides, None if task.group == 1 else units)


def losses(found: Draw, classes: int) -> dict[str, float]:
    """Return by how much head is worse than base in each metric, of one seed a side."""
    every = np.ones(len(found.labels))
    base, head = (
        count_scores(every, found.labels, preds[0], num_labels=classes, ordered=True)
        for preds in (found.base, found.head)
    )
    return {name: float(base[name] - head[name]) * (-1 if lower_is_better(name) else 1) for name in OF_ORDERED}


@cache
def factor_of(shares: str, error: float, metric: str, loss: float) -> float:
    """Return by how much head's errors are larger if the metric of very many rows is worse by `loss`."""
    many, low, high = Task(MANY, shares, error, seeds=1, shared=1.0), 1.0, 4.0
    for _ in range(14):
        middle = (low + high) / 2
        worse = losses(draw(many, middle, np.random.default_rng(1)), many.classes)[metric] > loss
        low, high = (low, middle) if worse else (middle, high)
    return high


KIND = Kind(
    metrics={"quadratic_kappa": "quadratic kappa", "mean_absolute_error": "MAE"},
    draw=draw,
    values=lambda task, found: label_metric_values(
        found.labels, found.base, found.head, num_labels=task.classes, ordered=True
    ),
    equal=lambda _: 1.0,
    worse=lambda task, metric, loss: factor_of(task.shares, task.error, metric, loss),
    tasks=[*(Task(rows, shares) for rows in (20, 100, 360, 1000) for shares in SHARES), Task(360, group=10)],
)


if __name__ == "__main__":
    KIND.print(__doc__ or "")
