"""Simulates comparisons of two models of ordered classes, of which the truth is known.

Example: python benchmarks/statistics_ordered.py false-alarms --simulations 1000
         python benchmarks/statistics_ordered.py gates

Each prints a Markdown table; benchmarks/statistics.md has them. A class is a range of a normal number. A model predicts
the range of the number plus an error, of which all models share a part, because some rows are harder.
"""

import itertools
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from scipy.special import ndtri

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.statistics_comparison import Draw, print_table
from pipeline.comparison.statistics.differences import Difference, compare_values
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
class Task:
    """A test set and two configurations.

    Attributes:
        rows: Number of test rows.
        shares: Key of `SHARES`: how frequent the classes are, in their order.
        error: Standard deviation of a model's errors, where that of the numbers is 1.
        seeds: Per side.
        shift: Standard deviation of the logarithm of what a seed scales its errors by.
        shared: Share of an error's variance that all models share (0 to 1).
        group: Rows that belong together: they have the same shared part.
    """

    rows: int
    shares: str = "even"
    error: float = 0.7
    seeds: int = 2
    shift: float = 0.0
    shared: float = 0.5
    group: int = 1

    @property
    def classes(self) -> int:
        return len(SHARES[self.shares])

    @property
    def name(self) -> str:
        return f"{self.rows} rows, {self.shares}{f', groups of {self.group}' if self.group > 1 else ''}"


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


def differences(found: Draw, classes: int, *, for_bounds: bool = False) -> dict[str, Difference]:
    """Return what retune compares, or what its gates bound: a difference for each metric of ordered classes."""
    metrics = label_metric_values(found.labels, found.base, found.head, num_labels=classes, ordered=True)
    chosen = {values.name: values.for_bounds() if for_bounds else values for values in metrics}
    return {
        name: compare_values(values.base, values.head, (values.unseen, values.unseen_rows), units=found.units)
        for name, values in chosen.items()
        if name in OF_ORDERED
    }


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


def false_alarms(task: Task, simulations: int) -> dict[str, float]:
    """Return how often two equally good configurations are called different, by the metric that is tested first."""
    generator, alarms = np.random.default_rng(0), dict.fromkeys(OF_ORDERED, 0)
    for _ in range(simulations):
        for name, difference in differences(draw(task, 1.0, generator), task.classes).items():
            alarms[name] += difference.p_value() < 0.05
    return {name: count / simulations for name, count in alarms.items()}


def false_passes(task: Task, simulations: int, loss: float) -> dict[str, float]:
    """Return how often a change that loses as much as the gate allows and no less is passed."""
    rates = {}
    for name in OF_ORDERED:
        generator, factor, passed = np.random.default_rng(0), factor_of(task.shares, task.error, name, loss), 0
        for _ in range(simulations):
            difference = differences(draw(task, factor, generator), task.classes, for_bounds=True)[name]
            low, high = difference.interval(0.95)
            passed += (high if lower_is_better(name) else -low) < loss
        rates[name] = passed / simulations
    return rates


TASKS = [*(Task(rows, shares) for rows in (20, 100, 360, 1000) for shares in SHARES), Task(360, group=10)]


def false_alarm_rows(count: int) -> Iterator[list[str]]:
    yield ["test set", "seeds per side", "spread of seeds", "first metric: quadratic kappa", "MAE"]
    for task, (seeds, shift) in itertools.product(TASKS, [(1, 0), (2, 0), (2, 0.1)]):
        rates = false_alarms(replace(task, seeds=seeds, shift=shift), count)
        yield [task.name, str(seeds), f"{shift:g}", *(f"{rate:.1%}" for rate in rates.values())]


def gate_rows(count: int) -> Iterator[list[str]]:
    yield ["test set", "seeds per side", "errors shared", "largest loss", "quadratic kappa", "MAE"]
    for task, (seeds, shared) in itertools.product(TASKS, [(1, 0.5), (1, 0.95), (2, 0.5)]):
        rates = false_passes(replace(task, seeds=seeds, shared=shared), count, 0.05)
        yield [task.name, str(seeds), f"{shared:.0%}", "0.05", *(f"{rate:.1%}" for rate in rates.values())]


if __name__ == "__main__":
    print_table({"false-alarms": false_alarm_rows, "gates": gate_rows}, __doc__ or "")
