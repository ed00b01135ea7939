"""Which stages did not run with the command, code, parameters and data that a project has now, by dvc.lock alone.

Unlike a plan, it does not ask whether the outputs are there: those of a commit are in the cache, or nowhere.
"""

import posixpath
from collections.abc import Callable, Mapping
from typing import Any

from pipeline.planning.plan import expected_digest, read_values
from pipeline.planning.reasons import comment_changes, input_reasons
from pipeline.repository.digests import Digest, Digests, PathIndex
from pipeline.repository.graph import Graph, Stage
from pipeline.repository.snapshot import Snapshot

Inputs = tuple[Any, ...]  # command, dependencies and parameters: those of dvc.lock, and those that the project has now


def stale_stages(graph: Graph, snapshot: Snapshot, *, is_gone: Callable[[str], bool]) -> dict[str, Inputs]:
    """Return the stages whose own inputs differ from dvc.lock, each with these inputs; comments are no difference.

    Args:
        graph: The stages.
        snapshot: The state of the project.
        is_gone: Whether a path at which nothing is was there before; nothing is known of any other.
    """
    stale, outs_of = {}, {stage.name: stage.outs for stage in graph.stages}
    for stage in graph.stages:
        entry, params = snapshot.locked(stage.name), read_values(snapshot, stage)
        parents = {name: outs_of[name] for name in graph.parents[stage.name]}
        deps = _known_deps(snapshot, stage, parents, is_gone)
        comments = comment_changes(snapshot, stage, entry, deps) if entry else {}
        if input_reasons(snapshot, stage, entry, deps, params, comments=comments):
            before = entry and (entry.cmd, _hashes(entry.deps), entry.params)
            stale[stage.name] = (before, (stage.cmd, _hashes(deps), params))
    return stale


def _known_deps(
    snapshot: Snapshot, stage: Stage, parents: Mapping[str, tuple[str, ...]], is_gone: Callable[[str], bool]
) -> dict[str, Digest | None]:
    """The digest of each dependency: of an output as dvc.lock has it. One that nobody knows is left out."""
    entries = {name: snapshot.locked(name) for name in parents}
    outs = {
        out: entry.outs[out] for name, entry in entries.items() if entry for out in parents[name] if out in entry.outs
    }
    written, deps = PathIndex(out for paths in parents.values() for out in paths), {}
    for dep in stage.deps:
        place = posixpath.normpath(dep)
        around = list(written.overlapping(place))
        if around and not _are_known(snapshot, place, around, outs):
            continue
        digest = expected_digest(snapshot, place, outs, written)
        if digest or (not around and is_gone(place)):
            deps[dep] = digest
    return deps


def _are_known(snapshot: Snapshot, place: str, around: list[str], outs: Digests) -> bool:
    """Whether dvc.lock has all these outputs, and the files of those that are folders are known where they matter."""
    return all(
        out in outs and (out == place or not outs[out].is_folder or snapshot.folder_files(outs[out], out) is not None)
        for out in around
    )


def _hashes(digests: Mapping[str, Digest | None]) -> dict[str, str | None]:
    return {path: digest.md5 if digest else None for path, digest in digests.items()}
