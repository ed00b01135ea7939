"""A file that dvc.lock names and the commit lacks is gone, however little of its history a clone has."""

from pathlib import Path

import pytest

from pipeline.comparison.revision import Revision
from tests.pipeline import outcomes
from tests.pipeline.comparison.commands import commit_results
from tests.pipeline.toy import edit, git

CORRECTIONS = "data/corrections.csv"
OTHER = {  # the corrections of another branch -> whether a commit without them lacks something that git would hold
    "kept.csv": True,
    "data/mine/ignored.csv": False,
    "../outside.csv": False,
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tags: `ran`; `deleted`, which has no corrections any more; one for each of the other corrections."""
    root = outcomes.create(tmp_path_factory.mktemp("gone") / "project")
    outcomes.set_params(root, seeds=[42])
    (root / ".gitignore").write_text((root / ".gitignore").read_text() + "/data/mine/\n")
    data = outcomes.rows(20)
    commit_results(root, "ran", data, {42: outcomes.predict(data, wrong=2)})
    git(root, "rm", "-q", CORRECTIONS)
    git(root, "commit", "-q", "-m", "Deleted")
    git(root, "tag", "deleted")
    for number, name in enumerate(OTHER):
        git(root, "checkout", "-qf", "ran")
        outcomes.set_params(root, download__dataset__corrections=name)
        edit(root, "dvc.lock", f"path: {CORRECTIONS}", f"path: {name}")
        git(root, "commit", "-q", "-a", "-m", name)
        git(root, "tag", f"other-{number}")
    return root


def clone(project: Path, folder: Path, tag: str, *, shallow: bool) -> Path:
    depth = ["--depth", "1"] if shallow else []
    git(folder, "clone", "-q", *depth, "--branch", tag, f"file://{project}", "clone")
    return folder / "clone"


@pytest.mark.parametrize("shallow", [False, True])
@pytest.mark.parametrize(("tag", "stale"), [("ran", False), ("deleted", True)])
def test_a_deleted_file_is_gone_in_every_clone(
    project: Path, tmp_path: Path, tag: str, stale: bool, shallow: bool
) -> None:
    root = clone(project, tmp_path, tag, shallow=shallow)
    for rev in (tag, None):
        with Revision(root, rev, tmp_path) as side:
            assert list(side.stale()) == (["download@dataset"] if stale else [])


@pytest.mark.parametrize("shallow", [False, True])
@pytest.mark.parametrize(("number", "name"), list(enumerate(OTHER)))
def test_what_git_does_not_hold_is_not_gone(
    project: Path, tmp_path: Path, number: int, name: str, shallow: bool
) -> None:
    root = clone(project, tmp_path, f"other-{number}", shallow=shallow)
    (root / ".gitignore").write_text("")  # what is checked out decides nothing,
    (root / ".git/info/exclude").write_text("*.csv\n")  # nor what this clone excludes
    with Revision(root, "HEAD", tmp_path) as side:
        _, now = side.stale().get("download@dataset", (None, ("", {}, {})))
    assert (name in now[1]) == OTHER[name]


def test_a_merge_hides_no_file_that_one_branch_added_and_deleted(project: Path, tmp_path: Path) -> None:
    root = clone(project, tmp_path, "other-1", shallow=False)
    (root / "data/mine").mkdir(parents=True)
    (root / "data/mine/ignored.csv").write_text("id,from,to\n")
    git(root, "checkout", "-q", "-b", "branch")
    git(root, "add", "-f", "data/mine/ignored.csv")
    git(root, "commit", "-q", "-m", "Added")
    git(root, "rm", "-q", "data/mine/ignored.csv")
    git(root, "commit", "-q", "-m", "Deleted")
    git(root, "checkout", "-q", "-b", "other", "other-1")
    git(root, "commit", "-q", "--allow-empty", "-m", "Other")
    git(root, "merge", "-q", "--no-ff", "-m", "Merge", "branch")
    with Revision(root, "HEAD", tmp_path) as side:
        assert "download@dataset" in side.stale()
