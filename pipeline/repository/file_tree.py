"""Reads the project's files and their digests, in the workspace or in a git revision."""

import contextlib
import functools
import hashlib
import io
import posixpath
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dvc.fs import GitFileSystem
from dvc.ignore import DvcIgnoreFilter
from dvc.repo import Repo
from dvc.scm import RevError
from dvc_data.hashfile.build import build
from scmrepo.exceptions import SCMError

from pipeline.repository import git
from pipeline.repository.digests import Digest, Digests, folder_digest
from pipeline.repository.revisions import resolve_revision, unknown_revision
from pipeline.repository.storage.objects import tree_files
from stages.errors import PipelineError

MAX_BYTES = 20_000_000  # of a text; dvc.lock has about 1,000 for each stage
SEARCHED_COMMITS = 10  # of those that changed a folder, when its former files are looked for
SEARCHED_VERSIONS = 100  # of a file, when its former content is looked for


class _Overlay:
    """A file system in which some files have other content: a plan with `-S` writes nothing."""

    def __init__(self, fs: Any, texts: Mapping[str, str]) -> None:
        self._fs = fs
        self._texts = texts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fs, name)

    def exists(self, path: str) -> bool:
        return self._fs.abspath(path) in self._texts or bool(self._fs.exists(path))

    def isdir(self, path: str) -> bool:
        return self._fs.abspath(path) not in self._texts and bool(self._fs.isdir(path))

    def isfile(self, path: str) -> bool:
        return self._fs.abspath(path) in self._texts or bool(self._fs.isfile(path))

    def open(self, path: str, mode: str = "r", **kwargs: Any) -> Any:
        text = self._texts.get(self._fs.abspath(path))
        if text is None:
            return self._fs.open(path, mode, **kwargs)
        return io.BytesIO(text.encode()) if "b" in mode else io.StringIO(text)


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
        self, repo: Repo, *, rev: str | None = None, overlay: Mapping[str, str] | None = None, name: str | None = None
    ) -> None:
        self._repo = repo
        self.rev = None if rev is None else resolve_revision(Path(repo.root_dir), rev)
        self.config = repo.config
        self.name = name or rev or "the workspace"
        base: Any = repo.fs
        self._root = repo.root_dir
        if self.rev:
            base, self._root = self._open_revision(self.rev)
        self._base = base
        self._ignore = DvcIgnoreFilter(base, self._root) if self.rev else repo.dvcignore
        texts = {base.abspath(self.path(name)): text for name, text in (overlay or {}).items()}
        self.fs: Any = _Overlay(base, texts) if texts else base

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
        """The content that a file had when its MD5 was this, from the last commits that changed it; None if in none."""
        contents = git.former_contents(Path(self._repo.root_dir), self.rev or "HEAD", name, most=SEARCHED_VERSIONS)
        return next((text for text in contents if hashlib.md5(text, usedforsecurity=False).hexdigest() == md5), None)

    @functools.cache  # noqa: B019
    def names(self, pattern: str) -> tuple[str, ...]:
        """The project's files in git whose names match; in the workspace also those that git would add."""
        return tuple(git.files(Path(self._repo.root_dir), self.rev, pattern))

    def is_file(self, name: str) -> bool:
        """Whether there is a file of this name."""
        return bool(self.fs.isfile(self.path(name)))

    def digest(self, name: str) -> tuple[Digest | None, Digests | None]:
        """The digest of what is at `name`, and its files if it is a folder."""
        path = self.path(name)
        if self.rev:
            if self._base.isdir(path):
                files = self.files(name)
                return (folder_digest(files), files) if files else (None, None)
            return (self._hash(path), None) if self._base.exists(path) else (None, None)
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
        root = self.path(folder)
        return {
            str(self._base.relpath(path, root)): self._hash(path)
            for path in (self._base.find(root) if self._base.exists(root) else ())
            if not self._ignore.is_ignored_file(path)
        }

    def former_files(self, digest: Digest, folder: str) -> Digests | None:
        """The files of `folder` in the newest of its last commits in which it had this digest; None if in none."""
        return next((files for files in self._history(folder) if files and folder_digest(files) == digest), None)

    def _history(self, folder: str) -> Iterator[Digests]:
        with contextlib.suppress(PipelineError):  # not a git repository, or without commits
            for commit in git.commits(Path(self._repo.root_dir), "HEAD", folder, most=SEARCHED_COMMITS):
                yield FileTree(self._repo, rev=commit.sha).files(folder)

    def _open_revision(self, commit: str) -> tuple[Any, str]:
        try:
            fs = GitFileSystem(scm=self._repo.scm, rev=commit)
            fs.exists("/")  # DVC resolves the revision at the first use
            inside = Path(self._repo.root_dir).relative_to(self._repo.scm.root_dir).as_posix()
        except (RevError, SCMError) as error:
            raise unknown_revision(self.name) from error
        return fs, fs.join("/", inside) if inside != "." else "/"

    @functools.cache  # noqa: B019  (a FileTree lives for one plan)
    def _hash(self, path: str) -> Digest:
        with self._base.open(path, "rb") as file:
            md5 = hashlib.file_digest(file, "md5").hexdigest()
        return Digest(md5, executable=bool(self._base.info(path).get("mode", 0) & 0o100))
