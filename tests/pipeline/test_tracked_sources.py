"""Data that `dvc add` tracks is an input like any other: in the plan, in a run, for plain DVC, in any revision."""

import functools
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.execution.runner import Runner
from pipeline.execution.stage_process import Outcome
from pipeline.planning.plan import StagePlan, make_plan
from pipeline.repository.project import Project
from stages.errors import PipelineError
from tests.pipeline import toy
from tests.pipeline.tracked import WAYS, clone, track

FIRST = "download@rows"


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in toy.environment().items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, str]]:
    """Makes the folder of a project and its remote, once for each way, and says where the rows are."""
    return functools.cache(lambda way: make(tmp_path_factory.mktemp("tracked"), way))


def make(folder: Path, way: str) -> tuple[Path, str]:
    root = toy.create(folder / "project")
    toy.add_remote(root, "../../remote")
    rows = track(root, way)
    toy.dvc(root, "push")
    return folder, rows


@pytest.fixture(params=WAYS)
def tracked(
    request: pytest.FixtureRequest, made: Callable[[str], tuple[Path, str]], tmp_path: Path
) -> tuple[Path, str]:
    """A project with tracked rows that never ran, and the path of the rows; its remote has the rows."""
    folder, rows = made(request.param)
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return tmp_path / "project", rows


only = pytest.mark.parametrize("tracked", list(WAYS)[1:2], indirect=True)  # where the way makes no difference


def planned(root: Path, **how: str) -> StagePlan:
    with Project(root, **how) as project:
        return next(plan for plan in make_plan(project.graph, project) if plan.stage == FIRST)


def run_first(root: Path) -> tuple[Outcome, list[str]]:
    runner, lines = Runner(root, targets=[FIRST]), []
    runner.plan()
    assert runner.start_ready() == [FIRST]
    return runner.run(FIRST, lines.append), lines


def test_an_absent_source_has_the_digest_of_its_dvc_file(tracked: tuple[Path, str], tmp_path: Path) -> None:
    root, _ = tracked
    there, absent = planned(root), planned(clone(root, tmp_path / "clone"))
    assert absent.deps == there.deps
    assert len(there.deps) == 2
    assert planned(root, rev="HEAD").deps == there.deps
    assert "missing" not in str(absent.reasons)


def test_a_run_takes_an_absent_source_from_the_remote_and_dvc_agrees(tracked: tuple[Path, str], tmp_path: Path) -> None:
    root, rows = tracked
    copy = clone(root, tmp_path / "clone")
    outcome, lines = run_first(copy)
    assert outcome.error is None, lines
    assert (copy / rows).read_text() == (root / rows).read_text()
    assert planned(copy).state == "fresh"
    assert "up to date" in toy.dvc(copy, "repro", "-s", FIRST)


@only
def test_plain_dvc_pulls_it_too(tracked: tuple[Path, str], tmp_path: Path) -> None:
    root, rows = tracked
    copy = clone(root, tmp_path / "clone")
    toy.dvc(copy, "repro", "--pull", FIRST)
    assert (copy / rows).read_text() == (root / rows).read_text()
    assert planned(copy).state == "fresh"


def test_a_source_in_the_cache_needs_no_remote(tracked: tuple[Path, str], tmp_path: Path) -> None:
    root, rows = tracked
    content = (root / rows).read_text()
    shutil.rmtree(tmp_path / "remote")
    (root / rows).unlink()
    if not any((root / rows).parent.iterdir()):
        (root / rows).parent.rmdir()
    outcome, lines = run_first(root)
    assert outcome.error is None, lines
    assert (root / rows).read_text() == content


