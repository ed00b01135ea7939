"""SIGKILL of `retune run`, of `dvc` and of the stage, at random moments: no result is lost, no process is left."""

import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from pipeline.local import server
from pipeline.planning.plan import make_plan
from pipeline.repository.project import Project
from tests.pipeline import toy
from tests.pipeline.local.runs import control, run, start
from tests.pipeline.processes import is_part, processes_of, wait_for

pytestmark = pytest.mark.slow
STAGES = ("download@rows", "download@model", "cut", "train@1", "train@2", "report")
COMMANDS = {"dvc": ["-m", "dvc"], "stage": ["python", "work.py"]}
VICTIMS = ("retune", *COMMANDS)  # after each kill the run is started again; `make test-faults` has hundreds


def kill_one(root: Path, process: subprocess.Popen[str], victim: str) -> bool:
    """Kill `retune run` itself, or the newest process of this kind; return whether there was one."""
    if victim == "retune":
        process.kill()
        return True
    try:
        candidates = [process for process in processes_of(root) if is_part(process, COMMANDS[victim])]
        for newest in candidates[-1:]:
            newest.kill()
    except psutil.NoSuchProcess:
        return False
    return bool(candidates)


@pytest.fixture(scope="module")
def undisturbed(toy_that_ran: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """The hashes that `dvc repro` gives for each kill's input when nothing is killed."""
    root = Path(shutil.copytree(toy_that_ran, tmp_path_factory.mktemp("undisturbed") / "project"))
    hashes = []
    for kill in range(len(VICTIMS)):
        change_input(root, kill)
        toy.dvc(root, "repro")
        hashes.append(toy.hashes(root))
    return hashes


def change_input(root: Path, kill: int) -> None:
    """New work for every stage but download@model."""
    (root / "input/rows.csv").write_text(f"{kill}\n")


def test_kills_at_random_moments(
    toy_that_ran: Path, tmp_path: Path, prefect_api: str, undisturbed: list[dict[str, str]]
) -> None:
    chance = random.Random(0)
    root = Path(shutil.copytree(toy_that_ran, tmp_path / "killed"))
    killed = 0
    for kill, victim in enumerate(VICTIMS):
        change_input(root, kill)
        control(root, **{stage.replace("@", "_"): {"sleep": 0.7, "child": True} for stage in STAGES})
        seen = len(toy.trace(root))
        process = start(root, prefect_api, "--jobs", "2")
        wait_for(lambda before=seen: len(toy.trace(root)) > before, seconds=240)
        time.sleep(chance.uniform(0, 2.5))
        hit = False
        while process.poll() is None and not (hit := kill_one(root, process, victim)):
            time.sleep(0.02)
        killed += hit
        process.communicate(timeout=240)
        wait_for(lambda: processes_of(root) == [], seconds=20)  # no orphans, even without another run
        control(root)
        run(root, prefect_api, "--jobs", "2")
        assert toy.hashes(root) == undisturbed[kill], victim
        with Project(root) as project:  # the workspace and the cache agree with dvc.lock
            assert {plan.state for plan in make_plan(project.graph, project)} == {"fresh"}
    assert killed >= len(VICTIMS) - 1, "most runs ended before the kill"


def test_a_killed_run_leaves_no_server_behind(project: Path) -> None:
    """Without a configured API the run has a server of its own."""
    toy.edit(project, "params.yaml", "length: 5", "length: 6")
    control(project, cut={"sleep": 60})
    process = start(project, "")
    wait_for(lambda: toy.trace(project), seconds=240)
    children = psutil.Process(process.pid).children(recursive=True)
    assert any(server.GUARD in child.cmdline() for child in children)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    _, alive = psutil.wait_procs(children, timeout=30)
    assert alive == []
