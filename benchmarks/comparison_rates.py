"""How often retune's verdict on two simulated models, of which the truth is known, is wrong; for any kind of target."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.statistics_comparison import print_table
from pipeline.comparison.statistics.differences import Difference, compare_values
from pipeline.comparison.statistics.metric_values import MetricValues
from stages.metrics.names import lower_is_better


@dataclass(frozen=True, kw_only=True)
class Models:
    """Two configurations, and how their models are like each other.

    Attributes:
        seeds: Per side.
        shift: How far a seed moves its model from the configuration's mean; in the unit of the task.
        shared: Share of a row's chance that all models share, because some rows are harder (0 to 1).
        group: Rows that belong together: they have the same shared part.
    """

    seeds: int = 2
    shift: float = 0.0
    shared: float = 0.5
    group: int = 1

    @property
    def groups(self) -> str:
        """What the name of a task says of its groups."""
        return f", groups of {self.group}" if self.group > 1 else ""

    @property
    def name(self) -> str:
        """Of the task, without its models."""
        raise NotImplementedError


class Drawn(Protocol):
    """One comparison: what the metrics of a kind are computed from."""

    @property
    def units(self) -> NDArray[np.int64] | None:
        """The group of each row; None: each row is one."""


Task = TypeVar("Task", bound=Models)
Draw = TypeVar("Draw", bound=Drawn)


@dataclass(frozen=True)
class Kind(Generic[Task, Draw]):
    """A kind of target whose comparisons are simulated.

    Attributes:
        metrics: Those that lead, and what the tables call them.
        draw: Draws rows and models; its number is how good head is.
        values: What retune compares of a draw.
        equal: How good head is where it is as good as base.
        worse: How good head is where a metric of infinitely many rows is worse by a loss.
        tasks: Of the tables.
        ungated: Metrics whose loss isn't known exactly.
        gate_shift: Of the tables of gates, with several seeds.
    """

    metrics: Mapping[str, str]
    draw: Callable[[Task, float, np.random.Generator], Draw]
    values: Callable[[Task, Draw], Iterable[MetricValues]]
    equal: Callable[[Task], float]
    worse: Callable[[Task, str, float], float]
    tasks: Sequence[Task]
    ungated: Sequence[str] = ()
    gate_shift: float = 0.0

    def false_alarms(self, task: Task, simulations: int) -> dict[str, float]:
        """Return how often two equally good configurations are called different, by the metric that is tested first."""
        generator, alarms = np.random.default_rng(0), dict.fromkeys(self.metrics, 0)
        for _ in range(simulations):
            found = self.draw(task, self.equal(task), generator)
            for values in self.values(task, found):
                if values.name in alarms:
                    alarms[values.name] += difference(values, found).p_value() < 0.05
        return {name: count / simulations for name, count in alarms.items()}

    def false_passes(self, task: Task, simulations: int, loss: float) -> dict[str, float]:
        """Return how often a change that loses as much as the gate allows and no less is passed."""
        rates = {}
        for name in self.gated:
            generator, strength, passed = np.random.default_rng(0), self.worse(task, name, loss), 0
            for _ in range(simulations):
                found = self.draw(task, strength, generator)
                values = next(metric for metric in self.values(task, found) if metric.name == name).for_bounds()
                low, high = difference(values, found).interval(0.95)
                passed += (high if lower_is_better(name) else -low) * values.unit < loss
            rates[name] = passed / simulations
        return rates

    @property
    def gated(self) -> list[str]:
        """The metrics whose gates are simulated."""
        return [name for name in self.metrics if name not in self.ungated]

    def print(self, description: str) -> None:
        """Print the table that the command line names."""
        print_table({"false-alarms": self._false_alarm_rows, "gates": self._gate_rows}, description)

    def _false_alarm_rows(self, count: int) -> Iterator[list[str]]:
        first, *others = self.metrics.values()
        yield ["test set", "seeds per side", "spread of seeds", f"first metric: {first}", *others]
        for task, (seeds, shift) in itertools.product(self.tasks, [(1, 0), (2, 0), (2, 0.1)]):
            rates = self.false_alarms(replace(task, seeds=seeds, shift=shift), count)
            yield [task.name, str(seeds), f"{shift:g}", *(f"{rate:.1%}" for rate in rates.values())]

    def _gate_rows(self, count: int) -> Iterator[list[str]]:
        names = [self.metrics[name] for name in self.gated]
        yield ["test set", "seeds per side", "errors shared", "largest loss", *names]
        for task, (seeds, shared) in itertools.product(self.tasks, [(1, 0.5), (1, 0.95), (2, 0.5)]):
            shift = self.gate_shift if seeds > 1 else 0.0
            rates = self.false_passes(replace(task, seeds=seeds, shared=shared, shift=shift), count, 0.05)
            yield [task.name, str(seeds), f"{shared:.0%}", "0.05", *(f"{rate:.1%}" for rate in rates.values())]


def difference(values: MetricValues, found: Drawn) -> Difference:
    """Return the difference that retune judges."""
    return compare_values(values.base, values.head, (values.unseen, values.unseen_rows), units=found.units)
