"""What git says of commits and files, here and in another repository."""

import contextlib
from pathlib import Path

import pytest

from pipeline.repository import git
from stages.errors import PipelineError
from tests.pipeline import toy


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits, of which the second changes `folder/a.txt`; a tag, and a branch named like a file."""
    root = tmp_path / "repository"
    (root / "folder").mkdir(parents=True)
    toy.git(root, "init", "-q", "-b", "main")
    for number, name in enumerate(("b.txt", "folder/a.txt")):
        (root / name).write_text(f"{number}\n")
        toy.git(root, "add", "-A")
        toy.git(root, "commit", "-q", "-m", f"Write\t{name}")
    toy.git(root, "tag", "-a", "v1", "-m", "one", "HEAD^")
    return root


def test_refs_of_another_repository_are_resolved_to_full_commits(repository: Path) -> None:
    head, first = (toy.git(repository, "rev-parse", rev).strip() for rev in ("HEAD", "HEAD^"))
    assert git.resolve_remote(str(repository), "main") == head
    assert git.resolve_remote(str(repository), "v1") == first, "the commit, not the tag object"
    assert git.resolve_remote("nowhere", head) == head, "a full SHA needs no look"


@pytest.mark.parametrize("rev", ["nowhere", "--all", "b.txt"])
def test_unknown_refs(repository: Path, rev: str) -> None:
    with pytest.raises(PipelineError, match=f"has no branch or tag {rev}. See: git ls-remote"):
        git.resolve_remote(str(repository), rev)


@pytest.mark.parametrize("place", ["--upload-pack=touch ran", "-x", "ext::touch ran", "transport::x", ""])
def test_no_repository_is_an_option_or_a_program(repository: Path, place: str) -> None:
    head = toy.git(repository, "rev-parse", "HEAD").strip()
    for call in (
        lambda: git.resolve_remote(place, "main"),
        lambda: git.resolve_remote(place, head),
        lambda: git.ls_remote(place, "refs/heads/main"),
        lambda: git.fetch(repository, place, "main"),
        lambda: git.push(repository, place, f"{head}:refs/heads/x"),
    ):
        with pytest.raises(PipelineError, match="is not the URL or path of a git repository"):
            call()
    for usual in ("git@example.com:team/project.git", "https://example.com/p", "file:///p", "../p", "ssh://h:22/p"):
        git.check_repository(usual)


def test_refs_and_files_are_no_options(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    toy.git(repository, "config", "push.default", "current")
    (tmp_path / "ran:.").mkdir()
    for call in (git.ls_remote, lambda *refs: git.fetch(repository, *refs), lambda *refs: git.push(repository, *refs)):
        with contextlib.suppress(PipelineError):
            call(str(repository), "--upload-pack=touch ran;git-upload-pack")
        with contextlib.suppress(PipelineError):
            call(str(repository), "--receive-pack=touch ran;git-receive-pack")
    assert git.show(repository, f"--output={tmp_path / 'ran'}", "x") is None
    assert list(tmp_path.rglob("ran*")) == [tmp_path / "ran:."]
    assert not list((tmp_path / "ran:.").iterdir())


def test_a_commit_is_forty_digits() -> None:
    git.check_commit("0" * 40)
    for commit in ("main", "0" * 39, "0" * 40 + "\n", "--upload-pack=x", "A" * 40):
        with pytest.raises(PipelineError, match="is not the full SHA of a commit: expected 40 hexadecimal digits"):
            git.check_commit(commit)


def test_commits_that_changed_a_path(repository: Path) -> None:
    [commit] = git.commits(repository / "folder", "HEAD", "a.txt", most=5)
    assert (commit.sha, commit.subject) == (toy.git(repository, "rev-parse", "HEAD").strip(), "Write\tfolder/a.txt")
    assert len(commit.date) == len("2024-01-31")
    assert len(git.commits(repository, "main", ".", most=1)) == 1


def test_files_of_a_commit(repository: Path) -> None:
    assert git.show(repository, "HEAD", "folder/a.txt") == "1\n"
    assert git.show(repository / "folder", "HEAD", "a.txt") == "1\n"
    assert git.show(repository, "HEAD^", "folder/a.txt") is None


def test_a_failure_is_one_line(repository: Path) -> None:
    with pytest.raises(PipelineError, match=r"^git checkout failed: error: pathspec 'nowhere' did not match"):
        git.run(repository, "checkout", "nowhere")


def test_no_git(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(PipelineError, match="git is not on the PATH"):
        git.run(repository, "status")
