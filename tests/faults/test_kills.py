"""A stage, `dvc` and `retune run` killed at random moments in the toy project: the next run ends as if nothing was."""

import contextlib
import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.faults import faults
from tests.pipeline import toy
from tests.pipeline.processes import is_part

KILLS = {"stage": 60, "dvc": 60, "retune run": 60}
CASES = [(victim, number) for number in range(60) for victim in KILLS]  # mixed, so that a cut-off run has every kind
COMMANDS = {"stage": ["python", "work.py"], "dvc": ["-m", "dvc"]}


@pytest.fixture(scope="session")
def seconds(toy_that_ran: Path, tmp_path_factory: pytest.TempPathFactory, prefect_api: str) -> dict[str, float]:
    """How long each command takes here when nothing is killed."""
    root = faults.copy_project(toy_that_ran, tmp_path_factory.mktemp("seconds") / "project")
    took = {}
    for number, victim in enumerate(KILLS):
        faults.change(root, faults.STAGES[number], 1000 + number)
        began = time.monotonic()
        assert begin(root, victim, faults.STAGES[number], prefect_api).wait(300) == 0
        took[victim] = time.monotonic() - began
    return took


def begin(root: Path, victim: str, stage: str, api: str) -> subprocess.Popen[bytes]:
    if victim == "retune run":
        return faults.start(root, "pipeline.cli", "run", stage, PREFECT_API_URL=api)
    return faults.start(root, "dvc", "repro", "-s", stage)


def send(root: Path, process: subprocess.Popen[bytes], victim: str, sent: signal.Signals) -> bool:
    """Send the signal to the victim once it lives; return whether it did before the command ended."""
    while process.poll() is None:
        with contextlib.suppress(psutil.Error):
            if victim != "stage":
                process.send_signal(sent)
                return True
            for one in faults.processes_of(root):
                if is_part(one, COMMANDS[victim]):
                    one.send_signal(sent)
                    return True
        time.sleep(0.01)
    return False


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("victim", "number"), CASES)
def test_a_kill(
    copy: Path,
    tmp_path: Path,
    prefect_api: str,
    seconds: dict[str, float],
    count: Callable[[str, str], None],
    victim: str,
    number: int,
) -> None:
    chance, sent = faults.chance_of(victim, number), faults.SIGNALS[number % 3]
    stage = chance.choice(faults.STAGES)
    faults.change(copy, stage, number)
    expected = faults.undisturbed(copy, stage, tmp_path / "scratch")
    sleep = chance.uniform(0, 1)
    (copy / "control.json").write_text(json.dumps({stage: {"sleep": sleep}}))
    process = begin(copy, victim, stage, prefect_api)
    time.sleep(chance.uniform(0, 0.9 * seconds[victim]) if victim != "stage" else 0)
    if victim == "stage":
        while process.poll() is None and not toy.trace(copy):
            time.sleep(0.01)
        time.sleep(chance.uniform(0, sleep))
    hit = send(copy, process, victim, sent)
    process.wait(120)
    (copy / "control.json").unlink()
    if victim == "retune run":
        faults.wait_until_none_is_left(copy)  # its processes end without another run
        done = toy.retune(copy, "run", stage, PREFECT_API_URL=prefect_api)
        assert done.returncode == 0, done.stderr
    else:
        assert faults.drive(copy, stage) == []
    faults.check_end(copy, stage, expected)
    count(f"kill {victim}", sent.name if hit else "ended before the kill")