def test_a_change_is_noted_in_the_dvc_file(tracked: tuple[Path, str]) -> None:
    root, rows = tracked
    assert run_first(root)[0].error is None
    before = planned(root)
    (root / rows).write_text("a,b\n3,4\n")
    assert planned(root).state == "runs"
    assert planned(root, rev="HEAD").deps == before.deps
    outcome, lines = run_first(root)
    assert outcome.error is None
    assert "has changed" in str(lines)
    toy.git(root, "commit", "-qam", "New rows")
    assert planned(root).state == "fresh"
    assert planned(root, rev="HEAD").deps == planned(root).deps != before.deps


def damage(folder: Path) -> None:
    for path in (folder / "files").rglob("*"):
        if path.is_file() and not path.name.endswith(".dir"):
            path.chmod(0o644)
            path.write_text("other rows")
            path.chmod(0o444)


@only
def test_damage_in_the_cache_is_replaced_from_the_remote(tracked: tuple[Path, str]) -> None:
    root, rows = tracked
    content = (root / rows).read_text()
    (root / rows).unlink()
    damage(root / ".dvc/cache")
    if not any((root / rows).parent.iterdir()):
        (root / rows).parent.rmdir()
    outcome, lines = run_first(root)
    assert outcome.error is None, lines
    assert (root / rows).read_text() == content


LOST = {
    "no remote": (lambda root, remote: toy.dvc(root, "remote", "remove", "storage"), "there is no remote to pull"),
    "not pushed": (lambda root, remote: shutil.rmtree(remote), "neither DVC's cache nor the remote has it"),
    "damaged in the remote": (lambda root, remote: damage(remote), "is damaged. Delete it there"),
}


@only
@pytest.mark.parametrize("how", LOST)
def test_a_source_that_can_not_be_had_is_one_error_and_nothing_is_deleted(
    tracked: tuple[Path, str], how: str, tmp_path: Path
) -> None:
    root, _ = tracked
    copy = clone(root, tmp_path / "clone")
    timing = copy / "data/download/rows.timing.json"
    timing.parent.mkdir(parents=True)
    timing.write_text('{"seconds": 9}')
    lose, message = LOST[how]
    lose(copy, tmp_path / "remote")
    outcome, lines = run_first(copy)
    assert message in str(outcome.error)
    assert outcome.own_error  # or the stage would be started again, with the same error
    assert not [line for line in lines if "rror" in line]
    assert timing.read_text() == '{"seconds": 9}'


def test_a_dependency_that_nothing_tracks_is_one_error_and_nothing_is_deleted(tmp_path: Path) -> None:
    root = toy.create(tmp_path / "project")
    (root / "data/download").mkdir(parents=True)
    (root / "data/download/rows.timing.json").write_text("{}")
    shutil.rmtree(root / "input")
    outcome, lines = run_first(root)
    assert "input, which download@rows reads, is missing" in str(outcome.error)
    assert outcome.own_error
    assert lines == []
    assert (root / "data/download/rows.timing.json").exists()


