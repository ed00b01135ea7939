"""A process that is killed while it writes decisions: the file is the old or the new one, and the next start works."""

import contextlib
import multiprocessing
import os
import random
import signal
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from pipeline.review.decisions import Wish
from pipeline.review.rows import ReviewRow
from stages.corrections import Correction, write_corrections
from tests.pipeline.review import reviewing

KILLS = 100
OTHERS = [Correction(f"gone{number}", "0", "a", "keep", note="a note " * 20) for number in range(300)]


def write_for_ever(root: Path, row: ReviewRow, pipe: Any) -> None:
    """Decide about a row again and again, by hand or by import, and say so each time."""
    signal.signal(signal.SIGTERM, end)
    decisions = reviewing.opened(root)[1]
    for number in count():
        seen = ("unclear", "") if row.id in decisions.read() else None
        if number % 2:
            decisions.decide(row, "unclear", note=str(number), seen=seen)
        else:
            decisions.add([Wish(row, "unclear", "", str(number))])
        pipe.send(number)


def end(*_: object) -> None:
    """As the command does it, so that temporary files are removed."""
    raise SystemExit(1)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = reviewing.create(tmp_path / "project")
    write_corrections(root / "data/corrections.csv", OTHERS)
    return root


@pytest.fixture(scope="module")
def processes() -> Any:
    """Starts processes that have loaded everything in a few milliseconds."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def half_files(root: Path) -> list[str]:
    return [path.name for path in root.rglob("*.partial")]


@pytest.mark.parametrize("place", ["in the project", "behind a link"])
def test_a_kill_leaves_the_old_or_the_new_file(root: Path, tmp_path: Path, place: str, processes: Any) -> None:
    file = root / "data/corrections.csv"
    if place == "behind a link":
        (tmp_path / "shared").mkdir()
        file.rename(tmp_path / "shared/corrections.csv")
        file.symlink_to(tmp_path / "shared/corrections.csv")
    chance, row = random.Random(place), reviewing.opened(root)[0].row("r2")
    for kill in range(KILLS // 2):
        read, write = processes.Pipe(duplex=False)
        process = processes.Process(target=write_for_ever, args=(root, row, write))
        process.start()
        write.close()
        said = [read.recv()]
        process.join(chance.uniform(0, 0.02))
        for _ in range(20):  # an exception that comes up in a `__del__` is ignored by Python
            os.kill(process.pid, (signal.SIGKILL, signal.SIGTERM)[kill % 2])
            process.join(1)
            if process.exitcode is not None:
                break
        assert process.exitcode in (-signal.SIGKILL, 1)
        with read, contextlib.suppress(EOFError):
            while True:
                said.append(read.recv())
        *others, last = reviewing.corrections(root)
        assert others == OTHERS
        assert int(last.note) - said[-1] in (0, 1), "what was said to be written is, and one more at most"
        if kill % 2:
            assert half_files(tmp_path) == []
    reviewing.opened(root)
    assert half_files(tmp_path) == []


def test_the_next_start_removes_what_a_killed_one_left(root: Path) -> None:
    half = root / "data/corrections.csv.partial"
    half.write_text("id,text_ha")
    before = reviewing.corrections(root)
    reviewing.opened(root)
    assert not half.exists()
    assert reviewing.corrections(root) == before
