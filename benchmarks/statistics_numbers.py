"""Simulates comparisons of two models that predict a number, of which the truth is known.

Example: python benchmarks/statistics_numbers.py false-alarms --simulations 1000
         python benchmarks/statistics_numbers.py gates

Each prints a Markdown table; benchmarks/statistics.md has them. An error has a part that all models share, because some
rows are harder, and one of each model's own. Both parts have the same distribution, and a seed scales their sum.
"""

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.comparison_rates import Kind, Models
from pipeline.comparison.statistics.number_values import number_metric_values

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Draws = Callable[[np.random.Generator, tuple[int, ...]], Floats]

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
class Task(Models):
    """A test set and two configurations; a seed scales its errors by the exponential of a number of the spread `shift`.

    Attributes:
        rows: Number of test rows.
        errors: Key of `DISTRIBUTIONS`.
        numbers: Key of `DISTRIBUTIONS`.
        variance: Of the errors, where that of the numbers is 1.
    """

    rows: int
    errors: str = "normal"
    numbers: str = "normal"
    variance: float = 0.4

    @property
    def name(self) -> str:
        numbers = "" if self.numbers == "normal" else f", numbers {self.numbers}"
        return f"{self.rows} rows, errors {self.errors}{numbers}{self.groups}"


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


KIND = Kind(
    metrics={"r2": "R2", "mean_absolute_error": "MAE", "root_mean_squared_error": "RMSE"},
    draw=draw,
    values=lambda _, found: number_metric_values(found.numbers, found.base, found.head),
    equal=lambda _: 1.0,
    worse=factor_of,
    tasks=[
        *(Task(rows, errors) for rows in (20, 60, 200, 1000) for errors in DISTRIBUTIONS),
        Task(200, "t with 3 degrees", "exponential"),
        Task(200, group=10),
        Task(1000, "t with 5 degrees", group=20),
    ],
    gate_shift=0.05,
)


if __name__ == "__main__":
    KIND.print(__doc__ or "")
