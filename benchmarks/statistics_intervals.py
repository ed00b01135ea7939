"""How often the intervals of evaluate and report contain the truth, by simulation.

Each cell draws test sets from a population that is known: classes with a share each, and a model whose probabilities
are right (but where some groups of rows are harder than others). It is measured as `evaluate` and `report` do; the
truth is the metric on a very large test set. Counts are added to a file, so that a long run can be made in slices. If
the intervals change, delete the file: it holds what the present code did.

Example: python -m benchmarks.statistics_intervals --simulations 500 --up-to 2000
         python -m benchmarks.statistics_intervals --table
"""

import argparse
import json
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.metrics.bootstrap import Bootstrap, Estimate
from stages.metrics.calibration import expected_calibration_error
from stages.metrics.calibration_interval import measure_calibration
from stages.metrics.caveats import caveat
from stages.metrics.count_intervals import measure_counts
from stages.metrics.least_width import widen_flat
from stages.metrics.row_intervals import label_rows, measure_mean, measure_ranking

METRICS = ("accuracy", "macro_f1", "mcc", "auroc", "average_precision", "log_loss", "brier", "ece")
LARGE, MANY_CLASSES = 100_000, 6  # rows of the test set that gives the truth; with as many classes, fewer
SHARED = 0.7  # of the noise, by all seeds' models
GROUP_ROWS = 20
BINS, ROWS_PER_BIN = 15, 25  # of the calibration error
COUNTED = Path(__file__).with_name("statistics_intervals.json")
KINDS = ("held", "above", "caveat", "zero", "width")  # what is counted of each metric's intervals


@dataclass(frozen=True)
class Cell:
    """A population, and how test sets are drawn from it.

    Attributes:
        name: Of the population.
        shares: Of the classes.
        skill: How far the class of a row stands out from noise of standard deviation 1.
        rows: Of each test set.
        mix: fixed (every test set has the classes' shares) or drawn.
        seeds: Number of models, equally good.
        icc: Correlation of being right between two rows of a group of 20; None: no groups.
        hardness: Standard deviation over the groups of how far a row's class stands out.
    """

    name: str
    shares: tuple[float, ...]
    skill: float
    rows: int
    mix: str = "drawn"
    seeds: int = 1
    icc: float | None = None
    hardness: float = 0.0

    @property
    def key(self) -> str:
        kind = f"{self.seeds} seeds" if self.seeds > 1 else "" if self.icc is None else f"groups, ICC {self.icc}"
        return " | ".join([f"{self.name}{', ' if kind else ''}{kind}", str(self.rows), self.mix])


def cells() -> Iterator[Cell]:
    """Yield the cells of the table."""
    two = {
        "balanced": ((0.5, 0.5), 1.5),
        "90/10": ((0.9, 0.1), 2.0),
        "99/1": ((0.99, 0.01), 2.5),
        "accuracy .99": ((0.5, 0.5), 3.3),
        "accuracy .998": ((0.5, 0.5), 4.07),
    }
    for mix in ("fixed", "drawn"):
        for name, (shares, skill) in two.items():
            for rows in (30, 92, 200, 1000):
                yield Cell(name, shares, skill, rows, mix)
        for classes, skill in ((5, 2.0), (20, 2.8), (77, 3.5)):
            for of_class in (1, 3, 5):
                yield Cell(f"{classes} classes", (1 / classes,) * classes, skill, classes * of_class, mix)
    for icc, skill, hardness in ((0.0, 1.5, 0.0), (0.1, 1.67, 0.71), (0.3, 2.1, 1.41)):
        for rows in (30, 92, 200, 1000):
            yield Cell("70/30", (0.7, 0.3), skill, rows, icc=icc, hardness=hardness)
    for seeds in (2, 3, 4, 5):
        for rows in (30, 92, 200, 1000):
            yield Cell("balanced", (0.5, 0.5), 1.5, rows, seeds=seeds)


