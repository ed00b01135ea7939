"""What a stage needs from the store: exactly the outputs that it reads, by path and hash."""

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path

from pipeline.execution.workspace import prune
from pipeline.planning.plan import StagePlan, read_values
from pipeline.repository.digests import Digest, Digests, paths_overlap
from pipeline.repository.graph import Graph, Stage
from pipeline.repository.project import Project
from pipeline.repository.remote import InputDamagedError, Remote
from pipeline.repository.run_cache import stage_key
from stages.errors import PipelineError
from stages.files import remove_folder, replace_file


def inputs_of(graph: Graph, stage: Stage, plans: Mapping[str, StagePlan]) -> dict[str, Digest]:
    """The parts of other stages' outputs that the stage reads.

    Args:
        graph: All stages.
        stage: One whose inputs are all known.
        plans: The plan, by stage.
    """
    written = {out: item for name in graph.parents[stage.name] for out, item in plans[name].outs.items()}
    found: dict[str, Digest] = {}
    for dep in stage.deps:
        for out, item in written.items():
            if out == dep or out.startswith(f"{dep}/"):
                found[out] = item
            elif dep.startswith(f"{out}/"):
                found[dep] = plans[stage.name].deps[dep]
    return found


def plan_key(stage: Stage, plan: StagePlan) -> str | None:
    """The run-cache key of a stage, or None as long as not all its inputs are known."""
    return stage_key(stage, plan.deps, plan.params) if len(plan.deps) == len(stage.deps) else None


def bring(root: Path, remote: Remote, inputs: Digests) -> None:
    """Put exactly these outputs into a clean checkout, and nothing else of any stage.

    Raises:
        InputMissingError: An object is not in the remote.
        InputDamagedError: An object is not what its name says.
    """
    with Project(root) as project:
        prune(root, project)
        outs = {out for stage in project.graph.stages for out in stage.outs}
        there = {path for path, item in inputs.items() if project.digest(path) == item}
    for out in outs:  # metrics that lie in git are from other runs, until the hashes say otherwise
        if not any(paths_overlap(out, path) for path in there):
            _remove(root / out)
    missing = {path: item for path, item in inputs.items() if path not in there}
    remote.fetch(sorted({item.md5 for item in missing.values()}))
    for path, item in missing.items():
        place(root, remote, path, item)


def place(root: Path, remote: Remote, path: str, item: Digest) -> None:
    """Write a fetched object to `path` in the project.

    Raises:
        InputDamagedError: The local cache is damaged there; the damaged object is removed from it.
    """
    files = (remote.folder_files(item.md5) or {}) if item.is_folder else {"": item}
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    if item.is_folder:
        (root / path).mkdir(exist_ok=True)
    for name, part in files.items():
        with replace_file(root / path / name if name else root / path) as temporary:
            source = remote.cached(part.md5)
            shutil.copyfile(source, temporary)
            if _md5(temporary) != part.md5:
                source.unlink()
                raise InputDamagedError(f"{path}: object {part.md5} in this machine's cache is damaged; it is removed.")
            temporary.chmod(0o755 if item.executable else 0o644)


def assert_key(root: Path, name: str, key: str) -> None:
    """Check that the stage's command, parameters and every input are those that were asked for.

    Raises:
        PipelineError: They are not; the message names what lies there.
    """
    with Project(root) as project:
        stage = next((stage for stage in project.graph.stages if stage.name == name), None)
        if stage is None:
            raise PipelineError(f"dvc.yaml has no stage {name} at this commit.")
        deps = {dep: item for dep in stage.deps if (item := project.digest(dep))}
        if missing := sorted(set(stage.deps) - set(deps)):
            raise PipelineError(
                f"{name}: {', '.join(missing)} is not there. It is neither in git nor among the inputs."
            )
        found = stage_key(stage, deps, read_values(project, stage))
    if found != key:
        hashes = ", ".join(f"{dep} {item.md5}" for dep, item in deps.items())
        raise PipelineError(f"{name}: the inputs are not those of key {key[:12]} but of {found[:12]}: {hashes}")


def _remove(path: Path) -> None:
    if path.is_dir():
        remove_folder(path)
    else:
        path.unlink(missing_ok=True)


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()
