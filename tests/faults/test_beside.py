"""Two runs at once, a run beside `dvc repro`, and clocks that jump: no result is lost, and nothing runs for ever."""

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults import faults
from tests.pipeline import toy

NOW = time.time()
CLOCKS = {"ten years ahead": NOW + 3.2e8, "1970": 1.0, "an hour back": NOW - 3600, "random": None}


@pytest.mark.timeout(400)
@pytest.mark.parametrize("wait", [False, True])
@pytest.mark.parametrize("number", range(3))
def test_two_runs_at_once(
    copy: Path, tmp_path: Path, prefect_api: str, count: Callable[[str, str], None], number: int, wait: bool
) -> None:
    stage, chance = faults.STAGES[number], faults.chance_of("two runs", number, wait)
    faults.change(copy, stage, number)
    expected = faults.undisturbed(copy, stage, tmp_path / "scratch")
    (copy / "control.json").write_text(json.dumps({stage: {"sleep": 1.0}}))
    command = ["pipeline.cli", "run", stage, *(["--wait"] if wait else [])]
    runs = [faults.start(copy, *command, PREFECT_API_URL=prefect_api)]
    time.sleep(chance.uniform(0, 3))
    runs.append(faults.start(copy, *command, PREFECT_API_URL=prefect_api))
    said = [run.communicate(timeout=200)[1].decode() for run in runs]
    codes = [run.returncode for run in runs]
    assert 0 in codes
    if wait:
        assert codes == [0, 0], said
    for code, text in zip(codes, said, strict=True):
        if code:
            assert "Another run uses this workspace" in text
            faults.one_line(subprocess.CompletedProcess([], code, "", text))
    faults.check_end(copy, stage, expected)
    count("two runs at once", "both succeed" if codes == [0, 0] else "the second is told")


@pytest.mark.timeout(400)
@pytest.mark.parametrize("number", range(9))
def test_a_run_beside_dvc_repro(copy: Path, tmp_path: Path, count: Callable[[str, str], None], number: int) -> None:
    stage, chance = faults.STAGES[number % 3], faults.chance_of("beside", number)
    faults.change(copy, stage, number)
    expected = faults.undisturbed(copy, stage, tmp_path / "scratch")
    (copy / "control.json").write_text(json.dumps({stage: {"sleep": 3.0}}))
    other = faults.start(copy, "dvc", "repro", "-s", stage)
    time.sleep(chance.uniform(0, 5))
    errors = faults.drive(copy, stage)
    said = other.communicate(timeout=200)[1].decode()
    assert all("in use by another DVC command" in error for error in errors), errors
    assert other.returncode == 0 or "is busy" in said or "lock" in said.lower(), said
    assert not errors or other.returncode == 0, "at least one of them ends"
    (copy / "control.json").unlink()
    assert faults.drive(copy, stage) == []
    faults.check_end(copy, stage, expected)
    count("a run beside dvc repro", "the run is told" if errors else "both or the run succeed")


@pytest.mark.timeout(400)
@pytest.mark.parametrize("clock", CLOCKS)
def test_files_of_another_time(copy: Path, count: Callable[[str, str], None], clock: str) -> None:
    chance, before = faults.chance_of("clock", clock), toy.hashes(copy)
    for path in [path for path in copy.rglob("*") if path.is_file() and ".git" not in path.parts]:
        when = CLOCKS[clock] or chance.uniform(1, NOW + 3.2e8)
        os.utime(path, (when, when))
    assert faults.drive(copy) == []
    assert toy.trace(copy) == []
    (copy / "data/report/report.md").unlink()
    assert faults.drive(copy) == []
    assert (toy.trace(copy), toy.hashes(copy)) == ([], before)
    count("clock", clock)
