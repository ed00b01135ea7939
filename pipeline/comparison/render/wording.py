"""Sentences and numbers that the terminal and the comment share."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.comparison.changes import Changes
from pipeline.comparison.flips import FlipCount, FlipNames, FlippedRow, Flips
from pipeline.comparison.gate import RuleResult
from pipeline.comparison.metric_row import MetricRow
from pipeline.comparison.result import Comparison
from stages.messages import counted
from stages.metrics.summary import format_change, format_value
from stages.redaction import redact
from stages.shown import shorten


def param_value(value: Any) -> str:
    """Return the value of a parameter as params.yaml could have it, without secrets."""
    return redact(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))


def verdict_sentence(comparison: Comparison) -> str:
    """Return the result in one or two sentences."""
    reason, details = verdict_reason(comparison), verdict_details(comparison)
    return f"{reason}{'' if not details or details.startswith(';') else '.'}{details}"


def first_line(comparison: Comparison) -> str:
    """Return the result, after what takes away its meaning for head."""
    sentence = verdict_sentence(comparison)
    return f"{comparison.outdated}. Before that: {sentence}" if comparison.outdated else sentence


def verdict_reason(comparison: Comparison) -> str:
    """Return the verdict and the numbers of the metric that decided it."""
    if comparison.verdict == "identical":
        rows = "every test row" if comparison.test_rows is None else f"all {comparison.test_rows:,} test rows"
        return f"identical: the same predictions for {rows}"
    if not comparison.headline:
        return "unknown: the two sides have no headline metric of test in common"
    verdict = "these two models differ" if comparison.verdict == "differ" else comparison.verdict
    return f"{verdict}: {metric_sentence(_deciding(comparison)[0], comparison.confidence)}"


def verdict_details(comparison: Comparison) -> str:
    """Return what a reader must know beside the reason: what could be detected, and which other metrics differ."""
    if comparison.verdict == "identical" or not comparison.headline:
        return ""
    first, *others = _deciding(comparison)
    if comparison.verdict == "within noise":
        return detectable_sentence(first)
    also = f"; also {', '.join(f'{row.name} {format_change(row.difference)}' for row in others)}" if others else ""
    return f"{also}. The reason may be the change or only the seed" if comparison.verdict == "differ" else also


def _deciding(comparison: Comparison) -> list[MetricRow]:
    rows = comparison.headline
    return [row for row in rows if row.verdict in ("better", "worse", "differ")] or rows[:1]


def decision(comparison: Comparison) -> tuple[str, str]:
    """Return what follows for the change with the reason, and its sign; the rules decide where there are any.

    The sign is passed, failed or open; where no rule is set, it is the verdict.
    """
    if comparison.outdated:
        return "open", ("The gate can't be decided: " if comparison.gate else "") + comparison.outdated
    broken = [result for result in comparison.gate if not result.passed and not result.open]
    undecided = [result for result in comparison.gate if result.open and not result.passed]
    if broken:
        return "failed", f"The gate fails: {_reasons(broken)}"
    if undecided:
        return "open", f"The gate can't be decided: {_reasons(undecided)}"
    if comparison.gate:
        return "passed", f"The gate passes ({counted(len(comparison.gate), 'rule')}); {verdict_reason(comparison)}"
    return comparison.verdict, verdict_reason(comparison)


def _reasons(results: Sequence[RuleResult]) -> str:
    return "; ".join(f"{result.rule}: {result.why}" for result in results)


def beside_the_decision(comparison: Comparison) -> str:
    """Return what the decision leaves unsaid: the whole verdict where a rule decided, else its details."""
    if comparison.outdated or not comparison.passed:
        return verdict_sentence(comparison)
    details = verdict_details(comparison).lstrip(";. ")
    return details[:1].upper() + details[1:]


def sides_sentence(comparison: Comparison) -> str:
    """Return what the numbers of base and head are: means over seeds, or single models; and what the champions have."""
    numbers = [len(seeds) for seeds in comparison.seeds]
    if not all(numbers):
        return ""
    base, head = (f"the mean over {number} seeds" if number > 1 else "the model of one seed" for number in numbers)
    sides = f"base and head are each {base}" if base == head else f"base is {base}, head {head}"
    if max(numbers) == 1 or not comparison.ships:
        return sides
    before, after = comparison.champions
    seeds = f"both seed {after}" if before == after else f"seed {before} -> {after}"
    metrics = (
        f"{name} {format_value(before)} -> {format_value(after)}" for name, (before, after) in comparison.ships.items()
    )
    return f"{sides}; the models that ship ({seeds}), each on its own rows and labels: {', '.join(metrics)}"


def metric_sentence(row: MetricRow, confidence: float) -> str:
    """Return `test.mcc 0.812 -> 0.774, -0.038, 95% interval -0.060 to -0.017`."""
    text = f"{row.name} {format_value(row.base)} -> {format_value(row.head)}, {format_change(row.difference)}"
    return f"{text}, {percent(confidence)} interval {interval(row)}" if row.low is not None else text


def detectable_sentence(row: MetricRow) -> str:
    """Return what could have been detected, and what it would take to detect a difference as large as the observed."""
    if row.min_detectable is None:
        text = (
            " With so few rows or seeds, no gain that base leaves possible would have been detected 8 times out of 10"
        )
    else:
        text = f" A true difference of {row.min_detectable:.3f} or more would have been detected 8 times out of 10"
    needs = (
        [
            f"{float(f'{number:.2g}'):,.0f} {what}"
            for number, what in ((row.needs.rows, "test rows"), (row.needs.seeds, "seeds per side"))
            if number is not None
        ]
        if row.needs and 0 < abs(row.difference) < (row.min_detectable or math.inf)
        else []
    )
    return f"{text}. Detecting {abs(row.difference):.3f} would take about {' or '.join(needs)}" if needs else text


def percent(confidence: float) -> str:
    """Return `95%`, with as many decimals as the distance to 100% needs."""
    return f"{100 * (1 - float(f'{1 - confidence:.2g}')):.6g}%"


def interval(row: MetricRow) -> str:
    """Return `-0.060 to -0.017`, and whether that is less precise than of paired rows."""
    if row.low is None or row.high is None:
        return ""
    return f"{format_change(row.low)} to {format_change(row.high)}{'' if row.paired else ' (rows not paired)'}"


def flips_title(flips: Flips) -> str:
    """Return `Predictions: 3 rows fixed, 4 broken, 15 wrong in both`."""
    names, better = flips.names, counted(flips.fixed, "row")
    return f"Predictions: {better} {names.fixed}, {flips.broken:,} {names.broken}, {flips.wrong:,} {names.wrong}"


def flip_sentence(kind: str, count: FlipCount, names: FlipNames) -> str:
    """Return `class 5: 4 fixed, 3 broken of 18 rows`."""
    rows = counted(count.rows, "row")
    return f"{kind} {shorten(count.name, 40)}: {count.fixed} {names.fixed}, {count.broken} {names.broken} of {rows}"


def gain(row: FlippedRow) -> str:
    """Return `+0.52`, with two digits at least."""
    return f"{row.gain:+.2f}" if abs(row.gain) >= 0.01 else f"{row.gain:+.2g}"


def changes_title(changes: Changes) -> str:
    """Return `3 parameters, code of finetune, 12 rows added`."""
    parts = []
    if changes.params:
        parts.append(counted(len(changes.params), "parameter"))
    if changes.code:
        parts.append(f"code of {', '.join(changes.code)}")
    parts += [f"{counted(sum(counts.values()), 'row')} {kind}" for kind, counts in row_changes(changes) if counts]
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


def _short_hash(value: str | None) -> str:
    return value[:8] if value else "none"
