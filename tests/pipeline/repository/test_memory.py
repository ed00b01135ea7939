"""Our notes: whatever is in their place, a command reads them at once, or goes on without them."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.repository.memory import FILES, FOLDERS, make_memory, read_memory, write_memory


@pytest.mark.timeout(20)
def test_a_pipe_in_the_place_of_a_note_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "runs.json")
    assert read_memory(tmp_path / "runs.json") == {}
    write_memory(tmp_path / "runs.json", {"split": 1})
    assert read_memory(tmp_path / "runs.json") == {"split": 1}


OBSTACLES: dict[str, Callable[[Path], object]] = {
    "a file": Path.touch,
    "a folder": Path.mkdir,
    "a pipe": os.mkfifo,
    "a link to nothing": lambda path: path.symlink_to("nowhere/at/all"),
}
OWN_FILES = [*FILES, "logs/tokenize.log", "logs/finetune@1.log", "logs/warm.log", "logs/finetune@1.read"]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("obstacle", OBSTACLES)
@pytest.mark.parametrize("name", [*FOLDERS, *(f".retune/{name}" for name in OWN_FILES)])
def test_nothing_blocks_the_path_of_a_note(tmp_path: Path, name: str, obstacle: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    OBSTACLES[obstacle](path)
    make_memory(tmp_path)
    if name in FOLDERS:
        path.mkdir(exist_ok=True)
    else:
        path.write_text("noted")
    right = obstacle == ("a folder" if name in FOLDERS else "a file")
    assert os.path.lexists(f"{path}.moved1") != right
