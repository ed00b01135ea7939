"""Finds the paths in the workspace that no stage owns any more."""

from collections.abc import Iterable
from pathlib import Path

from pipeline.repository.confinement import is_plain
from pipeline.repository.digests import PathIndex
from pipeline.repository.graph import Graph, LockEntry


def find_leftovers(root: Path, graph: Graph, orphans: Iterable[LockEntry]) -> tuple[str, ...]:
    """Paths that no stage owns: a fresh clone has none of them, so they must not count in a folder's digest.

    They are the outputs of stages that dvc.lock has and dvc.yaml does not, and the folders of numbers that a `foreach`
    or `matrix` over numbers no longer has, if it has any.

    Args:
        root: The project's folder.
        graph: The stages of dvc.yaml.
        orphans: The entries of dvc.lock whose stage is not in dvc.yaml.
    """
    stale = {out for entry in orphans for out in entry.outs}
    for base in filter(is_plain, graph.item_folders):
        stale |= {f"{base}/{path.name}" for path in (root / base).glob("*") if path.name.isdigit() and path.is_dir()}
    owned = PathIndex(out for stage in graph.stages for out in stage.outs)
    inside = (path for path in stale if is_plain(path) and not _is_behind_a_link(root, path))
    return tuple(sorted(path for path in inside if not owned.overlapping(path)))


def _is_behind_a_link(root: Path, path: str) -> bool:
    """Whether a symbolic link on the way to `path` leads out of the project, so that removing it could harm others."""
    return not (root / path).parent.resolve().is_relative_to(root.resolve())
