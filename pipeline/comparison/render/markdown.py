"""The comparison as a comment in a pull request: the verdict first, details folded."""

from collections.abc import Sequence
from typing import Any

from pipeline.comparison.flips import FlipCount, FlipNames, FlippedRow
from pipeline.comparison.metric_row import MetricRow
from pipeline.comparison.render import wording
from pipeline.comparison.render.markup import code, escape, fold, table
from pipeline.comparison.render.strips import bar
from pipeline.comparison.result import Comparison
from stages.metrics.summary import format_change, format_value

SIGNS = {
    "passed": "✅",
    "failed": "❌",
    "open": "❔",
    "better": "🟢",
    "worse": "🔴",
    "mixed": "🟠",
    "differ": "🟡",
    "within noise": "⚪",
    "identical": "⚪",
    "unknown": "⚪",
}
TEXT = 200  # characters of a text that are shown
ROWS = 15  # of a table of classes, slices or stages
PARAMS = 40
LONGEST = 60_000  # characters; GitHub accepts 65,536


def render(comparison: Comparison) -> str:
    """Return the comment."""
    title = escape(wording.changes_title(comparison.changes))
    test_rows = f", {comparison.test_rows:,} test rows" if comparison.test_rows else ""
    sign, sentence = wording.decision(comparison)
    sides = wording.sides_sentence(comparison)
    parts = [
        f"### {SIGNS[sign]} {escape(sentence)}",
        escape(wording.beside_the_decision(comparison)),
        f"{code(comparison.base)} → {code(comparison.head)}{test_rows}. What changed: {title}."
        + (f" {escape(sides[0].upper() + sides[1:])}." if sides else ""),
        *_gate(comparison),
        _metrics(comparison.headline, comparison.confidence),
        *_notes(comparison.notes),
        fold(f"What changed: {title}", _changes(comparison)),
        *_flips(comparison),
        fold("Calibration, before and after", _calibration(comparison)),
        fold("Cost", _cost(comparison)),
        fold("All metrics", _metrics(comparison.metrics, comparison.confidence)),
        fold("How to read this", _legend(comparison)),
    ]
    return "\n\n".join(_fit([part for part in parts if part]))


def _fit(parts: list[str]) -> list[str]:
    """Empty the longest folded parts until the comment is short enough to be posted."""
    while sum(map(len, parts)) > LONGEST:
        longest = max(range(len(parts)), key=lambda index: len(parts[index]) * parts[index].startswith("<details>"))
        title = parts[longest].partition("</summary>")[0].removeprefix("<details><summary>")
        parts[longest] = f"{title} (too long for a comment: see `retune compare --json`)"
    return parts


def _gate(comparison: Comparison) -> list[str]:
    if not comparison.gate:
        return []
    lines = [
        f"- {'✅' if result.passed else '❔' if result.open else '❌'} {code(result.rule)}: {escape(result.why)}"
        for result in comparison.gate
    ]
    return ["\n".join(lines)]


def _metrics(rows: Sequence[MetricRow], confidence: float) -> str:
    cells = [
        [
            code(row.name) + (" as observed" if row.paired and row.name.endswith("ece") else ""),
            f"**{row.verdict}**" if row.verdict in ("better", "worse", "differ") else row.verdict or "",
            format_value(row.base),
            format_value(row.head),
            format_change(row.difference),
            wording.interval(row),
            "" if row.min_detectable is None else format_value(row.min_detectable),
        ]
        for row in rows
    ]
    headings = ["metric", "verdict", "base", "head", "change", f"{wording.percent(confidence)} interval"]
    return table([*headings, "min. detectable"], cells, right=(2, 3, 4, 5, 6))


def _notes(notes: Sequence[str]) -> list[str]:
    return ["\n".join(f"- {escape(note)}" for note in notes)] if notes else []


def _changes(comparison: Comparison) -> str:
    changes, parts = comparison.changes, []
    if changes.params:
        shown, more = wording.at_most(changes.params.items(), PARAMS)
        cells = [[code(key), _value(base), _value(head)] for key, (base, head) in shown]
        parts.append(table(["parameter", "base", "head"], cells))
        parts += [f"and {more} more parameters"] if more else []
    for stage, files in changes.code.items():
        shown, more = wording.at_most(files, ROWS)
        parts.append(f"Code of {code(stage)}: {', '.join(map(code, shown))}{wording.and_more(more)}")
    row_cells = [
        [kind, code(name), f"{count:,}"]
        for kind, counts in wording.row_changes(changes)
        for name, count in wording.at_most(counts.items(), ROWS)[0]
    ]
    if row_cells:
        parts.append(table(["rows", "class", "number"], row_cells, right=(2,)))
    if not changes.data.known:
        base_rows, head_rows = ("?" if rows is None else f"{rows:,}" for rows in changes.data.rows)
        parts.append(
            f"The data set of one side is not available. Only the numbers of rows are known: {base_rows} → {head_rows}."
        )
    if changes.models:
        shown, more = wording.at_most(wording.model_changes(changes.models), ROWS)
        parts.append(f"Models: {', '.join(map(code, shown))}{wording.and_more(more)}")
    return "\n\n".join(parts) or "Nothing."


