"""What was noted of earlier runs, whole or damaged: no number in it breaks a plan, or makes its times absurd."""

import json
import math
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.planning.forecast import forecast
from pipeline.planning.work import Work, stage_work
from pipeline.repository.durations import (
    HISTORY,
    KEPT,
    RUNS,
    known_duration,
    note_duration,
    read_durations,
    read_lengths,
    read_runs,
)
from pipeline.repository.snapshot import LONGEST, Run
from stages.paths import Paths

NUMBERS = st.one_of(st.floats(), st.integers(), st.sampled_from([10**400, 1e300, 5e-324, True, None, "7", []]))
USUAL = st.tuples(st.floats(0.01, 1e6), st.floats(1, 1e12)).map(list)


def repr_short(value: Any) -> str:
    return repr(value)[:12]


def write(root: Path, name: str, content: Any) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(json.dumps(content))


def test_what_is_noted_is_read(tmp_path: Path) -> None:
    for number in range(KEPT + 5):
        note_duration(tmp_path, f"finetune@{number}", 10.0 + number, work=100.0)
    assert read_durations(tmp_path)["finetune@3"] == 13.0
    assert read_runs(tmp_path) == {"finetune": tuple(Run(10.0 + number, 100.0) for number in range(5, KEPT + 5))}


def test_the_run_with_the_most_work_stays_noted(tmp_path: Path) -> None:
    for number in range(KEPT + 5):
        note_duration(tmp_path, f"finetune@{number}", 10.0, work=1000.0 if number == 2 else float(number + 1))
    works = [run.work for run in read_runs(tmp_path)["finetune"]]
    assert works == [1000.0, *(float(number + 1) for number in range(6, KEPT + 5))]


@given(noted=st.lists(st.one_of(USUAL, st.lists(NUMBERS, max_size=3), NUMBERS), max_size=5), work=st.floats(1, 1e30))
@example(noted=[[1e300, 5.0]], work=1e7)
@example(noted=[[5.0, 5e-324], [1e9, 1e25]], work=1e7)
@example(noted=[[1e9, 1.0]], work=1e30)
def test_no_noted_runs_break_a_forecast(noted: list[Any], work: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), RUNS, {"finetune": noted})
        runs = read_runs(Path(folder))["finetune"]
    assert all(Run(*item) in runs for item in noted if isinstance(item, list) and len(item) == 2 and _is_usual(item))
    if expected := forecast(runs, Work(work, 1.0)):
        assert 0 <= expected.low <= expected.high <= LONGEST  # no clock counts to more than some thousand years
        assert 0 <= expected.seconds <= LONGEST


def _is_usual(item: list[Any]) -> bool:
    return all(type(value) is float for value in item) and 0.01 <= item[0] <= 1e6 and 1 <= item[1] <= 1e12


@pytest.mark.parametrize("seconds", [-1, math.inf, math.nan, 1e300, 10**400, "7", None, True, []], ids=repr_short)
def test_seconds_that_no_stage_can_take_count_as_unknown(tmp_path: Path, seconds: Any) -> None:
    write(tmp_path, HISTORY, {"split": seconds, "report": 3})
    assert read_durations(tmp_path) == {"report": 3}
    write(tmp_path, str(Paths(tmp_path).timing("split").relative_to(tmp_path)), {"seconds": seconds})
    assert known_duration(tmp_path, "split", {}) is None


@pytest.mark.parametrize("row", ["10,-5", "-1,5", f"10,{10**400}", f"{10**400},5", "10", "a,b"], ids=repr_short)
def test_damaged_lengths_count_as_unknown(tmp_path: Path, row: str) -> None:
    path = Paths(tmp_path).lengths
    path.parent.mkdir(parents=True)
    path.write_text("tokens,rows\n20,3\n")
    assert read_lengths(tmp_path) == {20: 3}
    path.write_text(f"tokens,rows\n20,3\n{row}\n")
    assert read_lengths(tmp_path) == {}
    assert stage_work("finetune", {}, read_lengths(tmp_path)) is None
