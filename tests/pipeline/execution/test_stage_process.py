"""One stage in a watched process tree: what is said, what is ended, what is left."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pipeline.execution import process_tree, stage_process, workspace
from pipeline.execution.stage_process import MARKER, Outcome, error_line, is_own_error
from tests.pipeline import toy
from tests.pipeline.processes import is_part, processes_of, wait_for

SLEEPS = "import time; time.sleep(600)"


def run(root: Path, stage: str, *, control: str = "{}", **options: object) -> tuple[Outcome, list[str]]:
    lines: list[str] = []
    (root / "control.json").write_text(control)
    environment = {"TOY_CONTROL": str(root / "control.json"), "TOY_TRACE": str(root / "trace.txt")}
    running = stage_process.start(root, stage, environment=environment, **options)  # type: ignore[arg-type]
    return running.wait(lines.append), lines


def test_a_stage_runs_with_its_own_log(project: Path) -> None:
    toy.edit(project, "code/one.py", "1", "3")
    outcome, lines = run(project, "cut")
    assert (outcome.error, outcome.restored) == (None, False)
    assert "working on cut" in lines
    assert "working on cut" in outcome.log.read_text()
    assert outcome.log == project / ".retune/logs/cut.log"
    assert not [line for line in lines if "git add" in line or "dvc push" in line]


def test_a_result_of_the_run_cache_is_called_restored(project: Path) -> None:
    (project / "data/cut/stats.json").unlink()
    outcome, _ = run(project, "cut")
    assert (outcome.error, outcome.restored) == (None, True)


def test_the_stages_own_error_line_is_what_counts(project: Path) -> None:
    outcome, _ = run(project, "cut", control='{"cut": {"fail": "row 17: label is empty"}}', options=["--force"])
    assert outcome.error == "row 17: label is empty"
    assert outcome.own_error


def test_a_time_limit_ends_the_whole_tree(project: Path) -> None:
    control = '{"cut": {"sleep": 60, "child": true}}'
    outcome, _ = run(project, "cut", control=control, options=["--force"], timeout=3.0)
    assert outcome.error is not None
    assert "(meta.timeout in dvc.yaml)" in outcome.error
    assert not outcome.own_error
    assert processes_of(project) == []


def test_stopping_ends_the_whole_tree(project: Path) -> None:
    (project / "control.json").write_text('{"cut": {"sleep": 60, "child": true}}')
    environment = {"TOY_CONTROL": str(project / "control.json"), "TOY_TRACE": str(project / "trace.txt")}
    running = stage_process.start(project, "cut", options=["--force"], environment=environment)
    outcomes: list[Outcome] = []
    thread = threading.Thread(target=lambda: outcomes.append(running.wait(lambda _: None)))
    thread.start()
    wait_for(lambda: (project / "trace.txt").exists())
    running.stop()
    thread.join(timeout=30)
    assert outcomes[0].stopped
    assert processes_of(project) == []


@pytest.mark.parametrize("victim", ["dvc", "work.py"])
def test_a_killed_process_takes_the_tree_along_and_is_no_own_error(project: Path, victim: str) -> None:
    (project / "control.json").write_text('{"cut": {"sleep": 60, "child": true}}')
    environment = {"TOY_CONTROL": str(project / "control.json"), "TOY_TRACE": str(project / "trace.txt")}
    running = stage_process.start(project, "cut", options=["--force"], environment=environment)
    wait_for(lambda: (project / "trace.txt").exists())
    wait_for(lambda: [one for one in processes_of(project) if "toy child" in " ".join(one.cmdline())])
    parts = {"dvc": ["-m", "dvc"], "work.py": ["python", "work.py"]}[victim]
    targets = [one for one in processes_of(project) if one.cmdline()[-len(one.cmdline()) :][:1] and is_part(one, parts)]
    targets[-1].kill()
    outcome = running.wait(lambda _: None)
    assert outcome.error
    assert not outcome.own_error
    assert processes_of(project) == []


def test_the_watcher_ends_its_tree_when_its_parent_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-P", process_tree.__file__, "--", sys.executable, "-c", SLEEPS]
    code = f"import subprocess, time; subprocess.Popen({command}, stdin=subprocess.PIPE); time.sleep(600)"
    parent = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, MARKER: str(tmp_path)})
    wait_for(lambda: len(processes_of(tmp_path)) == 3)
    parent.kill()
    parent.wait()
    wait_for(lambda: processes_of(tmp_path) == [])


def test_what_a_killed_watcher_left_is_ended_by_the_next_run(tmp_path: Path) -> None:
    left = subprocess.Popen([sys.executable, "-c", SLEEPS], env={**os.environ, MARKER: str(tmp_path)})
    other = subprocess.Popen([sys.executable, "-c", SLEEPS], env={**os.environ, MARKER: str(tmp_path / "other")})
    with workspace.hold(tmp_path):
        assert left.poll() is not None
        assert other.poll() is None
    other.kill()
    other.wait()


@pytest.mark.parametrize(
    ("lines", "code", "message", "own"),
    [
        (
            ["working", "error: bad row", "ERROR: failed to reproduce 'x': failed to run: python x, exited with 1"],
            255, "bad row", True,
        ),
        (
            ["Traceback (most recent call last):", '  File "x.py", line 1', "ValueError: no",
             "ERROR: failed to reproduce 'x': failed to run: python x, exited with 1"],
            255, "ValueError: no", True,
        ),
        (["ERROR: failed to reproduce 'x': failed to run: python x, exited with -9"], 255,
         "failed to reproduce 'x': failed to run: python x, exited with -9", False),
        (["ERROR: failed to reproduce 'x': failed to run: python x, exited with 137"], 255,
         "failed to reproduce 'x': failed to run: python x, exited with 137", False),
        (["terminate called after throwing an instance of 'std::bad_alloc'", "  what():  std::bad_alloc",
          "ERROR: failed to reproduce 'x': failed to run: python x, exited with -6"], 255,
         "it ran out of memory (what():  std::bad_alloc). Use a machine with more memory, or make its work smaller",
         True),
        (["memory allocation of 4096 bytes failed",
          "ERROR: failed to reproduce 'x': failed to run: python x, exited with 134"], 255,
         "it ran out of memory (memory allocation of 4096 bytes failed). Use a machine with more memory, or make its "
         "work smaller", True),
        (["ERROR: failed to lock: '/x/data/cut' is busy, it is being blocked by:", "  (PID 7): dvc repro",
          "If there are no processes with such PIDs, you can manually remove '.dvc/tmp/rwlock' and try again."], 255,
         "/x/data/cut is in use by another DVC command: (PID 7): dvc repro. Wait for it to end, then run again", False),
        (["ERROR: failed to lock: '/x/data/cut' is busy, it is being blocked by:",
          *["  (PID 7): dvc exp run", "  (PID 9): dvc repro"] * 3, "  (PID 7): dvc exp run"], 255,
         "/x/data/cut is in use by another DVC command: (PID 7): dvc exp run, (PID 9): dvc repro. Wait for it to end, "
         "then run again", False),
        (["ERROR: unexpected error - No space left"], 255, "unexpected error - No space left", False),
        ([], 137, "it ended with exit code 137 and printed no error", False),
    ],
)  # fmt: skip
def test_who_is_to_blame(lines: list[str], code: int, message: str, own: bool) -> None:
    assert error_line(lines, code) == message
    assert is_own_error(lines) == own
