"""How long each stage took before: noted after a run, read by a plan."""

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path

from pipeline.repository.graph import Graph, Stage
from stages.files import read_json, write_json
from stages.paths import Paths

HISTORY = ".retune/seconds.json"  # stage -> seconds of its last run, with whatever parameters


def read_durations(root: Path) -> dict[str, float]:
    """Seconds of each stage's last run on this machine; empty if there was none."""
    try:
        return dict(read_json(root / HISTORY))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}


def note_duration(root: Path, stage: str, seconds: float) -> None:
    """Note how long a stage took."""
    write_json(root / HISTORY, {**read_durations(root), stage: round(seconds, 1)})


def expected_duration(root: Path, graph: Graph, stage: Stage, durations: Mapping[str, float]) -> float | None:
    """Seconds of the stage's last run here, else those in its timing.json, else those of a stage of the same group."""
    for name in [stage.name, *(sibling.name for sibling in graph.stages if sibling.group == stage.group)]:
        if name in durations:
            return durations[name]
        timing = Paths(root).timing(name)
        if timing.is_file():
            with contextlib.suppress(json.JSONDecodeError, KeyError, TypeError):
                return float(read_json(timing)["seconds"])
    return None
