"""What runs in one project's folder on this machine: `retune run`, and stages, whoever started them."""

from datetime import UTC, datetime
from pathlib import Path

import psutil

from pipeline.execution.holder import read_holder
from pipeline.execution.machine import workspace_name
from pipeline.execution.stage_process import MARKER, STAGE_MARKER
from pipeline.repository.durations import known_duration, read_durations
from pipeline.status.activity import Activity, expected_end
from stages.parent import ROOT, STAGE, read_environment


def activities_here(root: Path) -> list[Activity]:
    """The run that holds this folder, and every stage that runs in it, oldest first.

    A stage is found by the environment of its processes, so that one of `dvc repro` is seen as well.
    """
    where, durations = workspace_name(root), read_durations(root)
    holder = read_holder(root)
    run = Activity("retune run", None, "running", where, holder.since, holder.ends) if holder else None
    started: dict[str, datetime] = {}
    for process in psutil.process_iter():
        stage = _stage_of(read_environment(process), root)
        begun = _begin_of(process) if stage else None
        if stage and begun:
            started[stage] = min(begun, started.get(stage, begun))
    owner = run.name if run else "dvc repro"
    stages = [
        Activity(stage, owner, "running", where, since, expected_end(since, known_duration(root, stage, durations)))
        for stage, since in sorted(started.items(), key=lambda item: item[1])
    ]
    return [*([run] if run else []), *stages]


def _stage_of(environment: dict[str, str], root: Path) -> str | None:
    """The stage that a process belongs to, if it is one of this project."""
    for folder, stage in ((ROOT, STAGE), (MARKER, STAGE_MARKER)):
        if environment.get(folder) and Path(environment[folder]).resolve() == root.resolve():
            return environment.get(stage)
    return None


def _begin_of(process: psutil.Process) -> datetime | None:
    try:
        return datetime.fromtimestamp(process.create_time(), UTC)
    except psutil.Error:
        return None
