"""Where results are: the plan says restored where, and only where, DVC restores; a revision's like its checkout's."""

import shutil
from pathlib import Path

import pytest
from dvc.repo import Repo

from pipeline.planning.plan import StagePlan, make_plan
from pipeline.repository.project import Project
from tests.pipeline import toy

PLACES = ("none", "cache", "remote", "both")
OUT = "data/cut/tokens"
STAGE = "cut"


@pytest.fixture(scope="module")
def pushed(toy_that_ran: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose cache and remote have all of two runs, with the values and the files of the first."""
    folder = tmp_path_factory.mktemp("pushed")
    root = Path(shutil.copytree(toy_that_ran, folder / "project", symlinks=True))
    toy.add_remote(root, "../../remote")  # beside .dvc, so that copies have their own
    for old, new in ((5, 6), (6, 5)):
        _set_length(root, old, new)
        toy.dvc(root, "repro", STAGE)
        toy.dvc(root, "push", "--run-cache")
    (root / "trace.txt").unlink()
    return folder


def _set_length(root: Path, old: int, new: int) -> None:
    toy.edit(root, "params.yaml", f"cut: {{length: {old}}}", f"cut: {{length: {new}}}")


def _plan(root: Path) -> StagePlan:
    with Project(root) as project:
        return next(plan for plan in make_plan(project.graph, project) if plan.stage == STAGE)


@pytest.mark.parametrize(
    ("locked", "record", "files"),
    [*(("", record, files) for record in PLACES for files in PLACES), *(("locked", "none", files) for files in PLACES)],
)
def test_the_plan_is_what_dvc_does(
    pushed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locked: str, record: str, files: str
) -> None:
    folder = Path(shutil.copytree(pushed, tmp_path / "copy", symlinks=True))
    root = folder / "project"
    if locked:  # the values of dvc.lock again, and the output is gone
        shutil.rmtree(root / OUT)
    else:
        _set_length(root, 5, 6)
    md5 = _plan(root).outs[OUT].md5
    for name, store in {"cache": root / ".dvc/cache", "remote": folder / "remote"}.items():
        if record not in (name, "both"):
            shutil.rmtree(store / "runs")
        if files not in (name, "both"):
            (store / f"files/md5/{md5[:2]}/{md5[2:]}").unlink()
    plan = _plan(root)
    for variable, value in toy.environment().items():
        monkeypatch.setenv(variable, value)
    monkeypatch.chdir(root)
    with Repo() as repo:
        repo.reproduce(STAGE, single_item=True, pull=plan.where != "cache")
    assert (root / "trace.txt").exists() == (plan.state == "runs")


@pytest.fixture(scope="module")
def committed(pushed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with two commits of results, which are in its cache and its remote; git keeps the metrics."""
    folder = tmp_path_factory.mktemp("committed")
    shutil.copytree(pushed, folder, symlinks=True, dirs_exist_ok=True)
    root = folder / "project"
    (root / ".gitignore").write_text("/.retune/\n")  # DVC has the other outputs ignored
    for old, new, subject in ((5, 6, "first"), (6, 5, "second")):
        _set_length(root, old, new)
        toy.dvc(root, "repro")
        toy.dvc(root, "push", "--run-cache")
        toy.git(root, "add", "-A")
        toy.git(root, "commit", "-qm", subject)
        toy.git(root, "tag", subject)
    return folder


def _plans(root: Path, rev: str | None) -> dict[str, tuple[str, str | None]]:
    with Project(root, rev=rev) as project:
        return {plan.stage: (plan.state, plan.where) for plan in make_plan(project.graph, project)}


@pytest.mark.parametrize("rev", ["first", "second"])
@pytest.mark.parametrize("place", ["none", "cache", "remote"])
@pytest.mark.parametrize("runs", [True, False], ids=["run-cache", "no run-cache"])
def test_a_revision_is_planned_as_if_it_were_checked_out(
    committed: Path, tmp_path: Path, rev: str, place: str, runs: bool
) -> None:
    """From the second commit, with its outputs (cache), or in a fresh clone."""
    shutil.copytree(committed, tmp_path / "copy", symlinks=True)
    root = tmp_path / "copy/project"
    if place != "cache":
        toy.git(tmp_path / "copy", "clone", "-q", "project", "clone")
        root = tmp_path / "copy/clone"
    for name, store in {"cache": root / ".dvc/cache", "remote": tmp_path / "copy/remote"}.items():
        for part, kept in {"files": place == name, "runs": place == name and runs}.items():
            if not kept:
                shutil.rmtree(store / part, ignore_errors=True)
    planned = _plans(root, rev)
    toy.git(root, "checkout", "-qf", rev)
    assert planned == _plans(root, None)
    assert place == "none" or {state for state, _ in planned.values()} <= {"fresh", "restored"}
