"""Files of the workspace, or of a git revision, with the hashes that DVC gives them."""

import contextlib
import functools
import hashlib
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dvc.fs import GitFileSystem
from dvc.ignore import DvcIgnoreFilter
from dvc.repo import Repo
from dvc.scm import RevError
from dvc_data.hashfile.build import build
from scmrepo.exceptions import SCMError

from pipeline.repository.graph import Item, Listing, folder_item
from stages.errors import PipelineError

SEARCHED_COMMITS = 10  # how far back a folder's former content is looked for


class _Overlay:
    """A file system in which some files have another content: what `-S` asks about is written nowhere."""

    def __init__(self, fs: Any, texts: Mapping[str, str]) -> None:
        self._fs = fs
        self._texts = texts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fs, name)

    def exists(self, path: str) -> bool:
        return self._fs.abspath(path) in self._texts or bool(self._fs.exists(path))

    def isdir(self, path: str) -> bool:
        return self._fs.abspath(path) not in self._texts and bool(self._fs.isdir(path))

    def open(self, path: str, *args: Any, **kwargs: Any) -> Any:
        text = self._texts.get(self._fs.abspath(path))
        return self._fs.open(path, *args, **kwargs) if text is None else io.StringIO(text)


class Files:
    """The project's files in the workspace, or in the git revision `rev`.

    It has the two attributes of a repository (`fs`, `config`) that DVC's resolver of dvc.yaml asks for.

    Raises:
        PipelineError: The revision is unknown.
    """

    def __init__(self, repo: Repo, *, rev: str | None = None, overlay: Mapping[str, str] | None = None) -> None:
        self._repo = repo
        self.rev = rev
        self.config = repo.config
        self.name = rev or "the workspace"
        base: Any = repo.fs
        self._root = repo.root_dir
        if rev:
            base, self._root = self._open_revision(rev)
        self._base = base
        self._ignore = DvcIgnoreFilter(base, self._root) if rev else repo.dvcignore
        texts = {base.abspath(self.path(name)): text for name, text in (overlay or {}).items()}
        self.fs: Any = _Overlay(base, texts) if texts else base

    def path(self, name: str) -> str:
        """The path of a project file in this file system."""
        return str(self._base.join(self._root, name)) if name else self._root

    def read(self, name: str) -> str | None:
        """The text of a file, or None if it is not there."""
        try:
            with self.fs.open(self.path(name), encoding="utf-8") as file:
                return str(file.read())
        except FileNotFoundError:
            return None

    def item(self, name: str) -> tuple[Item | None, Listing | None]:
        """What lies at `name`, and its files if it is a folder."""
        path = self.path(name)
        if self.rev:
            if self._base.isdir(path):
                files = self.listing(name)
                return (folder_item(files), files) if files else (None, None)
            return (self._hash(path), None) if self._base.exists(path) else (None, None)
        try:
            _, meta, built = build(self._repo.cache.local, path, self._base, "md5", ignore=self._ignore, dry_run=True)
        except FileNotFoundError:
            return None, None
        item = Item(str(built.hash_info.value), executable=bool(meta.isexec))
        return item, (tree_listing(built) if item.is_folder else None)

    def listing(self, folder: str) -> Listing:
        """The files in a folder by path relative to it; empty if it is not there."""
        if not self.rev:
            return self.item(folder)[1] or {}
        root = self.path(folder)
        return {
            str(self._base.relpath(path, root)): self._hash(path)
            for path in (self._base.find(root) if self._base.exists(root) else ())
            if not self._ignore.is_ignored_file(path)
        }

    def find_listing(self, item: Item, folder: str) -> Listing | None:
        """The files of `folder` in the newest of its last commits in which it was `item`."""
        return next((files for files in self._history(folder) if files and folder_item(files) == item), None)

    def _history(self, folder: str) -> Iterator[Listing]:
        from dulwich.errors import NotGitRepository
        from dulwich.repo import Repo as Git

        with contextlib.suppress(NotGitRepository, KeyError, PipelineError):
            git = Git.discover(self._repo.root_dir)
            prefix = Path(self._repo.root_dir).resolve().relative_to(Path(git.path).resolve())
            walker = git.get_walker(max_entries=SEARCHED_COMMITS, paths=[(prefix / folder).as_posix().encode()])
            for entry in walker:
                yield Files(self._repo, rev=entry.commit.id.decode()).listing(folder)

    def _open_revision(self, rev: str) -> tuple[Any, str]:
        try:
            fs = GitFileSystem(scm=self._repo.scm, rev=rev)
            fs.exists("/")  # the revision is looked up at the first use
            inside = Path(self._repo.root_dir).relative_to(self._repo.scm.root_dir).as_posix()
        except (RevError, SCMError) as error:
            raise PipelineError(f"{rev} is no revision of this repository. See: git log, git branch") from error
        return fs, fs.join("/", inside) if inside != "." else "/"

    @functools.cache  # noqa: B019  (a Files lives for one plan)
    def _hash(self, path: str) -> Item:
        with self._base.open(path, "rb") as file:
            digest = hashlib.file_digest(file, "md5").hexdigest()
        return Item(digest, executable=bool(self._base.info(path).get("mode", 0) & 0o100))


def tree_listing(tree: Any) -> dict[str, Item]:
    """The files of a DVC tree object, by path relative to it."""
    return {"/".join(key): Item(info.value) for key, _, info in tree}
