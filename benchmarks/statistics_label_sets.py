"""How evenly rows with label sets are divided: by `stages/split/label_sets.py`, by iterative-stratification, at random.

Needs `pip install iterative-stratification` (BSD 3-Clause), which divides single rows alone.

Example: python -m benchmarks.statistics_label_sets
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from stages.split.label_sets import stratify_sets

SHARES = {"test": 0.2, "val": 0.1}
DRAWS = 10

Division = Callable[[NDArray[np.bool_], int], NDArray[np.int64]]


def draw_sets(rows: int, seed: int) -> NDArray[np.bool_]:
    """Draw label sets: a common label, a rare one, and two that go together; many rows have none."""
    chance = np.random.default_rng(seed)
    labels = chance.random((rows, 4)) < np.array([0.4, 0.03, 0.2, 0.2])
    labels[:, 3] |= labels[:, 2] & (chance.random(rows) < 0.8)
    return labels


def ours(labels: NDArray[np.bool_], seed: int) -> NDArray[np.int64]:
    """Divide by the project's own stratification."""
    return stratify_sets(labels, np.arange(len(labels)), shares=SHARES, seed=seed)


def library(labels: NDArray[np.bool_], seed: int) -> NDArray[np.int64]:
    """Divide by the library: test first, then val from the rest."""
    from iterstrat.ml_stratifiers import MultilabelStratifiedShuffleSplit as Shuffle

    flags = with_none(labels).astype(int)
    rest, test = next(Shuffle(n_splits=1, test_size=0.2, random_state=seed).split(flags, flags))
    _, val = next(Shuffle(n_splits=1, test_size=0.125, random_state=seed).split(flags[rest], flags[rest]))
    assigned = np.zeros(len(labels), dtype=np.int64)
    assigned[test], assigned[rest[val]] = 1, 2
    return assigned


def at_random(labels: NDArray[np.bool_], seed: int) -> NDArray[np.int64]:
    """Divide without a look at the labels."""
    assigned = np.repeat([1, 2, 0], [len(labels) // 5, len(labels) // 10, len(labels) - len(labels) * 3 // 10])
    return np.random.default_rng(seed).permutation(assigned)


def with_none(labels: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the flags with a column for rows that have no label."""
    return np.hstack([labels, ~labels.any(1, keepdims=True)])


def distances(rows: int, divide: Division) -> NDArray[np.float64]:
    """Return how many rows each split and label is off its share; shape (draws, splits, labels + 1)."""
    found = []
    for seed in range(DRAWS):
        labels = draw_sets(rows, seed)
        flags, assigned = with_none(labels), divide(labels, seed)
        counts = np.stack([flags[assigned == split].sum(0) for split in range(3)])
        found.append(np.abs(counts - np.array([0.7, 0.2, 0.1])[:, None] * flags.sum(0)))
    return np.array(found)


def main() -> None:
    print("| rows | divided by | mean distance (rows) | largest |\n|--:|---|--:|--:|")
    for rows in (360, 1_000, 5_000):
        for name, divide in (("retune", ours), ("iterative-stratification", library), ("chance", at_random)):
            off = distances(rows, divide)
            print(f"| {rows:,} | {name} | {off.mean():.2f} | {off.max():.1f} |")


if __name__ == "__main__":
    main()
