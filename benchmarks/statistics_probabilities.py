"""Simulates comparisons of two models' probabilities of which the truth is known: how often is a verdict wrong?

Example: python -m benchmarks.statistics_probabilities false-alarms --simulations 1000
         python -m benchmarks.statistics_probabilities gates

Each prints a Markdown table; benchmarks/statistics.md has them. Rows and models are drawn as in
statistics_intervals.py: the evidence of a row has noise, part of which all models share. What labels alone decide is
simulated in statistics_comparison.py.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.statistics_comparison import print_table
from benchmarks.statistics_intervals import GROUP_ROWS, SHARED, Cell, draw_labels
from pipeline.comparison.seed_predictions import SeedPredictions
from pipeline.comparison.statistics.differences import Difference, compare_values
from pipeline.comparison.statistics.metric_values import metric_values

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
METRICS = ("auroc", "average_precision", "log_loss", "brier", "ece")
LARGE = 40_000  # rows of the test set that gives the truth
FALLS = {"log_loss", "brier", "ece"}  # lower is better


@dataclass(frozen=True)
class Side:
    """How the models of one side are drawn.

    Attributes:
        skill: How far the class of a row stands out from noise of standard deviation 1.
        spread: Standard deviation of the skill over seeds, as a share of it.
        sharpness: What the logits are multiplied with; above 1: overconfident.
    """

    skill: float
    spread: float = 0.0
    sharpness: float = 1.0


def draw(
    cell: Cell, base: Side, head: Side, generator: np.random.Generator
) -> tuple[Ints, list[SeedPredictions], Ints | None]:
    """Draw labels, both sides' predictions for them, and the rows' groups."""
    labels = draw_labels(cell, generator)
    shape = (cell.rows, len(cell.shares))
    groups = np.arange(cell.rows) // GROUP_ROWS if cell.icc is not None else None
    hardness = np.zeros(cell.rows)
    if groups is not None:
        hardness = cell.hardness * generator.normal(size=cell.rows)[groups]
    common = np.sqrt(SHARED) * generator.normal(size=shape)
    ids = pa.array(np.arange(cell.rows).astype(str))
    sides = []
    for side in (base, head):
        models = {}
        for seed in range(cell.seeds):
            skill = side.skill * (1 + side.spread * generator.normal())
            stands_out = (skill + hardness)[:, None] * np.eye(shape[1])[labels]
            evidence = stands_out + common + np.sqrt(1 - SHARED) * generator.normal(size=shape)
            logits = side.sharpness * (side.skill * evidence + np.log(cell.shares))
            odds = np.exp(logits - logits.max(axis=1, keepdims=True))
            models[seed] = np.asarray(odds / odds.sum(axis=1, keepdims=True), dtype=np.float32)
        sides.append(SeedPredictions(ids, labels, models, groups=groups))
    return labels, sides, groups


def differences(labels: Ints, sides: list[SeedPredictions], groups: Ints | None, classes: int) -> dict[str, Difference]:
    """Return what retune compares of the probabilities."""
    return {
        values.name: compare_values(values.base, values.head, (values.unseen, values.unseen_rows), units=groups)
        for values in metric_values(labels, *sides, num_labels=classes, ordered=False)
        if values.name in METRICS
    }


def simulate(cell: Cell, base: Side, head: Side, simulations: int, *, seed: int = 0) -> Iterator[dict[str, Difference]]:
    """Yield comparisons."""
    generator = np.random.default_rng(seed)
    for _ in range(simulations):
        yield differences(*draw(cell, base, head, generator), len(cell.shares))


def false_alarms(cell: Cell, side: Side, simulations: int) -> dict[str, float]:
    """Return how often two equally good sides are called different at 5%, by metric."""
    p_values = [
        {name: difference.p_value() for name, difference in found.items()}
        for found in simulate(cell, side, side, simulations)
    ]
    return {name: float(np.mean([p[name] < 0.05 for p in p_values])) for name in METRICS}


def truth(cell: Cell, side: Side) -> dict[str, float]:
    """Return each metric on a very large test set."""
    large = replace(cell, rows=LARGE, mix="fixed", seeds=1)
    labels, sides, _ = draw(large, replace(side, spread=0.0), side, np.random.default_rng(0))
    found = metric_values(labels, sides[0], sides[0], num_labels=len(cell.shares), ordered=False)
    return {values.name: float(values.base.mean()) for values in found if values.name in METRICS}


def false_passes(cell: Cell, base: Side, weaker: Side, simulations: int) -> dict[str, float]:
    """Return how often a loss passes a gate that allows just less than it, by metric."""
    before, after = truth(cell, base), truth(cell, weaker)
    passed: dict[str, list[bool]] = {name: [] for name in METRICS}
    for found in simulate(cell, base, weaker, simulations):
        for name in METRICS:
            sign = 1 if name in FALLS else -1
            worst = max(sign * end for end in found[name].interval(0.95))
            passed[name].append(worst < sign * (after[name] - before[name]))
    return {name: float(np.mean(rates)) for name, rates in passed.items()}


CELLS = [
    *(Cell("even", (0.5, 0.5), 1.5, rows) for rows in (30, 92, 400)),
    *(Cell("90/10", (0.9, 0.1), 2.0, rows) for rows in (92, 836)),
    Cell("99/1", (0.99, 0.01), 2.5, 836),
    Cell("accuracy .99", (0.5, 0.5), 3.3, 200),
    *(
        Cell(f"{classes} classes", (1 / classes,) * classes, skill, rows)
        for classes, skill, rows in ((5, 2.0, 92), (20, 2.8, 400), (77, 3.5, 385))
    ),
    Cell("70/30, groups of 20, ICC .1", (0.7, 0.3), 1.67, 400, icc=0.1, hardness=0.71),
]


def alarm_rows(count: int) -> Iterator[list[str]]:
    yield ["test set", "rows", "seeds per side", "spread of skill", "sharpness", *METRICS]
    for cell, (seeds, spread, sharpness) in itertools.product(CELLS, [(1, 0, 1), (2, 0, 1), (2, 0.1, 1), (3, 0.05, 2)]):
        rates = false_alarms(replace(cell, seeds=seeds), Side(cell.skill, spread, sharpness), count)
        yield [
            cell.name,
            str(cell.rows),
            str(seeds),
            f"{spread:g}",
            f"{sharpness:g}",
            *(f"{rate:.1%}" for rate in rates.values()),
        ]


def gate_rows(count: int) -> Iterator[list[str]]:
    yield ["test set", "rows", "seeds per side", "head's skill", *METRICS]
    for cell, (seeds, share) in itertools.product(CELLS, [(1, 0.9), (2, 0.9), (3, 0.75)]):
        weaker = Side(share * cell.skill)
        rates = false_passes(replace(cell, seeds=seeds), Side(cell.skill), weaker, count)
        yield [cell.name, str(cell.rows), str(seeds), f"{share:.0%}", *(f"{rate:.1%}" for rate in rates.values())]


TABLES = {"false-alarms": alarm_rows, "gates": gate_rows}


if __name__ == "__main__":
    print_table(TABLES, __doc__ or "")
