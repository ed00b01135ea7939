"""Sentences and numbers that the terminal and the comment share."""

from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.comparison.changes import Changes
from pipeline.comparison.result import Comparison
from pipeline.comparison.verdicts import MetricRow


def verdict_sentence(comparison: Comparison) -> str:
    """Return the result in one or two sentences."""
    rows = comparison.headline
    if comparison.verdict == "identical":
        return f"identical: the same predictions for all {comparison.test_rows:,} test rows"
    if not rows:
        return "unknown: the two sides have no headline metric of test in common"
    if comparison.verdict == "within noise":
        return f"within noise: {metric_sentence(rows[0], comparison.confidence)}.{detectable_sentence(rows[0])}"
    first, *others = [row for row in rows if row.verdict in ("better", "worse", "differ")]
    also = f"; also {', '.join(f'{row.name} {row.difference:+.3f}' for row in others)}" if others else ""
    sentence = f"{metric_sentence(first, comparison.confidence)}{also}"
    if comparison.verdict == "differ":
        return f"these two models differ: {sentence}. Whether the change or the seed did it is unknown"
    return f"{comparison.verdict}: {sentence}"


def metric_sentence(row: MetricRow, confidence: float) -> str:
    """Return `test.mcc 0.812 -> 0.774, -0.038, 95% interval -0.060 to -0.017`."""
    text = f"{row.name} {row.base:.3f} -> {row.head:.3f}, {row.difference:+.3f}"
    return f"{text}, {percent(confidence)} interval {interval(row)}" if row.low is not None else text


def detectable_sentence(row: MetricRow) -> str:
    """Return what could have been detected, and what it would take to detect a difference as large as the observed."""
    if row.min_detectable is None:
        return " No difference, however large, would have been detected"
    text = f" A true difference of {row.min_detectable:.3f} or more would have been detected 8 times out of 10"
    needs = (
        [
            f"{number:,} {what}"
            for number, what in ((row.needs.rows, "test rows"), (row.needs.seeds, "seeds per side"))
            if number is not None
        ]
        if row.needs and 0 < abs(row.difference) < row.min_detectable
        else []
    )
    return (
        f"{text}; to detect one of {abs(row.difference):.3f}, this needs about {' or '.join(needs)}" if needs else text
    )


def percent(confidence: float) -> str:
    """Return `95%`, with as many decimals as the distance to 100% needs."""
    return f"{100 * (1 - float(f'{1 - confidence:.2g}')):.6g}%"


def interval(row: MetricRow) -> str:
    """Return `-0.060 to -0.017`, and whether that is less precise than of paired rows."""
    if row.low is None or row.high is None:
        return ""
    return f"{row.low:+.3f} to {row.high:+.3f}{'' if row.paired else ' (rows not paired)'}"


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
