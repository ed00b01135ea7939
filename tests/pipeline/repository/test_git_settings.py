"""What git says is the same whatever a user has set, and whatever the subject of a commit is."""

import functools
from pathlib import Path
from typing import Any

import pytest

from pipeline.repository import git
from pipeline.repository.revisions import resolve_revision
from tests.pipeline import toy

SUBJECTS = {
    "a line separator": "fix\u2028more",
    "a form feed": "fix \f more",
    "a carriage return": "fix \r more",
    "other line ends": "a\x0bb\x1cc\x85d\u2029e",
    "letters": "café — 漢字",
    "a tab": "one\ttwo",
    "letters of Latin-1": "café",
}
SETTINGS = {
    "log.showSignature": "true",
    "i18n.logOutputEncoding": "latin1",
    "color.ui": "always",
    "color.diff": "always",
    "core.quotePath": "true",
    "core.pager": "sed s/^/x/",
    "core.abbrev": "5",
    "core.autocrlf": "true",
    "log.date": "relative",
    "log.mailmap": "true",
    "log.abbrevCommit": "true",
    "log.decorate": "full",
    "log.follow": "true",
    "log.showRoot": "false",
    "log.diffMerges": "off",
    "format.pretty": "fuller",
    "diff.external": "false",
    "diff.noprefix": "true",
    "diff.renames": "copies",
    "diff.relative": "true",
    "diff.orderFile": "/missing/order",
    "diff.ignoreSubmodules": "all",
    "status.short": "true",
    "status.branch": "true",
    "status.showUntrackedFiles": "no",
    "column.ui": "always",
    "pager.log": "true",
}
SIGNER = """\
#!/bin/sh
echo 'gpg: a signature by somebody' >&2
case "$*" in *--verify*) echo '[GNUPG:] GOODSIG 0 somebody';; *)
  cat > /dev/null; echo '[GNUPG:] SIG_CREATED ' >&2
  printf -- '-----BEGIN PGP SIGNATURE-----\\nx\\n-----END PGP SIGNATURE-----\\n';;
esac
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signed commit for each subject, one in Latin-1, and a merge; each but the first changes one file."""
    folder = tmp_path_factory.mktemp("settings")
    signer, root = folder / "gpg", folder / "repository"
    signer.write_text(SIGNER)
    signer.chmod(0o755)
    (root / "földer").mkdir(parents=True)
    toy.git(root, "init", "-q", "-b", "main")
    toy.git(root, "config", "gpg.program", str(signer))
    for number, subject in enumerate(["first", *SUBJECTS.values()]):
        (root / "földer/a.txt").write_text(f"{number}\n")
        toy.git(root, "add", "-A")
        toy.git(root, "commit", "-q", "-S", "-m", subject)
    toy.git(root, "checkout", "-q", "-b", "side", "HEAD^")
    (root / "földer/a.txt").write_text("side\n")
    toy.git(root, "commit", "-q", "-a", "-m", "side")
    toy.git(root, "checkout", "-q", "main")
    toy.git(root, "merge", "-q", "-s", "ours", "-m", "merge", "side")
    (root / "földer/a.txt").write_text("latin\r\n")
    toy.git(root, "commit", "-q", "-a", "-m", "cafe")
    latin = toy.git(root, "cat-file", "commit", "HEAD").encode().replace(b"cafe", b"caf\xe9")  # git makes it UTF-8
    (folder / "commit").write_bytes(latin)
    commit = toy.git(root, "hash-object", "-t", "commit", "-w", str(folder / "commit")).strip()
    toy.git(root, "update-ref", "HEAD", commit)
    toy.git(root, "update-ref", f"refs/exps/{'0' * 2}/{'0' * 38}/wet-dog", "HEAD~2")
    return root


def said(root: Path) -> dict[str, Any]:
    """Everything that this project asks of git."""
    history = functools.partial(git.former_contents, root, "HEAD", "földer/a.txt")
    return {
        "commits": git.commits(root, "HEAD", "földer", most=20),
        "contents": list(history(most=20)),
        "all commits": git.run(root, "log", "--topo-order", "--reverse", "--format=%H", "--all"),
        "date": git.run(root, "show", "--no-patch", "--format=%cI", "HEAD"),
        "text": git.show(root, "HEAD", "földer/a.txt"),
        "files": [git.files(root, rev, "*a.txt") for rev in (None, "HEAD")],
        "status": git.run(root, "status", "--porcelain"),
        "staged": git.run(root, "diff", "--cached", "--name-only", "HEAD^"),
        "experiment": resolve_revision(root, "wet-dog"),
        "remote": git.resolve_remote(str(root), "main"),
    }


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a user's settings, which is empty."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "config"))
    (tmp_path / "config").touch()
    return tmp_path / "config"


@pytest.mark.parametrize("key", SETTINGS)
def test_no_setting_of_a_user_changes_what_is_read(repository: Path, config: Path, key: str) -> None:
    before = said(repository)
    toy.git(repository, "config", "--file", str(config), key, SETTINGS[key])
    assert said(repository) == before


def test_a_subject_is_one_whatever_its_letters(repository: Path, config: Path) -> None:
    subjects = [commit.subject for commit in git.commits(repository, "HEAD", "földer", most=20)]
    expected = ["caf\ufffd", *reversed(SUBJECTS.values()), "first"]
    assert subjects == expected
    assert [commit.subject for commit in git.commits(repository, "HEAD", "földer", most=1)] == expected[:1]
    contents = list(git.former_contents(repository, "HEAD", "földer/a.txt", most=20))
    assert sorted(contents) == sorted([b"latin\r\n", b"side\n", *(b"%d\n" % n for n in range(len(SUBJECTS) + 1))])
