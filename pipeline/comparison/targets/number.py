"""Compares predicted numbers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.comparison.flips import FlipNames, FlippedRow, Flips, count_flips, largest, shown_texts
from pipeline.comparison.paired_rows import PairedRows
from pipeline.comparison.seed_predictions import SeedPredictions
from pipeline.comparison.statistics.metric_values import MetricValues
from pipeline.comparison.statistics.number_values import number_metric_values
from stages.metrics.summary import read_number
from stages.predictions import Predictions
from stages.targets.rows import number
from stages.targets.target import Target

NAME = "a number"
NAMES = FlipNames("closer", "farther", "as far as before", "range", "gain")
DIGITS = 5  # of a number in the list of rows


def check(split: Predictions, target: Target) -> None:
    """Check that labels and predictions are finite numbers, one for each row."""
    if split.probabilities.shape != (len(split), 1) or not np.isfinite(split.probabilities).all():
        raise ValueError("expected one finite output in each row")
    for numbers in (split.labels, split.preds):
        if len(numbers) and not (np.issubdtype(numbers.dtype, np.floating) and np.isfinite(numbers).all()):
            raise ValueError("expected finite numbers")


def align(base: SeedPredictions, targets: tuple[Target, Target], names: tuple[str, str]) -> SeedPredictions:
    """Return base's predictions: the ranges, which depend on the rows, are no part of the task."""
    return base


def metric_values(rows: PairedRows, *, ordered: str) -> Iterator[MetricValues]:
    """Yield every metric of numbers."""
    sides = (side.preds.astype(np.float64) for side in (rows.base, rows.head))
    return number_metric_values(rows.labels.astype(np.float64), *sides)


def is_biased(metric: str, rows: PairedRows) -> bool:
    """No metric of numbers is too high for want of rows."""
    return False


def calibration(
    rows: PairedRows, champions: tuple[int, int], evaluations: tuple[Mapping[str, Any], Mapping[str, Any]]
) -> dict[str, tuple[float, float]]:
    """Return how wide the intervals of single predictions are; nothing where they have different confidences."""
    fitted = [evaluation.get("calibration") or {} for evaluation in evaluations]
    before, after = (read_number(values, "half_width") for values in fitted)
    confidences = {read_number(values, "confidence") for values in fitted}
    if before is None or after is None or len(confidences) > 1:
        return {}
    return {"half width of the intervals of single predictions": (before, after)}


def find_flips(
    rows: PairedRows, champions: tuple[int, int], data: pa.Table | None, *, show_text: bool, most: int
) -> Flips:
    """Return which rows are predicted closer to their number than before, and which farther from it."""
    labels = rows.labels
    base, head = rows.base.preds_of(champions[0]), rows.head.preds_of(champions[1])
    gains = np.abs(base - labels) - np.abs(head - labels)
    closer, farther = gains > 0, gains < 0

    def list_rows(order: Sequence[int]) -> list[FlippedRow]:
        texts = shown_texts(rows, data, order, show_text=show_text)
        return [
            FlippedRow(
                id=rows.ids[row].as_py(),
                label=_digits(labels[row]),
                base=_digits(base[row]),
                head=_digits(head[row]),
                gain=float(gains[row]),
                text=text,
            )
            for row, text in zip(order, texts, strict=True)
        ]

    ranges = number.index(pa.array(labels, pa.float64()), rows.target)
    by_range, slices = count_flips(rows, ranges, data, closer, farther)
    return Flips(
        fixed=int(closer.sum()),
        broken=int(farther.sum()),
        wrong=int((gains == 0).sum()),
        classes=by_range,
        slices=slices,
        fixed_rows=list_rows(largest(gains, closer, most)),
        broken_rows=list_rows(largest(-gains, farther, most)),
        names=NAMES,
    )


def shown(labels: Sequence[str], target: Target) -> list[str]:
    """Return the range that each number is in."""
    column = pa.array(labels, pa.string())
    return [target.labels[index] for index in number.index(column, target).tolist()]


def _digits(number: float) -> str:
    return f"{number:.{DIGITS}g}"
