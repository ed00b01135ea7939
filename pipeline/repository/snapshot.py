"""The protocol of everything that a plan may read, so that planning itself opens no file."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

from pipeline.repository.digests import Digest, Digests
from pipeline.repository.graph import LockEntry, ParamValues, Stage

Where = Literal["cache", "remote"]
MISSING: Final = object()  # the parameter does not exist, which differs from null
LONGEST = 1e9  # seconds of a stage, 30 years: a note of more is damaged
MOST_WORK = 1e30  # of a stage, in whatever unit; more is a damaged note or a value that the stage will refuse


@dataclass(frozen=True)
class Recorded:
    """A result that needs no run: its entry, and where its outputs are."""

    entry: LockEntry
    where: Where


@dataclass(frozen=True)
class Run:
    """An earlier run on this machine; `planning/work` says what the unit of its work is; 0: unknown."""

    seconds: float
    work: float = 0.0


@dataclass(frozen=True)
class ModelRows:
    """Rows that a stage lets a model compute, once for all runs where they are kept.

    Attributes:
        model: The digest of the model's folder; None: an earlier stage has yet to write it.
        rows: A hash of everything else that decides what the model gives for them; None: the same.
    """

    model: str | None
    rows: str | None


class Snapshot(Protocol):
    """The state of a project that a plan reads; `project.Project` implements it for a DVC repository."""

    def locked(self, stage: str) -> LockEntry | None:
        """The entry of the stage in dvc.lock, or None."""

    def digest(self, path: str) -> Digest | None:
        """The digest of the file or folder at `path`, or None if nothing is there."""

    def files(self, folder: str) -> Digests:
        """The files now in `folder`, by path relative to it."""

    def leftovers_in(self, folder: str) -> tuple[str, ...]:
        """The paths in a folder that no stage owns any more: a run removes them first, plain `dvc repro` does not."""

    def folder_files(self, folder: Digest, path: str) -> Digests | None:
        """The files of the folder with this digest, now or formerly at `path`; None if no cache or commit has it."""

    def content(self, folder: Digest, name: str) -> bytes | None:
        """The content of a small file of a stored folder; empty if it has no such file, None if nobody knows."""

    def only_comments(self, stage: Stage, path: str, before: Digest) -> bool:
        """Whether a Python file that the stage reads differs from its former state in comments and layout alone.

        Args:
            stage: The stage.
            path: The file, which is one of its dependencies or lies in one.
            before: The file's former digest.
        """

    def param(self, file: str, key: str) -> Any:
        """The value of a parameter, or MISSING; an empty key returns the whole file."""

    def cached(self, outs: Digests) -> bool:
        """Whether the local cache has all of these outputs."""

    def recorded(self, stage: Stage, entry: LockEntry | None, deps: Digests, params: ParamValues) -> Recorded | None:
        """The result that can be restored without a run, or None.

        Args:
            stage: The stage.
            entry: Its entry in dvc.lock if every input equals that entry, else None.
            deps: The digest that each dependency has, or will have.
            params: The current values.
        """

    def seconds(self, stage: Stage) -> float | None:
        """How long the stage took before, or None if it never ran here."""

    def timings(self, stage: Stage) -> Mapping[str, Any]:
        """What the stage, or another of its group, measured when it last ran; empty if that is unknown."""

    def runs(self, stage: Stage) -> tuple[Run, ...]:
        """The last runs of the stage's group of which the work is known, oldest first."""

    def kept(self, rows: ModelRows) -> bool | None:
        """Whether what the model gives for these rows is kept on this machine; None: nobody knows."""

    def lengths(self) -> Mapping[int, int]:
        """Tokens per row -> rows, as they were last counted here; empty if nobody has counted."""
