"""The comparison on one screen of a terminal: the verdict first."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from pipeline.comparison import wording
from pipeline.comparison.changes import GONE
from pipeline.comparison.flips import Example
from pipeline.comparison.verdicts import MetricRow

if TYPE_CHECKING:
    from pipeline.comparison.compare import Comparison

STYLES = {
    "better": "bold green",
    "worse": "bold red",
    "mixed": "bold yellow",
    "within noise": "bold",
    "identical": "bold",
}
FEW = 3  # examples of each kind, and groups; --markdown and --json have ten and all
PARAMS = 6
WIDTH = 80  # characters of a text
WIDE = 105  # columns from which on there is room for the plot


def render(found: "Comparison") -> Group:
    """Return what rich prints; nothing from the data set is read as markup."""
    parts: list[RenderableType] = [
        Text(wording.verdict(found), style=STYLES.get(found.verdict, "bold")),
        Text(
            f"{found.base} -> {found.head}{f', {found.test_rows:,} test rows' if found.test_rows else ''}", style="dim"
        ),
        Text(),
        MetricsTable(found.headline, found.confidence),
        *(Text(f"note: {note}", style="yellow") for note in found.notes),
    ]
    for result in found.gate:
        style = "green" if result.passed else "bold red"
        parts.append(Text(f"{'kept' if result.passed else 'BROKEN'}: {result.rule} ({result.why})", style=style))
    return Group(*parts, Text(), *_changes(found), *_moved(found), *_figures(found))


class MetricsTable:
    """A row per metric; where the terminal is wide enough, with its interval drawn around 0."""

    def __init__(self, rows: Sequence[MetricRow], confidence: float) -> None:
        self._rows = rows
        self._confidence = confidence

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        wide = options.max_width >= WIDE
        table = Table(box=None, pad_edge=False)
        drawn = ["around 0"] if wide else []
        for heading in ("metric", "base", "head", "change", f"{self._confidence:.0%} interval", *drawn):
            table.add_column(heading, no_wrap=True)
        for heading in ("verdict", "could show"):
            table.add_column(heading, no_wrap=True)
        for row, strip in zip(self._rows, wording.strips(self._rows), strict=True):
            table.add_row(
                row.name,
                f"{row.base:.3f}",
                f"{row.head:.3f}",
                f"{row.difference:+.3f}",
                wording.interval(row),
                *([strip] if wide else []),
                Text(row.verdict or "", style=STYLES.get(row.verdict or "", "")),
                "" if row.smallest is None else f"{row.smallest:.3f}",
            )
        yield table


def _changes(found: "Comparison") -> list[Text]:
    changes = found.changes
    lines = [f"changed: {wording.changes_title(changes)}"]
    shown, more = wording.at_most(changes.params.items(), PARAMS)
    lines += [f"  {key} {_value(old)} -> {_value(new)}" for key, (old, new) in shown]
    lines += [f"  and {more} more parameters"] if more else []
    for stage, files in changes.code.items():
        names, more = wording.at_most(files, FEW)
        lines.append(f"  {stage}: {', '.join(names)}{f' and {more} more' if more else ''}")
    for what, counts in wording.row_changes(changes):
        groups, more = wording.at_most(counts.items(), PARAMS)
        if groups:
            text = ", ".join(f"{wording.shorten(name, 40)} {count:,}" for name, count in groups)
            lines.append(f"  rows {what}: {text}{f' and {more} more' if more else ''}")
    names, more = wording.at_most(wording.models_line(changes.models), FEW)
    lines += [f"  models: {', '.join(names)}{f' and {more} more' if more else ''}"] if names else []
    return [Text(line) for line in lines]


def _moved(found: "Comparison") -> list[Text]:
    moved = found.moved
    if moved is None:
        return []
    lines = [f"moved: {moved.fixed:,} rows fixed, {moved.broken:,} broken, {moved.wrong:,} wrong in both"]
    groups = [group for group in [*moved.classes[:FEW], *moved.slices[:FEW]] if group.fixed + group.broken]
    if groups:
        text = "; ".join(f"{wording.shorten(one.name, 40)} +{one.fixed} -{one.broken} of {one.rows}" for one in groups)
        lines.append(f"  most in: {text}")
    lines += [f"  fixed  {_example(one)}" for one in moved.best[:FEW]]
    lines += [f"  broken {_example(one)}" for one in moved.worst[:FEW]]
    return [Text(line) for line in lines]


def _example(one: Example) -> str:
    text = f': "{wording.shorten(one.text, WIDTH)}"' if one.text is not None else ""
    return f"{wording.shorten(one.id, 20)} ({one.label}; {one.base} -> {one.head}, {one.gain:+.2f}){text}"


def _figures(found: "Comparison") -> list[Text]:
    lines = [f"{name}: {base:.4f} -> {head:.4f}" for name, (base, head) in found.calibration.items()]
    calibration = [Text(f"calibration: {', '.join(lines)} (smaller is better)")] if lines else []
    totals = [sum(cost.seconds[side] or 0.0 for cost in found.costs) for side in (0, 1)]
    peaks = [max((cost.memory_mb[side] or 0.0 for cost in found.costs), default=0.0) for side in (0, 1)]
    sizes = [None if size is None else size / 1e6 for size in found.model_bytes]
    text = [
        f"all stages {' -> '.join(map(wording.seconds, totals))}",
        f"peak memory {' -> '.join(map(wording.megabytes, peaks))}",
        f"model {' -> '.join(map(wording.megabytes, sizes))}",
    ]
    return [*calibration, Text(f"cost: {', '.join(text)}")]


def _value(value: object) -> str:
    return GONE if value == GONE else wording.shorten(repr(value) if not isinstance(value, str) else value, 40)
