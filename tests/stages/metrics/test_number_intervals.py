"""Intervals of metrics of numbers: within the metric's range, around its value, and with coverage by simulation."""

import dataclasses

import numpy as np
import pytest
from sklearn import metrics

from benchmarks.statistics_number_intervals import Cell, find_truth, simulate
from stages.metrics.names import value_range
from stages.metrics.number_intervals import WITH_UNIT, measure_numbers, number_differences
from stages.metrics.regression import METRICS

CELLS = [
    Cell(20, "normal", 0.9),
    Cell(20, "exponential", 0.3),
    Cell(60, "t with 5 degrees", 0.9, groups=True),
    Cell(100, "exponential", 0.9, seeds=3),
]


@pytest.mark.parametrize("leads", [False, True])
@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_intervals_of_few_rows_contain_the_truth(cell: Cell, leads: bool) -> None:
    """A percentile or BCa interval held as few as 76 of 100 truths here."""
    simulations = 300
    counts = simulate(cell, simulations, find_truth(cell), leads=leads)
    shares = {name: counts[name] / simulations for name in METRICS}
    assert min(shares.values()) > 0.9, shares


def test_the_mean_over_models_has_one_interval_and_groups_widen_it() -> None:
    random = np.random.default_rng(1)
    group = np.repeat(np.arange(30), 5)
    numbers = random.normal(size=30)[group] + random.normal(size=150) * 0.1
    preds = numbers + random.normal(size=30)[group]
    alone = measure_numbers(numbers, [preds, numbers], confidence=0.95)
    together = measure_numbers(numbers, [preds, numbers], groups=group, confidence=0.95)
    assert alone["r2"].value == together["r2"].value == pytest.approx((metrics.r2_score(numbers, preds) + 1) / 2)
    for name in METRICS:
        assert together[name].low <= together[name].value <= together[name].high
        assert together[name].high - together[name].low > 1.3 * (alone[name].high - alone[name].low), name


def test_a_paired_difference_is_narrower_than_the_two_intervals() -> None:
    random = np.random.default_rng(2)
    numbers = random.normal(size=200)
    ours = numbers + random.normal(size=200)
    theirs = ours + 0.05
    lead = number_differences(numbers, ours, theirs, confidence=0.95)["mean_absolute_error"]
    alone = measure_numbers(numbers, [ours], confidence=0.95)["mean_absolute_error"]
    assert lead.high - lead.low < 0.2 * (alone.high - alone.low)


CASES = {
    "noise": lambda random, y: random.normal(size=len(y)),
    "good": lambda random, y: y + 0.1 * random.normal(size=len(y)),
    "all right": lambda random, y: y,
    "one prediction": lambda random, y: np.zeros(len(y)),
    "nearly one prediction": lambda random, y: 1e-7 * random.normal(size=len(y)),
    "one row wrong": lambda random, y: y + (np.arange(len(y)) == 0),
    "backwards": lambda random, y: -y,
}
NUMBERS = {
    "normal": lambda random, rows: random.normal(size=rows),
    "two values": lambda random, rows: (np.arange(rows) % 2).astype(float),
    "one value": lambda random, rows: np.full(rows, 3.0),
    "one outlier": lambda random, rows: np.where(np.arange(rows) == 0, 1e6, random.normal(size=rows)),
    "far from 0": lambda random, rows: 1e6 + random.normal(size=rows),
}


@pytest.mark.parametrize("rows_each", [None, 1, 2, 1_000])
@pytest.mark.parametrize("rows", [1, 2, 3, 20, 2_100])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("drawn", NUMBERS)
def test_an_interval_is_around_its_value_and_within_the_range(
    drawn: str, case: str, rows: int, rows_each: int | None
) -> None:
    random = np.random.default_rng(4)
    numbers = NUMBERS[drawn](random, rows)
    preds = CASES[case](random, numbers)
    groups = None if rows_each is None else np.arange(rows) // rows_each
    for name, interval in measure_numbers(numbers, [preds], groups=groups, confidence=0.95).items():
        lowest, highest = value_range(name)
        assert lowest <= interval.low <= interval.value <= interval.high <= highest, name
        assert np.isfinite(dataclasses.astuple(interval)).all(), name
    for name, interval in number_differences(numbers, preds, 0 * numbers, groups=groups, confidence=0.95).items():
        assert interval.low <= interval.value <= interval.high, name
        assert np.isfinite(dataclasses.astuple(interval)).all(), name


@pytest.mark.parametrize("scale", [1e-160, 1e-12, 1e-9, 1e-3, 1e9, 1e200])
def test_intervals_are_the_same_in_any_unit(scale: float) -> None:
    generator = np.random.default_rng(0)
    numbers = generator.normal(size=200)
    model = numbers + 0.3 * generator.normal(size=200)
    plain = measure_numbers(numbers, [model], confidence=0.95)
    scaled = measure_numbers(numbers * scale, [model * scale], confidence=0.95)
    for name, estimate in plain.items():
        unit = scale if name in WITH_UNIT else 1.0
        expected = [value * unit for value in (estimate.value, estimate.low, estimate.high, estimate.error)]
        found = scaled[name]
        assert [found.value, found.low, found.high, found.error] == pytest.approx(expected, rel=1e-6, abs=0)
