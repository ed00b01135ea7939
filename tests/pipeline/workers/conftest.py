"""What the tests share: a server and workers once, a project each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.workers.api import Api, with_api
from tests.pipeline.workers.machines import Machines, wait_for
from tests.pipeline.workers.project import Project


@pytest.fixture(scope="session")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    machines = Machines(tmp_path_factory.mktemp("machines"))
    try:
        machines.set_up()
        yield machines
    finally:
        machines.stop()


@pytest.fixture(scope="session")
def api(machines: Machines) -> Iterator[Api]:
    with with_api(machines) as api:
        yield api


@pytest.fixture
def across(machines: Machines, api: Api, tmp_path: Path) -> Iterator[Project]:
    """A project on the server and the workers; whatever a failed test leaves running is no other test's."""
    yield Project(machines.events, tmp_path)
    machines.repair()
    api.cancel_all()
    wait_for(lambda: not machines.of_stages(), 60)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project without a server: its stages are done where they are sent."""
    events = tmp_path / "events"
    events.mkdir()
    monkeypatch.setenv("TOY_EVENTS", str(events))
    monkeypatch.setenv("RETUNE_HOME", str(tmp_path / "home"))
    return Project(events, tmp_path)


@pytest.fixture
def reconciler(machines: Machines) -> None:
    machines.start_reconciler()
