"""Differences of two models on the same rows: interval, p-value and smallest detectable difference.

Chance has two sources. *Rows*: another test set would have given other numbers. A paired bootstrap measures that and,
with one seed per side, an exact test. *Seeds*: another training run would have given other numbers. Several seeds per
side measure that; with one it is unknown.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from pipeline.comparison.statistics.paired_tests import TIES, mcnemar, randomisation_test
from stages.metrics.bootstrap import Bootstrap, Floats, Ints, count_cells, percentiles, score_resamples
from stages.metrics.classification import count_scores
from stages.metrics.resamples import two_sided_p_value

POWER = 0.8  # chance of detecting the smallest detectable difference
MOST_DEGREES = 1e9  # of freedom; more are as good as infinitely many, which scipy does not take


@dataclass(frozen=True)
class Difference:
    """A metric of base and of head, and the uncertainty of its difference.

    Attributes:
        base: Mean over base's seeds.
        head: Mean over head's seeds.
        low: Lower end of the interval of `head - base`.
        high: Its upper end.
        p_value: Two-sided, of the hypothesis that there is no difference.
        error: Standard error of the difference.
        degrees: Degrees of freedom of that error; infinite where it counts only rows.
        seeds_share: Share of the error's variance that comes from seeds (0 to 1); None with one seed per side.
    """

    base: float
    head: float
    low: float
    high: float
    p_value: float
    error: float
    degrees: float
    seeds_share: float | None

    @property
    def value(self) -> float:
        return self.head - self.base


def compare_preds(
    labels: Ints, base: Ints, head: Ints, *, num_labels: int, bootstrap: Bootstrap
) -> dict[str, Difference]:
    """Compare the metrics that need only labels and predicted labels, by a paired bootstrap.

    With one seed per side the p-value is that of the randomisation test, and for accuracy that of McNemar's test.

    Args:
        labels: Label of each row; shape (rows,).
        base: Labels predicted by each of base's seeds; shape (seeds, rows).
        head: Labels predicted by each of head's seeds, which may be more or fewer; shape (seeds, rows).
        num_labels: Number of classes.
        bootstrap: Of the intervals, stratified by label; the randomisation test takes its resamples and seed too.

    Returns:
        A difference for each metric of `count_scores`.
    """
    cells = count_cells(labels, *base, *head)
    cell_labels, cell_preds = cells.columns[0], cells.columns[1:]

    def score(counts: NDArray[np.number]) -> dict[str, Floats]:
        scores = [count_scores(counts, cell_labels, preds, num_labels=num_labels) for preds in cell_preds]
        return {name: np.stack([seed[name] for seed in scores], axis=-1) for name in scores[0]}  # (..., all seeds)

    values = score(cells.sizes[None, :])
    resamples, seed = bootstrap.resamples, bootstrap.seed
    samples = score_resamples(score, cells.sizes, cell_labels, resamples=resamples, seed=seed)
    exact = dict.fromkeys(values, 0.0)
    if len(base) == len(head) == 1:
        exact = randomisation_test(
            cell_labels, *cell_preds, sizes=cells.sizes, num_labels=num_labels, resamples=resamples, seed=seed
        )
        exact["accuracy"] = mcnemar(labels, base[0], head[0])
    split = len(base)  # base's seeds come first
    return {
        name: _resampled_difference(
            values[name][0, :split],
            values[name][0, split:],
            samples[name][:, :split],
            samples[name][:, split:],
            exact=exact[name],
            confidence=bootstrap.confidence,
        )
        for name in values
    }


def compare_means(labels: Ints, base: Floats, head: Floats, *, confidence: float) -> Difference:
    """Compare a metric that is a mean over rows, such as log loss: the closed form of a bootstrap of a mean.

    Args:
        labels: Stratum of each row; shape (rows,).
        base: The metric of each row for each of base's seeds; shape (seeds, rows).
        head: The same for head's seeds.
        confidence: Of the interval (0 to 1).
    """
    sides = [np.atleast_2d(base), np.atleast_2d(head)]
    row_means = [side.mean(0) for side in sides]
    rows, rows_degrees = _stratified_variance(row_means[1] - row_means[0], labels)
    interaction = [
        float(np.mean([_stratified_variance(row, labels)[0] for row in side])) - _stratified_variance(mean, labels)[0]
        for side, mean in zip(sides, row_means, strict=True)
    ]
    values = [side.mean(1) for side in sides]
    return _combine(values, rows, interaction, rows_degrees=rows_degrees, confidence=confidence)


def min_detectable(difference: Difference, *, confidence: float, tests: int = 1) -> float | None:
    """Return the smallest true difference that such a comparison would detect 8 times out of 10.

    Args:
        difference: Its standard error is taken as that of any comparison of this kind.
        confidence: Of the test (0 to 1).
        tests: Number of tests that are corrected for; the bound is that of the hardest of Holm's steps.

    Returns:
        In the metric's unit, above 0; None where the two models never differ, so that the error is unknown.

    Source:
        Bloom, "Minimum detectable effects", 1995.
    """
    if difference.error <= TIES:
        return None
    alpha, degrees = (1 - confidence) / tests, difference.degrees
    return difference.error * (_student_quantile(1 - alpha / 2, degrees) + _student_quantile(POWER, degrees))


def _resampled_difference(
    base: Floats, head: Floats, base_samples: Floats, head_samples: Floats, *, exact: float, confidence: float
) -> Difference:
    """One metric, from its values of shape (seeds,) and its resamples of shape (resamples, seeds)."""
    samples = head_samples.mean(1) - base_samples.mean(1)
    rows = float(samples.var())
    if len(base) == len(head) == 1:
        low, high = percentiles(samples, confidence=confidence)
        tail = min(int((samples <= TIES).sum()), int((samples >= -TIES).sum()))
        p_value = max(exact, two_sided_p_value(tail, len(samples)))  # so interval and verdict agree
        return Difference(float(base[0]), float(head[0]), low, high, p_value, rows**0.5, np.inf, None)
    interaction = [float(side.var(0).mean() - side.mean(1).var()) for side in (base_samples, head_samples)]
    return _combine([base, head], rows, interaction, rows_degrees=np.inf, confidence=confidence)


def _combine(
    values: Sequence[Floats],
    rows: float,
    interaction: Sequence[float],
    *,
    rows_degrees: float,
    confidence: float,
) -> Difference:
    """Combine the variance from rows with that from seeds.

    The spread of the seeds' values contains a part that the rows' variance contains as well, because each seed gets
    other rows right. That part, the interaction, is counted once.

    Args:
        values: The metric of each seed, of base and of head.
        rows: Variance of the difference over resampled rows, with `rows_degrees` of freedom.
        interaction: Of base and of head: mean variance of a seed over the rows, minus that of the seeds' mean.
        rows_degrees: Degrees of freedom of `rows`.
        confidence: Of the interval (0 to 1).

    Source:
        Owen, "The pigeonhole bootstrap", 2007 (crossed chance); Satterthwaite, 1946 (degrees of freedom).
    """
    base, head = float(values[0].mean()), float(values[1].mean())
    degrees = sum(len(side) - 1 for side in values)
    scale = sum(1 / len(side) for side in values)
    variance, share, freedom = rows, None, rows_degrees
    if degrees:
        spread = sum(float(((side - side.mean()) ** 2).sum()) for side in values) / degrees
        shared = sum(part * len(side) for part, side in zip(interaction, values, strict=True)) / degrees
        seeds = max(0.0, spread - max(0.0, shared)) * scale
        variance = rows + seeds
        share = seeds / variance if variance > 0 else 0.0
        parts = rows**2 / rows_degrees + (spread * scale) ** 2 / degrees
        freedom = max(float(degrees), variance**2 / parts) if parts > 0 else np.inf
    error = variance**0.5
    value = head - base
    reach = error * _student_quantile((1 + confidence) / 2, freedom)
    p_value = 2 * _student_tail(abs(value) / error, freedom) if error > TIES else float(abs(value) <= TIES)
    return Difference(base, head, value - reach, value + reach, p_value, error, freedom, share)


def _stratified_variance(values: Floats, strata: Ints) -> tuple[float, float]:
    """Variance of the mean when rows are drawn within each stratum, and its degrees of freedom."""
    sizes = np.bincount(strata)
    sums, squares = np.bincount(strata, values), np.bincount(strata, values**2)
    present = sizes > 0
    within = float((squares[present] - sums[present] ** 2 / sizes[present]).sum())
    degrees = len(values) - int(present.sum())
    return (max(0.0, within) / degrees / len(values), float(degrees)) if degrees > 0 else (0.0, np.inf)


def _student_quantile(probability: float, degrees: float) -> float:
    return float(stdtrit(min(degrees, MOST_DEGREES), probability))


def _student_tail(value: float, degrees: float) -> float:
    return float(stdtr(min(degrees, MOST_DEGREES), -value))
