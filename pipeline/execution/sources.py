"""Tracked data (`dvc add`) of a stage: put in its place where it is absent, and noted where it has changed."""

from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline.repository.graph import Stage
from pipeline.repository.project import Project
from pipeline.repository.storage.damage import fetch_source


def source_commands(root: Path, stage: Stage, on_line: Callable[[str], None]) -> Iterator[list[str]]:
    """The DVC commands to run, one after the other, before a stage can run; the cache then has all that they need.

    `dvc repro` does the same for a whole project, and leaves it out for one stage (`-s`).

    Args:
        root: The project's folder.
        stage: The stage.
        on_line: Gets a line about each source that is absent or has changed.

    Raises:
        PipelineError: The data is in neither the cache nor the remote.
    """
    with Project(root) as project:
        states = project.sources(stage)
    for source, state in states.items():
        if state == "absent":
            on_line(f"{source.path} is missing: restoring it from DVC, as {source.file} names it.")
            if source.elsewhere:
                yield ["pull", source.file]
                continue
            fetch_source(root, source)
            yield ["checkout", source.file]
        elif state == "changed":
            on_line(f"{source.path} has changed: updating {source.file}. Commit that file.")
            yield ["commit", "--force", source.file]
