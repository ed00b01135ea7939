"""Compares predictions of one of several classes in a row: as classes, and errors by their distance as well."""

from collections.abc import Iterator

from pipeline.comparison.paired_rows import PairedRows
from pipeline.comparison.statistics import metric_values as of_rows
from pipeline.comparison.targets.classes import NAME, align, calibration, check, find_flips, is_biased, shown

__all__ = ["NAME", "align", "calibration", "check", "find_flips", "is_biased", "metric_values", "shown"]


def metric_values(rows: PairedRows) -> Iterator[of_rows.MetricValues]:
    """Yield every metric of labels, also quadratic kappa and the mean absolute error, and of probabilities."""
    return of_rows.metric_values(rows.labels, rows.base, rows.head, num_labels=len(rows.target.labels), ordered=True)
