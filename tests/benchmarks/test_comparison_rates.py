"""Simulated comparisons of each kind of target, on a few small test sets: what they promise holds."""

import math
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
of_each_kind = pytest.mark.parametrize(("kind", "task"), TASKS, ids=lambda value: getattr(value, "name", "of"))


def allowed(rate: float) -> float:
    """A share that is above `rate` by chance in 1 of 200 tests."""
    return rate + 2.6 * math.sqrt(rate * (1 - rate) / RUNS)


@pytest.mark.parametrize(("seeds", "shift"), [(1, 0.0), (2, 0.0), (2, 0.2)])
@of_each_kind
def test_equally_good_configurations_are_seldom_called_different(
    kind: Kind[Any, Any], task: Any, seeds: int, shift: float
) -> None:
    rates = kind.false_alarms(replace(task, seeds=seeds, shift=shift), RUNS)
    assert max(rates.values()) <= allowed(0.05), rates


@pytest.mark.parametrize(("seeds", "shared"), [(1, 0.95), (2, 0.5)])
@of_each_kind
def test_a_loss_of_the_limit_seldom_passes(kind: Kind[Any, Any], task: Any, seeds: int, shared: float) -> None:
    rates = kind.false_passes(replace(task, seeds=seeds, shared=shared), RUNS, 0.05)
    assert rates.keys() == set(kind.gated)
    assert max(rates.values()) <= allowed(0.025), rates
