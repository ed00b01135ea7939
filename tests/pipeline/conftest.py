"""A toy project that has run once, and a Prefect server for the whole session."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.local import server
from tests.pipeline import toy


@pytest.fixture(scope="session")
def toy_that_ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy project after one `dvc repro`; tests must not change it."""
    root = toy.create(tmp_path_factory.mktemp("toy") / "project")
    toy.dvc(root, "repro")
    (root / "trace.txt").unlink()
    return root


@pytest.fixture
def project(toy_that_ran: Path, tmp_path: Path) -> Path:
    """A copy of the toy project after one `dvc repro`, for one test."""
    return Path(shutil.copytree(toy_that_ran, tmp_path / "project", symlinks=True))


@pytest.fixture
def inside(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same copy, as the current folder."""
    monkeypatch.chdir(project)
    return project


@pytest.fixture(scope="session")
def prefect_api() -> Iterator[str]:
    """The address of a Prefect server that the whole session shares."""
    os.environ["PREFECT_HOME"] = str(toy.PREFECT_HOME)
    port = server.free_port()
    with server.serve(port):
        yield f"http://127.0.0.1:{port}/api"
