"""Geometry of the report's plots: data in, coordinates out. The templates draw them as inline SVG.

Hand-made, because a page that follows the reader's light or dark theme, scales to a phone and reads aloud needs marks
with classes and titles; matplotlib's SVG fixes colours and sizes and adds 60 MB, script libraries add megabytes to
every report.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 440, 250  # of the viewBox; text is drawn at 12 units, so it stays legible on a phone
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 12, 40

Tick = tuple[float, str]  # coordinate, label
Point = tuple[float, float, str]  # x, y, what it shows


@dataclass(frozen=True)
class Frame:
    """Axes in viewBox units."""

    x_ticks: list[Tick]
    y_ticks: list[Tick]
    x_label: str
    y_label: str
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM
    width: int = WIDTH
    height: int = HEIGHT


@dataclass(frozen=True)
class Series:
    """One line; `style` numbers its colour, dash and marker, so that no series is told by colour alone."""

    name: str
    style: int
    points: list[Point]
    markers: bool = True

    @property
    def path(self) -> str:
        return "M" + "L".join(f"{x:g} {y:g}" for x, y, _ in self.points) if self.points else ""


@dataclass(frozen=True)
class Lines:
    frame: Frame
    series: list[Series]


@dataclass(frozen=True)
class Bars:
    frame: Frame
    bars: list[tuple[float, float, float, float, str]]  # x, y, width, height, what it shows
    mark: float | None  # y of a line across all bars


@dataclass(frozen=True)
class Interval:
    """A value with its interval on an axis, and other values to compare it with."""

    ticks: list[Tick]
    value: float
    low: float
    high: float
    others: list[tuple[float, int, str]]  # x, style, what it shows


@dataclass(frozen=True)
class Scale:
    """A linear map from data to viewBox units."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        span = self.high - self.low or 1.0
        return round(self.start + (value - self.low) / span * (self.end - self.start), 2)


def lines(
    series: Mapping[str, Sequence[float]],
    x: Sequence[float],
    *,
    x_label: str,
    y_label: str,
    low: float | None = None,
    high: float | None = None,
) -> Lines:
    """Lay out lines over shared `x`; a value that is not finite is left out."""
    values = [value for line in series.values() for value in line if math.isfinite(value)]
    y_values = ticks(min(values) if low is None else low, max(values) if high is None else high)
    across = Scale(min(x), max(x), LEFT + 8, WIDTH - RIGHT - 8)
    up = Scale(y_values[0], y_values[-1], HEIGHT - BOTTOM, TOP)
    drawn = [
        Series(
            name,
            style,
            [
                (across(a), up(b), f"{name}, {x_label} {a:g}: {b:.4g}")
                for a, b in zip(x, line, strict=False)
                if math.isfinite(b)
            ],
        )
        for style, (name, line) in enumerate(series.items())
    ]
    x_ticks = [(across(value), f"{value:g}") for value in _whole_ticks(x)]
    return Lines(Frame(x_ticks, [(up(value), label(value)) for value in y_values], x_label, y_label), drawn)


def curves(
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]], *, x_label: str, y_label: str, markers: bool = True
) -> Lines:
    """Lay out lines that each have their own x and y, both from 0 to 1; the one named `perfect` has no markers."""
    across, up = Scale(0, 1, LEFT + 4, WIDTH - RIGHT - 8), Scale(0, 1, HEIGHT - BOTTOM, TOP)
    steps = [number / 5 for number in range(6)]
    drawn = [
        Series(
            name,
            style,
            [(across(a), up(b), f"{name}, {x_label} {a:.3f}: {b:.3f}") for a, b in zip(*points, strict=True)],
            markers and name != "perfect",
        )
        for style, (name, points) in enumerate(series.items())
    ]
    frame = Frame(
        [(across(step), label(step)) for step in steps], [(up(step), label(step)) for step in steps], x_label, y_label
    )
    return Lines(frame, drawn)


def interval(value: float, low: float, high: float, *, others: Mapping[str, float]) -> Interval:
    """Lay out a value with its interval from 0 to 1 (from -1 where a value is negative), and others beside it."""
    lowest = -1.0 if min(value, low, *others.values(), 0.0) < -0.02 else 0.0
    across = Scale(lowest, 1.0, 12, WIDTH - 12)

    def place(number: float) -> float:
        return across(min(1.0, max(lowest, number)))

    steps = [lowest + number * (1 - lowest) / 5 for number in range(6)]
    marks = [(place(number), style, name) for style, (name, number) in enumerate(others.items(), start=1)]
    return Interval(
        [(across(step), label(round(step, 1))) for step in steps], place(value), place(low), place(high), marks
    )


def bars(
    x: Sequence[float],
    heights: Sequence[float],
    *,
    width: float,
    x_label: str,
    y_label: str,
    tips: Sequence[str],
    mark: float | None = None,
) -> Bars:
    """Lay out bars that start at `x` and are `width` wide in data units; `tips` say what each shows."""
    y_values = ticks(min(0.0, *heights), max(0.0, *heights, mark or 0.0))
    x_values = ticks(min(x), max(x) + width)
    across = Scale(min(x), max(x) + width, LEFT, WIDTH - RIGHT)
    up = Scale(y_values[0], y_values[-1], HEIGHT - BOTTOM, TOP)
    drawn = []
    for start, value, tip in zip(x, heights, tips, strict=True):
        left, right = across(start), across(start + width)
        top, bottom = min(up(value), up(0)), max(up(value), up(0))
        gap = min(1.0, (right - left) / 5)
        drawn.append((left + gap / 2, top, round(right - left - gap, 2), round(bottom - top, 2), tip))
    x_ticks = [(across(value), label(value)) for value in x_values if across.low <= value <= across.high]
    frame = Frame(x_ticks, [(up(value), label(value)) for value in y_values], x_label, y_label)
    return Bars(frame, drawn, None if mark is None else up(mark))


def histogram(lengths: Mapping[int, int], *, x_label: str, y_label: str, most: int = 32) -> Bars:
    """Lay out a histogram of whole numbers with at most `most` bars of equal width."""
    smallest, largest = min(lengths), max(lengths)
    width = max(1, math.ceil((largest - smallest + 1) / most))
    starts = list(range(smallest, largest + 1, width))
    heights = [sum(lengths.get(start + step, 0) for step in range(width)) for start in starts]
    ranges = [f"{start:g}" if width == 1 else f"{start:g} to {start + width - 1:g}" for start in starts]
    tips = [f"{span} {x_label}: {height:,g} {y_label}" for span, height in zip(ranges, heights, strict=True)]
    return bars(starts, heights, width=width, x_label=x_label, y_label=y_label, tips=tips)


def ticks(low: float, high: float, *, most: int = 6) -> list[float]:
    """Return round numbers, at most `most`, whose first is <= low and whose last is >= high."""
    if high <= low:
        low, high = low - 0.5, high + 0.5
    raw = (high - low) / (most - 2)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]


def label(value: float) -> str:
    """Return an axis label: 1,200 or 0.25."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:g}"


def _whole_ticks(x: Sequence[float]) -> list[float]:
    step = max(1, math.ceil(len(x) / 8))
    return list(x)[::step]
