"""How often the intervals of the metrics of predicted numbers contain the truth, by simulation.

Each cell draws test sets from a population that is known: a number is what a model could know plus an error, and each
seed's model has an error of its own beside that. With groups, rows of five share a part of both. It is measured as
`evaluate` and `report` do; the truth is the metric on a very large test set.

Example: python -m benchmarks.statistics_number_intervals --simulations 1000 --rows 20 40
         python -m benchmarks.statistics_number_intervals --leads --simulations 500

Each prints lines of a Markdown table; benchmarks/statistics.md has them.
"""

import argparse
import math
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.statistics_numbers import DISTRIBUTIONS
from stages.metrics.caveats import number_caveat
from stages.metrics.number_intervals import measure_numbers, number_differences
from stages.metrics.regression import METRICS, number_scores

Floats = NDArray[np.float64]

LARGE = 1_000_000  # rows of the test set that gives the truth
SHARED = 0.7  # of the variance of the errors, by all seeds' models
GROUP_ROWS = 5
ICC = 0.3  # correlation of two rows of a group
ROWS = (20, 40, 100, 300, 1000)
ERRORS = ("normal", "exponential", "t with 5 degrees", "2% 10 times as large")
SEEDS = (1, 3)


@dataclass(frozen=True)
class Cell:
    """A population, and how test sets are drawn from it.

    Attributes:
        rows: Of each test set.
        errors: Key of `DISTRIBUTIONS`.
        r2: Of one model.
        groups: Whether rows are in groups of five.
        seeds: Number of models, equally good.
    """

    rows: int
    errors: str
    r2: float
    groups: bool = False
    seeds: int = 1


def cells(rows: Sequence[int] = ROWS) -> Iterator[Cell]:
    """Yield the lines of the table, with one seed."""
    for number in rows:
        for groups in (False, True):
            for r2 in (0.3, 0.9):
                for errors in ERRORS:
                    yield Cell(number, errors, r2, groups)


def draw_test_set(cell: Cell, generator: np.random.Generator) -> tuple[Floats, Floats, NDArray[np.int64] | None]:
    """Draw the numbers, what each model predicts, (seeds, rows), and the groups."""
    groups = np.arange(cell.rows) // GROUP_ROWS

    def part(distribution: str, seeds: int) -> Floats:
        values = DISTRIBUTIONS[distribution](generator, (seeds, cell.rows))
        if not cell.groups:
            return values
        shared = DISTRIBUTIONS[distribution](generator, (seeds, int(groups[-1]) + 1))[:, groups]
        return math.sqrt(ICC) * shared + math.sqrt(1 - ICC) * values

    known = math.sqrt(cell.r2) * part("normal", 1)[0]
    shared = math.sqrt(SHARED * (1 - cell.r2)) * part(cell.errors, 1)[0]
    own = math.sqrt((1 - SHARED) * (1 - cell.r2)) * part(cell.errors, cell.seeds)
    return known + shared, known - own, groups if cell.groups else None


def find_truth(cell: Cell) -> dict[str, float]:
    """Return each metric on a very large test set, and as `lead over METRIC` that minus the constant answer's."""
    numbers, models, _ = draw_test_set(replace(cell, rows=LARGE, seeds=1), np.random.default_rng(0))
    ours, theirs = (number_scores(np.ones(LARGE), numbers, preds) for preds in (models[0], np.zeros(LARGE)))
    return {name: float(ours[name]) for name in METRICS} | {
        f"lead in {name}": float(ours[name] - theirs[name]) for name in METRICS
    }


def simulate(cell: Cell, simulations: int, truth: dict[str, float], *, leads: bool = False) -> Counter[str]:
    """Count by metric how many intervals contain the truth.

    Beside that, `METRIC above` counts those that lie above the truth, `METRIC rough` those that the report would mark.

    Args:
        cell: The population.
        simulations: Number of test sets.
        truth: From `find_truth`.
        leads: Of the first model over a constant answer, in place of the metrics.
    """
    generator = np.random.default_rng(zlib.crc32(repr(cell).encode()))
    counts: Counter[str] = Counter(dict.fromkeys(METRICS, 0))
    for _ in range(simulations):
        numbers, models, groups = draw_test_set(cell, generator)
        if leads:
            estimates = number_differences(numbers, models[0], 0 * numbers, groups=groups, confidence=0.95)
        else:
            estimates = measure_numbers(numbers, list(models), groups=groups, confidence=0.95)
        for name, interval in estimates.items():
            true = truth[f"lead in {name}" if leads else name]
            counts[name] += interval.low <= true <= interval.high
            counts[f"{name} above"] += true < interval.low
            counts[f"{name} rough"] += number_caveat(name, numbers - models[0], groups) is not None
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=1000, help="of each cell and number of seeds")
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS, help="of the test sets")
    parser.add_argument("--leads", action="store_true", help="over a constant answer, of one seed")
    arguments = parser.parse_args()
    print(f"| rows | groups of 5 | R2 | errors | {' | '.join(METRICS)} |")
    print(f"|--:|---|--:|---|{'--:|' * len(METRICS)}")
    for cell in cells(arguments.rows):
        truth = find_truth(cell)
        counts = [
            simulate(replace(cell, seeds=seeds), arguments.simulations, truth, leads=arguments.leads)
            for seeds in (SEEDS[:1] if arguments.leads else SEEDS)
        ]
        shown = [
            " / ".join(
                f"{100 * count[name] / arguments.simulations:.1f}"
                + ("*" if count[f"{name} rough"] > arguments.simulations / 2 else "")
                for count in counts
            )
            for name in METRICS
        ]
        with_groups = "yes" if cell.groups else "no"
        print(f"| {cell.rows} | {with_groups} | {cell.r2} | {cell.errors} | {' | '.join(shown)} |", flush=True)


if __name__ == "__main__":
    main()
