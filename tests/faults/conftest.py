"""Faults, counted: `make test-faults`. Not part of `make test`, because it takes half an hour.

RETUNE_FAULTS_SEED repeats a sequence; RETUNE_FAULTS_MINUTES bounds the whole run, and what does not fit is skipped.
"""

import os
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.faults import SEED, chance_of
from tests.faults.real import real_project  # noqa: F401  (fixtures)
from tests.pipeline import toy
from tests.pipeline.conftest import prefect_api, toy_that_ran  # noqa: F401
from tests.pipeline.workers.conftest import api, deployed, machines, reconciler, server  # noqa: F401

if "RETUNE_FAULTS" not in os.environ:
    collect_ignore_glob = ["test_*.py"]
MINUTES = 38.0
HERE = Path(__file__).parent


def pytest_configure(config: pytest.Config) -> None:
    minutes = float(os.environ.get("RETUNE_FAULTS_MINUTES", MINUTES))
    os.environ.setdefault("FAULTS_UNTIL", str(time.time() + minutes * 60))  # processes of xdist inherit it


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mix these tests, so that a run that its time cuts off has some of each kind; those with workers start last."""
    faults = sorted((item for item in items if item.path.parent == HERE), key=lambda item: item.nodeid)
    chance_of("order").shuffle(faults)
    faults.sort(key=lambda item: "workers" in item.nodeid)
    # pytest calls this hook with the tests of every folder: the others keep their order.
    items[:] = [*(item for item in items if item.path.parent != HERE), *faults]


@pytest.fixture(autouse=True)
def _while_time_is_left() -> None:
    if time.time() > float(os.environ["FAULTS_UNTIL"]):
        pytest.skip("the time for this run is over")


@pytest.fixture(autouse=True)
def _toy_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in toy.environment().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def count(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Notes a fault, by its kind and what became of it, for the table at the end."""
    return lambda kind, end: request.node.user_properties.append((f"fault {kind}", end))


@pytest.fixture
def copy(toy_that_ran: Path, tmp_path: Path) -> Path:  # noqa: F811
    """A copy of the toy project after one undisturbed run."""
    from tests.faults.faults import copy_project

    return copy_project(toy_that_ran, tmp_path / "project")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many faults of each kind there were, and how they ended."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", "") == "call" or getattr(report, "skipped", False):
                for kind, end in getattr(report, "user_properties", ()):
                    if kind.startswith("fault "):
                        counts[kind.removeprefix("fault ")][end] += 1
    terminalreporter.section(f"faults, seed {SEED}")
    for kind, ends in sorted(counts.items()):
        parts = ", ".join(f"{number} {end}" for end, number in sorted(ends.items()))
        terminalreporter.line(f"{kind:32}{sum(ends.values()):5}  {parts}")
    terminalreporter.line(f"{'all':32}{sum(sum(ends.values()) for ends in counts.values()):5}")
