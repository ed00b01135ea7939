"""A project as a plan sees it: joins dvc.yaml, dvc.lock, files, parameters and stored results, and changes nothing.

`dvc.repo.Repo` is not a public API: what is known of it is in this package alone, under contract tests. What changes
the workspace goes through the `dvc` command (`pipeline/execution/stage_process.py`).
"""

import contextlib
import functools
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pipeline.repository import git
from pipeline.repository.comment_changes import CommentChanges
from pipeline.repository.digests import Digest, Digests, PathIndex, folder_digest
from pipeline.repository.durations import known_duration, read_durations, read_lengths, read_runs
from pipeline.repository.dvc_yaml import check_keys, read_graph, read_params, read_section
from pipeline.repository.file_tree import FileTree
from pipeline.repository.graph import LockEntry, ParamValues, Stage
from pipeline.repository.kept_rows import is_kept
from pipeline.repository.leftovers import find_leftovers
from pipeline.repository.lock import RawEntry, hold_dvc, parse_entry, parse_lock
from pipeline.repository.memory import read_memory
from pipeline.repository.opening import open_repo
from pipeline.repository.snapshot import MISSING, ModelRows, Recorded, Run
from pipeline.repository.sources import Source, find_sources, with_sources
from pipeline.repository.sources import State as SourceState
from pipeline.repository.storage.store import Store
from stages.paths import Paths


