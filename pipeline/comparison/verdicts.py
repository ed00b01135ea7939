"""One verdict per headline metric: is the difference more than chance? Corrected for the number of these metrics."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from pipeline.comparison.pairing import PairedRows
from pipeline.comparison.revision import Revision
from pipeline.comparison.seed_predictions import SeedPredictions
from pipeline.comparison.statistics.differences import Difference, compare_means, compare_preds, min_detectable
from pipeline.comparison.statistics.paired_tests import holm
from stages.metrics.bootstrap import NORMAL, Bootstrap, Floats, Ints
from stages.metrics.classification import log_losses
from stages.metrics.names import headline_metrics, lower_is_better, metric_name
from stages.metrics.summary import MetricSummary

Verdict = Literal["better", "worse", "within noise", "identical"]
OverallVerdict = Literal["better", "worse", "mixed", "within noise", "identical", "unknown"]


@dataclass(frozen=True)
class ComparisonOptions:
    """How a comparison is made.

    Attributes:
        metric: The first headline metric.
        bootstrap: Of the intervals; at most 1 - confidence of the verdicts are false alarms.
    """

    metric: str
    bootstrap: Bootstrap


@dataclass(frozen=True)
class MetricRow:
    """A metric of both sides.

    Attributes:
        name: Such as `test.macro_f1`.
        base: The metric of base.
        head: The metric of head.
        low: Lower end of the interval of `head - base`; None where it is unknown.
        high: Its upper end.
        p_value: Of the hypothesis that there is no difference, corrected for the number of headline metrics.
        verdict: None for a metric outside the headline.
        min_detectable: The smallest difference that this test set would detect 8 times out of 10.
        paired: Whether the same rows were compared, or only two intervals.
        seeds_share: Share of the variance that comes from seeds (0 to 1); None with one seed per side.
    """

    name: str
    base: float
    head: float
    low: float | None
    high: float | None
    p_value: float | None = None
    verdict: Verdict | None = None
    min_detectable: float | None = None
    paired: bool = True
    seeds_share: float | None = None

    def without_verdict(self) -> "MetricRow":
        """Return the same numbers as a metric outside the headline."""
        return replace(self, verdict=None, p_value=None, min_detectable=None)

    @property
    def difference(self) -> float:
        return self.head - self.base

    @property
    def largest_drop(self) -> float | None:
        """The largest loss of quality inside the interval; negative where the whole interval is a gain."""
        if lower_is_better(self.name):
            return self.high
        return None if self.low is None else -self.low


def read_options(head: Revision, base: Revision) -> ComparisonOptions:
    """Read the options from `evaluate` in head's params.yaml, and what it lacks from base's."""
    values = {**(base.params.get("evaluate") or {}), **(head.params.get("evaluate") or {})}
    return ComparisonOptions(
        metric=str(values.get("metric", "macro_f1")),
        bootstrap=Bootstrap(
            resamples=int(values.get("resamples", 2000)),
            confidence=float(values.get("confidence", 0.95)),
            seed=int(values.get("seed", 42)),
        ),
    )


def compare_paired(rows: PairedRows, split: str, options: ComparisonOptions) -> list[MetricRow]:
    """Compare every metric that predictions give on the same rows; the headline gets verdicts."""
    differences = compare_preds(
        rows.labels,
        rows.base.preds,
        rows.head.preds,
        num_labels=len(rows.label_names),
        bootstrap=options.bootstrap,
    )
    losses = [_seed_losses(side, rows.labels) for side in (rows.base, rows.head)]
    differences["log_loss"] = compare_means(rows.labels, *losses, confidence=options.bootstrap.confidence)
    return _judge(differences, split, options, identical=rows.identical)


def compare_intervals(
    base: Mapping[str, MetricSummary], head: Mapping[str, MetricSummary], split: str, options: ComparisonOptions
) -> list[MetricRow]:
    """Compare two intervals per metric as if they were of different rows, which is less precise than paired rows.

    Args:
        base: Base's metrics by full name.
        head: Head's metrics by full name.
        split: val or test.
        options: Of the comparison.
    """
    differences = {}
    for name, summary in head.items():
        if name.startswith(f"{split}.") and name in base:
            difference = _unpaired_difference(base[name], summary, options.bootstrap.confidence)
            if difference:
                differences[name.partition(".")[2]] = difference
    return _judge(differences, split, options, identical=False, paired=False)


def overall_verdict(rows: Sequence[MetricRow]) -> OverallVerdict:
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
    differences: Mapping[str, Difference],
    split: str,
    options: ComparisonOptions,
    *,
    identical: bool,
    paired: bool = True,
) -> list[MetricRow]:
    headline = [name for name in headline_metrics(options.metric) if name in differences]
    corrected = holm({name: differences[name].p_value for name in headline})
    confidence = options.bootstrap.confidence
    rows = []
    for name in dict.fromkeys([*headline, *differences]):
        difference = differences[name]
        row = MetricRow(
            name=metric_name(split, name),
            base=difference.base,
            head=difference.head,
            low=difference.low,
            high=difference.high,
            paired=paired,
            seeds_share=difference.seeds_share,
        )
        if name in headline:
            row = replace(
                row,
                p_value=corrected[name],
                verdict=_verdict(row, corrected[name], identical=identical, confidence=confidence),
                min_detectable=min_detectable(difference, confidence=confidence, tests=len(headline)),
            )
        rows.append(row)
    return rows


def _verdict(row: MetricRow, p_value: float, *, identical: bool, confidence: float) -> Verdict:
    if identical:
        return "identical"
    if p_value > 1 - confidence:
        return "within noise"
    return "better" if (row.difference > 0) != lower_is_better(row.name) else "worse"


def _seed_losses(side: SeedPredictions, labels: Ints) -> Floats:
    return np.stack([log_losses(labels, probabilities) for probabilities in side.probabilities.values()])


def _unpaired_difference(base: MetricSummary, head: MetricSummary, confidence: float) -> Difference | None:
    """The difference of two independent metrics from their intervals; None where one has no interval."""
    if base.low is None or base.high is None or head.low is None or head.high is None:
        return None
    reach = NORMAL.inv_cdf((1 + confidence) / 2)
    error = math.hypot((base.high - base.low) / 2 / reach, (head.high - head.low) / 2 / reach)
    value = head.mean - base.mean
    return Difference(
        base=base.mean,
        head=head.mean,
        low=value - reach * error,
        high=value + reach * error,
        p_value=2 * NORMAL.cdf(-abs(value) / error) if error > 0 else float(value == 0),
        error=error,
        degrees=np.inf,
        seeds_share=None,
    )
