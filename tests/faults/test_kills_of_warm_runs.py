"""A run whose stages are forks of the warm process, killed at random moments: nothing is left, and nothing is lost."""

import contextlib
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.end_to_end import small_project
from tests.faults import faults
from tests.faults.real import RUNS, stage_outputs
from tests.pipeline import toy
from tests.pipeline.processes import is_part

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is a warm process on Linux only")

STAGES = ("finetune@42", "evaluate@42")
WARM = ["-m", "stages.warm"]
VICTIMS: dict[str, Callable[[psutil.Process], bool]] = {
    "retune run": lambda process: is_part(process.parent(), ["pipeline.cli", "run"]),  # it has started something
    "warm process": lambda process: is_part(process, WARM) and not is_part(process.parent(), WARM),
    "fork": lambda process: is_part(process, WARM) and is_part(process.parent(), WARM),
    "stage of a fork": lambda process: is_part(process, ["python", "-m", "stages.finetune"]),
    "dvc of a fork": lambda process: is_part(process, ["dvc", "--wait-for-lock", "repro"]),
}
CASES = [(victim, number) for number in range(4) for victim in VICTIMS]


@pytest.fixture(scope="session")
def changed(tmp_path_factory: pytest.TempPathFactory, prefect_api: str) -> tuple[Path, dict[str, dict[str, bytes]]]:
    """A project with a changed learning rate, and what its stages write where no process is warm and none is killed."""
    root = small_project.create(tmp_path_factory.mktemp("warm") / "project")
    done = toy.retune(root, "run", PREFECT_API_URL=prefect_api)
    assert done.returncode == 0, done.stderr
    params = (root / "params.yaml").read_text()
    rate = next(line for line in params.splitlines() if line.strip().startswith("learning_rate:"))
    toy.edit(root, "params.yaml", rate, f"{rate.split(':')[0]}: 3.0e-3")
    scratch = faults.copy_project(root, root.parent / "scratch")
    for stage in STAGES:
        shutil.rmtree(scratch / "data" / stage.replace("@", "/"))
        assert faults.start(scratch, *RUNS[stage]).wait(300) == 0
    return root, {stage: stage_outputs(scratch, stage) for stage in STAGES}


def find(root: Path, victim: str) -> psutil.Process | None:
    for process in faults.processes_of(root):
        with contextlib.suppress(psutil.Error, AttributeError):  # it ends meanwhile
            if VICTIMS[victim](process):
                return process
    return None


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("victim", "number"), CASES)
def test_a_kill_in_a_run_with_a_warm_process(
    changed: tuple[Path, dict[str, dict[str, bytes]]],
    tmp_path: Path,
    prefect_api: str,
    count: Callable[[str, str], None],
    victim: str,
    number: int,
) -> None:
    source, expected = changed
    chance, sent = faults.chance_of("warm", victim, number), faults.SIGNALS[number % 3]
    root = faults.copy_project(source, tmp_path / "project")
    run = faults.start(root, "pipeline.cli", "run", PREFECT_API_URL=prefect_api)
    found = None
    while run.poll() is None and not (found := find(root, victim)):
        time.sleep(0.02)
    time.sleep(chance.uniform(0, 12 if victim == "retune run" else 3))
    end = "ended before the kill"
    with contextlib.suppress(psutil.NoSuchProcess):
        if found and run.poll() is None:
            (run if victim == "retune run" else found).send_signal(sent)
            end = sent.name
    run.wait(120)
    faults.wait_until_none_is_left(root)
    again = toy.retune(root, "run", PREFECT_API_URL=prefect_api)
    assert again.returncode == 0, again.stdout + again.stderr
    assert {stage: stage_outputs(root, stage) for stage in STAGES} == expected
    assert faults.half_files(root / "data") == []
    assert faults.processes_of(root) == []
    count(f"kill, forked: {victim}", end)
