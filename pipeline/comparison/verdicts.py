"""One verdict per headline metric: is the difference more than chance? The metrics are tested in a fixed order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.comparison.earlier_results import SeedSpread
from pipeline.comparison.metric_row import MetricRow, OverallVerdict, Verdict
from pipeline.comparison.paired_rows import PairedRows
from pipeline.comparison.revision import Revision
from pipeline.comparison.statistics.differences import Difference, compare_values
from pipeline.comparison.statistics.intervals import NORMAL, subtract_intervals
from pipeline.comparison.statistics.metric_values import Ints, MetricValues
from pipeline.comparison.statistics.power import POWER, min_detectable, needed
from pipeline.comparison.targets import COMPARED
from pipeline.repository.results import RunResults
from stages.metrics.names import CAN_LEAD, headline_metrics, lower_is_better, metric_name, value_range
from stages.metrics.summary import MetricSummary


@dataclass(frozen=True)
class ComparisonOptions:
    """How a comparison is made.

    Attributes:
        metric: The first headline metric.
        confidence: Of the bounds that the gate tests, and of head's intervals (0.5 to 1).
        base_confidence: Of base's intervals; None: the same.
        level: Of the verdicts: how small a p-value must be (0 to 1); the intervals' confidence is 1 - level.
        seeds: Number of seeds of base and of head.
        spread: Of the seeds of earlier results; None where it is unknown.
    """

    metric: str
    confidence: float
    level: float = 0.05
    seeds: tuple[int, int] = (2, 2)
    spread: SeedSpread | None = None
    base_confidence: float | None = None

    def seeds_known(self, name: str) -> bool:
        """Whether the chance of training runs is known of a metric, by its full name: without it, two models say
        nothing of two configurations."""
        return max(self.seeds) > 1 or (self.spread is not None and name in self.spread.variance)


def read_options(head: Revision, base: Revision) -> ComparisonOptions:
    """Read the options from `evaluate` as head's results were made with it, and what it lacks from base's."""
    before, after = (side.params_of_results.get("evaluate") or {} for side in (base, head))
    values = {**before, **after}
    confidence = float(values.get("confidence", 0.95))
    metric = str(values.get("metric", "macro_f1"))
    if metric == "auto":
        metric = RunResults.parse(head.report).metric or "macro_f1"
    return ComparisonOptions(
        metric=metric,
        confidence=confidence,
        level=1 - confidence,
        seeds=(len(base.seeds), len(head.seeds)),
        base_confidence=float(before.get("confidence", confidence)),
    )


def compare_paired(rows: PairedRows, split: str, options: ComparisonOptions) -> list[MetricRow]:
    """Compare every metric that predictions give on the same rows; the headline gets verdicts."""
    kind = COMPARED[rows.target.kind]
    compared = []
    for values in kind.metric_values(rows):
        name = metric_name(split, values.name)
        if rows.identical:
            base, head = (float(side.mean()) * values.unit for side in (values.base, values.head))
            compared.append(_identical_row(name, base, head))
        else:
            row = _paired_row(values, name, rows, options, tested=values.name in (options.metric, *CAN_LEAD))
            compared.append(replace(row, biased=kind.is_biased(values.name, rows)))
    return _judge(compared, split, options, identical=rows.identical)


def compare_intervals(
    base: Mapping[str, MetricSummary],
    head: Mapping[str, MetricSummary],
    split: str,
    options: ComparisonOptions,
    *,
    alike: bool = False,
) -> list[MetricRow]:
    """Compare two intervals per metric as if they were of different rows, which is less precise than paired rows.

    Args:
        base: Base's metrics by full name.
        head: Head's metrics by full name.
        split: val or test.
        options: Of the comparison.
        alike: Both sides predict the same for every row: then base's metrics, measured as head's were, are head's.
    """
    rows = (
        _identical_row(name, summary.mean, summary.mean) if alike else _unpaired_row(name, base[name], summary, options)
        for name, summary in head.items()
        if name.startswith(f"{split}.") and name in base
    )
    return _judge([row for row in rows if row], split, options, identical=alike)


def headline_names(rows: Sequence[MetricRow]) -> list[str]:
    """Return the full names of the metrics of test that have a verdict."""
    return [row.name for row in rows if row.verdict and row.name.startswith("test.")]


def overall_verdict(rows: Sequence[MetricRow]) -> OverallVerdict:
    """Return one verdict for all headline metrics of test."""
    verdicts = {row.verdict for row in rows if row.verdict and row.name.startswith("test.")}
    if not verdicts:
        return "unknown"
    if {"better", "worse"} <= verdicts:
        return "mixed"
    for verdict in ("worse", "better", "differ", "within noise"):
        if verdict in verdicts:
            return verdict
    return "identical"


def _difference(values: MetricValues, units: Ints | None, name: str, options: ComparisonOptions) -> Difference:
    difference = compare_values(values.base, values.head, (values.unseen, values.unseen_rows), units=units)
    earlier = options.spread
    if earlier is None or name not in earlier.variance:
        return difference
    spread = earlier.variance[name] / values.unit**2 * sum(1 / seeds for seeds in options.seeds)
    return replace(difference, seeds=difference.seeds.pool(spread, earlier.degrees))


def _identical_row(name: str, base: float, head: float) -> MetricRow:
    """A metric of two sides that predict the same."""
    return MetricRow(name, base, head, 0.0, 0.0, p_value=1.0, largest_drop=0.0)


def _paired_row(
    values: MetricValues, name: str, rows: PairedRows, options: ComparisonOptions, *, tested: bool
) -> MetricRow:
    difference = _difference(values, rows.units, name, options)
    low, high = difference.interval(1 - options.level)
    worst = _difference(values.for_bounds(), rows.units, name, options).interval(options.confidence)
    row = MetricRow(
        name,
        difference.base,
        difference.head,
        low,
        high,
        seeds_share=difference.seeds_share,
        largest_drop=worst[1] if lower_is_better(name) else -worst[0],
    )
    if tested:
        row = replace(
            row,
            p_value=difference.p_value(),
            min_detectable=min_detectable(difference, level=options.level),
            needs=needed(difference, rows=len(rows), seeds=options.seeds, level=options.level),
        )
    return _within_range(row.in_unit(values.unit))


def _unpaired_row(name: str, base: MetricSummary, head: MetricSummary, options: ComparisonOptions) -> MetricRow | None:
    missing = sum(seeds == 1 for seeds in options.seeds)  # sides whose interval is of rows alone
    variance = missing * options.spread.variance.get(name, 0.0) if options.spread else 0.0
    difference = subtract_intervals(
        base,
        head,
        confidence=options.confidence,
        base_confidence=options.base_confidence,
        more_variance=variance,
    )
    if difference is None:
        return None
    worst = difference.interval(options.confidence)
    detectable = difference.error * (NORMAL.inv_cdf(1 - options.level / 2) + NORMAL.inv_cdf(POWER))
    row = MetricRow(
        name,
        base.mean,
        head.mean,
        *difference.interval(1 - options.level),
        p_value=difference.p_value,
        min_detectable=detectable or None,
        paired=False,
        largest_drop=worst[1] if lower_is_better(name) else -worst[0],
    )
    return _within_range(row)


def _within_range(row: MetricRow) -> MetricRow:
    """The row without differences that the metric can't have: few seeds leave more possible than there is."""
    lowest, highest = value_range(row.name)
    largest = highest - lowest
    low, high, drop = (
        None if value is None else min(max(value, -largest), largest) for value in (row.low, row.high, row.largest_drop)
    )
    best_gain = row.base - lowest if lower_is_better(row.name) else highest - row.base
    detectable = row.min_detectable if row.min_detectable is None or row.min_detectable <= best_gain else None
    return replace(row, low=low, high=high, largest_drop=drop, min_detectable=detectable)


def _judge(rows: Sequence[MetricRow], split: str, options: ComparisonOptions, *, identical: bool) -> list[MetricRow]:
    """Test the headline metrics in their order: one is tested only where all before it differ, so each has the whole
    level.

    Source:
        Maurer, Hothorn, Lehmacher, "Multiple comparisons in drug clinical trials and preclinical assays", 1995.
    """
    by_name = {row.name: row for row in rows}
    measured = {name.removeprefix(f"{split}.") for name in by_name}
    headline = [metric_name(split, metric) for metric in headline_metrics(options.metric, measured)]
    judged, differs = [], True
    for name in headline:
        row = by_name.pop(name)
        verdict = "identical" if identical else _verdict(row, options.seeds_known(name)) if differs else "not tested"
        differs = differs and verdict in ("better", "worse", "differ")
        judged.append(replace(row, verdict=verdict))
    return [*judged, *(row.without_verdict() for row in by_name.values())]


def _verdict(row: MetricRow, seeds_known: bool) -> Verdict:
    """The verdict of the interval: what it leaves possible is the only thing that decides."""
    if row.low is None or row.high is None or row.low <= 0 <= row.high:
        return "within noise"
    if not seeds_known:
        return "differ"
    return "better" if row.gained else "worse"
