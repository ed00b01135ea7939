"""A result that was pushed or pulled in part: the plan says restored where, and only where, DVC restores."""

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
