"""What the tests share: a server and workers once, a project each."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workers.machines import Api, Machines
from tests.workers.project import ROOT, Project, run


@pytest.fixture(scope="session")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    machines = Machines(tmp_path_factory.mktemp("machines"))
    try:
        machines.start_server()
        run(
            ROOT,
            sys.executable,
            "-m",
            "pipeline.cli",
            "deploy",
            PREFECT_API_URL=machines.url,
            PREFECT_HOME=machines.environment["PREFECT_HOME"],
            RETUNE_REPOSITORY="none",
        )
        machines.start_worker("cpu-1")
        machines.start_worker("gpu-1", limit=1)
        yield machines
    finally:
        machines.stop()


@pytest.fixture(scope="session")
def api(machines: Machines) -> Iterator[Api]:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: machines.url}):
        api = Api()
        with api.client:
            yield api


@pytest.fixture
def across(machines: Machines, tmp_path: Path) -> Project:
    """A project on the server and the workers."""
    return Project(machines.events, tmp_path)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project without a server: its stages are done where they are sent."""
    events = tmp_path / "events"
    events.mkdir()
    monkeypatch.setenv("TOY_EVENTS", str(events))
    monkeypatch.setenv("RETUNE_HOME", str(tmp_path / "home"))
    return Project(events, tmp_path)
