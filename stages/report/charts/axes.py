"""Axes: the frame of a chart, linear scales and round tick marks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 440, 250  # of the SVG viewBox; text is drawn at 12 units, which is legible on a phone
LEFT, RIGHT, TOP, BOTTOM = 48, 12, 12, 40  # margins

Tick = tuple[float, str]  # coordinate, label


@dataclass(frozen=True)
class Frame:
    """The axes of a chart in viewBox units."""

    x_ticks: list[Tick]
    y_ticks: list[Tick]
    x_label: str
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM
    width: int = WIDTH
    height: int = HEIGHT


@dataclass(frozen=True)
class Scale:
    """A linear map from data (low to high) to viewBox units (start to end)."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        span = self.high - self.low or 1.0
        return round(self.start + (value - self.low) / span * (self.end - self.start), 2)

    def ticks(self, values: Sequence[float]) -> list[Tick]:
        """Place a labelled tick at each value."""
        return [(self(value), tick_label(value)) for value in values]


def vertical_scale(low: float, high: float) -> Scale:
    """Return the scale of a y axis."""
    return Scale(low, high, HEIGHT - BOTTOM, TOP)


def round_ticks(low: float, high: float) -> list[float]:
    """Return 2 to 7 equally spaced round numbers, the first <= low and the last >= high."""
    if high <= low:
        low, high = low - 0.5, high + 0.5
    raw = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 10) for number in range(first, last + 1)]


def tick_label(value: float) -> str:
    """Return a number as the label of a tick, such as 1,200 or 0.25."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:g}"
