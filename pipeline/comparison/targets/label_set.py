"""Compares predicted sets of labels."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.comparison.flips import FlipNames, FlippedRow, Flips, count_flips, largest, shown_texts
from pipeline.comparison.paired_rows import PairedRows
from pipeline.comparison.seed_predictions import SeedPredictions
from pipeline.comparison.statistics.metric_values import MetricValues
from pipeline.comparison.statistics.set_values import SetSide, set_metric_values
from pipeline.comparison.targets.same_labels import require_same_labels
from stages.metrics.label_sets import set_losses
from stages.metrics.set_rule import SetRule
from stages.predictions import Predictions
from stages.reading.label_sets import parse_set
from stages.row_labels import describe_labels
from stages.targets.target import Target

NAME = "a set of labels"
NAMES = FlipNames("better", "worse", "as wrong as before", "label", "labels put right")


def check(split: Predictions, target: Target) -> None:
    """Check that there is a finite probability for each label, and that labels and predictions say which."""
    shape = (len(split), len(target.labels))
    if split.probabilities.shape != shape or not np.isfinite(split.probabilities).all():
        raise ValueError(f"expected {len(target.labels)} probabilities in each row")
    if split.decided is None:
        raise ValueError("expected predicted labels")
    for flags in (split.labels, split.decided):
        if len(flags) and (flags.shape != shape or flags.dtype != np.bool_):
            raise ValueError(f"expected {len(target.labels)} flags in each row")


def align(base: SeedPredictions, targets: tuple[Target, Target], names: tuple[str, str]) -> SeedPredictions:
    """Return base's predictions with labels in head's order.

    Raises:
        PipelineError: The labels differ.
    """
    before, after = (target.labels for target in targets)
    require_same_labels(before, after, names)
    if before == after:
        return base
    columns = np.array([before.index(label) for label in after])
    return replace(
        base,
        labels=base.labels[:, columns],
        probabilities={seed: probabilities[:, columns] for seed, probabilities in base.probabilities.items()},
        decided={seed: preds[:, columns] for seed, preds in base.decided.items()},
    )


def metric_values(rows: PairedRows) -> Iterator[MetricValues]:
    """Yield every metric of sets and of probabilities."""
    return set_metric_values(rows.labels, *(_side(side) for side in (rows.base, rows.head)))


def is_biased(metric: str, rows: PairedRows) -> bool:
    """No metric of sets is averaged over so few rows: the average precision of a label needs its rows alone."""
    return False


def calibration(
    rows: PairedRows, champions: tuple[int, int], evaluations: tuple[Mapping[str, Any], Mapping[str, Any]]
) -> dict[str, tuple[float, float]]:
    """Return measures of the champions' probabilities, scaled as they ship."""
    sides = zip((rows.base, rows.head), champions, strict=True)
    before, after = (set_losses(rows.labels, _calibrated(side, seed)) for side, seed in sides)
    names = {"brier": "Brier score", "log_loss": "log loss"}
    return {shown: (float(before[name].mean()), float(after[name].mean())) for name, shown in names.items()}


def find_flips(
    rows: PairedRows, champions: tuple[int, int], data: pa.Table | None, *, show_text: bool, most: int
) -> Flips:
    """Return which rows have fewer wrong labels than before, and which have more."""
    names = rows.target.labels
    base, head = rows.base.preds_of(champions[0]), rows.head.preds_of(champions[1])
    before, after = ((preds != rows.labels).sum(axis=1) for preds in (base, head))
    gains = (before - after).astype(np.float64)
    better, worse = gains > 0, gains < 0

    def list_rows(order: Sequence[int]) -> list[FlippedRow]:
        texts = shown_texts(rows, data, order, show_text=show_text)
        return [
            FlippedRow(
                id=rows.ids[row].as_py(),
                label=describe_labels(rows.labels[row], names),
                base=describe_labels(base[row], names),
                head=describe_labels(head[row], names),
                gain=float(gains[row]),
                text=text,
            )
            for row, text in zip(order, texts, strict=True)
        ]

    by_label, slices = count_flips(rows, rows.labels, data, better, worse)
    return Flips(
        fixed=int(better.sum()),
        broken=int(worse.sum()),
        wrong=int(((gains == 0) & (after > 0)).sum()),
        classes=by_label,
        slices=slices,
        fixed_rows=list_rows(largest(gains, better, most)),
        broken_rows=list_rows(largest(-gains, worse, most)),
        names=NAMES,
    )


def shown(labels: Sequence[str], target: Target) -> list[str]:
    """Return each set as people read it."""
    return [", ".join(parse_set(label) or []) or "none" for label in labels]


def _side(side: SeedPredictions) -> SetSide:
    scaled = {seed: _calibrated(side, seed) for seed in side.probabilities if seed in side.temperatures}
    return SetSide(
        np.asarray(side.preds, dtype=np.bool_),
        list(side.probabilities.values()),
        list(scaled.values()) if len(scaled) == len(side.probabilities) else None,
    )


def _calibrated(side: SeedPredictions, seed: int) -> NDArray[np.float32]:
    """Probabilities of one seed's model as it ships; shape (rows, num_labels)."""
    return SetRule(side.temperatures.get(seed, 1.0), ()).calibrate(side.probabilities[seed])
