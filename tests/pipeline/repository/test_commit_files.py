"""What a commit holds is what DVC reads from a checkout of it, whatever is checked out and configured here."""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.planning.staleness import stale_stages
from pipeline.repository.project import Project
from tests.pipeline import toy

Make = Callable[[Path], object]


def commit(root: Path, subject: str = "A change") -> str:
    toy.git(root, "add", "-A")
    toy.git(root, "commit", "-q", "--allow-empty", "-m", subject)
    return toy.git(root, "rev-parse", "HEAD").strip()


def link(root: Path, path: str, target: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).symlink_to(target)


def stale(root: Path, rev: str) -> list[str]:
    """The stages of a revision that did not run with what it has, as a comparison sees it."""
    with Project(root, rev=rev) as project:
        return list(stale_stages(project.graph, project, is_gone=lambda _: True))


def move(root: Path, path: str, target: str) -> None:
    """Move something in git, and leave a link to it."""
    (root / target).parent.mkdir(exist_ok=True)
    toy.git(root, "mv", path, target)
    link(root, path, os.path.relpath(root / target, (root / path).parent))


LINKS: dict[str, Make] = {
    "a folder": lambda root: move(root, "input", "shared/input"),
    "a file": lambda root: move(root, "pins.txt", "shared/pins.txt"),
    "a chain": lambda root: (move(root, "input", "shared/input"), move(root, "shared/input", "far/input")),
    "a file in a folder": lambda root: move(root, "input/rows.csv", "shared/rows.csv"),
    "a folder in a folder": lambda root: link(root, "input/more", "../code"),
    "the folder itself": lambda root: link(root, "input/self", "."),
    "a folder around it": lambda root: link(root, "input/up", ".."),
    "a file behind a folder": lambda root: (link(root, "way", "code"), link(root, "input/one.py", "../way/one.py")),
    "a script": lambda root: move(root, "work.py", "shared/work.py"),
}


@pytest.mark.parametrize("make", LINKS.values(), ids=LINKS.keys())
def test_links_are_followed_as_dvc_follows_them(project: Path, make: Make) -> None:
    make(project)
    commit(project)
    deps = ("input", "code", "pins.txt", "work.py")
    with Project(project) as here, Project(project, rev="HEAD") as there:
        assert {dep: here.digest(dep) for dep in deps} == {dep: there.digest(dep) for dep in deps}
        assert here.files("input") == there.files("input")


DEAD: dict[str, Make] = {
    "itself": lambda root: link(root, "pins.txt", "pins.txt"),
    "each other": lambda root: (link(root, "pins.txt", "other"), link(root, "other", "pins.txt")),
    "nothing": lambda root: link(root, "pins.txt", "nowhere"),
    "out of the repository": lambda root: link(root, "pins.txt", "../" * 9 + "etc/hostname"),
    "an absolute path": lambda root: link(root, "pins.txt", "/etc/hostname"),
    "what git ignores": lambda root: link(root, "pins.txt", "data/report/report.md"),
}


@pytest.mark.parametrize("make", DEAD.values(), ids=DEAD.keys())
def test_a_link_to_what_the_commit_does_not_have_counts_as_changed(
    project: Path, make: Make, caplog: pytest.LogCaptureFixture
) -> None:
    (project / "pins.txt").unlink()
    make(project)
    commit(project)
    assert stale(project, "HEAD") == ["download@model"]
    assert [record.message for record in caplog.records] == [
        "pins.txt of HEAD can't be read and counts as changed: it is a symbolic link to what the commit does not have"
    ]


def test_a_dead_link_is_said_once_however_many_commits_have_it(project: Path, caplog: pytest.LogCaptureFixture) -> None:
    link(project, "code/dead.py", "nowhere")
    for number in range(3):
        toy.edit(project, "code/one.py", "1", f"1{number}")
        commit(project)
    assert stale(project, "HEAD") == ["cut"]
    assert [record.message.partition(" can't")[0] for record in caplog.records] == ["code/dead.py of HEAD"]


