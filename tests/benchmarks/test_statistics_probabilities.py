"""The benchmark of comparisons of probabilities, on a few small test sets: what it promises holds."""

import math
from dataclasses import replace

import pytest

from benchmarks.statistics_intervals import Cell
from benchmarks.statistics_probabilities import CELLS, Side, false_alarms, false_passes, truth

RUNS = 60
KINDS = [CELLS[1], CELLS[3], Cell("5 classes", (0.2,) * 5, 2.0, 40)]


def allowed(rate: float) -> float:
    """A share that is above `rate` by chance in 1 of 200 tests."""
    return rate + 2.6 * math.sqrt(rate * (1 - rate) / RUNS)


@pytest.mark.parametrize(("seeds", "spread"), [(1, 0.0), (2, 0.1)])
@pytest.mark.parametrize("cell", KINDS, ids=lambda cell: cell.key)
def test_equally_good_probabilities_are_seldom_called_different(cell: Cell, seeds: int, spread: float) -> None:
    rates = false_alarms(replace(cell, seeds=seeds), Side(cell.skill, spread), RUNS)
    assert max(rates.values()) <= allowed(0.05), rates


@pytest.mark.parametrize("cell", KINDS, ids=lambda cell: cell.key)
def test_a_loss_of_the_limit_seldom_passes(cell: Cell) -> None:
    rates = false_passes(cell, Side(cell.skill), Side(0.8 * cell.skill), RUNS)
    assert max(rates.values()) <= allowed(0.025), rates


def test_a_less_skilled_side_is_worse_in_truth() -> None:
    cell = CELLS[1]
    strong, weak = truth(cell, Side(cell.skill)), truth(cell, Side(0.8 * cell.skill))
    assert strong["auroc"] > weak["auroc"] + 0.02
    assert strong["log_loss"] < weak["log_loss"] - 0.02
