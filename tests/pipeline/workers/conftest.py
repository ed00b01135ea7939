"""Fixtures: one Prefect server with workers for all tests, and a toy project for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.processes import wait_for
from tests.pipeline.workers.api import Api, with_api
from tests.pipeline.workers.machines import Machines
from tests.pipeline.workers.toy_project import ToyProject


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """The machines while only the server runs."""
    machines = Machines(tmp_path_factory.mktemp("machines"))
    try:
        machines.start_server()
        yield machines
    finally:
        machines.stop()


@pytest.fixture(scope="session")
def machines(server: Machines) -> Machines:
    server.set_up()
    return server


@pytest.fixture(scope="session")
def api(machines: Machines) -> Iterator[Api]:
    with with_api(machines) as api:
        yield api


@pytest.fixture
def deployed(machines: Machines, api: Api, tmp_path: Path) -> Iterator[ToyProject]:
    """A project on the server and the workers; what a failed test left running is stopped."""
    yield ToyProject(machines.events, tmp_path)
    machines.repair()
    api.cancel_all()
    wait_for(lambda: not machines.of_stages(), 60)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ToyProject:
    """A project without a server: its stages run in this process."""
    events = tmp_path / "events"
    events.mkdir()
    monkeypatch.setenv("TOY_EVENTS", str(events))
    monkeypatch.setenv("RETUNE_HOME", str(tmp_path / "home"))
    return ToyProject(events, tmp_path)


@pytest.fixture
def reconciler(machines: Machines) -> None:
    machines.start_reconciler()
