"""Simulated comparisons of each kind of target, on a few small test sets: what they promise holds."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from benchmarks import statistics_numbers as numbers
from benchmarks import statistics_ordered as ordered
from benchmarks import statistics_set_comparisons as sets
from benchmarks.comparison_rates import Kind

RUNS = 100
TASKS: list[tuple[Kind[Any, Any], Any]] = [
    *(
        (numbers.KIND, numbers.Task(rows, errors))
        for rows in (20, 150)
        for errors in ("normal", "exponential", "t with 3 degrees")
    ),
    (numbers.KIND, numbers.Task(150, "t with 5 degrees", group=10)),
    *(
        (ordered.KIND, ordered.Task(rows, shares))
        for rows in (20, 150)
        for shares in ("even", "3% in the first", "3 classes")
    ),
    (ordered.KIND, ordered.Task(150, group=10)),
    (sets.KIND, sets.Task(20, "6 labels of 30%")),
    (sets.KIND, sets.Task(60, "6 labels of 3 to 40%")),
    (sets.KIND, sets.Task(150, "20 labels of 5%")),
    (sets.KIND, sets.Task(150, "6 labels of 30%", group=10)),
]
ALARMS = [{"seeds": 1, "shift": 0.0}, {"seeds": 2, "shift": 0.0}, {"seeds": 2, "shift": 0.2}]
PASSES = [{"seeds": 1, "shared": 0.95}, {"seeds": 2, "shared": 0.5}]


def of_each_kind(settings: Sequence[Mapping[str, float]]) -> pytest.MarkDecorator:
    """Every task with one of the settings in turn, so that each kind of target meets each; of groups with all."""
    turns = itertools.cycle(settings)
    cases = [
        (kind, replace(task, **values))
        for kind, task in TASKS
        for values in (settings if task.group > 1 else [next(turns)])
    ]
    return pytest.mark.parametrize(("kind", "task"), cases, ids=lambda value: getattr(value, "name", "of"))


def allowed(rate: float) -> float:
    """A share that is above `rate` by chance in 1 of 200 tests."""
    return rate + 2.6 * math.sqrt(rate * (1 - rate) / RUNS)


@of_each_kind(ALARMS)
def test_equally_good_configurations_are_seldom_called_different(kind: Kind[Any, Any], task: Any) -> None:
    rates = kind.false_alarms(task, RUNS)
    assert max(rates.values()) <= allowed(0.05), rates


@of_each_kind(PASSES)
def test_a_loss_of_the_limit_seldom_passes(kind: Kind[Any, Any], task: Any) -> None:
    rates = kind.false_passes(task, RUNS, 0.05)
    assert rates.keys() == set(kind.gated)
    assert max(rates.values()) <= allowed(0.025), rates
