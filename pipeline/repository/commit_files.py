"""The files of a commit as a checkout has them: symbolic links and submodules are followed, whatever is checked out."""

import contextlib
import functools
import io
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal

from pygit2 import GitError, Repository, Tree
from pygit2.enums import RepositoryOpenFlag
from scmrepo.exceptions import SCMError
from scmrepo.git import Git
from scmrepo.git.lfs import smudge
from scmrepo.git.lfs.fetch import get_fetch_url

from pipeline.repository import git
from pipeline.repository.digests import content_md5
from pipeline.repository.line_endings import with_crlf

GITLINK = 0o160000  # a submodule: the commit of another repository
MOST_LINKS = 40  # on the way to a file, as Linux follows
Key = tuple[str, ...]  # the parts of a path from the repository's root


@dataclass(frozen=True)
class Node:
    """What is at a path of a commit.

    Attributes:
        kind: A file, a folder, or something that this clone can't tell.
        oid: git's name of the object.
        place: Where it is, all links followed.
        executable: Whether a file is one.
        problem: Why it is unknown.
        object: The content, as pygit2 has it.
        repo: The repository that has it: this one, or that of a submodule.
    """

    kind: Literal["file", "folder", "unknown"]
    oid: str
    place: Key
    executable: bool = False
    problem: str = ""
    object: Any = field(default=None, compare=False)
    repo: Any = field(default=None, compare=False)

    def md5(self, *, crlf: bool = False) -> str:
        """The MD5 of a file's content, with CRLF if that is asked; that of nothing else if the content is unknown."""
        return f"unknown {self.oid}" if self.kind == "unknown" else _md5(self, crlf)

    def read(self) -> bytes:
        """The content of a file: that which git stores, or that which a pointer of git-lfs there stands for."""
        content = bytes(self.object.data)
        if not content.startswith(b"version https://"):
            return content
        with Git(self.repo.workdir or self.repo.path) as scm:
            try:
                url = get_fetch_url(scm)
            except SCMError:
                url = None
            with smudge(scm.lfs_storage, io.BytesIO(content), url=url) as file:
                return bytes(file.read())


class CommitFiles:
    """The files of a commit; `scmrepo.fs.GitFileSystem` takes it for its trie.

    DVC follows the links of a path that it is given, but enters no link to a folder that it finds in a folder.

    Args:
        scm: The repository.
        commit: The full SHA.
    """

    def __init__(self, scm: Git, commit: str) -> None:
        self.rev = commit
        self._scm = scm
        self._root = Path(scm.root_dir)
        repo = scm.pygit2.repo
        oid = repo[commit].tree_id
        self._has(oid, repo)
        self._top = _folder(repo, repo[oid], ())

    @functools.cache  # noqa: B019
    def find(self, key: Key) -> Node | None:
        """What is at a path; None if nothing is."""
        if not key:
            return self._top
        parent = self.find(key[:-1])
        return self._step(parent, key[-1]) if parent and parent.kind == "folder" else _inside(parent)

    def _step(self, node: Node, step: str) -> Node | None:
        """What is in a folder under a name, links followed."""
        links, last = 0, ""
        todo = [step]
        while todo:
            name = todo.pop()
            if name == ".." and node.place:
                node = self.find(node.place[:-1]) or node
            elif name == "..":
                return _dead_link(last)
            elif name not in ("", "."):
                entry = node.object[name] if node.kind == "folder" and name in node.object else None
                if node.kind == "unknown":
                    return node
                if entry is None:
                    return _dead_link(last) if links else None
                if not stat.S_ISLNK(entry.filemode):
                    node = self._node(entry, node, (*node.place, name))
                    continue
                links, last, target = links + 1, str(entry.id), self._target(entry, node.repo)
                if links > MOST_LINKS or not target or target.startswith("/"):
                    return _dead_link(last)
                todo += reversed(target.split("/"))
        return node

    def walk(self, folder: Key) -> Iterator[tuple[Key, Node]]:
        """The files below a folder, each with its path relative to it."""
        top = self.find(folder)
        if top is None or top.kind != "folder":
            return
        for entry in top.object:
            node = self.find((*folder, entry.name))
            if node and node.kind != "folder":
                yield (entry.name,), node
            elif node and not stat.S_ISLNK(entry.filemode):
                yield from (((entry.name, *rest), file) for rest, file in self.walk((*folder, entry.name)))

    def open(self, key: Key, **_: Any) -> BinaryIO:
        """A file's content, for scmrepo."""
        node = self._known(key)
        if node.kind == "folder":
            raise IsADirectoryError
        return io.BytesIO(node.read())

    def exists(self, key: Key) -> bool:
        """Whether a file or a folder is at a path, for scmrepo."""
        node = self.find(key)
        return node is not None and node.kind != "unknown"

    def ls(self, key: Key) -> list[str]:
        """The names in a folder, for scmrepo."""
        return [
            entry.name
            for entry in self._known(key).object
            if stat.S_IFMT(entry.filemode) in (stat.S_IFREG, stat.S_IFDIR) or self.exists((*key, entry.name))
        ]

    def info(self, key: Key) -> dict[str, Any]:
        """What fsspec asks of a file, for scmrepo."""
        node = self._known(key)
        return {"type": "directory" if node.kind == "folder" else "file", "sha": node.oid, "size": None}

    def _known(self, key: Key) -> Node:
        node = self.find(key)
        if node is None or node.kind == "unknown":
            raise KeyError(key)
        return node

    def _node(self, entry: Any, parent: Node, place: Key) -> Node:
        oid = str(entry.id)
        if stat.S_IFMT(entry.filemode) == GITLINK:
            return self._submodule(oid, place)
        if not self._has(entry.id, parent.repo):
            return Node("unknown", oid, place, problem="its content is not in this clone. Run: git fetch --refetch")
        if entry.type_str == "tree":
            return _folder(parent.repo, entry, place)
        return Node("file", oid, place, bool(entry.filemode & 0o100), object=entry, repo=parent.repo)

    def _has(self, oid: Any, repo: Any) -> bool:
        """Whether git has an object; git fetches what a partial clone lacks."""
        return oid in repo or not git.call(Path(repo.path), "cat-file", "-e", str(oid)).returncode

    def _target(self, link: Any, repo: Any) -> str:
        return bytes(link.data).decode(errors="surrogateescape") if self._has(link.id, repo) else ""

    def _submodule(self, commit: str, place: Key) -> Node:
        """The files of a submodule's commit: of the repository checked out there, or that git keeps of a former one."""
        for folder in (self._root.joinpath(*place), Path(self._scm.pygit2.repo.path).joinpath("modules", *place)):
            with contextlib.suppress(GitError, KeyError):
                repo = Repository(str(folder), RepositoryOpenFlag.NO_SEARCH)
                return _folder(repo, repo[commit].peel(Tree), place)
        problem = f"it is a git submodule, and its commit {commit[:9]} is not here. Run: git submodule update --init"
        return Node("unknown", commit, place, problem=problem)


def _folder(repo: Repository, tree: Any, place: Key) -> Node:
    return Node("folder", str(tree.id), place, object=tree, repo=repo)


def _inside(node: Node | None) -> Node | None:
    """What is below something that is no folder: nothing in a file, and who knows in what nobody can tell."""
    return node if node and node.kind == "unknown" else None


def _dead_link(oid: str) -> Node:
    return Node("unknown", oid, (), problem="it is a symbolic link to what the commit does not have")


@functools.lru_cache(maxsize=10_000)  # most files of one commit are those of the next
def _md5(file: Node, crlf: bool) -> str:
    content = file.read()
    return content_md5(with_crlf(content) if crlf else content)
