"""Writes the recorded results of all stages into the coordinator's checkout: dvc.lock and every uncached output."""

from collections.abc import Mapping
from pathlib import Path

from pipeline.execution.workspace import prune
from pipeline.planning.plan import StagePlan
from pipeline.repository import git
from pipeline.repository.confinement import confined
from pipeline.repository.graph import Graph, Stage
from pipeline.repository.lock import RawEntry, merge_lock, parse_lock, read_lock
from pipeline.repository.project import Project
from pipeline.repository.storage.remote import Remote
from pipeline.repository.storage.run_cache import entry_key
from pipeline.workers.inputs import plan_key
from stages.errors import PipelineError
from stages.files import replace_file


def write_results(root: Path, graph: Graph, plans: Mapping[str, StagePlan], remote: Remote) -> list[str]:
    """Write dvc.lock and every uncached output; return the stages whose entry differs from the commit's dvc.lock.

    Args:
        root: The coordinator's checkout.
        graph: The stages.
        plans: The newest plan, by stage.
        remote: The DVC remote.

    Raises:
        PipelineError: A stage has no record.
    """
    with Project(root) as project:
        prune(root, project)
    before = read_lock(root)
    entries = {stage.name: _entry(stage, plans[stage.name], before.get(stage.name), remote) for stage in graph.stages}
    merge_lock(root, entries)
    hashes = {out["path"]: out["md5"] for entry in entries.values() for out in entry["outs"]}
    uncached = [out for stage in graph.stages for out in sorted(stage.uncached)]
    with Project(root) as project:
        present = {out: item.md5 for out in uncached if (item := project.digest(out))}
    for out in uncached:
        if present.get(out) != hashes[out]:
            _write_uncached(root, out, hashes[out], remote)
    committed = _committed_lock(root)
    return [name for name, entry in entries.items() if entry != committed.get(name)]


def _entry(stage: Stage, plan: StagePlan, before: RawEntry | None, remote: Remote) -> RawEntry:
    """The stage's entry in dvc.lock if it describes the plan's inputs and outputs, else its record in the remote."""
    key = plan_key(stage, plan)
    if before and key and entry_key(before) == key:
        outs = {out["path"]: out.get("md5") for out in before["outs"]}
        if all(item.md5 == outs.get(path) for path, item in plan.outs.items()):
            return before
    entry = remote.find(key) if key else None
    if entry is None:
        raise PipelineError(f"The record of {stage.name} is no longer in the DVC remote. Run again.")
    return entry


def _write_uncached(root: Path, out: str, md5: str, remote: Remote) -> None:
    names = {f"{out}/{name}": item.md5 for name, item in (remote.folder_files(md5) or {}).items()} or {out: md5}
    files = {confined(root, name, [out]): file_md5 for name, file_md5 in names.items()}
    for file, file_md5 in files.items():
        content = remote.read(file_md5)
        with replace_file(file) as temporary:
            temporary.write_bytes(content)


def _committed_lock(root: Path) -> dict[str, RawEntry]:
    return parse_lock(git.show(root, "HEAD", "dvc.lock"))
