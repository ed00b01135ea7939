"""Reads the project's files and their digests, in the workspace or in a git revision."""

import contextlib
import functools
import logging
import os
import posixpath
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dvc.fs import GitFileSystem
from dvc.ignore import DvcIgnoreFilter
from dvc.repo import Repo
from dvc_data.hashfile.build import build
from pygit2 import GitError
from scmrepo.exceptions import SCMError

from pipeline.repository import git
from pipeline.repository.commit_files import CommitFiles, Node
from pipeline.repository.digests import Digest, Digests, content_md5, folder_digest
from pipeline.repository.line_endings import checkouts, with_crlf
from pipeline.repository.overlay import Overlay
from pipeline.repository.revisions import resolve_revision, unknown_revision
from pipeline.repository.storage.objects import tree_files
from stages.errors import PipelineError

MAX_BYTES = 20_000_000  # of a text; dvc.lock has about 1,000 for each stage
SEARCHED = 100  # of the commits that changed a file or a folder, when its former content is looked for

log = logging.getLogger(__name__)


class FileTree:
    """The project's files in the workspace, or in a git revision.

    DVC's resolver of dvc.yaml takes it for a repository: it reads the attributes `fs` and `config`.

    Args:
        repo: The DVC repository.
        rev: The git revision, of which the attribute `rev` has the commit; None: the workspace.
        overlay: Files with other content than in the workspace: path -> text.
        name: What messages call the revision; None: `rev`.

    Raises:
        PipelineError: The revision is unknown.
    """

    def __init__(
        self,
        repo: Repo,
        *,
        rev: str | git.Commit | None = None,
        overlay: Mapping[str, str] | None = None,
        name: str | None = None,
    ) -> None:
        self._repo = repo
        known = rev.sha if isinstance(rev, git.Commit) else None
        self.rev = known if known or rev is None else resolve_revision(Path(repo.root_dir), str(rev))
        self._former = known is not None  # a commit that is only searched: what it lacks matters to nobody
        self.config = repo.config
        self.name = name or known or str(rev or "the workspace")
        base: Any = repo.fs
        self._root = repo.root_dir
        self._commit: CommitFiles | None = None
        if self.rev:
            self._commit, self._root = self._open_revision(self.rev)
            base = GitFileSystem(trie=self._commit)
        self._base = base
        self._ignore = DvcIgnoreFilter(base, self._root) if self.rev else repo.dvcignore
        texts = {base.abspath(self.path(name)): text for name, text in (overlay or {}).items()}
        self.fs: Any = Overlay(base, texts) if texts else base

    def path(self, name: str) -> str:
        """The path of a project file in this file system; `./a` and `b/../a` are `a`."""
        return str(self._base.join(self._root, posixpath.normpath(name))) if name else self._root

    def advice(self, repair: str) -> str:
        """How a file of the workspace is repaired; what a revision holds nobody can change any more."""
        return "Choose another revision." if self.rev else repair

    def read(self, name: str) -> str | None:
        """The text of a file, or None if there is no such file.

        Raises:
            PipelineError: It is a folder or a pipe, is too large, or is not UTF-8.
        """
        content = self.read_bytes(name)
        if content is None:
            return None
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            raise PipelineError(
                f"{name} in {self.name} is not UTF-8 (line {line}). "
                + self.advice(f"Save it as UTF-8, or restore it: git checkout -- {name}")
            ) from error

    def read_bytes(self, name: str) -> bytes | None:
        """The content of a file, or None if there is no such file.

        Raises:
            PipelineError: It is a folder or a pipe, or is too large.
        """
        path = self.path(name)
        if not self.fs.exists(path):
            return None
        if not self.fs.isfile(path):
            raise PipelineError(
                f"{name} in {self.name} is not a file. " + self.advice(f"Move it away, then: git checkout -- {name}")
            )
        with self.fs.open(path, "rb") as file:
            content = bytes(file.read(MAX_BYTES + 1))
        if len(content) > MAX_BYTES:
            raise PipelineError(
                f"{name} in {self.name} has more than {MAX_BYTES // 10**6} MB, too much for a file in git. "
                + self.advice(f"Restore it: git checkout -- {name}")
            )
        return content

    def former_content(self, name: str, md5: str) -> bytes | None:
        """The content that a file had when its MD5 was this, from the last commits that changed it; None if in none.

        A content counts with the line endings that git stores and with CRLF.
        """
        contents = git.former_contents(Path(self._repo.root_dir), self._start, *self._places(name), most=SEARCHED)
        return next((text for text in contents if md5 in (content_md5(text), content_md5(with_crlf(text)))), None)

    @functools.cache  # noqa: B019
    def names(self, pattern: str) -> tuple[str, ...]:
        """The project's files in git whose names match; in the workspace also those that git would add."""
        return tuple(git.files(Path(self._repo.root_dir), self.rev, pattern))

    def is_file(self, name: str) -> bool:
        """Whether there is a file of this name."""
        return bool(self.fs.isfile(self.path(name)))

    def digest(self, name: str, *, recorded: Collection[str] = ()) -> tuple[Digest | None, Digests | None]:
        """The digest of what is at `name`, and its files if it is a folder.

        What the revision has and this clone can't tell has the digest of nothing else, and a warning says why.

        Args:
            name: The path.
            recorded: MD5s of files and folders that stages have read. Where one of them is that of a revision's text
                with CRLF, this is the digest: which line endings the machine had that ran is not in git.
        """
        path = self.path(name)
        if self._commit:
            node = self._commit.find(_key(path))
            if node is None:
                return None, None
            if node.kind == "folder":
                files = self.files(name)
                found = next((form for form in self._forms(name) if folder_digest(form).md5 in recorded), files)
                return (folder_digest(found), found) if files else (None, None)
            digest = self._hash(node, name)
            if digest.md5 not in recorded and (crlf := node.md5(crlf=True)) in recorded:
                digest = replace(digest, md5=crlf)
            return digest, None
        try:
            _, meta, built = build(self._repo.cache.local, path, self._base, "md5", ignore=self._ignore, dry_run=True)
        except FileNotFoundError:
            return None, None
        digest = Digest(str(built.hash_info.value), executable=bool(meta.isexec))
        return digest, (tree_files(built) if digest.is_folder else None)

    def files(self, folder: str) -> Digests:
        """The files in a folder by path relative to it; empty if there is no such folder."""
        if not self.rev:
            return self.digest(folder)[1] or {}
        return {name: self._hash(node, f"{folder}/{name}") for name, node in self._nodes(folder).items()}

    @functools.cache  # noqa: B019
    def former_files(self, digest: Digest, folder: str) -> Digests | None:
        """The files of `folder` in the newest of its last commits in which it had this digest; None if in none.

        Of a revision, they have the line endings that git stores, as `files` has them.
        """
        for tree in self._history(folder):
            for form in tree._forms(folder):
                if form and folder_digest(form) == digest:
                    return tree.files(folder) if self.rev else form
        return None

    def _history(self, folder: str) -> Iterator["FileTree"]:
        """The revision itself, and the last commits that changed a folder, newest first."""
        if self.rev:
            yield self
        with contextlib.suppress(PipelineError):  # not a git repository, or without commits
            for commit in git.commits(
                Path(self._repo.root_dir), self._start, *self._places(folder), most=SEARCHED, full_history=True
            ):
                yield FileTree(self._repo, rev=commit)

    @property
    def _start(self) -> str:
        """Where git's history is searched from."""
        return self.rev or "HEAD"

    def _places(self, name: str) -> list[str]:
        """A path, and where it is once its links are followed, if that is in the repository; for git."""
        if self._commit:
            node = self._commit.find(_key(self.path(name)))
            place = posixpath.join("/", *node.place) if node and node.place else self.path(name)
        else:
            place = os.path.realpath(self.path(name))
        inside = posixpath.relpath(place, os.path.realpath(self._root) if self.rev is None else self._root)
        return list(dict.fromkeys([posixpath.normpath(name), *([] if inside.startswith("../") else [inside])]))

    def _forms(self, folder: str) -> Iterator[Digests]:
        """The files of a revision's folder, with every combination of line endings."""
        nodes = self._nodes(folder)
        return checkouts(self.files(folder), lambda name: nodes[name].md5(crlf=True))

    @functools.cache  # noqa: B019  (a FileTree lives for one plan)
    def _nodes(self, folder: str) -> dict[str, Node]:
        path = self.path(folder)
        files = self._commit.walk(_key(path)) if self._commit else ()
        found = {"/".join(key): node for key, node in files}
        return {name: node for name, node in found.items() if not self._ignore.is_ignored_file(f"{path}/{name}")}

    def _open_revision(self, commit: str) -> tuple[CommitFiles, str]:
        try:
            files = CommitFiles(self._repo.scm, commit)
        except (SCMError, GitError, KeyError) as error:
            raise unknown_revision(self.name) from error
        inside = Path(self._repo.root_dir).relative_to(self._repo.scm.root_dir).as_posix()
        return files, posixpath.join("/", inside) if inside != "." else "/"

    def _hash(self, node: Node, name: str) -> Digest:
        """The digest of a revision's file."""
        if node.problem and not self._former:
            self._warn(name, node.problem)
        return Digest(node.md5(), executable=node.executable)

    @functools.cache  # noqa: B019
    def _warn(self, name: str, problem: str) -> None:
        log.warning("%s of %s can't be read and counts as changed: %s", name, self.name, problem)


def _key(path: str) -> tuple[str, ...]:
    return tuple(part for part in posixpath.normpath(path).split("/") if part)