def draw_labels(cell: Cell, generator: np.random.Generator) -> NDArray[np.int64]:
    """Draw the labels of a test set; every class has a row, as `split` sees to."""
    shares = np.array(cell.shares) * cell.rows
    if cell.mix == "fixed":
        counts = np.maximum(1, np.floor(shares + 1e-9)).astype(np.int64)
        while counts.sum() < cell.rows:
            counts[np.argmax(shares - counts)] += 1
        while counts.sum() > cell.rows:
            counts[np.argmax(counts)] -= 1
    else:
        counts = generator.multinomial(cell.rows, cell.shares)
        while (counts == 0).any():
            counts[np.argmax(counts)] -= 1
            counts[np.argmin(counts)] += 1
    return generator.permutation(np.repeat(np.arange(len(counts)), counts))


def draw_test_set(
    cell: Cell, generator: np.random.Generator, *, group_rows: int = GROUP_ROWS
) -> tuple[NDArray[np.int64], list[NDArray[np.float32]], NDArray[np.int64] | None]:
    """Draw labels, each model's probabilities, and groups."""
    labels = draw_labels(cell, generator)
    shape = (cell.rows, len(cell.shares))
    groups = np.arange(cell.rows) // group_rows if cell.icc is not None else None
    skill = np.full(cell.rows, cell.skill)
    if groups is not None:
        skill += cell.hardness * generator.normal(size=cell.rows)[groups]
    signal = skill[:, None] * np.eye(shape[1])[labels] + np.sqrt(SHARED) * generator.normal(size=shape)
    evidence = [signal + np.sqrt(1 - SHARED) * generator.normal(size=shape) for _ in range(cell.seeds)]
    models = [_probabilities(cell.skill * values + np.log(cell.shares)) for values in evidence]
    return labels, models, groups


def find_truth(cell: Cell) -> dict[str, float]:
    """Return each metric on a very large test set."""
    rows = LARGE if len(cell.shares) < MANY_CLASSES else LARGE // 2
    labels, models, _ = draw_test_set(
        replace(cell, rows=rows, mix="fixed", seeds=1), np.random.default_rng(0), group_rows=1
    )
    estimates = measure_needed(labels, models, [models[0].argmax(1)], None, Bootstrap(1, 0.95, 0))
    bins = max(1, min(BINS, cell.rows // ROWS_PER_BIN))
    truth = {name: estimates[name].value for name in METRICS}
    error = expected_calibration_error(labels, models[0], bins=bins)
    return truth | {"ece": error if cell.hardness else 0.0}  # the probabilities are right where no group is harder


def measure_needed(
    labels: NDArray[np.int64],
    models: list[NDArray[np.float32]],
    preds: list[NDArray[np.int64]],
    groups: NDArray[np.int64] | None,
    bootstrap: Bootstrap,
) -> dict[str, Estimate]:
    """Return the metrics of the table as `measure` does, without those that are not in it."""
    estimates = measure_counts(
        labels, preds, num_labels=models[0].shape[1], ordered=False, groups=groups, bootstrap=bootstrap
    )
    rows = label_rows(labels, models)
    for names, measure in ((("auroc", "average_precision"), measure_ranking), (("log_loss", "brier"), measure_mean)):
        for name in names:
            estimates[name] = measure(name, rows, models, groups=groups, confidence=bootstrap.confidence)
    estimates["ece"] = measure_calibration(labels, models, preds, groups=groups, bootstrap=bootstrap)
    num_labels, confidence = models[0].shape[1], bootstrap.confidence
    return widen_flat(estimates, labels, groups, num_labels=num_labels, confidence=confidence)


def simulate(cell: Cell, simulations: int, *, seed: int, resamples: int = 400) -> dict[str, dict[str, float]]:
    """Return for each metric how many intervals contain the truth, lie above it, have a caveat, and their width."""
    truth = find_truth(cell)
    generator = np.random.default_rng(seed)
    counts = {name: dict.fromkeys(KINDS, 0.0) for name in METRICS}
    for number in range(simulations):
        labels, models, groups = draw_test_set(cell, generator)
        preds = [model.argmax(1) for model in models]
        estimates = measure_needed(labels, models, preds, groups, Bootstrap(resamples, 0.95, number))
        for name, count in counts.items():
            estimate = estimates[name]
            count["held"] += estimate.low - 1e-9 <= truth[name] <= estimate.high + 1e-9
            count["above"] += truth[name] < estimate.low - 1e-9
            count["caveat"] += caveat(name, labels, preds, groups) is not None
            count["zero"] += estimate.high - estimate.low < 1e-9
            count["width"] += estimate.high - estimate.low
    return counts


def _probabilities(logits: NDArray[np.float64]) -> NDArray[np.float32]:
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True), dtype=np.float32)


