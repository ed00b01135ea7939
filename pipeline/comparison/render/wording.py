"""Sentences and numbers that the terminal and the comment share."""

from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.comparison.changes import Changes
from pipeline.comparison.result import Comparison
from pipeline.comparison.verdicts import MetricRow


def verdict_sentence(comparison: Comparison) -> str:
    """Return the result in one sentence."""
    rows = comparison.headline
    if comparison.verdict == "identical":
        return f"identical: the same predictions for all {comparison.test_rows:,} test rows"
    if not rows:
        return "unknown: the two sides have no headline metric of test in common"
    if comparison.verdict == "within noise":
        first = rows[0]
        limit = first.min_detectable
        bound = "" if limit is None else f"; this test set does not reliably detect a difference below {limit:.3f}"
        sentence = metric_sentence(first, comparison.confidence)
        return f"within noise: no headline metric differs by more than chance ({sentence}{bound})"
    first, *others = [row for row in rows if row.verdict in ("better", "worse")]
    also = f"; also {', '.join(f'{row.name} {row.difference:+.3f}' for row in others)}" if others else ""
    return f"{comparison.verdict}: {metric_sentence(first, comparison.confidence)}{also}"


def metric_sentence(row: MetricRow, confidence: float) -> str:
    """Return `test.mcc 0.812 -> 0.774, -0.038, 95% interval -0.060 to -0.017`."""
    text = f"{row.name} {row.base:.3f} -> {row.head:.3f}, {row.difference:+.3f}"
    return f"{text}, {confidence:.0%} interval {interval(row)}" if row.low is not None else text


def interval(row: MetricRow) -> str:
    """Return `-0.060 to -0.017`."""
    return "" if row.low is None or row.high is None else f"{row.low:+.3f} to {row.high:+.3f}"


def changes_title(changes: Changes) -> str:
    """Return `3 parameters, code of finetune, 12 rows added`."""
    parts = []
    if changes.params:
        parts.append(_count(len(changes.params), "parameter"))
    if changes.code:
        parts.append(f"code of {', '.join(changes.code)}")
    parts += [f"{_count(sum(counts.values()), 'row')} {kind}" for kind, counts in row_changes(changes) if counts]
    if not changes.data.known:
        parts.append("rows unknown")
    if "encoder" in changes.models:
        parts.append("the encoder")
    if not parts and changes.models:
        parts.append("only the models")
    return ", ".join(parts) or "nothing"


def row_changes(changes: Changes) -> list[tuple[str, Mapping[str, int]]]:
    """Return the kinds of changes to rows, each with its number of rows by class."""
    data = changes.data
    return [
        ("added", data.added),
        ("removed", data.removed),
        ("relabelled", data.relabelled),
        ("rewritten", data.rewritten),
    ]


def model_changes(models: Mapping[str, tuple[str | None, str | None]]) -> list[str]:
    """Return `champion: 53aa5117 -> 9b01c2f0` for each model that differs."""
    return [f"{name}: {_short_hash(base)} -> {_short_hash(head)}" for name, (base, head) in models.items()]


def at_most(values: Iterable[Any], most: int) -> tuple[list[Any], int]:
    """Return the first values, and how many more there are."""
    listed = list(values)
    return listed[:most], max(0, len(listed) - most)


def and_more(more: int) -> str:
    """Return ` and 3 more`, or nothing for 0."""
    return f" and {more} more" if more else ""


def seconds(value: float | None) -> str:
    """Return `12 s`, with a decimal below 10; `?` for None."""
    return "?" if value is None else f"{value:,.0f} s" if value >= 10 else f"{value:.1f} s"


def megabytes(value: float | None) -> str:
    """Return `12 MB`, with a decimal below 10; `?` for None."""
    return "?" if value is None else f"{value:,.0f} MB" if value >= 10 else f"{value:.1f} MB"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _short_hash(value: str | None) -> str:
    return value[:8] if value else "none"
