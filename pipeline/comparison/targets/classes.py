"""Compares predictions of one of several classes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.comparison.flips import FlipNames, FlippedRow, Flips, count_flips, largest, shown_texts
from pipeline.comparison.paired_rows import PairedRows
from pipeline.comparison.seed_predictions import SeedPredictions
from pipeline.comparison.statistics import metric_values as of_rows
from pipeline.comparison.targets.same_labels import require_same_labels
from stages.metrics import caveats
from stages.metrics.calibration import expected_calibration_error
from stages.metrics.classification import brier_scores, log_losses
from stages.predictions import Predictions
from stages.targets.target import Target

NAME = "one of several classes"
NAMES = FlipNames("fixed", "broken", "wrong in both", "class", "gain in the probability of their label")


def check(split: Predictions, target: Target) -> None:
    """Check that there is a finite probability for each class, and that labels are classes."""
    num_labels = len(target.labels)
    if split.probabilities.shape != (len(split), num_labels) or not np.isfinite(split.probabilities).all():
        raise ValueError(f"expected {num_labels} probabilities in each row")
    for labels in (split.labels, split.decided):
        if labels is not None and len(labels) and not 0 <= labels.min() <= labels.max() < num_labels:
            raise ValueError(f"expected labels from 0 to {num_labels - 1}")
        if labels is not None and not np.issubdtype(labels.dtype, np.integer):
            raise TypeError("a label is not the index of a class")


def align(base: SeedPredictions, targets: tuple[Target, Target], names: tuple[str, str]) -> SeedPredictions:
    """Return base's predictions with labels numbered as head has them.

    Raises:
        PipelineError: The label sets differ.
    """
    before, after = (target.labels for target in targets)
    require_same_labels(before, after, names)
    return base.reorder_labels(before, after)


def metric_values(rows: PairedRows) -> Iterator[of_rows.MetricValues]:
    """Yield every metric of labels and of probabilities."""
    return of_rows.metric_values(rows.labels, rows.base, rows.head, num_labels=len(rows.target.labels), ordered=False)


def is_biased(metric: str, rows: PairedRows) -> bool:
    """Whether classes have too few rows for an average over them."""
    return caveats.is_biased(metric, rows.labels)


def calibration(
    rows: PairedRows, champions: tuple[int, int], evaluations: tuple[Mapping[str, Any], Mapping[str, Any]]
) -> dict[str, tuple[float, float]]:
    """Return measures of the champions' probabilities, scaled as they ship."""
    labels, (base, head) = rows.labels, champions
    before, after = rows.base.calibrated(base), rows.head.calibrated(head)
    return {
        "observed calibration error": (
            expected_calibration_error(labels, before, preds=rows.base.preds_of(base)),
            expected_calibration_error(labels, after, preds=rows.head.preds_of(head)),
        ),
        "Brier score": (float(brier_scores(labels, before).mean()), float(brier_scores(labels, after).mean())),
        "log loss": (float(log_losses(labels, before).mean()), float(log_losses(labels, after).mean())),
    }


def find_flips(
    rows: PairedRows, champions: tuple[int, int], data: pa.Table | None, *, show_text: bool, most: int
) -> Flips:
    """Return which rows only one of the two models predicts right.

    The listed rows are those with the largest change in the probability of their label. A row can be fixed without a
    gain, because another label lost more; it is not listed.
    """
    labels, names = rows.labels, rows.target.labels
    base, head = rows.base.probabilities[champions[0]], rows.head.probabilities[champions[1]]
    base_preds, head_preds = rows.base.preds_of(champions[0]), rows.head.preds_of(champions[1])
    base_right, head_right = base_preds == labels, head_preds == labels
    fixed, broken = ~base_right & head_right, base_right & ~head_right
    every_row = np.arange(len(labels))
    gains = head[every_row, labels] - base[every_row, labels]

    def list_rows(order: Sequence[int]) -> list[FlippedRow]:
        texts = shown_texts(rows, data, order, show_text=show_text)
        return [
            FlippedRow(
                id=rows.ids[row].as_py(),
                label=names[labels[row]],
                base=names[base_preds[row]],
                head=names[head_preds[row]],
                gain=float(gains[row]),
                text=text,
            )
            for row, text in zip(order, texts, strict=True)
        ]

    by_class, slices = count_flips(rows, labels, data, fixed, broken)
    return Flips(
        fixed=int(fixed.sum()),
        broken=int(broken.sum()),
        wrong=int((~base_right & ~head_right).sum()),
        classes=by_class,
        slices=slices,
        fixed_rows=list_rows(largest(gains, fixed, most)),
        broken_rows=list_rows(largest(-gains, broken, most)),
        names=NAMES,
    )


def shown(labels: Sequence[str], target: Target) -> list[str]:
    """Return the labels."""
    return list(labels)