@pytest.fixture
def with_submodule(project: Path) -> Path:
    """The toy project, whose folder `input` is a submodule with the same file."""
    source = project.parent / "source"
    shutil.copytree(project / "input", source)
    toy.git(source, "init", "-q", "-b", "main")
    commit(source)
    toy.git(project, "rm", "-rq", "input")
    toy.git(project, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(source), "input")
    commit(project)
    return project


def test_a_submodule_is_read_from_its_own_repository(with_submodule: Path) -> None:
    root = with_submodule
    with Project(root) as here, Project(root, rev="HEAD") as there:
        assert here.digest("input") == there.digest("input") == there.locked("download@rows").deps["input"]  # type: ignore[union-attr]
    assert stale(root, "HEAD") == []
    (root / "input/rows.csv").write_text("other\n")
    commit(root / "input")
    changed = commit(root)
    assert stale(root, "HEAD") == ["download@rows"]
    toy.git(root, "-c", "protocol.file.allow=always", "submodule", "deinit", "-f", "input")
    assert not any((root / "input").iterdir())
    assert (stale(root, "HEAD^"), stale(root, changed)) == ([], ["download@rows"]), "from .git/modules"


def test_a_submodule_in_a_folder(project: Path) -> None:
    source = project.parent / "source"
    shutil.copytree(project / "code", source)
    toy.git(source, "init", "-q", "-b", "main")
    commit(source)
    toy.git(project, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(source), "input/deep/sub")
    commit(project)
    with Project(project) as here, Project(project, rev="HEAD") as there:
        assert here.digest("input") == there.digest("input")
        assert set(there.files("input")) == {"rows.csv", "deep/sub/one.py", "deep/sub/two.py"}


def test_a_submodule_that_is_not_here_counts_as_changed(with_submodule: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    toy.git(tmp_path, "clone", "-q", str(with_submodule), str(clone))
    sha = toy.git(clone, "rev-parse", "HEAD:input").strip()[:9]
    done = toy.retune(clone, "plan", "--rev", "HEAD")
    assert done.returncode == 0, done.stderr
    assert f"it is a git submodule, and its commit {sha} is not here. Run: git submodule update --init" in " ".join(
        done.stderr.split()
    )
    assert stale(clone, "HEAD") == ["download@rows"]
    toy.git(clone, "-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init")
    assert stale(clone, "HEAD") == []


@pytest.mark.parametrize("lacks", ["blob:none", "tree:0"])
def test_a_partial_clone_fetches_what_it_lacks(project: Path, tmp_path: Path, lacks: str) -> None:
    commit(project)
    (project / "code/one.py").write_text("1  # other\n")
    commit(project)
    toy.git(project, "config", "uploadpack.allowFilter", "true")
    clone = tmp_path / "clone"
    toy.git(tmp_path, "clone", "-q", f"--filter={lacks}", f"file://{project}", str(clone))
    assert stale(clone, "HEAD^") == []


SETTINGS: dict[str, Make] = {
    "as git stores them": lambda root: None,
    "core.autocrlf": lambda root: toy.git(root, "config", "core.autocrlf", "true"),
    "core.eol": lambda root: (
        toy.git(root, "config", "core.eol", "crlf"),
        (root / ".gitattributes").write_text("* text=auto\n"),
    ),
    "an attribute of some files": lambda root: (root / ".gitattributes").write_text("*.csv text eol=crlf\n"),
    "settings for other files": lambda root: (
        toy.git(root, "config", "core.autocrlf", "true"),
        (root / ".gitattributes").write_text("*.py eol=lf\n"),
    ),
}


def check_out_again(root: Path) -> None:
    """Write all files of git anew, with the line endings that hold now."""
    for name in toy.git(root, "ls-files").splitlines():
        (root / name).unlink()
    toy.git(root, "checkout", "-q", "-f", "HEAD", "--", ".")


@pytest.fixture
def mixed(project: Path) -> Path:
    """The toy project with a folder of several kinds of files, one not text, and a commit."""
    (project / "code/table.csv").write_text("a\nb\n")
    (project / "code/image").write_bytes(b"\0\n")
    commit(project, "More files")
    return project


@pytest.mark.parametrize("ran", SETTINGS.values(), ids=SETTINGS.keys())
def test_line_endings_of_the_machine_that_ran_are_no_change(mixed: Path, ran: Make) -> None:
    toy.git(mixed, "checkout", "-q", "-b", "ran")
    ran(mixed)
    commit(mixed, "Attributes")
    check_out_again(mixed)
    toy.dvc(mixed, "repro")
    good = commit(mixed, "A run")
    toy.edit(mixed, "code/one.py", "1", "1  # a comment")
    comment = commit(mixed, "A comment")
    (mixed / "code/table.csv").write_text("a\nc\n")
    bad = commit(mixed, "Other data")
    toy.git(mixed, "config", "--unset-all", "core.eol") if "core.eol" in toy.git(mixed, "config", "-l") else None
    for checked_out, setting in (("main", "false"), ("main", "true"), ("ran", "false"), ("ran", "true")):
        toy.git(mixed, "config", "core.autocrlf", setting)
        toy.git(mixed, "checkout", "-q", "-f", checked_out)
        shutil.rmtree(mixed / ".retune", ignore_errors=True)
        assert (stale(mixed, good), stale(mixed, comment), stale(mixed, bad)) == ([], [], ["cut"])


def test_line_endings_that_git_stores_are_a_change(project: Path) -> None:
    (project / "pins.txt").write_bytes(b"one\r\n")
    commit(project)
    assert stale(project, "HEAD") == ["download@model"]


def test_a_file_of_git_lfs_is_the_file_that_its_pointer_stands_for(project: Path) -> None:
    sha = hashlib.sha256((project / "pins.txt").read_bytes()).hexdigest()
    stored = project / ".git/lfs/objects" / sha[:2] / sha[2:4] / sha
    stored.parent.mkdir(parents=True)
    shutil.copy(project / "pins.txt", stored)
    (project / "pins.txt").write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha}\nsize 4\n")
    commit(project)
    assert stale(project, "HEAD") == []


