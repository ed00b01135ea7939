"""How long each stage took before: noted after a run, read by a plan."""

from collections.abc import Mapping
from pathlib import Path

from pipeline.repository.memory import read_memory
from stages.files import write_json
from stages.paths import Paths

HISTORY = ".retune/seconds.json"  # stage -> seconds of its last run, with whatever parameters


def read_durations(root: Path) -> dict[str, float]:
    """Seconds of each stage's last run on this machine; empty if there was none."""
    noted = read_memory(root / HISTORY).items()
    return {stage: seconds for stage, seconds in noted if isinstance(seconds, int | float) and seconds >= 0}


def note_duration(root: Path, stage: str, seconds: float) -> None:
    """Note how long a stage took."""
    write_json(root / HISTORY, {**read_durations(root), stage: round(seconds, 1)})


def known_duration(root: Path, stage: str, durations: Mapping[str, float]) -> float | None:
    """Seconds of the stage's last run here, else those that the stage wrote, else None."""
    if stage in durations:
        return durations[stage]
    seconds = read_memory(Paths(root).timing(stage)).get("seconds")
    return float(seconds) if isinstance(seconds, int | float) else None
