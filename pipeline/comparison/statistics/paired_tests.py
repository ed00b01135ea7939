"""Exact tests of two models on the same rows, and the correction for several tests."""

import functools
from collections.abc import Mapping

import numpy as np
from scipy.special import bdtr

from stages.metrics.bootstrap import Ints
from stages.metrics.classification import count_scores

TIES = 1e-12  # sums in another order differ by less than this: such a difference counts as none


def mcnemar(labels: Ints, base: Ints, head: Ints) -> float:
    """Return the two-sided p-value of McNemar's exact test; each argument of shape (rows,).

    Source:
        McNemar, 1947; exact by the binomial distribution of the rows that only one of the two predicts right.
    """
    fixed = int(np.sum((base != labels) & (head == labels)))
    broken = int(np.sum((base == labels) & (head != labels)))
    return min(1.0, 2.0 * float(bdtr(min(fixed, broken), fixed + broken, 0.5)))


def randomisation_test(
    labels: Ints, base: Ints, head: Ints, *, sizes: Ints, num_labels: int, resamples: int, seed: int
) -> dict[str, float]:
    """Return each metric's two-sided p-value when the two predictions of a row are swapped at random.

    Args:
        labels: Label of each cell; shape (cells,).
        base: Base's predicted label of each cell; shape (cells,).
        head: Head's; shape (cells,).
        sizes: Rows in each cell; shape (cells,).
        num_labels: Number of classes.
        resamples: Number of random swaps (>= 1); the observed predictions are counted as one more.
        seed: The same seed draws the same swaps.

    Source:
        Noreen, "Computer-intensive methods for testing hypotheses", 1989. Yeh, "More accurate tests for the
        statistical significance of result differences", 2000.
    """
    score = functools.partial(count_scores, labels=np.tile(labels, 2), num_labels=num_labels)
    base_then_head, head_then_base = np.concatenate([base, head]), np.concatenate([head, base])
    swapped = np.random.default_rng(seed).binomial(sizes, 0.5, size=(resamples, len(sizes)))
    swapped = np.concatenate([np.zeros_like(sizes)[None, :], swapped])  # the first: as observed
    counts = np.concatenate([sizes - swapped, swapped], axis=1)  # (1 + resamples, 2 * cells)
    before, after = score(counts, preds=base_then_head), score(counts, preds=head_then_base)
    differences = {name: np.abs(after[name] - before[name]) for name in before}
    return {name: float(np.mean(values >= values[0] - TIES)) for name, values in differences.items()}


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Return the p-values corrected for their number.

    Source:
        Holm, "A simple sequentially rejective multiple test procedure", 1979.
    """
    corrected, running = {}, 0.0
    for rank, (name, p_value) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        running = max(running, min(1.0, (len(p_values) - rank) * p_value))
        corrected[name] = running
    return {name: corrected[name] for name in p_values}
