"""The six real stages with a tiny encoder and 150 rows, run once without DVC; each works for a second or two."""

import time
from pathlib import Path

import pytest

from tests.end_to_end.test_pipeline import VALUES, write_encoder, write_rows
from tests.faults import faults
from tests.pipeline import toy

RUNS = {
    "download@dataset": ("stages.download", "dataset"),
    "download@model": ("stages.download", "model"),
    "tokenize": ("stages.tokenize",),
    "split": ("stages.split",),
    "finetune@42": ("stages.finetune", "42"),
    "evaluate@42": ("stages.evaluate", "42"),
    "report": ("stages.report",),
}
DEPENDS_ON_TIME = ("timing.json", "report.html", "report.md", "README.md")


@pytest.fixture(scope="session")
def real_project(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    """The project after all stages, and the seconds that each took."""
    root = toy.own_project(tmp_path_factory.mktemp("real") / "project")
    write_rows(root / "data/samples/toy.csv")
    write_encoder(root / "encoder")
    done = toy.retune(root, "use", "default", *[part for value in VALUES for part in ("-S", value)])
    assert done.returncode == 0, done.stderr
    seconds = {}
    for stage, command in RUNS.items():
        began = time.monotonic()
        process = faults.start(root, *command)
        assert process.wait(300) == 0, process.stderr.read()
        seconds[stage] = time.monotonic() - began
    return root, seconds


def stage_outputs(root: Path, stage: str) -> dict[str, bytes]:
    """The bytes of what a stage wrote, but for files that tell the time."""
    folder = root / "data" / stage.replace("@", "/")
    return {
        name: content
        for name, content in faults.read_files([folder], root).items()
        if not name.endswith(DEPENDS_ON_TIME)
    }
