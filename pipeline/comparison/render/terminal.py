"""The comparison on one screen of a terminal: the verdict first."""

from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from pipeline.comparison.flips import FlippedRow
from pipeline.comparison.metric_row import MetricRow
from pipeline.comparison.render import wording
from pipeline.comparison.render.strips import interval_strips
from pipeline.comparison.result import Comparison
from stages.metrics.summary import format_change, format_value
from stages.shown import shorten, visible

STYLES = {
    "better": "bold green",
    "worse": "bold red",
    "mixed": "bold yellow",
    "differ": "bold yellow",
    "within noise": "bold",
    "identical": "bold",
}
FEW = 3  # rows, classes and slices that are listed; --markdown and --json have more
PARAMS = 6
TEXT = 80  # characters of a text that are shown
UNLIMITED = 10_000  # columns in which any table fits


def render(comparison: Comparison) -> Group:
    """Return what rich prints; nothing from the data set is read as markup."""
    test_rows = f", {comparison.test_rows:,} test rows" if comparison.test_rows else ""
    parts: list[RenderableType] = [
        _text(wording.first_line(comparison), style=_style(comparison)),
        _text(f"{comparison.base} -> {comparison.head}{test_rows}", style="dim"),
        *(_text(line, style="dim") for line in [wording.sides_sentence(comparison)] if line),
        Text(),
        MetricsTable(comparison.headline, comparison.confidence),
        *(_text(f"note: {note}", style="yellow") for note in comparison.notes),
    ]
    for result in comparison.gate:
        style = "green" if result.passed else "bold yellow" if result.open else "bold red"
        outcome = "passed" if result.passed else "UNDECIDED" if result.open else "FAILED"
        parts.append(_text(f"{outcome}: {result.rule} ({result.why})", style=style))
    return Group(*parts, Text(), *_changes(comparison), *_flips(comparison), *_champions(comparison))


def _style(comparison: Comparison) -> str:
    return "bold yellow" if comparison.outdated else STYLES.get(comparison.verdict, "bold")


class MetricsTable:
    """A row per metric, with its interval drawn around 0 where there is room; a sentence each where no table fits."""

    def __init__(self, rows: Sequence[MetricRow], confidence: float) -> None:
        self._rows = rows
        self._confidence = confidence

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for drawn in (True, False):
            table = self._table(drawn=drawn)
            needed = Measurement.get(console, options.update(max_width=UNLIMITED), table).maximum
            if needed <= options.max_width:
                yield table
                return
        for row in self._rows:
            yield _text(_sentence(row, self._confidence))

    def _table(self, *, drawn: bool) -> Table:
        table = Table(box=None, pad_edge=False)
        plot = ["interval (│ is 0)"] if drawn else []
        interval = f"{wording.percent(self._confidence)} interval"
        for heading in ("metric", "base", "head", "change", interval, *plot, "verdict", "min.\ndetectable"):
            table.add_column(heading, no_wrap=True, vertical="bottom")
        for row, strip in zip(self._rows, interval_strips(self._rows), strict=True):
            table.add_row(
                row.name,
                format_value(row.base),
                format_value(row.head),
                format_change(row.difference),
                wording.interval(row),
                *([strip] if drawn else []),
                Text(row.verdict or "", style=STYLES.get(row.verdict or "", "")),
                "" if row.min_detectable is None else format_value(row.min_detectable),
            )
        return table


def _sentence(row: MetricRow, confidence: float) -> str:
    """What the table has of a metric."""
    verdict = f": {row.verdict}" if row.verdict else ""
    detectable = "" if row.min_detectable is None else f", min. detectable {format_value(row.min_detectable)}"
    return f"{wording.metric_sentence(row, confidence)}{verdict}{detectable}"


def _changes(comparison: Comparison) -> list[Text]:
    changes = comparison.changes
    lines = [f"changed: {wording.changes_title(changes)}"]
    shown, more = wording.at_most(changes.params.items(), PARAMS)
    lines += [f"  {key} {_value(base)} -> {_value(head)}" for key, (base, head) in shown]
    lines += [f"  and {more} more parameters"] if more else []
    for stage, files in changes.code.items():
        shown, more = wording.at_most(files, FEW)
        lines.append(f"  {stage}: {', '.join(shown)}{wording.and_more(more)}")
    for kind, counts in wording.row_changes(changes):
        shown, more = wording.at_most(counts.items(), PARAMS)
        if shown:
            text = ", ".join(f"{shorten(name, 40)} {count:,}" for name, count in shown)
            lines.append(f"  rows {kind}: {text}{wording.and_more(more)}")
    shown, more = wording.at_most(wording.model_changes(changes.models), FEW)
    lines += [f"  models: {', '.join(shown)}{wording.and_more(more)}"] if shown else []
    return [_text(line) for line in lines]


def _flips(comparison: Comparison) -> list[Text]:
    flips = comparison.flips
    if flips is None:
        return []
    lines = [wording.flips_title(flips).replace("Predictions", "predictions")]
    for kind, counts in ((flips.names.label, flips.classes), ("slice", flips.slices)):
        shown = [count for count in counts[:FEW] if count.fixed + count.broken]
        lines += [f"  {wording.flip_sentence(kind, count, flips.names)}" for count in shown]
    width = max(len(flips.names.fixed), len(flips.names.broken))
    for word, rows in ((flips.names.fixed, flips.fixed_rows), (flips.names.broken, flips.broken_rows)):
        lines += [f"  {word:{width}} {_flipped_row(row)}" for row in rows[:FEW]]
    return [_text(line) for line in lines]


def _flipped_row(row: FlippedRow) -> str:
    text = f': "{shorten(row.text, TEXT)}"' if row.text is not None else ""
    return f"{shorten(row.id, 20)} (label {row.label}; {row.base} -> {row.head}, {wording.gain(row)}){text}"


def _champions(comparison: Comparison) -> list[Text]:
    measures = [
        f"{name}: {format_value(base)} -> {format_value(head)}" for name, (base, head) in comparison.calibration.items()
    ]
    calibration = [_text(f"calibration: {', '.join(measures)} (lower is better)")] if measures else []
    seconds, memory = (
        [[value for cost in comparison.costs if (value := getattr(cost, of)[side]) is not None] for side in (0, 1)]
        for of in ("seconds", "memory_mb")
    )
    totals = [sum(known) if known else None for known in seconds]
    peaks = [max(known, default=None) for known in memory]
    sizes = [None if size is None else size / 1e6 for size in comparison.model_bytes]
    costs = [
        f"all stages {' -> '.join(map(wording.seconds, totals))}",
        f"peak memory {' -> '.join(map(wording.megabytes, peaks))}",
        f"model {' -> '.join(map(wording.megabytes, sizes))}",
    ]
    return [*calibration, _text(f"cost: {', '.join(costs)}")]


def _text(line: str, style: str = "") -> Text:
    """A line that shows what it quotes: nothing in it moves the cursor or hides the rest."""
    return Text(visible(line), style=style)


def _value(value: object) -> str:
    return shorten(wording.param_value(value), 40)
