"""All checks in their order: first what everything else needs."""

from collections.abc import Iterator
from pathlib import Path

from pipeline.diagnosis.finding import Finding, examine
from pipeline.diagnosis.machine import check_disk, check_hardware, check_packages, check_python, read_constraints
from pipeline.repository.root import find_root
from stages.errors import PipelineError


def diagnose(start: Path) -> Iterator[Finding]:
    """Look at the machine, and at the project that `start` is in; outside of a project at the machine alone.

    Args:
        start: The project's folder, or one inside it.

    Returns:
        The findings, as they are made.
    """
    root, problem = start, None
    try:
        root = find_root(start)
    except PipelineError as error:
        problem = str(error)
    yield from examine("Python", check_python)
    yield from examine("packages", lambda: check_packages(read_constraints(root)))
    yield from examine("GPU", check_hardware, root)
    yield from examine("Prefect", _check_prefect)
    if problem:
        yield Finding("project", "fail", problem)
        yield from examine("disk", check_disk, [root])
    else:
        yield Finding("project", "ok", str(root))
        yield from examine("project", _check_project, root)


def _check_prefect() -> Iterator[Finding]:
    from pipeline.diagnosis.server import check_prefect  # here, so that a missing package is a finding

    yield from check_prefect()


def _check_project(root: Path) -> Iterator[Finding]:
    from pipeline.diagnosis.project import check_git, check_graph, check_locks, check_params, check_runs
    from pipeline.diagnosis.storage import cache_folder, check_cache, check_dvc, check_remote

    yield from examine("params.yaml", check_params, root)
    broken = examine("DVC", check_dvc, root)  # said once: all that DVC has to open would say it again
    yield from broken or examine("dvc.yaml", check_graph, root)
    yield from examine("git", check_git, root)
    yield from examine("runs", check_runs, root)
    yield from examine("locks", check_locks, root)
    if not broken:
        yield from examine("cache", check_cache, root)
        yield from examine("DVC remote", check_remote, root)
    yield from examine("disk", lambda: check_disk([root] if broken else [root, cache_folder(root)]))
