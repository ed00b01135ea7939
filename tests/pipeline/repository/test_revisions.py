"""Which commit a revision means, and what is said of one that means none."""

import hashlib
from pathlib import Path

import pytest
from dvc.repo import Repo

from pipeline.repository.file_tree import FileTree
from pipeline.repository.project import Project
from pipeline.repository.revisions import resolve_revision
from stages.errors import PipelineError
from tests.pipeline import toy


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Three commits, A, B and C; tags of a tag, of a folder and of a file; a branch named like a file."""
    root = tmp_path / "repository"
    (root / "folder").mkdir(parents=True)
    toy.git(root, "init", "-q", "-b", "main")
    for subject in "ABC":
        (root / "folder/a.txt").write_text(subject)
        (root / "..b").write_text(subject)
        toy.git(root, "add", "-A")
        toy.git(root, "commit", "-q", "-m", f"{subject} is made: a..b")
    toy.git(root, "tag", "-a", "v1", "-m", "one", "HEAD^")
    toy.git(root, "tag", "-a", "again", "-m", "a tag of a tag", "v1")
    toy.git(root, "tag", "-a", "folder-tag", "-m", "a tag of a folder", "HEAD:folder")
    toy.git(root, "tag", "file-tag", "HEAD:folder/a.txt")
    toy.git(root, "branch", "folder", "HEAD^")
    toy.git(root, "branch", "-f", "--track", "side", "main")
    toy.git(root, "checkout", "-q", "side")
    return root


@pytest.mark.parametrize(
    ("rev", "commit"),
    {
        "main": "C",
        "HEAD": "C",
        "@": "C",
        "refs/heads/main": "C",
        "main@{0}": "C",
        "@{-1}": "C",
        "@{u}": "C",
        "HEAD~1": "B",
        "HEAD^": "B",
        "HEAD^{/A is}": "A",
        "HEAD^{}": "C",
        "HEAD^{commit}": "C",
        ":/A": "A",
        ":/B is": "B",
        ":/^A": "A",
        ":/a..b": "C",
        "HEAD^{/A is made: a..b}": "A",
        ":/C is {": None,
        "v1": "B",
        "again": "B",
        "v1^{}": "B",
        "folder": "B",
    }.items(),
)
def test_every_form_of_a_revision_is_its_commit(repository: Path, rev: str, commit: str | None) -> None:
    if commit is None:
        with pytest.raises(PipelineError, match="is not a revision of this repository"):
            resolve_revision(repository, rev)
        return
    sha = resolve_revision(repository, rev)
    assert toy.git(repository, "show", "--no-patch", "--format=%H %s", sha).strip() == f"{sha} {commit} is made: a..b"
    assert resolve_revision(repository, sha) == resolve_revision(repository, sha[:8]) == sha


@pytest.mark.parametrize(
    ("rev", "advice"),
    {
        "main..v1": "main v1",
        "main...v1": "main v1",
        "main..": "main HEAD",
        "...v1": "HEAD v1",
        "nowhere..main": "nowhere main",
        "main@{0}..v1": "'main@{0}' v1",
        "A  B..v1": "'A  B' v1",
        "HEAD^!": "BASE HEAD",
        "HEAD^@": "BASE HEAD",
        "HEAD^-": "BASE HEAD",
        "^HEAD": "BASE HEAD",
    }.items(),
)
def test_a_range_is_no_revision(repository: Path, rev: str, advice: str) -> None:
    with pytest.raises(PipelineError) as caught:
        resolve_revision(repository, rev)
    expected = f"{rev} is a range of commits, not one revision. To compare two: retune compare {advice}"
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("rev", "kind"),
    {
        "HEAD:folder/a.txt": "file",
        ":folder/a.txt": "file",
        "HEAD:./..b": "file",
        "file-tag": "file",
        "HEAD:": "folder",
        "HEAD:folder": "folder",
        "HEAD^{tree}": "folder",
        "folder-tag": "folder",
    }.items(),
)
def test_a_file_or_a_folder_is_no_revision(repository: Path, rev: str, kind: str) -> None:
    with pytest.raises(PipelineError) as caught:
        resolve_revision(repository, rev)
    assert str(caught.value) == f"{rev} names a {kind}, not a commit. Give a branch, a tag or the SHA of a commit."


@pytest.mark.parametrize(
    "rev", ["nowhere", "--all", "-", "HEAD:../b", ":/nowhere", ":/x..y", "HEAD^{/x..y}", "0" * 40, "^nowhere"]
)
def test_what_the_repository_does_not_have(repository: Path, rev: str) -> None:
    with pytest.raises(PipelineError) as caught:
        resolve_revision(repository, rev)
    assert str(caught.value).startswith(f"{rev} is not a revision of this repository or an experiment. See: git log")


@pytest.mark.parametrize("rev", [":/other", "sunny-fox", "v1"])
def test_git_is_asked_for_the_files_of_the_same_commit_as_dvc(project: Path, rev: str) -> None:
    (project / "there.txt").write_text("")
    for subject in ("other", "last"):
        toy.git(project, "add", "-A")
        toy.git(project, "commit", "-q", "--allow-empty", "-m", subject)
        (project / "there.txt").unlink(missing_ok=True)
    start, commit = toy.git(project, "rev-parse", "HEAD^^", "HEAD^").split()
    toy.git(project, "tag", "-a", "v1", "-m", "one", commit)
    toy.git(project, "update-ref", f"refs/exps/{start[:2]}/{start[2:]}/sunny-fox", commit)
    with Repo(str(project)) as repo:
        tree = FileTree(repo, rev=rev)
        assert tree.read("there.txt") == ""
        assert tree.names("there.*") == ("there.txt",)
        assert tree.former_content("there.txt", hashlib.md5(b"").hexdigest()) == b""
        assert (tree.rev, tree.name) == (commit, rev)


def test_an_empty_revision_is_not_the_workspace(project: Path) -> None:
    with pytest.raises(PipelineError, match="A revision is empty"):
        Project(project, rev="")


def test_the_name_of_an_experiment_is_a_revision(repository: Path) -> None:
    head, first = (toy.git(repository, "rev-parse", rev).strip() for rev in ("HEAD", "HEAD^"))

    def keep(start: str, name: str, commit: str) -> None:  # as DVC does
        toy.git(repository, "update-ref", f"refs/exps/{start[:2]}/{start[2:]}/{name}", commit)

    keep(first, "sunny-fox", first)
    keep(first, "main", first)
    toy.git(repository, "update-ref", "refs/exps/stash", first)
    assert resolve_revision(repository, "sunny-fox") == first
    assert resolve_revision(repository, "main") == head, "git's own name comes first"
    keep(head, "sunny-fox", head)
    assert resolve_revision(repository, "sunny-fox") == head, "that which began at HEAD"
    for start in (first[::-1], head[::-1]):
        keep(start, "wet-dog", head if start == head[::-1] else first)
    with pytest.raises(PipelineError, match=f"wet-dog is the name of 2 experiments.*Use the SHA of one: .*{first}"):
        resolve_revision(repository, "wet-dog")
    for name in ("fox", "sunny-", "*", "stash"):
        with pytest.raises(PipelineError, match="is not a revision of this repository"):
            resolve_revision(repository, name)


def test_a_repository_without_commits_is_said(tmp_path: Path) -> None:
    toy.git(tmp_path, "init", "-q")
    with pytest.raises(PipelineError, match=r"^This repository has no commit yet\. Make one: git commit$"):
        resolve_revision(tmp_path, "HEAD")