@pytest.fixture
def commented(project: Path) -> Path:
    """The toy project that ran on a branch; 12 commits then changed a comment of its code, and main is checked out."""
    toy.git(project, "checkout", "-q", "-b", "work")
    (project / "code/one.py").write_text("1\nother = 1\n")
    toy.dvc(project, "repro")
    commit(project, "A run")
    for number in range(12):
        (project / "code/one.py").write_text(f"1\nother = 1  # {number}\n")
        commit(project)
    toy.git(project, "checkout", "-q", "main")
    return project


@pytest.mark.parametrize("place", ["code", "shared/code"])
def test_comments_are_recognised_by_the_revision_alone(commented: Path, place: str) -> None:
    root = commented
    toy.git(root, "checkout", "-q", "work")
    if place != "code":
        move(root, "code", place)
    (root / "code/two.py").write_text("2  # a comment\n")
    work = commit(root)
    for checked_out in ("main", "work"):
        toy.git(root, "checkout", "-q", checked_out)
        shutil.rmtree(root / ".retune", ignore_errors=True)
        assert [stale(root, work), stale(root, work)] == [[], []], "the second call has the notes of the first"


def test_notes_of_an_earlier_plan_change_nothing(commented: Path) -> None:
    """The commit of the run is not an ancestor: only a note could tell which files its folder had."""
    root = commented
    toy.git(root, "checkout", "-q", "--detach", "work~12")
    with Project(root) as project:
        assert project.digest("code")
    toy.git(root, "checkout", "-q", "main")
    toy.git(root, "merge", "-q", "--squash", "work")
    squashed = commit(root, "Squashed")
    before = stale(root, squashed)
    shutil.rmtree(root / ".retune")
    assert before == stale(root, squashed) == ["cut"]


def test_accepted_comments_survive_a_squash_merge(commented: Path, tmp_path: Path) -> None:
    """As docs/pull-requests.md has it, also in a clone that lacks the branch."""
    root = commented
    toy.git(root, "checkout", "-q", "work")
    done = toy.retune(root, "accept")
    assert done.returncode == 0, done.stderr
    commit(root, "Accept comments")
    toy.git(root, "checkout", "-q", "main")
    toy.git(root, "merge", "-q", "--squash", "work")
    commit(root, "Squashed")
    toy.git(tmp_path, "clone", "-q", "--no-local", "--single-branch", "-b", "main", str(root), "clone")
    assert stale(tmp_path / "clone", "HEAD") == []
