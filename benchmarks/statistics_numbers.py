"""Simulates comparisons of two models that predict a number, of which the truth is known.

Example: python benchmarks/statistics_numbers.py false-alarms --simulations 1000
         python benchmarks/statistics_numbers.py gates

Each prints a Markdown table; benchmarks/statistics.md has them. An error has a part that all models share, because some
rows are harder, and one of each model's own. Both parts have the same distribution, and a seed scales their sum.
"""

import itertools
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.statistics_comparison import print_table
from pipeline.comparison.statistics.differences import Difference, compare_values
from pipeline.comparison.statistics.metric_values import MetricValues
from pipeline.comparison.statistics.number_values import number_metric_values

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Draws = Callable[[np.random.Generator, tuple[int, ...]], Floats]
HEADLINE = ("r2", "mean_absolute_error", "root_mean_squared_error")

DISTRIBUTIONS: Mapping[str, Draws] = {  # of mean 0 and variance 1
    "normal": lambda generator, shape: generator.normal(size=shape),
    "exponential": lambda generator, shape: generator.exponential(size=shape) - 1,
    "t with 5 degrees": lambda generator, shape: generator.standard_t(5, size=shape) / (5 / 3) ** 0.5,
    "t with 3 degrees": lambda generator, shape: generator.standard_t(3, size=shape) / 3**0.5,
    "2% 10 times as large": lambda generator, shape: (
        generator.normal(size=shape) * np.where(generator.random(shape) < 0.02, 10, 1) / (0.98 + 0.02 * 100) ** 0.5
    ),
}


@dataclass(frozen=True)
class Task:
    """A test set and two configurations.

    Attributes:
        rows: Number of test rows.
        errors: Key of `DISTRIBUTIONS`.
        numbers: Key of `DISTRIBUTIONS`.
        variance: Of the errors, where that of the numbers is 1.
        seeds: Per side.
        shift: Standard deviation of the logarithm of what a seed scales its errors by.
        shared: Share of an error's variance that all models share (0 to 1).
        group: Rows that belong together: they have the same shared part.
    """

    rows: int
    errors: str = "normal"
    numbers: str = "normal"
    variance: float = 0.4
    seeds: int = 2
    shift: float = 0.0
    shared: float = 0.5
    group: int = 1

    @property
    def name(self) -> str:
        numbers = "" if self.numbers == "normal" else f", numbers {self.numbers}"
        groups = f", groups of {self.group}" if self.group > 1 else ""
        return f"{self.rows} rows, errors {self.errors}{numbers}{groups}"


@dataclass(frozen=True)
class Draw:
    """One comparison: the numbers, what each seed of base and of head predicts, and the rows' groups."""

    numbers: Floats
    base: Floats
    head: Floats
    units: Ints | None


def draw(task: Task, factor: float, generator: np.random.Generator) -> Draw:
    """Draw rows and models; head's errors are `factor` times as large as base's."""
    units = np.arange(task.rows) // task.group
    numbers = DISTRIBUTIONS[task.numbers](generator, (task.rows,))
    shared = DISTRIBUTIONS[task.errors](generator, (int(units.max()) + 1,))[units]
    sides = []
    for scale in (1.0, factor):
        own = DISTRIBUTIONS[task.errors](generator, (task.seeds, task.rows))
        seeds = np.exp(task.shift * generator.normal(size=(task.seeds, 1)))
        error = np.sqrt(task.shared) * shared + np.sqrt(1 - task.shared) * own
        sides.append(numbers + scale * seeds * np.sqrt(task.variance) * error)
    return Draw(numbers, *sides, None if task.group == 1 else units)


def factor_of(task: Task, metric: str, loss: float) -> float:
    """Return by how much head's errors are larger if the metric of infinitely many rows is worse by `loss`."""
    if metric == "r2":
        return math.sqrt(1 + loss / (task.variance * math.exp(2 * task.shift**2)))
    of_one = mean_error(task.errors, task.shared) if metric == "mean_absolute_error" else 1.0
    return 1 + loss / (of_one * math.sqrt(task.variance) * math.exp(task.shift**2 / 2))


@cache
def mean_error(errors: str, shared: float) -> float:
    """Return the mean absolute error where the variance is 1."""
    generator, shape = np.random.default_rng(1), (1_000_000,)
    first, second = (DISTRIBUTIONS[errors](generator, shape) for _ in range(2))
    return float(np.abs(math.sqrt(shared) * first + math.sqrt(1 - shared) * second).mean())


def values_of(found: Draw) -> dict[str, MetricValues]:
    """Return what retune compares of each of these metrics."""
    values = number_metric_values(found.numbers, found.base, found.head)
    return {metric.name: metric for metric in values if metric.name in HEADLINE}


def difference(values: MetricValues, units: Ints | None) -> Difference:
    """Return the difference that retune judges."""
    return compare_values(values.base, values.head, (values.unseen, values.unseen_rows), units=units)


def false_alarms(task: Task, simulations: int) -> dict[str, float]:
    """Return how often two equally good configurations are called different, by the metric that is tested first."""
    generator = np.random.default_rng(0)
    alarms = dict.fromkeys(HEADLINE, 0)
    for _ in range(simulations):
        found = draw(task, 1.0, generator)
        for name, values in values_of(found).items():
            alarms[name] += difference(values, found.units).p_value() < 0.05
    return {name: count / simulations for name, count in alarms.items()}


def false_passes(task: Task, simulations: int, loss: float) -> dict[str, float]:
    """Return how often a change that loses as much as the gate allows and no less is passed."""
    rates = {}
    for name in HEADLINE:
        generator, factor, passed = np.random.default_rng(0), factor_of(task, name, loss), 0
        for _ in range(simulations):
            found = draw(task, factor, generator)
            values = values_of(found)[name].for_bounds()
            low, high = difference(values, found.units).interval(0.95)
            passed += (-low if name == "r2" else high * values.unit) < loss
        rates[name] = passed / simulations
    return rates


TASKS = [
    *(Task(rows, errors) for rows in (20, 60, 200, 1000) for errors in DISTRIBUTIONS),
    *(Task(200, "t with 3 degrees", "exponential"), Task(200, group=10), Task(1000, "t with 5 degrees", group=20)),
]


def false_alarm_rows(count: int) -> Iterator[list[str]]:
    yield ["test set", "seeds per side", "spread of seeds", "first metric: R2", "MAE", "RMSE"]
    for task, (seeds, shift) in itertools.product(TASKS, [(1, 0), (2, 0), (2, 0.1)]):
        rates = false_alarms(replace(task, seeds=seeds, shift=shift), count)
        yield [task.name, str(seeds), f"{shift:g}", *(f"{rate:.1%}" for rate in rates.values())]


def gate_rows(count: int) -> Iterator[list[str]]:
    yield ["test set", "seeds per side", "errors shared", "largest loss", "R2", "MAE", "RMSE"]
    for task, (seeds, shared) in itertools.product(TASKS, [(1, 0.5), (1, 0.95), (2, 0.5)]):
        rates = false_passes(replace(task, seeds=seeds, shared=shared, shift=0.05 * (seeds > 1)), count, 0.05)
        yield [task.name, str(seeds), f"{shared:.0%}", "0.05", *(f"{rate:.1%}" for rate in rates.values())]


if __name__ == "__main__":
    print_table({"false-alarms": false_alarm_rows, "gates": gate_rows}, __doc__ or "")
