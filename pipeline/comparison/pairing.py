"""Pairs the rows of two revisions by id, so that both are measured on the same rows."""

from pipeline.comparison.paired_rows import PairedRows, pair_by_id
from pipeline.comparison.revision import Revision
from pipeline.comparison.revision_files import FILES
from pipeline.comparison.targets import COMPARED
from stages.errors import PipelineError


def predict_alike(base: Revision, head: Revision) -> bool:
    """Whether the two dvc.lock files record the same labels and predictions, seed by seed: that takes no data."""
    before, after = (
        [side.recorded(path.as_posix()) for path in (FILES.labels, *map(FILES.predictions, side.seeds))]
        for side in (base, head)
    )
    return None not in before and before == after


def pair_split(base: Revision, head: Revision, split: str) -> PairedRows | None:
    """Pair the rows of a split by id; None where the two sides have no row in common.

    Raises:
        PipelineError: The kinds of labels or the label sets differ, so the two solve different tasks.
        UnavailableError: Predictions or label names are not available as dvc.lock records them.
    """
    before, after = base.target, head.target
    names = [COMPARED[side.target.kind].NAME for side in (base, head)]
    if names[0] != names[1]:
        kinds = (f"the label of {side.name} is {name}" for side, name in zip((base, head), names, strict=True))
        raise PipelineError(
            f"The labels differ ({', '.join(kinds)}): metrics of different tasks can't be compared. "
            "Compare with a revision that has the same labels."
        )
    aligned = COMPARED[after.kind].align(base.predictions[split], (before, after), (base.name, head.name))
    return pair_by_id(aligned, head.predictions[split], after)
