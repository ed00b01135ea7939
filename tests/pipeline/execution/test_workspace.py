"""One run at a time, and nothing left over."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from pipeline.execution import stage_process, workspace
from pipeline.execution.runner import Runner
from pipeline.repository.lock import LockConflictError
from pipeline.repository.project import Project
from stages import parent
from stages.errors import PipelineError
from tests.pipeline import toy
from tests.pipeline.processes import wait_for


def test_a_second_run_is_told_who_holds_the_workspace(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from pipeline.execution import workspace\n"
    code += "with workspace.hold(Path()): print('held', flush=True); sys.stdin.read()"
    first = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert first.stdout.readline() == "held\n"
    with (
        pytest.raises(PipelineError, match=rf"process {first.pid}, since 20.*Wait for it to end, or add --wait"),
        workspace.hold(tmp_path),
    ):
        pass
    first.kill()  # a killed run holds nothing
    first.wait()
    with workspace.hold(tmp_path):
        assert json.loads((tmp_path / workspace.HOLDER).read_text())["pid"] == os.getpid()
    assert not (tmp_path / workspace.HOLDER).exists()


def test_what_a_seed_left_is_removed_with_its_lock_entry(project: Path) -> None:
    toy.edit(project, "params.yaml", "[1, 2]", "[1]")
    (project / "data/train/7/model").mkdir(parents=True)  # of a killed run: dvc.lock never heard of it
    (project / "data/train/7/model/half").write_text("x")
    (project / "data/train/notes").mkdir()
    with Project(project) as seen:
        removed = workspace.prune(project, seen)
    assert {"train@2", "data/train/7", "data/train/2"} <= set(removed)
    assert sorted(path.name for path in (project / "data/train").iterdir() if path.is_dir()) == ["1", "notes"]
    assert "train@2" not in (project / "dvc.lock").read_text()
    assert "train@1" in (project / "dvc.lock").read_text()
    with Project(project) as seen:
        assert workspace.prune(project, seen) == []


def test_what_another_branch_left_of_a_stage_that_has_no_item_here_is_removed(project: Path) -> None:
    """After `git checkout`, neither dvc.yaml nor dvc.lock names it."""
    toy.edit(project, "params.yaml", "[1, 2]", "[]")
    lock = yaml.safe_load((project / "dvc.lock").read_text())
    lock["stages"] = {name: entry for name, entry in lock["stages"].items() if not name.startswith("train@")}
    (project / "dvc.lock").write_text(yaml.safe_dump(lock))
    with Project(project) as seen:
        assert not [name for name in seen.files("data/train") if name[0].isdigit()]
        assert workspace.prune(project, seen) == ["data/train/1", "data/train/2"]
    assert not list((project / "data/train").glob("[0-9]*"))


@pytest.mark.parametrize("base", ["../outside", "link", "data/../../outside", "ABSOLUTE"])
def test_a_dvc_yaml_that_repeats_a_stage_outside_the_project_removes_nothing_there(project: Path, base: str) -> None:
    outside = project.parent / "outside"
    (outside / "7/mine").mkdir(parents=True)
    (project / "link").symlink_to(outside)
    base = base.replace("ABSOLUTE", str(outside))
    stage = {"matrix": {"number": "${none}"}, "cmd": "true", "outs": [base + "/${item.number}/mine"]}
    definition = yaml.safe_load((project / "dvc.yaml").read_text())
    definition["stages"]["other"] = stage
    (project / "dvc.yaml").write_text(yaml.safe_dump(definition))
    (project / "params.yaml").write_text((project / "params.yaml").read_text() + "none: []\n")
    with Project(project) as seen:
        assert workspace.prune(project, seen) == []
    assert (outside / "7/mine").is_dir()


def test_a_lock_that_names_paths_outside_the_project_removes_nothing_there(project: Path) -> None:
    outside = project.parent / "outside"
    (outside / "mine").mkdir(parents=True)
    (project / "link").symlink_to(outside)
    toy.edit(project, "params.yaml", "[1, 2]", "[1]")
    for path in ("../outside/mine", str(outside / "mine"), "link/mine", "data/../.."):
        text = (project / "dvc.lock").read_text()
        (project / "dvc.lock").write_text(text.replace("data/train/2/model", path))
        with Project(project) as seen:
            assert path not in seen.leftovers()
            workspace.prune(project, seen)
        (project / "dvc.lock").write_text(text)
    assert (outside / "mine").is_dir()


def test_nothing_is_removed_where_all_is_owned(project: Path) -> None:
    before = sorted(path for path in project.rglob("*") if ".dvc" not in path.parts)
    with Project(project) as seen:
        assert workspace.prune(project, seen) == []
    assert sorted(path for path in project.rglob("*") if ".dvc" not in path.parts) == before


@pytest.mark.parametrize("damage", ["schema: '2.0'\nstages:\n  cut:\n    cmd: x\n    de", "stages: [", "\xff", ""])
def test_a_damaged_lock_is_taken_from_the_last_good_one(
    project: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    good = (project / "dvc.lock").read_text()
    workspace.note_success(project, "cut", 1.0)
    (project / "dvc.lock").write_bytes(damage.encode("latin-1"))
    with workspace.hold(project):
        assert (project / "dvc.lock").read_text() == good
        assert (project / workspace.DAMAGED_LOCK).read_bytes() == damage.encode("latin-1")
    assert "dvc.lock is damaged: restoring the copy that was made after the last finished stage" in caplog.text


@pytest.mark.parametrize("damage", ["stages: [", ""])
def test_a_damaged_lock_without_a_copy_is_taken_from_the_last_commit(project: Path, damage: str) -> None:
    good = (project / "dvc.lock").read_text()
    toy.git(project, "add", "--force", "dvc.lock")
    toy.git(project, "commit", "-q", "-m", "The lock")
    (project / "dvc.lock").write_text(damage)
    with workspace.hold(project):
        assert (project / "dvc.lock").read_text() == good


def test_a_merge_conflict_in_the_lock_is_left_to_a_person(project: Path) -> None:
    workspace.note_success(project, "cut", 1.0)
    lock = (project / "dvc.lock").read_text()
    conflict = lock.replace("stages:\n", "stages:\n<<<<<<< HEAD\n", 1) + "=======\n>>>>>>> other\n"
    (project / "dvc.lock").write_text(conflict)
    with pytest.raises(LockConflictError), workspace.hold(project):
        pass
    for command in ("run", "plan"):
        done = toy.retune(project, command)
        assert done.returncode == 1
        assert "is a conflict marker of a git merge. Take either side: git checkout HEAD -- dvc.lock" in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert (project / "dvc.lock").read_text() == conflict


@pytest.mark.parametrize("damage", ["stages: [", ""])
def test_a_damaged_lock_without_a_good_one_is_removed(
    project: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    (project / "dvc.lock").write_text(damage)
    with workspace.hold(project):
        assert not (project / "dvc.lock").exists()
    assert "dvc.lock is damaged: deleting it" in caplog.text


def test_a_damaged_list_of_readers_is_removed(project: Path) -> None:
    path = project / ".dvc/tmp/rwlock"
    path.write_text("")
    with workspace.hold(project):
        assert not path.exists()
    toy.dvc(project, "repro")


def test_a_damaged_lock_is_never_noted(project: Path) -> None:
    workspace.note_success(project, "cut", 1.0)
    good = (project / workspace.GOOD_LOCK).read_text()
    (project / "dvc.lock").write_text("stages: [")
    workspace.note_success(project, "report", 2.0)
    assert (project / workspace.GOOD_LOCK).read_text() == good
    assert json.loads((project / ".retune/seconds.json").read_text()) == {"cut": 1.0, "report": 2.0}


def test_half_outputs_are_removed_and_recorded_ones_stay(project: Path) -> None:
    (project / "data/cut/tokens/a.txt").unlink()
    (project / "data/cut/tokens/a.txt").write_text("half")
    (project / "data/cut/stats.json.partial").write_text("half")
    stats = (project / "data/cut/stats.json").read_bytes()
    workspace.discard_half_outputs(project, "cut")
    assert not (project / "data/cut/tokens").exists()
    assert not (project / "data/cut/stats.json.partial").exists()
    assert (project / "data/cut/stats.json").read_bytes() == stats
    shutil.rmtree(project / "data/cut")
    workspace.discard_half_outputs(project, "cut")


@pytest.fixture(params=["", "own session", "child with its own session"])
def beside(project: Path, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[bytes]]:
    """A plain `dvc repro` of the stage cut, which has begun and takes a minute."""
    if request.param == "own session":
        if not shutil.which("setsid"):
            pytest.skip("needs setsid")
        toy.edit(project, "dvc.yaml", "cmd: python work.py data/cut", "cmd: setsid -w python work.py data/cut")
    has_child = request.param.startswith("child")
    (project / "control.json").write_text(json.dumps({"cut": {"sleep": 60, "child": has_child}}))
    command = [sys.executable, "-m", "dvc", "repro", "--force", "-s", "cut"]
    process = subprocess.Popen(command, cwd=project, env=toy.environment())
    wait_for(lambda: (project / "trace.txt").exists())
    yield process
    for left in [process, *commands_of(project)]:
        left.kill()
    process.wait()


def commands_of(project: Path) -> list[psutil.Process]:
    """The processes that DVC started for stages of this project."""
    processes = psutil.process_iter()
    return [one for one in processes if parent.read_environment(one).get("DVC_ROOT") == str(project)]


def test_a_run_ends_the_stage_of_a_killed_dvc_repro(project: Path, beside: subprocess.Popen[bytes]) -> None:
    beside.kill()
    beside.wait()
    assert commands_of(project)
    with workspace.hold(project.parent / "project" / "."):
        assert commands_of(project) == []


def test_a_run_leaves_the_stage_of_a_living_dvc_repro(project: Path, beside: subprocess.Popen[bytes]) -> None:
    half = [project / "data/cut/tokens.partial", project / "data/cut/stats.json"]
    for path in half:
        path.write_text("half")
    before = commands_of(project)
    with workspace.hold(project):
        assert commands_of(project) == before
        assert beside.poll() is None
        runner = Runner(project)
        outcome = stage_process.start(project, "cut").wait(lambda _: None)
        assert outcome.error is not None
        assert re.search(r"cut.* is in use by another DVC command: \(PID \d+\)", outcome.error)
        assert not outcome.own_error
        assert not outcome.began
        runner.plan()
        runner.run("cut", lambda _: None)
    assert all(path.read_text() == "half" for path in half)


def test_a_run_of_another_folder_ends_nothing(
    project: Path, beside: subprocess.Popen[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    beside.kill()
    beside.wait()
    with workspace.hold(tmp_path_factory.mktemp("other")):
        assert commands_of(project)


def test_half_files_of_killed_processes_are_removed(project: Path) -> None:
    names = ["data/cut/stats.json", "data/train/1/model", ".retune/seconds.json", "params.yaml", "data/download/rows"]
    for name in names:
        (project / f"{name}.partial").parent.mkdir(exist_ok=True)
        (project / f"{name}.partial").write_text("half")
    (project / "answers.csv.partial").write_text("of retune predict, which can resume")
    with workspace.hold(project):
        assert [path.name for path in project.rglob("*.partial")] == ["answers.csv.partial"]
