"""Which stage starts when; the remote; the GPUs. Without Prefect, which only carries it out."""

import errno
import os
import sys
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import ClassVar, NoReturn

import pytest

from pipeline.execution import stage_process, workspace
from pipeline.execution.holder import read_holder
from pipeline.execution.runner import Runner, list_gpus
from pipeline.execution.stage_process import Outcome
from pipeline.execution.warm_process import WarmProcess
from pipeline.repository.durations import note_duration
from tests.pipeline import toy


def drive(runner: Runner) -> dict[str, Outcome]:
    """Run everything, one stage after the other."""
    runner.plan()
    while stages := runner.start_ready():
        for stage in stages:
            runner.finished(stage, runner.run(stage, lambda _: None))
    return runner.outcomes


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in toy.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


def test_a_clone_takes_all_results_from_the_remote(project: Path, tmp_path: Path) -> None:
    toy.add_remote(project, str(tmp_path / "remote"))
    metrics = [str(path.relative_to(project)) for kind in ("csv", "json") for path in project.glob(f"data/**/*.{kind}")]
    toy.git(project, "add", "-f", "dvc.lock", ".dvc/config", *metrics)
    toy.git(project, "commit", "-qm", "Lock and metrics")
    toy.dvc(project, "push")
    clone = tmp_path / "clone"
    toy.git(project, "clone", "-q", str(project), str(clone))
    outcomes = drive(Runner(clone))
    assert {(outcome.error, outcome.restored) for outcome in outcomes.values()} == {(None, True)}
    assert toy.trace(clone) == []
    assert toy.hashes(clone) == toy.hashes(project)
    assert {plan.state for plan in Runner(clone).plan()} == {"fresh"}


def test_parents_first_and_as_many_as_jobs(project: Path) -> None:
    toy.edit(project, "params.yaml", "2.0e-5", "3e-5")
    one, two = Runner(project, jobs=1), Runner(project, jobs=2)
    one.plan()
    two.plan()
    assert one.start_ready() == ["train@1"]
    assert two.start_ready() == ["train@1", "train@2"]
    assert two.start_ready() == []


