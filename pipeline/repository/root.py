"""Finds the project's folder from a folder inside it."""

import sys
from pathlib import Path

from pipeline.repository import git
from stages.errors import PipelineError

LIBRARIES = (  # that stages, DVC and Prefect import, with the first level of what these import
    *("torch", "lightning", "torchmetrics", "transformers", "tokenizers", "datasets", "huggingface_hub", "safetensors"),
    *("peft", "numpy", "pandas", "pyarrow", "scipy", "sklearn", "datasketch", "jinja2"),
    *("requests", "urllib3", "fsspec"),
    *("pydantic", "pydantic_core", "ruamel", "yaml", "dvc", "dvc_data", "dvc_objects", "scmrepo", "prefect", "httpx"),
    *("typer", "click", "rich", "psutil", "filelock", "voluptuous", "uvicorn", "starlette", "fastapi", "sqlalchemy"),
    *("dulwich", "pygit2", "git", "tqdm", "packaging", "regex", "attrs", "attr", "anyio", "certifi", "aiohttp", "s3fs"),
)
SURROGATES = "\ud800", "\udfff"
SHADOWED = sys.stdlib_module_names.union(LIBRARIES)


def find_root(start: Path) -> Path:
    """The project's folder: the nearest one, from `start` upwards, that contains dvc.yaml.

    Raises:
        PipelineError: There is no such folder, or it is not in a git repository, or not a DVC project.
    """
    for folder in (start, *start.parents):
        if (folder / "dvc.yaml").is_file():
            _check(folder)
            return folder
    raise PipelineError(f"There is no dvc.yaml in {start} or in a folder above it. Change to the project's folder.")


def _check(root: Path) -> None:
    """Check that git, DVC and Python can work in the project's folder.

    Raises:
        PipelineError: They can't.
    """
    if any(SURROGATES[0] <= letter <= SURROGATES[1] for letter in str(root)):  # bytes that the locale's encoding lacks
        raise PipelineError(
            f"The path {root} holds characters that this locale lacks. Set PYTHONUTF8=1, or rename the folder."
        )
    if not any((parent / ".git").exists() for parent in (root, *root.parents)):
        raise PipelineError(f"{root} is not in a git repository. Make it one with: git init")
    if not (root / ".dvc").is_dir():
        raise PipelineError(f"{root} is not a DVC project (it has no .dvc folder). Make it one with: dvc init")
    git.check_usable(root)
    for path in sorted(root.iterdir()):
        if path.stem in SHADOWED and (path.suffix == ".py" or (path / "__init__.py").is_file()):
            raise PipelineError(
                f"{path} shadows the module {path.stem} of Python or a library: every stage and DVC would import it "
                "instead. Rename it."
            )
