"""Two models on the same rows: is the difference more than chance? (numpy and scipy's distributions)

Chance has two sources. *Rows*: another test set would have given other numbers; a paired bootstrap and, with one seed
a side, an exact test measure that. *Seeds*: another training run would have given other numbers; several seeds a side
measure that, and with one it can't be known.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, stdtr, stdtrit

from stages.metrics.bootstrap import Floats, Ints, bootstrap, group, percentiles
from stages.metrics.classification import count_scores

TIES = 1e-12  # sums in another order: differences below this are none
POWER = 0.8  # share of the times in which the smallest detectable difference is detected


@dataclass(frozen=True)
class Difference:
    """A metric of base and head, and what their difference is worth.

    Attributes:
        base: Mean over base's seeds.
        head: Mean over head's seeds.
        low: Lower end of the interval of `head - base`.
        high: Its upper end.
        p_value: Two-sided, for "no difference".
        error: Standard error of the difference.
        degrees: Degrees of freedom of that error; infinite where only rows are counted.
        seeds_share: Share of the error's variance that comes from seeds (0 to 1); None with one seed a side.
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
    labels: Ints, base: Ints, head: Ints, *, num_labels: int, resamples: int, confidence: float, seed: int
) -> dict[str, Difference]:
    """Compare the metrics that need only labels and predicted labels, by a bootstrap that keeps each row's pair.

    Args:
        labels: Given labels; shape (rows,).
        base: Predicted labels of each seed; shape (seeds, rows).
        head: The same for the other model; it may have another number of seeds.
        num_labels: Classes of the task.
        resamples: Of the bootstrap, stratified by given label, and of the randomisation test.
        confidence: Of the intervals (0 to 1).
        seed: Of both.

    Returns:
        A difference for each metric of `count_scores`.

    Source:
        With one seed a side the p-value is that of the randomisation test in which each row's two predictions are
        swapped at random (Noreen, 1989; Yeh, 2000); for accuracy that is McNemar's exact test.
    """
    cells = group(labels, *base, *head)
    given, preds = cells.columns[0], cells.columns[1:]

    def score(counts: NDArray[np.number]) -> dict[str, Floats]:
        scores = [count_scores(counts, given, column, num_labels=num_labels) for column in preds]
        return {name: np.stack([one[name] for one in scores], axis=-1) for name in scores[0]}  # (..., seeds of both)

    values = score(cells.sizes[None, :])
    samples = bootstrap(score, cells.sizes, given, resamples=resamples, seed=seed)
    split = len(base)
    if len(base) == len(head) == 1:
        options = {"num_labels": num_labels, "resamples": resamples, "seed": seed}
        exact = _randomisation(given, preds[0], preds[1], cells.sizes, **options)
        exact["accuracy"] = mcnemar(labels, base[0], head[0])
    else:
        exact = dict.fromkeys(values, 0.0)
    return {
        name: _difference(
            values[name][0, :split],
            values[name][0, split:],
            samples[name][:, :split],
            samples[name][:, split:],
            exact=exact[name],
            confidence=confidence,
        )
        for name in values
    }


def compare_means(labels: Ints, base: Floats, head: Floats, *, confidence: float) -> Difference:
    """Compare a metric that is a mean over rows, such as log loss; what a bootstrap of a mean finds, in closed form.

    Args:
        labels: Stratum of each row; shape (rows,).
        base: The metric of each row for each seed; shape (seeds, rows).
        head: The same for the other model.
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


def mcnemar(labels: Ints, base: Ints, head: Ints) -> float:
    """Return the two-sided p-value of McNemar's exact test; each argument of shape (rows,).

    Source:
        McNemar, 1947; exact by the binomial distribution of the rows that only one of the two has right.
    """
    fixed = int(np.sum((base != labels) & (head == labels)))
    broken = int(np.sum((base == labels) & (head != labels)))
    return min(1.0, 2.0 * float(bdtr(min(fixed, broken), fixed + broken, 0.5))) if fixed + broken else 1.0


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Return p-values corrected for how many there are, by Holm, 1979."""
    corrected, running = {}, 0.0
    for rank, (name, p_value) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        running = max(running, min(1.0, (len(p_values) - rank) * p_value))
        corrected[name] = running
    return {name: corrected[name] for name in p_values}


