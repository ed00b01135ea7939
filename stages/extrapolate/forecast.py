"""What more labels would bring: power laws through resampled learning curves, read beyond the rows that there are."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from stages.extrapolate.heads import Score
from stages.metrics.bootstrap import draw_counts
from stages.metrics.names import lower_is_better, value_range
from stages.metrics.power_law import PowerLaws, fit_power_laws
from stages.metrics.summary import exact

Floats = NDArray[np.float64]

RESAMPLES = 1_000
MORE = (0.25, 0.5, 1.0, 2.0)  # shares of train's rows
LAW_POINTS = 40  # of the line that is drawn
CELLS = 20_000_000  # weights of rows held at a time
Contradiction = Literal["worse", "beside"]


@dataclass(frozen=True)
class Gain:
    """How a metric would change with more rows of train.

    Args:
        rows: More than there are.
        change: The median of the resamples; above 0 where the metric rises.
        low: Lower end of its interval.
        high: Its upper end.
        known: Whether the interval leaves anything out that the metric could become.
    """

    rows: int
    change: float
    low: float
    high: float
    known: bool


@dataclass(frozen=True)
class Curve:
    """A learning curve, and its power law.

    Args:
        metric: Its name.
        sizes: Rows of train that a head was fitted on; shape (sizes,).
        values: The metric's mean over the draws; shape (sizes,).
        sds: Standard deviation over the draws; shape (sizes,). That of all rows is 0: they are the same in each draw.
        law: One law, through `values`.
        resampled: A law per resample.
        sign: 1 where a higher metric is better, else -1: the laws are of the metric times this.
        noise: A standard normal number per resample, for the chance in which rows are labelled.
        resampled_last: The metric times the sign with all rows, of each resample.
    """

    metric: str
    sizes: NDArray[np.int64]
    values: Floats
    sds: Floats
    law: PowerLaws
    resampled: PowerLaws
    sign: int
    noise: Floats
    resampled_last: Floats

    def contradiction(self, *, confidence: float) -> Contradiction | None:
        """Return how the points contradict the law by more than chance, which leaves a confidence (0 to 1); or None.

        Worse: nearly every resample falls with more rows, where a law can only rise. Beside: the point of all rows, on
        which a forecast builds, is not on the law.
        """
        if np.mean(self.resampled.scale == 0) >= confidence:
            return "worse"
        rows, tail = int(self.sizes[-1]), (1 - confidence) / 2
        residuals = self.resampled_last - self.resampled.at(rows) + self._sd(rows) * self.noise
        low, high = np.quantile(residuals, [tail, 1 - tail])
        return None if low <= 0 <= high else "beside"

    def gains(self, *, confidence: float) -> list[Gain]:
        """Return what more rows would bring, with intervals of a confidence (0 to 1)."""
        rows = int(self.sizes[-1])
        return [self.gain(more, confidence=confidence) for more in dict.fromkeys(round_number(m * rows) for m in MORE)]

    def gain(self, more: int, *, confidence: float) -> Gain:
        """Return what `more` rows (>= 1) would bring.

        The interval ends where the metric would be beyond its best or its worst value, from wherever it may be now: one
        that ended there from its measured value would miss more often, because few rows may flatter it.
        """
        rows, tail = int(self.sizes[-1]), (1 - confidence) / 2
        spread = self._sd(rows) * math.sqrt(more / (rows + more))  # the rows that there are stay among them
        now = self.sign * self.resampled.at(rows)
        changes = self.sign * self.resampled.at(rows + more) - now + spread * self.noise
        low, change, high = np.quantile(changes, [tail, 0.5, 1 - tail])
        lowest, highest = value_range(self.metric)
        now_low, now_high = np.quantile(np.clip(now, lowest, highest), [tail, 1 - tail])
        low, high = max(low, lowest - now_high), min(high, highest - now_low)
        return Gain(more, float(np.clip(change, low, high)), float(low), float(high), known=not self._is_all(low, high))

    def _is_all(self, low: float, high: float) -> bool:
        """Whether an interval goes from the metric's worst value, or from no better if there is none, to its best."""
        value = self.values[-1]
        room_below, room_above = ((end - value if math.isfinite(end) else 0.0) for end in value_range(self.metric))
        return bool(low <= room_below and high >= room_above)

    def _sd(self, rows: int) -> float:
        """Return how far the metric of one set of rows is from the mean over all sets of as many rows.

        Its square falls as 1 / rows. It is read from draws of a quarter to half of train; that they are drawn from the
        same rows makes them more alike, by the share of the rows that they leave.
        """
        shares = self.sizes / self.sizes[-1]
        read = (shares >= 0.25) & (shares <= 0.5)
        return math.sqrt(float((self.sds**2 * self.sizes)[read] @ (1 / (1 - shares[read])) / read.sum()) / rows)

    def at(self, rows: int) -> float:
        """Return the metric with this many rows by the law."""
        return float(self.sign * self.law.at(rows)[0])


