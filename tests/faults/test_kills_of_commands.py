"""The real stages, `retune predict` and `retune compare` killed at random moments; a tiny model, real files."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults import faults
from tests.faults.real import RUNS, stage_outputs
from tests.pipeline import outcomes, toy
from tests.pipeline.comparison.commands import commit_results, write_times
from tests.pipeline.prediction.rows import many


def kill(process: subprocess.Popen[bytes], wait: float, number: int) -> str:
    """Kill a command some seconds after its start; return the signal, or that it was over."""
    sent = faults.SIGNALS[number % 3]
    try:
        process.wait(wait)
    except subprocess.TimeoutExpired:
        process.send_signal(sent)
        process.wait(120)
        return sent.name
    return "ended before the kill"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", range(30))
def test_a_killed_stage(
    real_project: tuple[Path, dict[str, float]],
    tmp_path: Path,
    count: Callable[[str, str], None],
    number: int,
) -> None:
    source, seconds = real_project
    stage = list(RUNS)[number % len(RUNS)]
    chance, root = faults.chance_of("real stage", number), faults.copy_project(source, tmp_path / "project")
    before = stage_outputs(root, stage)
    process = faults.start(root, *RUNS[stage])
    end = kill(process, chance.uniform(0.5, 1.05) * seconds[stage], number)
    now = {name: content for name, content in stage_outputs(root, stage).items() if ".partial" not in name}
    assert {name: before.get(name) for name in now} == now, "no file is half, and none is new"
    assert faults.start(root, *RUNS[stage]).wait(200) == 0
    assert stage_outputs(root, stage) == before
    assert faults.half_files(root / "data") == []
    count(f"kill {stage}", end)


@pytest.fixture(scope="session")
def answered(tmp_path_factory: pytest.TempPathFactory, model: Path) -> tuple[list[str], Path, bytes, float]:
    """Arguments of retune predict, its input, the bytes that it writes, and the seconds that it takes."""
    folder = tmp_path_factory.mktemp("predict")
    file, out = many(folder / "in.csv", 20_000), folder / "whole.csv"
    arguments = ["pipeline.cli", "predict", "--file", str(file), "--model", str(model)]
    began = time.monotonic()
    assert faults.start(folder, *arguments, "--out", str(out)).wait(300) == 0
    return arguments, file, out.read_bytes(), time.monotonic() - began


@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", range(30))
def test_a_killed_prediction_resumes_to_the_same_bytes(
    answered: tuple[list[str], Path, bytes, float], tmp_path: Path, count: Callable[[str, str], None], number: int
) -> None:
    arguments, _, whole, seconds = answered
    chance, out = faults.chance_of("predict", number), tmp_path / "out.csv"
    command = [*arguments, "--out", str(out)]
    end = kill(faults.start(tmp_path, *command), chance.uniform(0.3, 1.0) * seconds, number)
    assert not out.exists() or out.read_bytes() == whole
    if not out.exists():
        resumed = faults.start(tmp_path, *command, "--resume")
        assert resumed.wait(200) == 0, resumed.stderr.read()
    assert out.read_bytes() == whole
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
    count("kill predict", end)


@pytest.fixture(scope="session")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, float]:
    """A project with two results, what retune compare prints about them, and the seconds that it takes."""
    root = outcomes.create(tmp_path_factory.mktemp("compare") / "project")
    data = outcomes.rows(600)
    for tag, wrong in (("base", 60), ("worse", 150)):
        commit_results(root, tag, data, {42: outcomes.predict(data, wrong=wrong, seed=wrong)})
    began = time.monotonic()
    done = toy.retune(root, "compare", "base", "worse", PYTHONPATH=str(outcomes.ROOT))
    assert done.returncode == 0, done.stderr
    return root, done.stdout, time.monotonic() - began


@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", range(30))
def test_a_killed_comparison_leaves_nothing(
    compared: tuple[Path, str, float], tmp_path: Path, count: Callable[[str, str], None], number: int
) -> None:
    root, printed, seconds = compared
    chance, before = faults.chance_of("compare", number), write_times(root)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    variables = {"PYTHONPATH": str(outcomes.ROOT), "TMPDIR": str(temporary)}
    process = faults.start(root, "pipeline.cli", "compare", "base", "worse", **variables)
    end = kill(process, chance.uniform(0.2, 1.0) * seconds, number)
    assert write_times(root) == before
    if end != "SIGKILL":
        assert list(temporary.iterdir()) == []
    done = toy.retune(root, "compare", "base", "worse", **variables)
    assert (done.returncode, done.stdout) == (0, printed)
    count("kill compare", end)
