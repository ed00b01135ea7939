"""Which folder is the project's."""

from pathlib import Path

import pytest

from pipeline.repository.root import find_root
from stages.errors import PipelineError


def test_no_project(tmp_path: Path) -> None:
    with pytest.raises(
        PipelineError, match=r"no dvc.yaml in .* or in a folder above it. Change to the project's folder"
    ):
        find_root(tmp_path)


def test_no_git(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").touch()
    with pytest.raises(PipelineError, match=r"is not in a git repository. Make it one with: git init"):
        find_root(tmp_path)


def test_no_dvc(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").touch()
    (tmp_path / ".git").mkdir()
    with pytest.raises(PipelineError, match=r"is not a DVC project .* dvc init"):
        find_root(tmp_path)


def test_root_is_found_from_below(project: Path) -> None:
    assert find_root(project / "code") == project
