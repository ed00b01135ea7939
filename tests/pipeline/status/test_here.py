"""What runs in a folder of this machine: seen in its processes, whoever started them."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.execution import workspace
from pipeline.execution.holder import HOLDER, note_expected_end, read_holder
from pipeline.execution.machine import host_name
from pipeline.repository.durations import note_duration
from pipeline.status.here import activities_here

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a process with these variables; it ends with the test."""
    processes: list[subprocess.Popen[str]] = []

    def begin(**variables: str) -> subprocess.Popen[str]:
        code = "import time; print('begun', flush=True); time.sleep(600)"
        process = subprocess.Popen(
            [sys.executable, "-c", code], env={**os.environ, **variables}, stdout=subprocess.PIPE, text=True
        )
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        return process

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    "variables",
    [{"DVC_ROOT": "ROOT", "DVC_STAGE": "finetune@42"}, {"RETUNE_WORKSPACE": "ROOT", "RETUNE_STAGE": "finetune@42"}],
    ids=["dvc repro", "retune run"],
)
def test_a_stage_is_seen_once_with_its_first_process(tmp_path: Path, start: Start, variables: dict[str, str]) -> None:
    named = {name: value.replace("ROOT", str(tmp_path)) for name, value in variables.items()}
    note_duration(tmp_path, "finetune@42", 90)
    begun = datetime.now(UTC) - timedelta(seconds=1)
    start(**named)
    time.sleep(0.2)
    start(**named)
    start(**{**named, next(iter(named)): str(tmp_path / "another")})  # of another project
    start(DVC_ROOT=str(tmp_path))  # of no stage
    (stage,) = activities_here(tmp_path)
    assert (stage.name, stage.run, stage.state) == ("finetune@42", "dvc repro", "running")
    assert stage.where == f"{host_name()}:{tmp_path}"
    assert begun <= stage.since <= begun + timedelta(seconds=60)
    assert stage.ends == stage.since + timedelta(seconds=90)


def test_nothing_runs_in_a_folder_that_nobody_uses(tmp_path: Path) -> None:
    assert activities_here(tmp_path) == []


def test_the_run_that_holds_the_folder_comes_first_with_its_expected_end(tmp_path: Path, start: Start) -> None:
    with workspace.hold(tmp_path):
        start(RETUNE_WORKSPACE=str(tmp_path), RETUNE_STAGE="cut")
        assert [(each.name, each.run, each.ends) for each in activities_here(tmp_path)] == [
            ("retune run", None, None),
            ("cut", "retune run", None),
        ]
        note_expected_end(tmp_path, 600)
        run = activities_here(tmp_path)[0]
        assert run.ends is not None
        assert timedelta(seconds=595) <= run.ends - run.since <= timedelta(seconds=660)
        note_expected_end(tmp_path, None)
        assert activities_here(tmp_path)[0].ends is None


def test_only_the_run_that_holds_the_folder_notes_its_end(tmp_path: Path) -> None:
    note_expected_end(tmp_path, 600)
    assert not (tmp_path / HOLDER).exists()


@pytest.mark.parametrize(
    "note",
    [
        "",
        "{",
        "[]",
        '{"pid": 1}',
        '{"pid": "x", "since": "2024-05-01T12:00:00+00:00"}',
        '{"pid": 99999999999999999999, "since": "2024-05-01T12:00:00+00:00"}',
        '{"pid": 4194304, "since": "2024-05-01T12:00:00+00:00"}',
        json.dumps({"pid": os.getpid(), "since": "yesterday"}),
        json.dumps({"pid": os.getpid(), "since": "2024-05-01T12:00:00+00:00"}),  # the number is ours by now
    ],
    ids=["empty", "broken", "a list", "no start", "no number", "too large", "nobody's", "no time", "another process's"],
)
def test_a_note_of_a_run_that_has_ended_or_that_is_damaged_names_no_run(tmp_path: Path, note: str) -> None:
    (tmp_path / HOLDER).parent.mkdir()
    (tmp_path / HOLDER).write_text(note)
    assert read_holder(tmp_path) is None
    assert activities_here(tmp_path) == []
