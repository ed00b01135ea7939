"""Our notes: whatever is in their place, a command reads them at once, or goes on without them."""

import os
from pathlib import Path

import pytest

from pipeline.repository.memory import read_memory, write_memory


@pytest.mark.timeout(20)
def test_a_pipe_in_the_place_of_a_note_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "runs.json")
    assert read_memory(tmp_path / "runs.json") == {}
    write_memory(tmp_path / "runs.json", {"split": 1})
    assert read_memory(tmp_path / "runs.json") == {"split": 1}
