"""The sentences and the small plots that the terminal and the comment share."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipeline.comparison.changes import Changes
from pipeline.comparison.verdicts import MetricRow

if TYPE_CHECKING:
    from pipeline.comparison.compare import Comparison

STRIP = 21  # characters of an interval's plot
BAR = 12  # characters of the longest bar


def verdict(found: "Comparison") -> str:
    """Return the answer in one sentence."""
    rows = found.headline
    if found.verdict == "identical":
        return f"identical: the same predictions for all {found.test_rows:,} test rows"
    if not rows:
        return "unknown: the two have no headline metric of test in common"
    if found.verdict == "within noise":
        first = rows[0]
        limit = (
            ""
            if first.smallest is None
            else (f"; on this test set a difference of less than {first.smallest:.3f} would mostly go unseen")
        )
        return (
            f"within noise: no headline metric moved by more than chance ({describe(first, found.confidence)}{limit})"
        )
    moved = [row for row in rows if row.verdict in ("better", "worse")]
    others = [f"{row.name} {row.difference:+.3f}" for row in moved[1:]]
    also = f"; also {', '.join(others)}" if others else ""
    return f"{found.verdict}: {describe(moved[0], found.confidence)}{also}"


def describe(row: MetricRow, confidence: float) -> str:
    """Return `test.mcc 0.812 -> 0.774, -0.038, 95% interval -0.060 to -0.017`."""
    text = f"{row.name} {row.base:.3f} -> {row.head:.3f}, {row.difference:+.3f}"
    return f"{text}, {confidence:.0%} interval {interval(row)}" if row.low is not None else text


def interval(row: MetricRow) -> str:
    """Return `-0.060 to -0.017`."""
    return "" if row.low is None or row.high is None else f"{row.low:+.3f} to {row.high:+.3f}"


def strips(rows: Sequence[MetricRow]) -> list[str]:
    """Draw each interval around 0 (the bar in the middle), all on one scale."""
    ends = [abs(end) for row in rows for end in (row.low, row.high) if end is not None]
    reach = max(ends, default=0.0) or 1.0
    return [strip(row.low, row.difference, row.high, low=-reach, high=reach, mark=0.0) for row in rows]


def strip(
    start: float | None, middle: float, end: float | None, *, low: float, high: float, mark: float | None = None
) -> str:
    """Draw an interval on a line from `low` to `high`: `····├──●──┤···│····`."""

    def at(value: float) -> int:
        return min(STRIP - 1, max(0, round((value - low) / ((high - low) or 1.0) * (STRIP - 1))))

    line = ["·"] * STRIP
    if mark is not None:
        line[at(mark)] = "│"
    if start is not None and end is not None:
        for place in range(at(start), at(end) + 1):
            line[place] = "─"
        line[at(start)], line[at(end)] = "├", "┤"
    line[at(middle)] = "●"
    return "".join(line)


def bar(value: float, most: float) -> str:
    """Draw a bar; the longest stands for `most`."""
    return "█" * max(1 if value else 0, round(value / most * BAR)) if most else ""


def changes_title(changes: Changes) -> str:
    """Return `3 parameters, code of finetune, 12 rows added`."""
    parts = []
    if changes.params:
        parts.append(_count(len(changes.params), "parameter"))
    if changes.code:
        parts.append(f"code of {', '.join(changes.code)}")
    parts += [f"{_count(sum(counts.values()), 'row')} {what}" for what, counts in row_changes(changes) if counts]
    if not changes.data.known:
        parts.append("rows unknown")
    if "encoder" in changes.models:
        parts.append("the encoder")
    if not parts and changes.models:
        parts.append("the models alone")
    return ", ".join(parts) or "nothing"


def row_changes(changes: Changes) -> list[tuple[str, Mapping[str, int]]]:
    """Return the kinds of changes to rows, each with its counts by class."""
    data = changes.data
    return [
        ("added", data.added),
        ("removed", data.removed),
        ("relabelled", data.relabelled),
        ("rewritten", data.rewritten),
    ]


def models_line(models: Mapping[str, tuple[str | None, str | None]]) -> list[str]:
    """Return `champion: 53aa5117 -> 9b01c2f0` for each model that differs."""
    return [f"{name}: {_hash(base)} -> {_hash(head)}" for name, (base, head) in models.items()]


def at_most(values: Iterable[Any], most: int) -> tuple[list[Any], int]:
    """Return the first values, and how many more there are."""
    kept = list(values)
    return kept[:most], max(0, len(kept) - most)


def seconds(value: float | None) -> str:
    """Return seconds as people read them."""
    return "?" if value is None else f"{value:,.0f} s" if value >= 10 else f"{value:.1f} s"


def megabytes(value: float | None) -> str:
    """Return megabytes as people read them."""
    return "?" if value is None else f"{value:,.0f} MB" if value >= 10 else f"{value:.1f} MB"


def shorten(text: str, limit: int) -> str:
    """Return a text in one line of at most `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _hash(value: str | None) -> str:
    return value[:8] if value else "none"
