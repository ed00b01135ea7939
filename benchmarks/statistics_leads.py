"""How often the intervals of a model's lead over a constant answer contain the truth, by simulation.

Test sets are drawn as in statistics_intervals.py. The baseline gives every row the shares of the classes, the first
class a little more, as the report's majority class does.

Example: python -m benchmarks.statistics_leads --simulations 1000
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.statistics_intervals import LARGE, Cell, draw_test_set
from stages.metrics.bootstrap import Bootstrap, Estimate
from stages.metrics.estimates import difference

METRICS = ("accuracy", "balanced_accuracy", "macro_f1", "mcc", "auroc", "log_loss")  # those that the report shows
CELLS = [
    Cell(name, shares, skill, rows)
    for name, shares, skill in (
        ("balanced", (0.5, 0.5), 1.5),
        ("90/10", (0.9, 0.1), 2.0),
        ("5 classes", (0.2,) * 5, 2.0),
    )
    for rows in (30, 92, 200)
]


def measure_lead(cell: Cell, generator: np.random.Generator, bootstrap: Bootstrap) -> dict[str, Estimate]:
    """Return the lead on a test set that is drawn from the cell."""
    labels, models, _ = draw_test_set(cell, generator)
    constant = np.array(cell.shares, dtype=np.float32) + np.float32(0.01) * (np.arange(len(cell.shares)) == 0)
    baseline: NDArray[np.float32] = np.tile(constant / constant.sum(), (len(labels), 1)).astype(np.float32)
    return difference(labels, models[0], baseline, ordered=False, bootstrap=bootstrap)


def simulate(cell: Cell, simulations: int, *, resamples: int = 400) -> dict[str, float]:
    """Return for each metric the share of intervals of 95% that contain the truth."""
    large = replace(cell, rows=LARGE, mix="fixed")
    truth = measure_lead(large, np.random.default_rng(0), Bootstrap(1, 0.95, 0))
    generator, held = np.random.default_rng(cell.rows), dict.fromkeys(METRICS, 0)
    for number in range(simulations):
        lead = measure_lead(cell, generator, Bootstrap(resamples, 0.95, number))
        for name in METRICS:
            held[name] += lead[name].low - 1e-9 <= truth[name].value <= lead[name].high + 1e-9
    return {name: count / simulations for name, count in held.items()}


def table(simulations: int) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    yield f"| population | rows | {' | '.join(METRICS)} |"
    yield f"|---|--:|{'--:|' * len(METRICS)}"
    for cell in CELLS:
        shares = simulate(cell, simulations).values()
        yield f"| {cell.name} | {cell.rows} | {' | '.join(f'{100 * share:.1f}' for share in shares)} |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=1000, help="per row")
    for line in table(parser.parse_args().simulations):
        print(line, flush=True)
