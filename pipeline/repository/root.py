"""Finds the project's folder."""

from pathlib import Path

from stages.errors import PipelineError


def find_root(start: Path) -> Path:
    """The project's folder: the nearest one, from `start` upwards, that holds dvc.yaml.

    Raises:
        PipelineError: There is none, or it is no git repository or no DVC project.
    """
    for folder in (start, *start.parents):
        if (folder / "dvc.yaml").is_file():
            if not any((parent / ".git").exists() for parent in (folder, *folder.parents)):
                raise PipelineError(f"{folder} is in no git repository. Make it one with: git init")
            if not (folder / ".dvc").is_dir():
                raise PipelineError(f"{folder} is no DVC project (no .dvc folder). Make it one with: dvc init")
            return folder
    raise PipelineError(f"No dvc.yaml in {start} or above. Go to the project's folder.")