class Project:
    """The `Snapshot` of a project with a DVC repository. It is made for one plan: what it has read is cached.

    Args:
        root: The project's folder.
        rev: Read code, data, dvc.yaml, dvc.lock and params.yaml from this git revision instead of the workspace.
        name: What messages call the revision; None: `rev`.
        params_text: Use this instead of the content of params.yaml.
        unusable: Objects of the remote that count as missing, because they were found damaged.

    Attributes:
        graph: The stages of dvc.yaml.
        store: What DVC keeps.

    Raises:
        PipelineError: The folder is not a DVC project, the revision is unknown, or dvc.yaml or dvc.lock can't be read.
    """

    def __init__(
        self,
        root: Path,
        *,
        rev: str | None = None,
        name: str | None = None,
        params_text: str | None = None,
        unusable: Collection[str] = (),
    ) -> None:
        self.root = root
        self._repo = open_repo(root)
        overlay = {} if params_text is None else {"params.yaml": params_text}
        self._tree = FileTree(self._repo, rev=rev, overlay=overlay, name=name)
        self._workspace = FileTree(self._repo) if rev else self._tree  # where outputs in the cache are checked out
        self.store = Store(self._repo, root, unusable=unusable)
        self.graph = read_graph(self._tree)
        if rev is None:  # of another revision nothing runs
            check_keys(self.graph, self._params)
        self._outs = {out for stage in self.graph.stages for out in stage.outs}
        self._comments = CommentChanges(self._tree, self._outs)
        self._lock = self._read_lock()
        self._listings: dict[Digest, Digests] = {}  # the files of the folders that have been digested
        self._durations, self._runs = read_durations(root), read_runs(root)

    def close(self) -> None:
        """Release what DVC holds open."""
        self._repo.close()

    def __enter__(self) -> "Project":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, path: str) -> str | None:
        """The text of a project file, or None if there is no such file."""
        return self._tree.read(path)

    def locked(self, stage: str) -> LockEntry | None:
        """See `Snapshot.locked`."""
        raw = self._lock.get(stage)
        return parse_entry(raw) if raw else None

    def orphans(self) -> tuple[str, ...]:
        """The stages that dvc.lock has and dvc.yaml does not."""
        names = {stage.name for stage in self.graph.stages}
        return tuple(name for name in self._lock if name not in names)

    @functools.cache  # noqa: B019
    def leftovers(self) -> tuple[str, ...]:
        """Paths in the workspace that no stage owns any more."""
        return find_leftovers(self.root, self.graph, [parse_entry(self._lock[name]) for name in self.orphans()])

    @functools.cache  # noqa: B019
    def digest(self, path: str) -> Digest | None:
        """See `Snapshot.digest`."""
        if path in self._outs:
            return self._output_digest(path)
        digest, files = self._tree.digest(path, recorded=self._read_before)
        if files and (kept := self._without_leftovers(path, files)) != files:
            digest, files = (folder_digest(kept), kept) if kept else (None, None)
        sources = find_sources(self._tree, path, files)
        digest, files = with_sources(path, digest, files, sources, self._source_files)
        if digest and files is not None:
            self._listings[digest] = files
            self.store.note_folder(digest, files)
        return digest

    def _output_digest(self, path: str) -> Digest | None:
        """The digest of an output: one that git keeps is the revision's own, all others are the workspace's."""
        if self._tree.rev and any(path in stage.uncached for stage in self.graph.stages):
            kept = self._tree.digest(path)[0]
            if kept or not git.is_left_out(self.root, self._tree.rev, path):
                return kept
        return self._workspace.digest(path)[0]

    @functools.cache  # noqa: B019
    def digest_in_place(self, path: str) -> Digest | None:
        """The digest of what the workspace has at `path`, or git in a revision, where it has no cached outputs."""
        return self._tree.digest(path)[0]

    def former_content(self, path: str, md5: str) -> bytes | None:
        """The content that a file in git had when its MD5 was this, from the last commits that changed it, or None."""
        return self._tree.former_content(path, md5)

    def sources(self, stage: Stage) -> dict[Source, SourceState]:
        """The data tracked by `dvc add` that a stage reads, and whether it is in its place.

        Raises:
            PipelineError: A `.dvc` file can't be read.
        """
        deps = [dep for dep in stage.deps if dep not in self._outs]
        found = [source for dep in deps for source in find_sources(self._tree, dep, self._tree.digest(dep)[1])]
        return {source: source.state(self._tree) for source in dict.fromkeys(found)}

    def files(self, folder: str) -> Digests:
        """See `Snapshot.files`; leftovers, which the next run removes, are left out."""
        return self._without_leftovers(folder, self._tree.files(folder))

    def leftovers_in(self, folder: str) -> tuple[str, ...]:
        """See `Snapshot.leftovers_in`."""
        present = [path for path in self.leftovers() if path.startswith(f"{folder}/") and (self.root / path).exists()]
        return tuple(path for path in present if not any(path.startswith(f"{other}/") for other in present))

    def _without_leftovers(self, folder: str, files: Digests) -> dict[str, Digest]:
        gone = PathIndex(self.leftovers())
        return {name: digest for name, digest in files.items() if not gone.overlapping(f"{folder}/{name}")}

    def folder_files(self, folder: Digest, path: str) -> Digests | None:
        """See `Snapshot.folder_files`."""
        if self._tree.rev and path not in self._outs:  # notes of other plans must not change what is said of a commit
            known = self._listings.get(folder) if self.digest(path) == folder else None
            return known or self._tree.former_files(folder, path) or self.store.folder_files(folder, noted=False)
        return self.store.folder_files(folder) or self._tree.former_files(folder, path)

    def content(self, folder: Digest, name: str) -> bytes | None:
        """See `Snapshot.content`."""
        return self.store.content(folder, name) if folder.is_folder else b""

    def only_comments(self, stage: Stage, path: str, before: Digest) -> bool:
        """See `Snapshot.only_comments`."""
        return self._comments.only_comments(stage, path, before.md5, self._values(stage))

    def _values(self, stage: Stage) -> list[Any]:
        return [self.param(file, key) for file, keys in stage.params.items() for key in keys or ("",)]

    def param(self, file: str, key: str) -> Any:
        """See `Snapshot.param`."""
        values = self._params(file)
        if values is None:
            return MISSING
        return values if not key else values.get(key, MISSING)

    def cached(self, outs: Digests) -> bool:
        """See `Snapshot.cached`."""
        return self.store.cached(outs)

    def recorded(self, stage: Stage, entry: LockEntry | None, deps: Digests, params: ParamValues) -> Recorded | None:
        """See `Snapshot.recorded`."""
        return self.store.find_result(stage, entry, deps, params, intact=self._intact(stage, entry) if entry else False)

    def seconds(self, stage: Stage) -> float | None:
        """See `Snapshot.seconds`."""
        own = known_duration(self.root, stage.name, self._durations)
        return own if own is not None else self._group_seconds(stage.group)

    def timings(self, stage: Stage) -> Mapping[str, Any]:
        """See `Snapshot.timings`."""
        names = [stage.name, *self.graph.group(stage.group)]
        return next(filter(None, (read_memory(Paths(self.root).timing(name)) for name in names)), {})

    def runs(self, stage: Stage) -> tuple[Run, ...]:
        """See `Snapshot.runs`."""
        return self._runs.get(stage.group, ())

    def kept(self, rows: ModelRows) -> bool | None:
        """See `Snapshot.kept`."""
        return is_kept(self.root, rows, limit_mb=self._kept_rows_mb, read=self._read_before)

    @functools.cached_property
    def _kept_rows_mb(self) -> Any:
        return read_section(self._tree, "params.yaml", "machine").get("kept_rows_mb")

    @functools.cached_property
    def _read_before(self) -> frozenset[str]:
        """The digest of everything that a stage has read, as dvc.lock has it."""
        return frozenset(digest.md5 for raw in self._lock.values() for digest in parse_entry(raw).deps.values())

    def lengths(self) -> Mapping[int, int]:
        """See `Snapshot.lengths`."""
        return read_lengths(self.root)

    @functools.cache  # noqa: B019
    def _group_seconds(self, group: str) -> float | None:
        """How long the first stage of the same group took that ever ran here."""
        known = (known_duration(self.root, name, self._durations) for name in self.graph.group(group))
        return next((seconds for seconds in known if seconds is not None), None)

    def is_kept(self, path: str) -> bool:
        """Whether `dvc add` tracks what is at a path, as it is now, and the local cache has it."""
        sources = [source for source in find_sources(self._tree, path, None) if source.path == path]
        return any(source.state(self._tree) == "tracked" and self.cached({path: source.digest}) for source in sources)

    def _source_files(self, source: Source) -> Digests | None:
        return self.store.folder_files(source.digest)

    def _intact(self, stage: Stage, entry: LockEntry) -> bool:
        """Whether the uncached outputs in the workspace are those of dvc.lock (a clone gets them from git)."""
        digests = ((self.digest(out), entry.outs.get(out)) for out in stage.outs if out in stage.uncached)
        return all(now and before and now.md5 == before.md5 for now, before in digests)

    @functools.cache  # noqa: B019
    def _params(self, file: str) -> Mapping[str, Any] | None:
        return read_params(self._tree, self.graph, file)

    def _read_lock(self) -> dict[str, RawEntry]:
        with hold_dvc(self._repo) if not self._tree.rev else contextlib.nullcontext():
            text = self._tree.read("dvc.lock")
        return parse_lock(text, name=f"dvc.lock in {self._tree.name}", in_revision=self._tree.rev is not None)
