"""The six real stages with a tiny encoder and 150 rows, run once without DVC; each works for a second or two."""

import json
import os
import time
from pathlib import Path

import pytest
from filelock import FileLock

from tests.end_to_end import small_project
from tests.faults import faults

RUNS = {
    "download@dataset": ("stages.download", "dataset"),
    "download@model": ("stages.download", "model"),
    "tokenize": ("stages.tokenize",),
    "split": ("stages.split",),
    "finetune@42": ("stages.finetune", "--seed", "42"),
    "evaluate@42": ("stages.evaluate", "--seed", "42"),
    "report": ("stages.report",),
}
DEPENDS_ON_TIME = ("report.html", "report.md", "README.md")


@pytest.fixture(scope="session")
def real_project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    """The project after all stages, and the seconds that each took; one for all processes of pytest-xdist."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with FileLock(shared / "real.lock"):
        root, times = shared / "real", shared / "real.json"
        if not times.exists():
            root.mkdir()
            times.write_text(json.dumps(run_all(root)))
    return root, json.loads(times.read_text())


def run_all(root: Path) -> dict[str, float]:
    """Make the project and run every stage; return the seconds that each took."""
    small_project.create(root)
    seconds = {}
    for stage, command in RUNS.items():
        began = time.monotonic()
        process = faults.start(root, *command)
        assert process.wait(300) == 0, process.stderr.read()
        seconds[stage] = time.monotonic() - began
    return seconds


def stage_outputs(root: Path, stage: str) -> dict[str, bytes]:
    """The bytes of what a stage wrote, but for files that tell the time."""
    folder = root / "data" / stage.replace("@", "/")
    return {
        name: content
        for name, content in faults.read_files([folder], root).items()
        if not name.endswith(DEPENDS_ON_TIME)
    }