def _value(value: Any) -> str:
    return code(wording.param_value(value), limit=80)


def _flips(comparison: Comparison) -> list[str]:
    flips = comparison.flips
    if flips is None:
        return []
    title = wording.flips_title(flips)
    if not flips.fixed + flips.broken:
        return [f"{title}."]
    names = flips.names
    slices = [count for count in flips.slices if count.fixed + count.broken]
    parts = [
        "These are the predictions of the two champions, the models that ship.",
        _flip_counts(names.label, flips.classes, names),
        _flip_counts("slice of the test rows", slices, names),
        _flipped_rows(f"{names.fixed.capitalize()} rows with the largest {names.gain}", flips.fixed_rows),
        _flipped_rows(f"{names.broken.capitalize()} rows with the largest loss", flips.broken_rows),
    ]
    return [fold(title, "\n\n".join(part for part in parts if part))]


def _flip_counts(heading: str, counts: Sequence[FlipCount], names: FlipNames) -> str:
    shown, more = wording.at_most(counts, ROWS)
    longest = max((max(count.fixed, count.broken) for count in shown), default=0)
    cells = [
        [
            code(count.name, limit=TEXT),  # slices of long values are told apart by the end
            f"{count.rows:,}",
            f"{count.fixed:,} {bar(count.fixed, longest)}",
            f"{count.broken:,} {bar(count.broken, longest)}",
        ]
        for count in shown
    ]
    if more:
        cells.append([f"and {more} more", "", "", ""])
    return table([heading, "rows", names.fixed, names.broken], cells, right=(1,)) if cells else ""


def _flipped_rows(title: str, rows: Sequence[FlippedRow]) -> str:
    if not rows:
        return ""
    with_text = any(row.text is not None for row in rows)
    cells = [
        [code(row.id), code(row.label), f"{code(row.base)} → {code(row.head)}", wording.gain(row)]
        + ([code(row.text or "", limit=TEXT)] if with_text else [])
        for row in rows
    ]
    headings = ["id", "label", "predicted", "gain", *(["text"] if with_text else [])]
    return f"**{title}**\n\n{table(headings, cells, right=(3,))}"


def _calibration(comparison: Comparison) -> str:
    cells = [
        [name, format_value(base), format_value(head), format_change(head - base)]
        for name, (base, head) in comparison.calibration.items()
    ]
    text = "Of the champions, on the compared test rows; lower is better."
    return f"{text}\n\n{table(['', 'base', 'head', 'difference'], cells, right=(1, 2, 3))}" if cells else ""


def _cost(comparison: Comparison) -> str:
    shown, more = wording.at_most(comparison.costs, 2 * ROWS)
    cells = [
        [code(cost.stage), *map(wording.seconds, cost.seconds), *map(wording.megabytes, cost.memory_mb)]
        for cost in shown
    ]
    headings = ["stage", "time, base", "time, head", "memory, base", "memory, head"]
    sizes = [None if size is None else size / 1e6 for size in comparison.model_bytes]
    parts = [table(headings, cells, right=(1, 2, 3, 4)) if cells else ""]
    parts += [f"and {more} more stages" if more else ""]
    parts += [f"Size of the model: {' → '.join(map(wording.megabytes, sizes))}" if any(sizes) else ""]
    return "\n\n".join(part for part in parts if part)


def _legend(comparison: Comparison) -> str:
    return (
        "The change is head minus base, both measured on the same test rows. Its interval contains the true "
        "differences that fit these rows, and the seeds if there are several. The verdict is better or "
        "worse where 0 is outside the interval. The metrics are tested in the order of the table: one is tested only "
        "if all before it differ. Min. detectable is the smallest true difference that this comparison would detect "
        f"8 times out of 10. The interval's level is {wording.percent(comparison.confidence)}: the more often results "
        "were compared on the same test rows, the higher it is. With one seed per side, two models are compared, not "
        "the configurations that made them. Where there are several, base and head are means over them; the model that "
        "ships is the seed that is best on val. The calibration error (ece) is compared as observed. The reports show "
        "less, because they subtract what chance alone adds, which is about the same on both sides."
    )
