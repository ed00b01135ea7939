"""Compares the champions: calibration, the time and memory to make them, and their size."""

from pipeline.comparison.pairing import PairedRows
from pipeline.comparison.result import Cost
from pipeline.comparison.revision import FILES, Revision
from stages.metrics.calibration import expected_calibration_error
from stages.metrics.classification import brier_scores, log_losses


def compare_calibration(test: PairedRows, base: Revision, head: Revision) -> dict[str, tuple[float, float]]:
    """Return measures of the probabilities for the common rows of test, of base and of head; lower is better."""
    labels = test.labels
    before, after = test.base.probabilities[base.champion], test.head.probabilities[head.champion]
    return {
        "calibration error": (expected_calibration_error(labels, before), expected_calibration_error(labels, after)),
        "Brier score": (float(brier_scores(labels, before).mean()), float(brier_scores(labels, after).mean())),
        "log loss": (float(log_losses(labels, before).mean()), float(log_losses(labels, after).mean())),
    }


def read_costs(base: Revision, head: Revision) -> list[Cost]:
    """Return the time and the memory of each stage that one of the two sides has a record of."""
    costs = []
    for stage in dict.fromkeys([*head.lock, *base.lock]):
        before, after = (side.json(FILES.timing(stage)) or {} for side in (base, head))
        if before or after:
            seconds = before.get("seconds"), after.get("seconds")
            costs.append(Cost(stage, seconds, (before.get("peak_memory_mb"), after.get("peak_memory_mb"))))
    return costs


def model_size(side: Revision) -> int | None:
    """Return the size of the champion's folder in bytes."""
    return side.size(FILES.finetuned(side.champion).as_posix())
