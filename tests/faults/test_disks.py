"""A full disk, a small limit, a read-only disk, little memory: one line or a success, and the next run is right.

The small disk is a tmpfs, where this machine lets us mount one.
"""

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults import faults
from tests.faults.real import RUNS, stage_outputs
from tests.pipeline import toy
from tests.pipeline.prediction.rows import many

SIZE = 200  # MB of the small disk
Limit = Callable[[], None]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no tmpfs may be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path, free: int) -> Path:
    """Leave this many bytes free, to the page; return the file that takes the others."""
    state = os.statvfs(disk)
    filler = disk / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(state.f_bavail * state.f_frsize - free, 1))
    return filler


def call(root: Path, *command: str, limit: Limit | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", *command],
        cwd=root,
        env=toy.environment(TMPDIR=str(root), OPENBLAS_NUM_THREADS="1"),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=limit,
        timeout=250,
    )


def limit_files(size: int) -> Limit:
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def limit_memory(size: int) -> Limit:
    return lambda: resource.setrlimit(resource.RLIMIT_AS, (size, size))


def check_stage(root: Path, stage: str, before: dict[str, bytes], done: subprocess.CompletedProcess[str]) -> str:
    """One line or a success; what was there stays or is whole; the next run is right."""
    if done.returncode:
        faults.one_line(done)
    now = stage_outputs(root, stage)
    assert {name: before[name] for name in now} == now
    again = call(root, *RUNS[stage])
    assert again.returncode == 0, again.stderr
    assert stage_outputs(root, stage) == before
    assert faults.half_files(root / "data") == []
    return "one line" if done.returncode else "a success"


@pytest.mark.timeout(400)
@pytest.mark.parametrize("number", range(2))
@pytest.mark.parametrize("stage", RUNS)
def test_a_stage_on_a_full_disk(
    real_project: tuple[Path, dict[str, float]],
    disk: Path,
    count: Callable[[str, str], None],
    stage: str,
    number: int,
) -> None:
    root = faults.copy_project(real_project[0], disk / "project")
    before, chance = stage_outputs(root, stage), faults.chance_of("full", stage, number)
    filler = fill(disk, chance.randrange(2 * sum(map(len, before.values())) + 1))
    done = call(root, *RUNS[stage])
    filler.unlink()
    count("full disk", check_stage(root, stage, before, done))


@pytest.mark.timeout(400)
@pytest.mark.parametrize("stage", RUNS)
def test_a_stage_with_a_limit_on_files(
    real_project: tuple[Path, dict[str, float]],
    tmp_path: Path,
    count: Callable[[str, str], None],
    stage: str,
) -> None:
    root = faults.copy_project(real_project[0], tmp_path / "project")
    before = stage_outputs(root, stage)
    size = faults.chance_of("limit", stage).randrange(max(map(len, before.values())))
    count("limit on files", check_stage(root, stage, before, call(root, *RUNS[stage], limit=limit_files(size))))


@pytest.mark.timeout(400)
@pytest.mark.parametrize("stage", RUNS)
def test_a_stage_on_a_read_only_disk(
    real_project: tuple[Path, dict[str, float]],
    disk: Path,
    count: Callable[[str, str], None],
    stage: str,
) -> None:
    root = faults.copy_project(real_project[0], disk / "project")
    before = stage_outputs(root, stage)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    done = call(root, *RUNS[stage])
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    assert done.returncode
    count("read-only disk", check_stage(root, stage, before, done))


@pytest.mark.timeout(400)
@pytest.mark.parametrize("megabytes", [1500, 3000, 6000])
@pytest.mark.parametrize("stage", ["tokenize", "finetune@42", "report"])
def test_a_stage_with_little_memory(
    real_project: tuple[Path, dict[str, float]],
    tmp_path: Path,
    count: Callable[[str, str], None],
    stage: str,
    megabytes: int,
) -> None:
    """An import that gets no memory keeps its traceback; whatever happens, the next run is right."""
    root = faults.copy_project(real_project[0], tmp_path / "project")
    before = stage_outputs(root, stage)
    done = call(root, *RUNS[stage], limit=limit_memory(megabytes << 20))
    now = stage_outputs(root, stage)
    assert {name: before[name] for name in now} == now
    assert call(root, *RUNS[stage]).returncode == 0
    assert stage_outputs(root, stage) == before
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    count("little memory", "a success" if not done.returncode else "one line" if lines else "a traceback of an import")


@pytest.mark.timeout(400)
@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("kind", ["full", "read-only"])
def test_a_run_on_a_bad_disk(
    toy_that_ran: Path, disk: Path, prefect_api: str, count: Callable[[str, str], None], kind: str, number: int
) -> None:
    """`retune plan`, `use` and `run`: a failure of `dvc` is a line of the run."""
    root = faults.copy_project(toy_that_ran, disk / "project")
    chance, command = faults.chance_of("run", kind, number), ("run cut", "plan", "run report")[number % 3].split()
    stage = command[-1] if command[0] == "run" else "cut"
    faults.change(root, stage, number)
    if kind == "full":
        filler = fill(disk, chance.randrange(60_000))
    else:
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    done = toy.retune(root, *command, PREFECT_API_URL=prefect_api)
    if kind == "full":
        filler.unlink()
    else:
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    if done.returncode:
        faults.one_line(done)
    expected = faults.undisturbed(root, stage, disk.parent / "scratch")
    assert faults.drive(root, stage) == []
    faults.check_end(root, stage, expected)
    count(f"{kind} disk: retune", "one line" if done.returncode else "a success")


@pytest.mark.timeout(400)
@pytest.mark.parametrize("number", range(6))
@pytest.mark.parametrize("kind", ["full disk", "limit on files"])
def test_a_prediction_that_can_not_be_written(
    disk: Path, model: Path, count: Callable[[str, str], None], kind: str, number: int
) -> None:
    file, out, chance = many(disk / "in.csv", 3000), disk / "out.csv", faults.chance_of("predict", kind, number)
    arguments = ["pipeline.cli", "predict", "--file", str(file), "--model", str(model), "--out", str(out)]
    assert call(disk, *arguments).returncode == 0
    whole = out.read_bytes()
    out.unlink()
    size = chance.randrange(len(whole))
    filler = fill(disk, size) if kind == "full disk" else None
    done = call(disk, *arguments, limit=None if filler else limit_files(size))
    if filler:
        filler.unlink()
    if done.returncode:
        faults.one_line(done)
        assert not out.exists()
        assert call(disk, *arguments, "--resume").returncode == 0
    assert out.read_bytes() == whole
    assert faults.half_files(disk) == []
    count(f"{kind}: predict", "one line" if done.returncode else "a success")