def read_counts(path: Path) -> dict[str, dict[str, Any]]:
    """Return of each cell the number of simulations, and KINDS of each metric."""
    return json.loads(path.read_text()) if path.exists() else {}


def write_counts(path: Path, counts: dict[str, dict[str, Any]]) -> None:
    """Write the counts, one line a cell."""
    path.write_text(
        "{\n" + ",\n".join(f"{json.dumps(key)}: {json.dumps(cell)}" for key, cell in counts.items()) + "\n}\n"
    )


def add_simulations(cell: Cell, counted: dict[str, Any] | None, simulations: int) -> dict[str, Any]:
    """Return the counts of a cell with as many simulations more; the same numbers are never drawn twice."""
    counted = counted or {"simulations": 0} | {name: [0.0] * len(KINDS) for name in METRICS}
    seed = zlib.crc32(f"{cell.key} {float(counted['simulations'])}".encode())
    added = simulate(cell, simulations, seed=seed)
    sums = {
        name: [round(old + added[name][kind], 2) for old, kind in zip(counted[name], KINDS, strict=True)]
        for name in METRICS
    }
    return {"simulations": counted["simulations"] + simulations} | sums


def _print_table(counts: dict[str, dict[str, Any]]) -> None:
    print(f"| population | rows | mix | {' | '.join(METRICS)} | simulations |")
    print(f"|---|--:|---|{'--:|' * (len(METRICS) + 1)}")
    for cell in cells():
        if cell.key not in counts:
            continue
        total = counts[cell.key]["simulations"]
        of_cell = [dict(zip(KINDS, counts[cell.key][name], strict=True)) for name in METRICS]
        shown = [f"{100 * kinds['held'] / total:.1f}{'*' if kinds['caveat'] > total / 2 else ''}" for kinds in of_cell]
        print(f"| {cell.key} | {' | '.join(shown)} | {total:,} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=500, help="to add to each cell")
    parser.add_argument("--up-to", type=int, default=10**9, help="leave out cells that have as many already")
    parser.add_argument("--counts", type=Path, default=COUNTED, help="file of the counts")
    parser.add_argument("--part", default="0/1", help="every k-th cell of n, as k/n")
    parser.add_argument("--table", action="store_true", help="only print the table")
    arguments = parser.parse_args()
    counts = read_counts(arguments.counts)
    if arguments.table:
        _print_table(counts)
        return
    part, parts = map(int, arguments.part.split("/"))
    for cell in list(cells())[part::parts]:
        done = counts.get(cell.key, {}).get("simulations", 0)
        if done >= arguments.up_to:
            continue
        start = time.process_time()
        counts[cell.key] = add_simulations(
            cell, counts.get(cell.key), min(arguments.simulations, arguments.up_to - done)
        )
        write_counts(arguments.counts, counts)
        total = counts[cell.key]["simulations"]
        held = " ".join(f"{100 * counts[cell.key][name][0] / total:.1f}" for name in METRICS)
        print(f"{cell.key}: {held} ({total:,} simulations, {time.process_time() - start:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
