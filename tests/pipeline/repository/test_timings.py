"""What stages measured, as they wrote it: no damage to a file of it breaks the command that shows it."""

from pathlib import Path

import pytest

from pipeline.repository.timings import read_timings
from stages.paths import Paths

DAMAGED = [
    "",
    "[]",
    "{",
    "[" * 100_000,
    *(f'{{"seconds": {value}}}' for value in ("NaN", "-1", "true", '"7"', 10**400)),
]


@pytest.mark.parametrize("content", DAMAGED, ids=lambda content: content[:16])
def test_a_damaged_file_counts_as_none(tmp_path: Path, content: str) -> None:
    for stage, text in {"split": content, "report": '{"seconds": 3, "peak_memory_mb": 1e999}'}.items():
        Paths(tmp_path).timing(stage).parent.mkdir(parents=True, exist_ok=True)
        Paths(tmp_path).timing(stage).write_text(text)
    timings = read_timings(tmp_path, ["split", "report", "evaluate@42"])
    assert [(timing.stage, timing.seconds, timing.peak_memory_mb) for timing in timings] == [("report", 3.0, None)]
