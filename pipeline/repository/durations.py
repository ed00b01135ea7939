"""How long each stage took before, and with how much work: noted after a run, read by a plan."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

from pipeline.repository.memory import read_memory, write_memory
from pipeline.repository.snapshot import LONGEST, MOST_WORK, Run
from stages.paths import Paths

HISTORY = ".retune/seconds.json"  # stage -> seconds of its last run, with whatever parameters
RUNS = ".retune/runs.json"  # stage without its item -> its last runs, each [seconds, work that was done]
KEPT = 20  # runs
MOST_ROWS = 10**12  # of a length; more is damage, too


def read_durations(root: Path) -> dict[str, float]:
    """Seconds of each stage's last run on this machine; empty if there was none."""
    noted = read_memory(root / HISTORY).items()
    return {stage: seconds for stage, seconds in noted if _is_number(seconds, LONGEST)}


def read_runs(root: Path) -> dict[str, tuple[Run, ...]]:
    """The last runs of each group of stages on this machine, oldest first."""
    noted = read_memory(root / RUNS).items()
    return {
        group: tuple(run for item in runs if (run := _run(item))) for group, runs in noted if isinstance(runs, list)
    }


def note_duration(root: Path, stage: str, seconds: float, work: float = 0.0) -> None:
    """Note how long a stage took, and with how much work (0: unknown)."""
    write_memory(root / HISTORY, {**read_durations(root), stage: round(seconds, 1)})
    if work:
        group, noted = stage.partition("@")[0], read_runs(root)
        listed = {**noted, group: _last_and_largest([*noted.get(group, ()), Run(round(seconds, 2), work)])}
        write_memory(root / RUNS, {name: [[run.seconds, run.work] for run in runs] for name, runs in listed.items()})


def known_duration(root: Path, stage: str, durations: Mapping[str, float]) -> float | None:
    """Seconds of the stage's last run here, else those that the stage wrote, else None."""
    if stage in durations:
        return durations[stage]
    seconds = read_memory(Paths(root).timing(stage)).get("seconds")
    return float(seconds) if _is_number(seconds, LONGEST) else None


def read_lengths(root: Path) -> dict[int, int]:
    """Tokens per row -> rows, as tokenize counted them before it truncated; empty if that is unknown here."""
    try:
        with Paths(root).lengths.open(encoding="utf-8", newline="") as file:
            lengths = {int(row["tokens"]): int(row["rows"]) for row in csv.DictReader(file)}
    except (OSError, ValueError, KeyError, TypeError, csv.Error):  # TypeError: a row with too few fields
        return {}
    return lengths if all(0 <= number <= MOST_ROWS for pair in lengths.items() for number in pair) else {}


def _last_and_largest(runs: list[Run]) -> list[Run]:
    """The last runs, and the one with the most work: without it, runs that read kept rows tell nothing of new ones."""
    last = runs[-KEPT:]
    largest = max(reversed(runs), key=lambda run: run.work)
    return last if largest in last else [largest, *last[1:]]


def _run(item: Any) -> Run | None:
    """A noted run; None if it is damaged."""
    if not (isinstance(item, list) and len(item) == 2):
        return None
    seconds, work = item
    if not (_is_number(seconds, LONGEST) and seconds and _is_number(work, MOST_WORK) and work >= 1):
        return None
    return Run(float(seconds), float(work))


def _is_number(value: Any, most: float) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most  # NaN is not
