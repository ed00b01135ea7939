"""Simulates comparisons of two models that predict sets of labels, of which the truth is known.

Example: python benchmarks/statistics_set_comparisons.py false-alarms --simulations 1000
         python benchmarks/statistics_set_comparisons.py gates

Each prints a Markdown table; benchmarks/label_sets.md has them. A score is the margin of the model, plus a part that
all models share, because some answers are harder, and one of each model's own; above 0 the answer is right.
"""

import itertools
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.statistics_comparison import print_table
from pipeline.comparison.statistics.differences import Difference, compare_values
from pipeline.comparison.statistics.metric_values import MetricValues
from pipeline.comparison.statistics.set_values import SetSide, set_metric_values

Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]
HEADLINE = ("micro_f1", "macro_f1", "sample_f1", "subset_accuracy")
GATED = ("micro_f1", "macro_f1", "subset_accuracy")  # those whose loss is known exactly
SHARES = {  # of the rows that have each label
    "6 labels of 30%": (0.3,) * 6,
    "6 labels of 3 to 40%": (0.4, 0.3, 0.2, 0.1, 0.05, 0.03),
    "20 labels of 5%": (0.05,) * 20,
}


@dataclass(frozen=True)
class Task:
    """A test set and two configurations.

    Attributes:
        rows: Number of test rows.
        labels: Key of `SHARES`.
        margin: Of base, in standard deviations of a score's noise: 1.3 answers 90% right.
        seeds: Per side.
        shift: Standard deviation of what a seed adds to the margin.
        shared: Share of the noise's variance that all models share (0 to 1).
        group: Rows that belong together: they have the same labels and the same shared part.
    """

    rows: int
    labels: str
    margin: float = 1.3
    seeds: int = 2
    shift: float = 0.0
    shared: float = 0.5
    group: int = 1

    @property
    def name(self) -> str:
        groups = f", groups of {self.group}" if self.group > 1 else ""
        return f"{self.rows} rows, {self.labels}{groups}"


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


def values_of(found: Draw) -> dict[str, MetricValues]:
    """Return what retune compares of each of these metrics."""
    values = set_metric_values(found.labels, found.base, found.head)
    return {metric.name: metric for metric in values if metric.name in HEADLINE}


def difference(values: MetricValues, units: Ints | None) -> Difference:
    """Return the difference that retune judges."""
    return compare_values(values.base, values.head, (values.unseen, values.unseen_rows), units=units)


def false_alarms(task: Task, simulations: int) -> dict[str, float]:
    """Return how often two equally good configurations are called different, by the metric that is tested first."""
    generator = np.random.default_rng(0)
    alarms = dict.fromkeys(HEADLINE, 0)
    for _ in range(simulations):
        found = draw(task, task.margin, generator)
        for name, values in values_of(found).items():
            alarms[name] += difference(values, found.units).p_value() < 0.05
    return {name: count / simulations for name, count in alarms.items()}


def false_passes(task: Task, simulations: int, loss: float) -> dict[str, float]:
    """Return how often a change that loses as much as the gate allows and no less is passed."""
    rates = {}
    for name in GATED:
        generator, margin, passed = np.random.default_rng(0), margin_of(task, name, loss), 0
        for _ in range(simulations):
            found = draw(task, margin, generator)
            low, _ = difference(values_of(found)[name].for_bounds(), found.units).interval(0.95)
            passed += -low < loss
        rates[name] = passed / simulations
    return rates


TASKS = [
    *(Task(rows, labels) for rows in (20, 60, 200, 1000) for labels in SHARES),
    Task(200, "6 labels of 30%", group=10),
    Task(1000, "6 labels of 3 to 40%", group=20),
]


def false_alarm_rows(count: int) -> Iterator[list[str]]:
    yield [
        "test set",
        "seeds per side",
        "spread of seeds",
        "first metric: micro F1",
        "macro F1",
        "sample F1",
        "subsets",
    ]
    for task, (seeds, shift) in itertools.product(TASKS, [(1, 0), (2, 0), (2, 0.1)]):
        rates = false_alarms(replace(task, seeds=seeds, shift=shift), count)
        yield [task.name, str(seeds), f"{shift:g}", *(f"{rate:.1%}" for rate in rates.values())]


def gate_rows(count: int) -> Iterator[list[str]]:
    yield ["test set", "seeds per side", "noise shared", "largest loss", "micro F1", "macro F1", "subsets"]
    for task, (seeds, shared) in itertools.product(TASKS, [(1, 0.5), (1, 0.95), (2, 0.5)]):
        rates = false_passes(replace(task, seeds=seeds, shared=shared), count, 0.05)
        yield [task.name, str(seeds), f"{shared:.0%}", "0.05", *(f"{rate:.1%}" for rate in rates.values())]


if __name__ == "__main__":
    print_table({"false-alarms": false_alarm_rows, "gates": gate_rows}, __doc__ or "")
