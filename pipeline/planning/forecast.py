"""How long a stage will take: from earlier runs, scaled by how much work it has now, with a range."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from pipeline.planning.work import USED, Work, stage_work
from pipeline.repository.graph import Graph, Stage
from pipeline.repository.snapshot import Run, Snapshot

STARTUP = 6.0  # seconds of a stage that no work explains: imports, loading, saving (measured: 3 to 8)
STARTUP_RANGE = (0.3, 1.3)  # times STARTUP
SHORT = 0.1  # seconds; less is not measured well
Z = 1.28  # an 80% range of a normal distribution
USUAL_SPREAD = 0.2  # standard deviation of log seconds between equal runs on a machine that others use too
USUAL_RUNS = 3  # earlier runs that this assumption counts as


@dataclass(frozen=True)
class Forecast:
    """Expected seconds, and the range that should hold 80% of the runs."""

    seconds: float
    low: float
    high: float


class Forecaster:
    """Forecasts of the stages of one plan.

    Args:
        graph: The stages.
        snapshot: The state of the project.
    """

    def __init__(self, graph: Graph, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._lengths = snapshot.lengths()
        values = {name: snapshot.param("params.yaml", name) for name in USED}
        self._now = {name: value for name, value in values.items() if isinstance(value, Mapping)}
        self._locked: dict[str, Any] = {}
        for stage in graph.stages if self._lengths else ():
            entry = snapshot.locked(stage.name)
            self._locked |= entry.params.get("params.yaml", {}) if entry else {}

    def work(self, stage: Stage) -> Work | None:
        """The work of a stage with the current parameters."""
        return stage_work(stage.group, self._now, self._lengths)

    def of(self, stage: Stage) -> Forecast | None:
        """How long a stage would take now; None if it never ran here."""
        runs, work = self._snapshot.runs(stage), self.work(stage)
        if not runs:  # nothing but the seconds of its last run, which had the parameters of dvc.lock
            seconds = self._snapshot.seconds(stage)
            then = stage_work(stage.group, {**self._now, **self._locked}, self._lengths)
            runs = () if seconds is None else (Run(seconds, then.most if then else 0.0),)
        return forecast(runs, work)


def forecast(runs: Sequence[Run], work: Work | None) -> Forecast | None:
    """The seconds of a stage with so much work, or None without an earlier run.

    Two sizes of earlier runs tell the fixed part from that which grows with the work. With one size a usual fixed part
    is assumed, and the range covers the usual ones.
    """
    if not runs:
        return None
    sized = [run for run in runs if run.work]
    if work is None or not sized:
        seconds = median(run.seconds for run in runs)
        return _ranged([seconds], [seconds], _spread(_error(run, seconds) for run in runs))
    fits = _fits(sized)
    spread = _spread(_error(run, _seconds(fits[0], run.work)) for run in sized)
    return _ranged([_seconds(fit, work.most) for fit in fits], [_seconds(fit, work.least) for fit in fits], spread)


def _fits(runs: Sequence[Run]) -> list[tuple[float, float]]:
    """Pairs of fixed seconds and seconds per unit of work: the likeliest, then further ones where only one is known."""
    works = [run.work for run in runs]
    if max(works) < 1.2 * min(works):
        seconds, work = median(run.seconds for run in runs), median(works)
        starts = [min(STARTUP * factor, 0.9 * seconds) for factor in (1.0, *STARTUP_RANGE)]
        return [(start, (seconds - start) / work) for start in starts]
    weights = [1 / max(run.seconds, SHORT) ** 2 for run in runs]  # relative errors count, not seconds
    total = sum(weights)
    mean_work = sum(weight * run.work for weight, run in zip(weights, runs, strict=True)) / total
    mean = sum(weight * run.seconds for weight, run in zip(weights, runs, strict=True)) / total
    products = [
        (weight * (run.work - mean_work) * (run.seconds - mean), weight * (run.work - mean_work) ** 2)
        for weight, run in zip(weights, runs, strict=True)
    ]
    slope = sum(top for top, _ in products) / sum(bottom for _, bottom in products)
    slope = min(max(slope, 0.0), mean / mean_work)
    return [(mean - slope * mean_work, slope)]


def _seconds(fit: tuple[float, float], work: float) -> float:
    return fit[0] + fit[1] * work


def _error(run: Run, seconds: float) -> float:
    return math.log(max(run.seconds, SHORT) / max(seconds, SHORT))


def _spread(errors: Iterable[float]) -> float:
    squares = [error**2 for error in errors]
    return math.sqrt((USUAL_RUNS * USUAL_SPREAD**2 + sum(squares)) / (USUAL_RUNS + len(squares)))


def _ranged(most: Sequence[float], least: Sequence[float], spread: float) -> Forecast:
    wide = math.exp(Z * spread)
    return Forecast(most[0], min(least) / wide, max(most) * wide)
