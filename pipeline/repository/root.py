"""Finds the project's folder from a folder inside it."""

from pathlib import Path

from stages.errors import PipelineError


def find_root(start: Path) -> Path:
    """The project's folder: the nearest one, from `start` upwards, that contains dvc.yaml.

    Raises:
        PipelineError: There is no such folder, or it is not in a git repository, or not a DVC project.
    """
    for folder in (start, *start.parents):
        if (folder / "dvc.yaml").is_file():
            if not any((parent / ".git").exists() for parent in (folder, *folder.parents)):
                raise PipelineError(f"{folder} is not in a git repository. Make it one with: git init")
            if not (folder / ".dvc").is_dir():
                raise PipelineError(
                    f"{folder} is not a DVC project (it has no .dvc folder). Make it one with: dvc init"
                )
            return folder
    raise PipelineError(f"There is no dvc.yaml in {start} or in a folder above it. Change to the project's folder.")
