"""What each stage measured of its own run: time, speed and memory, as it wrote them beside its results."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.repository.memory import read_memory
from pipeline.repository.snapshot import MOST_WORK
from stages.paths import Paths


@dataclass(frozen=True)
class Timing:
    """Of the run that made a stage's results, maybe on another machine; None: it was not measured.

    Attributes:
        stage: Its name.
        seconds: From its start to its end.
        tokens_per_second: That its model computed or trained, without padding.
        rows_per_second: That it tokenized.
        share_of_rate: What the tokens take of the rate at which the machine multiplies matrices: 1 is all of it.
        all_kept: Its model computed nothing, because all its rows were kept.
        peak_memory_mb: The most that it had, in MB.
    """

    stage: str
    seconds: float
    tokens_per_second: float | None
    rows_per_second: float | None
    share_of_rate: float | None
    all_kept: bool
    peak_memory_mb: float | None


def read_timings(root: Path, stages: Iterable[str]) -> list[Timing]:
    """Return the timings of those stages that have some here; a damaged file counts as none.

    Args:
        root: The project's folder.
        stages: Their names.
    """
    timings = []
    for stage in stages:
        measured = read_memory(Paths(root).timing(stage))
        if (seconds := _number(measured.get("seconds"))) is not None:
            timings.append(
                Timing(
                    stage,
                    seconds,
                    tokens_per_second=_number(measured.get("tokens_per_second")),
                    rows_per_second=_number(measured.get("rows_per_second")),
                    share_of_rate=_number(measured.get("share_of_matrix_rate")),
                    all_kept=measured.get("computed_tokens") == 0,
                    peak_memory_mb=_number(measured.get("peak_memory_mb")),
                )
            )
    return timings


def _number(value: Any) -> float | None:
    sound = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST_WORK
    return float(value) if sound else None