BROKEN = {
    "not yaml": ("outs: [", "input.dvc in the workspace is damaged. Restore it: git checkout -- input.dvc"),
    "not a dvc file": ("rows: 1\n", "is damaged"),
    "no md5": ("outs:\n- {md5: ../../x, hash: md5, path: input}\n", "is damaged"),
    "of a merge": (
        "outs:\n<<<<<<< HEAD\n- {md5: a}\n=======\n- {md5: b}\n>>>>>>> other\n",
        "input.dvc in the workspace line 2 is a conflict marker of a git merge. Take a side .*--ours -- input.dvc",
    ),
    "of DVC 2": (f"outs:\n- {{md5: {'a' * 32}, path: input}}\n", "was written by DVC 2. Convert it: dvc cache migrate"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_a_dvc_file_that_can_not_be_read(how: str, tmp_path: Path) -> None:
    root = toy.create(tmp_path / "project")
    text, message = BROKEN[how]
    (root / "input.dvc").write_text(text)
    with pytest.raises(PipelineError, match=message):
        planned(root)


def test_a_dvc_file_of_something_else_tracks_nothing(tmp_path: Path) -> None:
    root = toy.create(tmp_path / "project")
    shutil.rmtree(root / "input")
    (root / "input.dvc").write_text(f"outs:\n- {{md5: {'a' * 32}, hash: md5, path: other}}\n")
    assert "input missing" in planned(root).reasons


MOVED = {  # where the .dvc file is, and what it says of the place
    "in another folder": ("meta/rows.dvc", "path: ../input/rows.csv", ""),
    "above": ("rows.dvc", "path: input/rows.csv", ""),
    "under another name": ("input/data.dvc", "path: rows.csv", ""),
    "with a working folder": ("input/rows.csv.dvc", "path: input/rows.csv", "wdir: ..\n"),
}


def tracked_by(root: Path, file: str, place: str, end: str) -> None:
    """Move the `.dvc` file of the rows."""
    old, new = root / "input/rows.csv.dvc", root / file
    text = old.read_text().replace("path: rows.csv", place) + end
    old.unlink()
    new.parent.mkdir(exist_ok=True)
    new.write_text(text)
    toy.git(root, "add", "-A")
    toy.git(root, "commit", "-qm", f"Move it to {file}")


@pytest.mark.parametrize("how", MOVED)
@pytest.mark.parametrize("watched", ["input/rows.csv", "input/rows.csv in a watched folder"])
def test_a_dvc_file_that_was_moved_still_tracks_its_data(
    made: Callable[[str], tuple[Path, str]], tmp_path: Path, how: str, watched: str
) -> None:
    folder, rows = made(watched)
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    root = tmp_path / "project"
    tracked_by(root, *MOVED[how])
    copy = clone(root, tmp_path / "clone")
    assert planned(copy, rev="HEAD").deps.keys() == planned(root).deps.keys()
    outcome, lines = run_first(copy)
    assert outcome.error is None, lines
    assert (copy / rows).read_text() == (root / rows).read_text()
    (copy / rows).write_text("a,b\n3,4\n")
    outcome, lines = run_first(copy)
    assert f"has changed: updating {MOVED[how][0]}" in str(lines)
    assert planned(copy).state == "fresh"


def test_rows_of_another_repository_come_from_there(tmp_path: Path) -> None:
    """`dvc push` does not push an import, so the project's remote never has it."""
    other = toy.create(tmp_path / "other")
    toy.add_remote(other, "../other-remote")
    toy.git(other, "rm", "-rq", "--cached", "input")
    toy.dvc(other, "add", "input")
    toy.dvc(other, "push")
    toy.git(other, "add", "-A")
    toy.git(other, "commit", "-qm", "Track input")
    root = toy.create(tmp_path / "project")
    toy.git(root, "rm", "-rq", "input")
    toy.dvc(root, "import", str(other), "input")
    toy.git(root, "add", "-A")
    toy.git(root, "commit", "-qm", "Import input")
    copy = clone(root, tmp_path / "clone")
    outcome, lines = run_first(copy)
    assert outcome.error is None, lines
    assert (copy / "input/rows.csv").read_text() == (other / "input/rows.csv").read_text()


@only
def test_rows_in_a_remote_of_their_own_come_from_there(tracked: tuple[Path, str], tmp_path: Path) -> None:
    root, rows = tracked
    toy.dvc(root, "remote", "add", "second", "../second")  # DVC writes no name with umlauts
    file = root / "input/rows.csv.dvc"
    file.write_text(file.read_text().rstrip() + "\n  remote: second\n")
    toy.dvc(root, "push", file.relative_to(root).as_posix())
    toy.git(root, "add", "-A")
    toy.git(root, "commit", "-qm", "Use a remote of its own")
    shutil.rmtree(tmp_path / "remote")
    copy = clone(root, tmp_path / "clone")
    outcome, lines = run_first(copy)
    assert outcome.error is None, lines
    assert (copy / rows).read_text() == (root / rows).read_text()
