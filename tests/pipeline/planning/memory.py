"""A project held in memory, for tests of planning that need no files."""

from dataclasses import dataclass, field
from typing import Any

from pipeline.repository.digests import Digest, Digests, files_under
from pipeline.repository.graph import LockEntry, ParamValues, Stage
from pipeline.repository.snapshot import MISSING, ModelRows, Recorded, Run


@dataclass
class MemorySnapshot:
    """A `Snapshot` whose answers are plain values.

    Attributes:
        lock: dvc.lock.
        tree: What is at each path, files and folders.
        folders: Path and md5 of a folder -> its files.
        contents: md5 of a folder, and a file in it -> its content; None: nobody knows.
        values: File -> its parameters by full key.
        cache: md5 of everything in the local cache.
        records: Stage -> its result in the run-cache.
        times: Stage -> its duration in seconds.
        noted: Group of stages -> its last runs.
        tokens: Tokens per row -> rows.
        rows_kept: Whether the rows of any model are kept.
        measured: Stage -> its timings.
        comments: Python files, each with its former md5, that differ in comments alone.
        lookups: The arguments of every call of `recorded`.
    """

    lock: dict[str, LockEntry] = field(default_factory=dict)
    tree: dict[str, Digest] = field(default_factory=dict)
    folders: dict[tuple[str, str], Digests] = field(default_factory=dict)
    contents: dict[tuple[str, str], bytes | None] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    cache: set[str] = field(default_factory=set)
    records: dict[str, Recorded] = field(default_factory=dict)
    times: dict[str, float] = field(default_factory=dict)
    noted: dict[str, tuple[Run, ...]] = field(default_factory=dict)
    tokens: dict[int, int] = field(default_factory=dict)
    rows_kept: bool | None = None
    measured: dict[str, dict[str, Any]] = field(default_factory=dict)
    comments: set[tuple[str, str]] = field(default_factory=set)
    lookups: list[tuple[str, LockEntry | None, Digests, ParamValues]] = field(default_factory=list)

    def locked(self, stage: str) -> LockEntry | None:
        return self.lock.get(stage)

    def digest(self, path: str) -> Digest | None:
        return self.tree.get(path)

    def files(self, folder: str) -> Digests:
        return {name: digest for name, digest in files_under(self.tree, folder).items() if not digest.is_folder}

    def leftovers_in(self, folder: str) -> tuple[str, ...]:
        return ()

    def folder_files(self, folder: Digest, path: str) -> Digests | None:
        return self.folders.get((path, folder.md5))

    def content(self, folder: Digest, name: str) -> bytes | None:
        return self.contents.get((folder.md5, name), b"")

    def only_comments(self, stage: Stage, path: str, before: Digest) -> bool:
        return (path, before.md5) in self.comments

    def param(self, file: str, key: str) -> Any:
        return self.values.get(file, MISSING) if key == "" else self.values.get(file, {}).get(key, MISSING)

    def cached(self, outs: Digests) -> bool:
        return {digest.md5 for digest in outs.values()} <= self.cache

    def recorded(self, stage: Stage, entry: LockEntry | None, deps: Digests, params: ParamValues) -> Recorded | None:
        self.lookups.append((stage.name, entry, deps, params))
        return self.records.get(stage.name)

    def seconds(self, stage: Stage) -> float | None:
        return self.times.get(stage.name)

    def timings(self, stage: Stage) -> dict[str, Any]:
        return self.measured.get(stage.name, {})

    def runs(self, stage: Stage) -> tuple[Run, ...]:
        return self.noted.get(stage.group, ())

    def kept(self, rows: ModelRows) -> bool | None:
        return self.rows_kept

    def lengths(self) -> dict[int, int]:
        return self.tokens
