"""Sentences about a comparison that a reader must know before trusting its verdict."""

from pipeline.comparison.pairing import PairedRows
from pipeline.comparison.revision import Revision

MOST_STAGES, MOST_METRICS = 3, 5  # that a note names


def write_notes(base: Revision, head: Revision, test: PairedRows | None, unpaired: str) -> list[str]:
    """Return the notes.

    Args:
        base: The revision that is compared with.
        head: The revision that is judged.
        test: The rows of test that are compared; None where only intervals are.
        unpaired: Why the rows are not paired; empty where they are.
    """
    notes = [_staleness(side) for side in (base, head)]
    notes.append(unpaired)
    if test:
        notes += _about_rows(base, head, test)
    notes += [_only(base, head), _only(head, base)]
    return [note for note in notes if note]


def _staleness(side: Revision) -> str:
    stages = side.stale()
    if not stages:
        return ""
    more = f" and {len(stages) - MOST_STAGES} more" if len(stages) > MOST_STAGES else ""
    return (
        f"{side.name}: the results of {', '.join(stages[:MOST_STAGES])}{more} were made with code or parameters that "
        "have changed since. Update them: retune run"
    )


def _about_rows(base: Revision, head: Revision, test: PairedRows) -> list[str]:
    notes = []
    if not test.same_rows:
        notes.append(
            f"The test rows differ ({test.split_rows[0]:,} in {base.name}, {test.split_rows[1]:,} in {head.name}): "
            f"only the {len(test):,} common rows are compared."
        )
    if test.relabelled:
        notes.append(
            f"{test.relabelled:,} of the compared rows have another label in {head.name}: "
            "both sides are measured with that label."
        )
    if test.head.tokens is None:
        notes.append(
            f"{head.name} was evaluated by an older version, which did not record how many tokens a row has: "
            "there are no slices by length."
        )
    if not test.identical and len(base.seeds) == len(head.seeds) == 1:
        notes.append(
            "Only one seed per side: this compares two trained models, not two configurations. "
            "Train several seeds to include run-to-run variation."
        )
    return notes


def _only(side: Revision, other_side: Revision) -> str:
    """Names the metrics that only one side has."""
    names = sorted(set(side.metrics) - set(other_side.metrics))
    more = " and more" if len(names) > MOST_METRICS else ""
    return f"Only {side.name} has {', '.join(names[:MOST_METRICS])}{more}." if names else ""
