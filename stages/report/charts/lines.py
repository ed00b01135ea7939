"""Line charts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stages.report.charts.axes import LEFT, RIGHT, WIDTH, Frame, Scale, round_ticks, vertical_scale

Point = tuple[float, float, str]  # x, y, tooltip


@dataclass(frozen=True)
class Series:
    """One line; `style` selects its colour, dash and marker, so that lines differ by more than colour."""

    name: str
    style: int
    points: list[Point]
    markers: bool = True

    @property
    def path(self) -> str:
        return "M" + "L".join(f"{x:g} {y:g}" for x, y, _ in self.points) if self.points else ""


@dataclass(frozen=True)
class LineChart:
    frame: Frame
    series: list[Series]


def epoch_chart(series: Mapping[str, Sequence[float]], epochs: Sequence[int]) -> LineChart:
    """Lay out one line per series over the epochs; values that are not finite are left out.

    Args:
        series: Values by name of the line; a line may have fewer values than there are epochs.
        epochs: Numbers of the epochs.
    """
    finite = [value for values in series.values() for value in values if math.isfinite(value)]
    y_values = round_ticks(min(finite), max(finite))
    across = Scale(min(epochs), max(epochs), LEFT + 8, WIDTH - RIGHT - 8)
    up = vertical_scale(y_values[0], y_values[-1])
    lines = [
        Series(
            name,
            style,
            [
                (across(epoch), up(value), f"{name}, epoch {epoch}: {value:.4g}")
                for epoch, value in zip(epochs, values, strict=False)
                if math.isfinite(value)
            ],
        )
        for style, (name, values) in enumerate(series.items())
    ]
    every = max(1, math.ceil(len(epochs) / 8))
    return LineChart(Frame(across.ticks(epochs[::every]), up.ticks(y_values), "epoch"), lines)


def unit_chart(
    series: Mapping[str, tuple[Sequence[float], Sequence[float]]], *, x_label: str, markers: bool = True
) -> LineChart:
    """Lay out lines whose x and y are both between 0 and 1; the line named `perfect` has no markers.

    Args:
        series: x and y by name of the line.
        x_label: Of the x axis.
        markers: Whether the points are marked.
    """
    across, up = Scale(0, 1, LEFT + 4, WIDTH - RIGHT - 8), vertical_scale(0, 1)
    steps = [number / 5 for number in range(6)]
    lines = [
        Series(
            name,
            style,
            [(across(x), up(y), f"{name}, {x_label} {x:.3f}: {y:.3f}") for x, y in zip(*points, strict=True)],
            markers and name != "perfect",
        )
        for style, (name, points) in enumerate(series.items())
    ]
    return LineChart(Frame(across.ticks(steps), up.ticks(steps), x_label), lines)
