"""The inputs of a stage: outputs of other stages and tracked data; exactly those are fetched from the DVC remote."""

import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

from pipeline.execution.workspace import prune
from pipeline.planning.plan import StagePlan, read_values
from pipeline.repository import dvc_command
from pipeline.repository.confinement import confined
from pipeline.repository.digests import Digest, Digests, paths_overlap
from pipeline.repository.graph import Graph, Stage
from pipeline.repository.project import Project
from pipeline.repository.storage.remote import InputDamagedError, InputError, Remote
from pipeline.repository.storage.run_cache import stage_key
from stages.errors import PipelineError
from stages.files import remove_path, replace_file


class SourceError(PipelineError):
    """Data that `dvc add` tracks can't be had from the remote: only a person can push it."""


def inputs_of(graph: Graph, stage: Stage, plans: Mapping[str, StagePlan]) -> dict[str, Digest]:
    """The outputs of other stages that a stage reads, or the parts of them: path -> hash.

    Args:
        graph: All stages.
        stage: A stage whose inputs are all known.
        plans: The plan, by stage.
    """
    written = {out: item for name in graph.parents[stage.name] for out, item in plans[name].outs.items()}
    inputs: dict[str, Digest] = {}
    for dep in stage.deps:
        for out, item in written.items():
            if out == dep or out.startswith(f"{dep}/"):
                inputs[out] = item
            elif dep.startswith(f"{out}/"):
                inputs[dep] = plans[stage.name].deps[dep]
    return inputs


def plan_key(stage: Stage, plan: StagePlan) -> str | None:
    """The run-cache key of a stage, or None while some of its inputs are unknown."""
    return stage_key(stage, plan.deps, plan.params) if len(plan.deps) == len(stage.deps) else None


def fetch_sources(root: Path, remote: Remote, name: str) -> None:
    """Put the data that `dvc add` tracks, and a stage reads, into a clean checkout.

    Args:
        root: The checkout.
        remote: Where the data is.
        name: The stage.

    Raises:
        SourceError: An object is not in the remote, or is damaged there.
    """
    with Project(root) as project:
        stage = _stage(project, name)
        absent = [source for source, state in project.sources(stage).items() if state != "tracked"]
    for source in absent:
        if source.elsewhere:
            dvc_command.run(root, "pull", source.file)
            continue
        try:
            remote.fetch([source.digest.md5])
        except InputError as error:
            problem = "damaged there" if isinstance(error, InputDamagedError) else "not there"
            raise SourceError(
                f"{source.file} tracks {source.path} in the DVC remote, but it is {problem} ({error.md5}). On the "
                "machine that has it, run: dvc push"
            ) from error
        _write_object(root, remote, source.path, source.digest, [source.path])


def fetch_inputs(root: Path, remote: Remote, inputs: Digests) -> None:
    """Put exactly these outputs into a clean checkout; outputs of stages that are not among them are removed.

    Every path is checked before anything is written or removed.

    Raises:
        PipelineError: A path is not inside an output of a stage.
        InputMissingError: An object is not in the remote.
        InputDamagedError: The bytes of an object do not have its hash.
    """
    with Project(root) as project:
        outs = {out for stage in project.graph.stages for out in stage.outs}
        for path, item in inputs.items():
            for name in remote.folder_files(item.md5) or {}:
                confined(root, f"{path}/{name}", outs)
            confined(root, path, outs)
        prune(root, project)
        present = {path for path, item in inputs.items() if project.digest(path) == item}
    for out in outs:  # metrics in git are those of another run, unless their hashes match
        if not any(paths_overlap(out, path) for path in present):
            remove_path(root / out)
    missing = {path: item for path, item in inputs.items() if path not in present}
    remote.fetch(sorted({item.md5 for item in missing.values()}))
    for path, item in missing.items():
        _write_object(root, remote, path, item, outs)


def _write_object(root: Path, remote: Remote, path: str, item: Digest, outs: Collection[str]) -> None:
    """Write a fetched object to `path` in the project."""
    files = (remote.folder_files(item.md5) or {}) if item.is_folder else {"": item}
    place = confined(root, path, outs)
    place.parent.mkdir(parents=True, exist_ok=True)
    if item.is_folder:
        place.mkdir(exist_ok=True)
    for name, part in files.items():
        with replace_file(confined(root, f"{path}/{name}", outs) if name else place) as temporary:
            shutil.copyfile(remote.cached(part.md5), temporary)
            mode = temporary.stat().st_mode  # as the umask has it
            temporary.chmod(mode | (mode & 0o444) >> 2 if item.executable else mode)


def check_key(root: Path, name: str, key: str) -> None:
    """Check that the stage's command, parameters and inputs in the checkout have this run-cache key.

    Raises:
        PipelineError: They have another key; the message lists the hashes of the inputs.
    """
    with Project(root) as project:
        stage = _stage(project, name)
        deps = {dep: item for dep in stage.deps if (item := project.digest(dep))}
        if missing := sorted(set(stage.deps) - set(deps)):
            raise PipelineError(
                f"{name} reads {', '.join(missing)}, which is neither in git nor among the fetched inputs."
            )
        actual = stage_key(stage, deps, read_values(project, stage))
    if actual != key:
        hashes = ", ".join(f"{dep} {item.md5}" for dep, item in deps.items())
        raise PipelineError(f"{name}: expected inputs with the key {key[:12]}, got {actual[:12]}: {hashes}")


def _stage(project: Project, name: str) -> Stage:
    stage = next((stage for stage in project.graph.stages if stage.name == name), None)
    if stage is None:
        raise PipelineError(f"dvc.yaml has no stage {name} at this commit.")
    return stage