@pytest.mark.parametrize(
    ("jobs", "own", "given"), [(1, None, None), (2, None, "4"), (3, None, "2"), (16, None, "1"), (2, "7", "7")]
)
def test_stages_that_run_at_once_share_the_cores(
    project: Path, monkeypatch: pytest.MonkeyPatch, jobs: int, own: str | None, given: str | None
) -> None:
    """Each would take all of them, and two trainings at once would last longer than one after the other."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("pipeline.execution.runner.usable_cores", lambda: 8)
    if own is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", own)
    toy.edit(
        project,
        "work.py",
        "value = digest",
        "pathlib.Path('threads').write_text(str(os.environ.get('OMP_NUM_THREADS')))\nvalue = digest",
    )
    toy.edit(project, "params.yaml", "2.0e-5", "3e-5")
    drive(Runner(project, jobs=jobs))
    assert (project / "threads").read_text() == str(given)


def test_a_seed_that_is_dropped_while_it_runs(project: Path) -> None:
    toy.edit(project, "params.yaml", "2.0e-5", "3e-5")
    runner = Runner(project)
    runner.plan()
    while stages := runner.start_ready():
        outcome = runner.run(stages[0], lambda _: None)
        if stages == ["train@2"]:
            toy.edit(project, "params.yaml", "[1, 2]", "[1]")
        runner.finished(stages[0], outcome)
    assert {outcome.error for outcome in runner.outcomes.values()} == {None}
    assert list(runner.outcomes) == ["train@1", "train@2", "report"]
    assert not (project / "data/train/2").exists()
    assert {plan.state for plan in Runner(project).plan()} == {"fresh"}


def test_one_stage_per_gpu(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toy.edit(project, "params.yaml", "2.0e-5", "3e-5")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")
    runner = Runner(project, jobs=4)
    runner.plan()
    assert runner.start_ready() == ["train@1"]
    runner.finished("train@1", runner.run("train@1", lambda _: None))
    assert runner.start_ready() == ["train@2"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,6")
    runner = Runner(project, jobs=4)
    runner.plan()
    assert runner.start_ready() == ["train@2"]  # train@1 has run


class Recorded:
    """A warm process that notes when it is wanted."""

    notes: ClassVar[list[str]] = []

    def __init__(self, _root: Path, environment: Mapping[str, str]) -> None:
        self.environment = environment

    def keep(self, wanted: bool) -> None:
        self.notes.append("wanted" if wanted else "not wanted")

    def variables(self) -> dict[str, str]:
        self.notes.append("given")
        return {}


@pytest.mark.parametrize(
    ("change", "gpus", "expected"),
    [
        (("params.yaml", "2.0e-5", "3e-5"), "", "wanted given wanted given not wanted not wanted"),
        (("params.yaml", "title: toy", "title: other"), "", "not wanted not wanted"),
        (("params.yaml", "2.0e-5", "3e-5"), "0", "not wanted not wanted not wanted not wanted"),
    ],
    ids=["stages that start from it", "none", "a GPU, whose driver may not be forked"],
)
def test_the_warm_process_runs_while_stages_need_it(
    project: Path, monkeypatch: pytest.MonkeyPatch, change: tuple[str, str, str], gpus: str, expected: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", gpus)
    monkeypatch.setattr("pipeline.execution.runner.WarmProcess", Recorded)
    monkeypatch.setattr("pipeline.execution.runner.starts_warm", lambda stage: stage.name.startswith("train"))
    monkeypatch.setattr(Recorded, "notes", [])
    toy.edit(project, *change)
    drive(Runner(project))
    assert " ".join(Recorded.notes) == expected


def refuse(*_: object, **__: object) -> NoReturn:
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))


@pytest.mark.skipif(sys.platform != "linux", reason="there is a warm process on Linux only")
@pytest.mark.parametrize("lacking", ["log", "socket", "process"])
def test_where_there_is_no_warm_process_stages_start_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    if lacking == "log":
        (tmp_path / stage_process.LOGS / "warm.log").mkdir(parents=True)
    else:
        target = {"socket": "pipeline.execution.warm_process.listen", "process": "subprocess.Popen"}[lacking]
        monkeypatch.setattr(target, refuse)
    warm = WarmProcess(tmp_path, {})
    warm.keep(True)
    assert warm.variables() == {}
    warm.end()


def test_the_driver_is_asked_once_for_its_gpus(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[None] = []
    monkeypatch.setattr("pipeline.execution.runner.list_gpus", lambda: asked.append(None) or [])
    toy.edit(project, "params.yaml", "2.0e-5", "3e-5")
    drive(Runner(project))
    assert len(asked) == 1


def test_gpus_are_those_that_are_visible(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, 3")
    assert list_gpus() == ["2", "3"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    assert list_gpus() == []
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho 'GPU 0: H200'; echo 'GPU 1: H200'\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert list_gpus() == ["0", "1"]
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert list_gpus() == []


def test_nothing_starts_after_a_failure(project: Path) -> None:
    toy.edit(project, "params.yaml", "2.0e-5", "3e-5")
    (project / "control.json").write_text('{"train@1": {"fail": "no"}}')
    outcomes = drive(Runner(project))
    assert {name: outcome.error for name, outcome in outcomes.items()} == {"train@1": "no"}


def test_after_a_stop_nothing_starts(project: Path) -> None:
    toy.edit(project, "params.yaml", "2.0e-5", "3e-5")
    runner = Runner(project)
    runner.plan()
    runner.stop()
    assert runner.start_ready() == []
    assert runner.run("train@1", lambda _: None).stopped


def test_the_expected_end_is_noted_with_each_plan(project: Path) -> None:
    toy.edit(project, "params.yaml", "2.0e-5", "3e-5")
    with workspace.hold(project):
        runner = Runner(project)
        runner.plan()
        holder = read_holder(project)
        assert holder is not None
        assert holder.ends is None, "train@1 never ran here, as far as retune knows"
        for stage in ("train@1", "train@2", "report"):
            note_duration(project, stage, 200)
        runner.plan()
        holder = read_holder(project)
        assert holder is not None
        assert holder.ends is not None
        assert timedelta(seconds=595) <= holder.ends - holder.since <= timedelta(seconds=700)
    assert read_holder(project) is None
