"""A project as a plan sees it: digests as DVC computes them, and revisions read without a checkout."""

import shutil
from pathlib import Path

import pytest

from pipeline.repository.digests import Digest, folder_digest
from pipeline.repository.kept_rows import note_kept
from pipeline.repository.project import Project
from pipeline.repository.snapshot import ModelRows
from stages.errors import PipelineError
from stages.paths import Paths
from tests.pipeline import toy


def test_a_folder_has_the_digest_that_dvc_gives_it(toy_that_ran: Path) -> None:
    with Project(toy_that_ran) as project:
        entry = project.locked("report")
        assert entry is not None
        assert folder_digest(project.files("data/train")) == entry.deps["data/train"]
        assert project.digest("code") == project.locked("cut").deps["code"]
        assert dict(project.folder_files(project.locked("cut").outs["data/cut/tokens"], "data/cut/tokens")) == {
            "a.txt": Digest(next(iter(project.files("data/cut/tokens").values())).md5)
        }


def test_another_revision_is_read_without_touching_the_workspace(project: Path) -> None:
    toy.git(project, "checkout", "-q", "-b", "other")
    toy.edit(project, "code/one.py", "1", "other")
    toy.git(project, "commit", "-qam", "Another code")
    toy.git(project, "checkout", "-q", "main")
    with Project(project) as here, Project(project, rev="other") as there, Project(project, rev="main") as same:
        assert here.digest("code") == same.digest("code") != there.digest("code")
        assert here.digest("work.py") == there.digest("work.py")


def test_a_folder_of_a_revision_leaves_out_what_dvcignore_names(project: Path) -> None:
    (project / "code/__pycache__").mkdir()
    (project / "code/__pycache__/one.pyc").write_text("x")
    (project / ".gitignore").write_text("")
    toy.git(project, "add", "-f", "code/__pycache__/one.pyc")
    toy.git(project, "commit", "-qm", "By mistake")
    with Project(project) as here, Project(project, rev="HEAD") as there:
        assert here.digest("code") == there.digest("code")


def test_values_not_written_yet_change_the_graph(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (project / "params.yaml").read_text().replace("[1, 2]", "[1, 2, 3]")
    monkeypatch.chdir(project / "code")  # DVC reads relative to the current folder
    with Project(project, params_text=text) as seen:
        assert {"train@1", "train@2", "train@3"} <= {stage.name for stage in seen.graph.stages}
        assert seen.param("params.yaml", "seeds") == [1, 2, 3]


def test_nothing_is_written_by_reading(project: Path) -> None:
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file() and ".dvc" not in path.parts}
    with Project(project) as seen:
        seen.files("data/train")
    after = {path: path.read_bytes() for path in project.rglob("*") if path.is_file() and ".dvc" not in path.parts}
    assert before == after


@pytest.mark.parametrize("rev", ["nowhere", "--help", " ", "a\nb"])
def test_what_is_no_commit_is_no_revision(project: Path, rev: str) -> None:
    with pytest.raises(PipelineError, match="is not a revision of this repository"):
        Project(project, rev=rev)


def test_revision_without_a_pipeline(project: Path) -> None:
    toy.git(project, "checkout", "-q", "--orphan", "empty")
    toy.git(project, "rm", "-rqf", "--cached", ".")
    toy.git(project, "add", "-f", ".dvc/config", "pins.txt")
    toy.git(project, "commit", "-qm", "No pipeline")
    with pytest.raises(PipelineError, match=r"no dvc.yaml in empty"):
        Project(project, rev="empty")


def test_a_former_folder_is_found_in_the_commits_that_changed_it(project: Path) -> None:
    shutil.rmtree(project / ".retune", ignore_errors=True)
    with Project(project) as seen:
        former = seen.digest("code")
    shutil.rmtree(project / ".retune")  # where that digest's files were noted
    toy.edit(project, "code/one.py", "1", "other")
    toy.git(project, "commit", "-qam", "Another code")
    with Project(project) as seen:
        assert set(seen.folder_files(former, "code")) == {"one.py", "two.py"}
        assert seen.folder_files(Digest("0" * 32 + ".dir"), "code") is None


@pytest.mark.parametrize(("limit", "kept"), [("10", True), ("0", False), ("many", None)])
def test_kept_rows_are_known_by_their_notes_and_the_limit(project: Path, limit: str, kept: bool | None) -> None:
    """The limit is in a section that no stage names, as in params.yaml of a real project."""
    text = (project / "params.yaml").read_text() + f"\nmachine:\n  kept_rows_mb: {limit}\n"
    store, rows = Paths(project).kept_rows, ModelRows("model", "rows")
    store.parent.mkdir(parents=True)
    store.write_bytes(b"rows")
    note_kept(project, rows)
    with Project(project, params_text=text) as read:
        assert read.kept(rows) is kept
