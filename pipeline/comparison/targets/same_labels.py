"""Refuses to compare tasks with different labels."""

from collections.abc import Sequence

from stages.errors import PipelineError


def require_same_labels(base: Sequence[str], head: Sequence[str], names: tuple[str, str]) -> None:
    """Check that base and head have the same labels, in any order; `names` is what messages call the two.

    Raises:
        PipelineError: They have not.
    """
    if set(base) == set(head):
        return
    extra = ((names[0], set(base) - set(head)), (names[1], set(head) - set(base)))
    only = "; ".join(f"only {name} has {', '.join(sorted(labels)[:5])}" for name, labels in extra if labels)
    raise PipelineError(
        f"The label sets differ ({only}): metrics of different tasks can't be compared. "
        "Compare with a revision that has the same labels."
    )
