"""Whether a file of a stage differs in comments or layout alone from what the stage read."""

import contextlib
import functools
import posixpath
from collections.abc import Collection
from typing import Any

from pipeline.repository.code_changes import reads_code, same_code
from pipeline.repository.file_tree import FileTree
from pipeline.repository.graph import Stage
from pipeline.repository.own_code import arguments, in_package, names_path, own_code
from stages.errors import PipelineError


class CommentChanges:
    """Judges files by what a stage's command runs as code; it is made for one plan: what it has read is cached.

    Args:
        tree: The files of the workspace or of a revision.
        outs: What stages write, which is no code.
    """

    def __init__(self, tree: FileTree, outs: Collection[str]) -> None:
        self._tree = tree
        self._outs = outs

    def only_comments(self, stage: Stage, path: str, md5: str, values: list[Any]) -> bool:
        """Whether a file is code of the stage, and differs in comments or layout alone.

        Args:
            stage: It depends on the file.
            path: The file.
            md5: Of its content as the stage read it.
            values: Of the stage's parameters; what they or the command's arguments name is data.
        """
        code = self._own_code(stage.cmd)
        return (
            (posixpath.normpath(path) in code or in_package(path, code, self._read_code))
            and not names_path([*values, *arguments(stage.cmd)], path)
            and self._same_code(path, md5)
            and not any(map(self._reads_code, self._code(stage.deps)))
        )

    @functools.cache  # noqa: B019
    def _own_code(self, command: str) -> frozenset[str]:
        return own_code(command, self._read_code)

    @functools.cache  # noqa: B019
    def _read_code(self, path: str) -> bytes | None:
        with contextlib.suppress(PipelineError):  # too large to be code
            return self._tree.read_bytes(path) if self._tree.is_file(path) else None
        return None

    @functools.cache  # noqa: B019
    def _same_code(self, path: str, md5: str) -> bool:
        now, before = self._tree.read_bytes(path), self._tree.former_content(path, md5)
        return now is not None and before is not None and same_code(before, now)

    @functools.cache  # noqa: B019
    def _code(self, deps: tuple[str, ...]) -> tuple[str, ...]:
        """The Python files among dependencies and in them; what a stage writes is no code."""
        sources = [dep for dep in deps if dep not in self._outs]
        inside = [f"{dep}/{name}" for dep in sources if not dep.endswith(".py") for name in self._tree.files(dep)]
        return tuple(path for path in [*sources, *inside] if path.endswith(".py"))

    @functools.cache  # noqa: B019
    def _reads_code(self, path: str) -> bool:
        return reads_code(self._tree.read_bytes(path) or b"")
