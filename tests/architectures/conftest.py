"""The matrix of architectures: a telling part in `make test`, all of it with `make test-architectures`."""

import os
from collections.abc import Callable
from dataclasses import asdict

import pytest

from tests.architectures.matrix import COLUMNS, Cell
from tests.architectures.models import ARCHITECTURES
from tests.architectures.table import PAGE, render

WHOLE = "RETUNE_ARCHITECTURES" in os.environ
TELLING = ("albert", "bert", "gpt2", "modernbert", "t5", "xlnet")  # they differ in kind
TELLING_COLUMNS = ("full", "frozen", "pairs", "packed", "embed")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "architecture" in metafunc.fixturenames:
        metafunc.parametrize("architecture", ARCHITECTURES if WHOLE else TELLING)


@pytest.fixture
def columns() -> tuple[str, ...]:
    return COLUMNS if WHOLE else TELLING_COLUMNS


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Write the page after a run of all architectures."""
    cells: dict[str, dict[str, Cell]] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name.startswith("architecture "):
                    cells[name.removeprefix("architecture ")] = {key: Cell(**cell) for key, cell in value.items()}
    if set(cells) == set(ARCHITECTURES) and all(set(row) == set(COLUMNS) for row in cells.values()):
        PAGE.write_text(render(cells), encoding="utf-8")
        terminalreporter.line(f"{PAGE.name}: {len(cells)} architectures")


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Callable[[str, dict[str, Cell]], None]:
    """Notes the cells of an architecture for the page; as plain values, because processes exchange them as JSON."""

    def add(name: str, row: dict[str, Cell]) -> None:
        values = {column: asdict(cell) for column, cell in row.items()}
        request.node.user_properties.append((f"architecture {name}", values))

    return add