def detectable(difference: Difference, *, confidence: float, tests: int = 1) -> float | None:
    """Return the smallest true difference that a comparison like this one would show 8 times out of 10.

    Args:
        difference: What was found; its standard error is taken for that of another comparison of the kind.
        confidence: Of the test (0 to 1).
        tests: How many are corrected for; the first of Holm's steps, the hardest, is meant.

    Returns:
        In the metric's unit, above 0; None where the two models never differ, so that nothing is known.

    Source:
        Bloom, "Minimum detectable effects", 1995.
    """
    if difference.error <= TIES:
        return None
    alpha = (1 - confidence) / tests
    return difference.error * float(_quantile(1 - alpha / 2, difference.degrees) + _quantile(POWER, difference.degrees))


def _difference(
    base: Floats, head: Floats, base_samples: Floats, head_samples: Floats, *, exact: float, confidence: float
) -> Difference:
    """One metric, from its values of shape (seeds,) and its resamples of shape (resamples, seeds)."""
    samples = head_samples.mean(1) - base_samples.mean(1)
    rows = float(samples.var())
    if len(base) == len(head) == 1:
        low, high = percentiles(samples, confidence=confidence)
        tail = min(int((samples <= TIES).sum()), int((samples >= -TIES).sum()))
        p_value = max(exact, min(1.0, 2 * (tail + 1) / (len(samples) + 1)))  # the interval and the verdict agree
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
    """Put the chance of rows and of seeds together.

    The spread of the seeds' values holds a part that the rows' variance holds as well (which rows a seed happens to
    get right); that part, the interaction, is counted once.

    Args:
        values: The metric of each seed, of base and of head.
        rows: Variance of the difference over resampled rows, with `rows_degrees` of freedom.
        interaction: Of base and of head: mean variance of a seed over the rows, less the variance of the seeds' mean.
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
    reach = error * float(_quantile((1 + confidence) / 2, freedom))
    p_value = 2 * float(_tail(abs(value) / error, freedom)) if error > TIES else float(abs(value) <= TIES)
    return Difference(base, head, value - reach, value + reach, p_value, error, freedom, share)


def _randomisation(
    labels: Ints, base: Ints, head: Ints, sizes: Ints, *, num_labels: int, resamples: int, seed: int
) -> dict[str, float]:
    """P-values from swapping the predictions of rows at random; a cell holds `sizes` rows that agree in all three."""
    score = functools.partial(count_scores, labels=np.tile(labels, 2), num_labels=num_labels)
    one, other = np.concatenate([base, head]), np.concatenate([head, base])
    swapped = np.random.default_rng(seed).binomial(sizes, 0.5, size=(resamples, len(sizes)))
    swapped = np.concatenate([np.zeros_like(sizes)[None, :], swapped])  # the first: as it was
    counts = np.concatenate([sizes - swapped, swapped], axis=1)  # (1 + resamples, 2 cells)
    before, after = score(counts, preds=one), score(counts, preds=other)
    differences = {name: np.abs(after[name] - before[name]) for name in before}
    return {name: float(np.mean(values >= values[0] - TIES)) for name, values in differences.items()}


def _stratified_variance(values: Floats, strata: Ints) -> tuple[float, float]:
    """Variance of the mean when rows are drawn within each stratum, and its degrees of freedom."""
    sizes = np.bincount(strata)
    sums, squares = np.bincount(strata, values), np.bincount(strata, values**2)
    present = sizes > 0
    within = float((squares[present] - sums[present] ** 2 / sizes[present]).sum())
    degrees = len(values) - int(present.sum())
    return (max(0.0, within) / degrees / len(values), float(degrees)) if degrees > 0 else (0.0, np.inf)


def _quantile(probability: float, degrees: float) -> float:
    return float(stdtrit(min(degrees, 1e9), probability))


def _tail(value: float, degrees: float) -> float:
    return float(stdtr(min(degrees, 1e9), -value))