def fit_curve(
    score: Score,
    labels: NDArray[Any],
    answers: NDArray[Any],
    *,
    metric: str,
    sizes: NDArray[np.int64],
    groups: NDArray[np.int64] | None,
    seed: int,
) -> Curve:
    """Fit power laws to a learning curve and to resamples of it: of the rows that it is measured on, and of the draws.

    Args:
        score: Of the kind of target.
        labels: Of the rows that were answered; shape (rows, ...).
        answers: From `draw_answers`; shape (draws, sizes, rows, ...).
        metric: Name of the metric.
        sizes: From `curve_sizes`; shape (sizes,).
        groups: Equal for rows that are resampled together; shape (rows,). None: each is its own.
        seed: Of the resamples.
    """
    rows, draws = len(labels), len(answers)
    units = np.arange(rows) if groups is None else np.unique(groups, return_inverse=True)[1]
    random = np.random.default_rng(seed)
    unit_counts = draw_counts(np.ones(int(units.max()) + 1, np.int64), resamples=RESAMPLES, generator=random)
    values = _scores(score, np.ones((1, rows)), labels, answers, metric)[0]  # (draws, sizes)
    step = max(1, CELLS // rows)
    parts = (unit_counts[start : start + step][:, units].astype(np.float64) for start in range(0, RESAMPLES, step))
    resampled = np.concatenate([_scores(score, weights, labels, answers, metric) for weights in parts])
    sign = -1 if lower_is_better(metric) else 1
    best = max(sign * end for end in value_range(metric))
    shares = random.multinomial(draws, np.full(draws, 1 / draws), size=RESAMPLES) / draws  # (resamples, draws)
    curves = np.einsum("rd,rds->rs", shares, resampled)
    means = values.mean(axis=0)
    return Curve(
        metric=metric,
        sizes=sizes,
        values=means,
        sds=values.std(axis=0, ddof=1),
        law=fit_power_laws(sizes, sign * means[None], best=best),
        resampled=fit_power_laws(sizes, sign * curves, best=best),
        sign=sign,
        noise=random.normal(size=RESAMPLES),
        resampled_last=sign * curves[:, -1],
    )


def _scores(
    score: Score, weights: Floats, labels: NDArray[Any], answers: NDArray[Any], metric: str
) -> NDArray[np.float64]:
    """Return the metric of each draw and size for weighted rows; shape (resamples, draws, sizes)."""
    draws, sizes = answers.shape[:2]
    scores = np.empty((len(weights), draws, sizes))
    scores[..., -1] = score(weights, labels, answers[0, -1])[metric][:, None]  # all of train: the same in each draw
    for draw in range(draws):
        for size in range(sizes - 1):
            scores[:, draw, size] = score(weights, labels, answers[draw, size])[metric]
    return scores


def forecast_json(curve: Curve, *, measured: int, confidence: float) -> dict[str, Any]:
    """Return the content of forecast.json.

    Args:
        curve: From `fit_curve`.
        measured: Rows that it was measured on.
        confidence: Of the intervals (0 to 1).

    Returns:
        `{"metric", "rows" (of train), "measured_rows", "value" (with all rows of train), "confidence", "points":
        [{"rows", "value", "sd"}], "contradiction" (of the law by the points; or None), "law": [{"rows", "value"}],
        "gains": [{"rows", "change", "low", "high", "known"}]}`. The law goes as far as the gains.
    """
    gains, rows = curve.gains(confidence=confidence), int(curve.sizes[-1])
    shown = np.unique(np.geomspace(curve.sizes[0], rows + gains[-1].rows, LAW_POINTS).round().astype(np.int64))
    points = zip(curve.sizes.tolist(), curve.values.tolist(), curve.sds.tolist(), strict=True)
    return {
        "metric": curve.metric,
        "rows": rows,
        "measured_rows": measured,
        "value": exact(curve.values[-1]),
        "confidence": confidence,
        "points": [{"rows": size, "value": exact(value), "sd": exact(sd)} for size, value, sd in points],
        "contradiction": curve.contradiction(confidence=confidence),
        "law": [{"rows": size, "value": exact(curve.at(size))} for size in shown.tolist()],
        "gains": [
            {
                "rows": gain.rows,
                "change": exact(gain.change),
                "low": exact(gain.low),
                "high": exact(gain.high),
                "known": gain.known,
            }
            for gain in gains
        ],
    }


def round_number(value: float) -> int:
    """Return the number of the form 1, 2 or 5 times a power of ten that is closest by ratio to `value`; 1 or more."""
    value = max(value, 1.0)
    power = 10.0 ** math.floor(math.log10(value))
    return int(min((power * step for step in (1, 2, 5, 10)), key=lambda number: abs(math.log(number / value))))
