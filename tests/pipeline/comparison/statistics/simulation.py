"""Predictions of two models of which the truth is known."""

import numpy as np

from pipeline.comparison.statistics.differences import compare_preds
from pipeline.comparison.statistics.paired_tests import holm
from stages.metrics.bootstrap import Bootstrap, Ints


def table(both: int, broken: int, fixed: int, neither: int) -> tuple[Ints, Ints, Ints]:
    """Labels (all 1) and predictions of base and head, with so many rows right in both, in base, in head, in none."""
    base = np.repeat([1, 1, 0, 0], [both, broken, fixed, neither])
    head = np.repeat([1, 0, 1, 0], [both, broken, fixed, neither])
    return np.ones_like(base), base, head


def draw(
    generator: np.random.Generator, *, rows: int, seeds: int = 1, spread: float = 0.0, gain: float = 0.0
) -> tuple[Ints, Ints, Ints]:
    """Draw labels, and predictions of `seeds` models per side.

    Args:
        generator: Draws everything.
        rows: Number of rows.
        seeds: Number of models per side.
        spread: Standard deviation of what a seed adds to a model.
        gain: Head's true advantage.
    """
    labels = (generator.random(rows) < 0.3).astype(np.int64)
    sign = 2 * labels - 1
    shared = sign + generator.normal(0, 1, rows)

    def side(advantage: float) -> Ints:
        moves = advantage + generator.normal(0, spread, (seeds, 1))
        return ((shared + moves * sign + generator.normal(0, 0.5, (seeds, rows))) > 0).astype(np.int64)

    return labels, side(0.0), side(gain)


def rejection_rates(runs: int, **options: float) -> tuple[float, float]:
    """Return the shares of runs in which accuracy, and any of three metrics after Holm, is called different.

    Args:
        runs: Number of comparisons.
        **options: Of `draw`.
    """
    generator = np.random.default_rng(7)
    bootstrap = Bootstrap(resamples=300, confidence=0.95, seed=1)
    alone = family = 0
    for _ in range(runs):
        differences = compare_preds(*draw(generator, **options), num_labels=2, bootstrap=bootstrap)  # type: ignore[arg-type]
        alone += differences["accuracy"].p_value < 0.05
        p_values = holm({name: differences[name].p_value for name in ("accuracy", "macro_f1", "mcc")})
        family += min(p_values.values()) < 0.05
    return alone / runs, family / runs
