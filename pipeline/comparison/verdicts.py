"""Is the difference of a metric more than chance? One verdict per headline metric, corrected for their number."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any, Literal

import numpy as np

from pipeline.comparison.paired_tests import Difference, compare_means, compare_preds, detectable, holm
from pipeline.comparison.pairing import Pairs
from pipeline.comparison.revision import Predictions, Revision
from stages.metrics.bootstrap import Floats, Ints
from stages.metrics.classification import LOWER_IS_BETTER, row_losses

Verdict = Literal["better", "worse", "within noise", "identical"]
ALWAYS = ("accuracy", "macro_f1", "mcc")  # the headline, with evaluate.metric before them


@dataclass(frozen=True)
class Options:
    """How a comparison is made: as head's `evaluate` section says.

    Attributes:
        metric: The headline metric.
        confidence: Of the intervals (0.5 to 1); the verdicts err with at most 1 - confidence.
        resamples: Of the bootstrap.
        seed: Of the bootstrap.
    """

    metric: str
    confidence: float
    resamples: int
    seed: int

    @property
    def headline(self) -> list[str]:
        return list(dict.fromkeys([self.metric, *ALWAYS]))


@dataclass(frozen=True)
class MetricRow:
    """One metric of both sides.

    Attributes:
        name: Such as `test.macro_f1`.
        low: Lower end of the interval of `head - base`; None where nothing is known of it.
        high: Its upper end.
        p_value: For "no difference", corrected for the number of headline metrics.
        verdict: None for a metric that is shown without one.
        smallest: The smallest difference that this test set would show 8 times out of 10.
        paired: Were the same rows compared, or two intervals?
        seeds_share: Share of the variance that comes from seeds (0 to 1); None with one seed a side.
    """

    name: str
    base: float
    head: float
    low: float | None
    high: float | None
    p_value: float | None = None
    verdict: Verdict | None = None
    smallest: float | None = None
    paired: bool = True
    seeds_share: float | None = None

    def without_verdict(self) -> "MetricRow":
        """The same numbers, outside the headline."""
        return replace(self, verdict=None, p_value=None, smallest=None)

    @property
    def difference(self) -> float:
        return self.head - self.base

    @property
    def worst(self) -> float | None:
        """The largest drop that the interval leaves possible; negative where every end of it is a gain."""
        end = self.high if self.lower_is_better else self.low
        return None if end is None else end if self.lower_is_better else -end

    @property
    def lower_is_better(self) -> bool:
        return self.name.partition(".")[2] in LOWER_IS_BETTER


def read_options(head: Revision, base: Revision) -> Options:
    """Take the options from head's params, else from base's, where an old revision lacks them."""
    values = {**(base.params.get("evaluate") or {}), **(head.params.get("evaluate") or {})}
    return Options(
        metric=str(values.get("metric", "macro_f1")),
        confidence=float(values.get("confidence", 0.95)),
        resamples=int(values.get("resamples", 2000)),
        seed=int(values.get("seed", 42)),
    )


def paired_rows(pairs: Pairs, split: str, options: Options) -> list[MetricRow]:
    """Compare every metric that predictions give, on the same rows; verdicts for the headline."""
    differences = compare_preds(
        pairs.labels,
        pairs.base.preds,
        pairs.head.preds,
        num_labels=len(pairs.names),
        resamples=options.resamples,
        confidence=options.confidence,
        seed=options.seed,
    )
    for name in row_losses(pairs.labels[:1], next(iter(pairs.head.probabilities.values()))[:1]):
        sides = [_losses(side, pairs.labels, name) for side in (pairs.base, pairs.head)]
        differences[name] = compare_means(pairs.labels, *sides, confidence=options.confidence)
    return _judge(differences, split, options, identical=pairs.identical)


def interval_rows(base: Mapping[str, Any], head: Mapping[str, Any], split: str, options: Options) -> list[MetricRow]:
    """Compare the intervals of two metrics.json, as if the rows had nothing in common: wider than a paired one.

    Args:
        base: The split's metrics: name -> {"mean", "low", "high"}.
        head: The same of head.
        split: val or test.
        options: Of the comparison.
    """
    both = [name for name in head if _is_metric(head[name]) and _is_metric(base.get(name))]
    differences = {name: _unpaired(base[name], head[name], options.confidence) for name in both}
    return _judge(differences, split, options, identical=False, paired=False)


def overall(rows: Sequence[MetricRow]) -> Literal["better", "worse", "mixed", "within noise", "identical", "unknown"]:
    """Return one verdict for all headline metrics of test."""
    verdicts = {row.verdict for row in rows if row.verdict and row.name.startswith("test.")}
    if not verdicts:
        return "unknown"
    if {"better", "worse"} <= verdicts:
        return "mixed"
    for verdict in ("worse", "better", "within noise"):
        if verdict in verdicts:
            return verdict
    return "identical"


def _judge(
    differences: Mapping[str, Difference], split: str, options: Options, *, identical: bool, paired: bool = True
) -> list[MetricRow]:
    headline = [name for name in options.headline if name in differences]
    corrected = holm({name: differences[name].p_value for name in headline})
    rows = []
    for name in [*headline, *(name for name in differences if name not in headline)]:
        found = differences[name]
        shown = detectable(found, confidence=options.confidence, tests=len(headline)) if name in headline else None
        verdict = _verdict(found, corrected[name], name, options, identical=identical) if name in headline else None
        rows.append(
            MetricRow(
                name=f"{split}.{name}",
                base=found.base,
                head=found.head,
                low=found.low,
                high=found.high,
                p_value=corrected.get(name),
                verdict=verdict,
                smallest=shown,
                paired=paired,
                seeds_share=found.seeds_share,
            )
        )
    return rows


def _verdict(found: Difference, p_value: float, name: str, options: Options, *, identical: bool) -> Verdict:
    if identical:
        return "identical"
    if p_value > 1 - options.confidence:
        return "within noise"
    return "better" if (found.value > 0) != (name in LOWER_IS_BETTER) else "worse"


def _losses(side: Predictions, labels: Ints, name: str) -> Floats:
    return np.stack([row_losses(labels, one)[name] for one in side.probabilities.values()])


def _unpaired(base: Mapping[str, float], head: Mapping[str, float], confidence: float) -> Difference:
    reach = NormalDist().inv_cdf((1 + confidence) / 2)
    errors = [(side["high"] - side["low"]) / 2 / reach for side in (base, head)]
    error = math.hypot(*errors)
    value = head["mean"] - base["mean"]
    p_value = 2 * NormalDist().cdf(-abs(value) / error) if error > 0 else float(value == 0)
    return Difference(
        base["mean"], head["mean"], value - reach * error, value + reach * error, p_value, error, np.inf, None
    )


def _is_metric(entry: Any) -> bool:
    return isinstance(entry, Mapping) and all(
        isinstance(entry.get(key), int | float) for key in ("mean", "low", "high")
    )
