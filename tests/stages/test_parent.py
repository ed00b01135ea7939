"""A stage ends with the DVC that runs it, and an orphan replaces nothing; a stage run by hand follows no parent."""

import os
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import psutil
import pytest

from stages.parent import find_owner
from tests.pipeline.processes import wait_for

ROOT = Path(__file__).parents[2]
STAGE = """
import sys, time
from pathlib import Path
from stages import files, parent

if "late" in sys.argv:
    time.sleep(2)  # the imports of a stage
parent.follow_parent()
Path("started").touch()
time.sleep(2)
try:
    with {writer} as path:
        {work}
except Exception as error:
    Path("refused").write_text(str(error))
"""
WRITERS = {
    "a file": ("files.replace_file(Path('out'))", "path.write_text('orphan')"),
    "a folder": ("files.replace_folder(Path('out'))", "(path / 'x').write_text('orphan')"),
}
DIRECTLY, IN_A_SHELL = "exec {python} stage.py", "{python} stage.py; true"  # a shell with a second command stays


COMMAND, SESSION = 50, 40  # the process that DVC started, and the session of DVC
ADOPTED = {  # the parent's number, session and command line; the session of the command; whether DVC has ended
    "dvc": (41, SESSION, ["/venv/bin/python", "-m", "dvc", "repro"], SESSION, False),
    "dvc in the terminal's session": (41, SESSION, ["/venv/bin/python3.12", "/venv/bin/dvc", "repro"], SESSION, False),
    "dvc as a program": (SESSION, SESSION, ["/usr/bin/dvc", "repro"], COMMAND, False),
    "dvc of a command with its own session": (41, SESSION, ["python", "-m", "dvc", "repro"], COMMAND, False),
    "dvc as the first process of a container": (1, 1, ["python", "-m", "dvc", "repro"], 1, False),
    "init": (1, 1, ["/sbin/init"], SESSION, True),
    "init of a container, same session": (1, SESSION, ["sh", "-c", "dvc repro; sleep 9"], SESSION, True),
    "systemd of a user": (30, 30, ["/usr/lib/systemd/systemd", "--user"], SESSION, True),
    "systemd of a user, own session": (30, 30, ["/usr/lib/systemd/systemd", "--user"], COMMAND, True),
    "a watcher": (30, 30, ["python", "-P", "/x/pipeline/execution/process_tree.py", "--", "dvc"], SESSION, True),
    "a watcher, own session": (30, 30, ["python", "-P", "/x/execution/process_tree.py", "--", "dvc"], COMMAND, True),
    "Python that adopts": (30, 30, ["python", "supervisor.py"], SESSION, True),
}


@pytest.mark.parametrize(("pid", "session", "line", "own", "ended"), ADOPTED.values(), ids=ADOPTED)
def test_who_adopts_a_command_is_no_dvc(
    monkeypatch: pytest.MonkeyPatch, pid: int, session: int, line: list[str], own: int, ended: bool
) -> None:
    variables = {"DVC_STAGE": "cut"}
    adopter = SimpleNamespace(pid=pid, cmdline=lambda: line, environ=dict)
    command = SimpleNamespace(pid=COMMAND, environ=lambda: variables, parents=lambda: [adopter])
    child = SimpleNamespace(pid=60, environ=lambda: variables, parents=lambda: [command, adopter])
    sessions = {pid: session, COMMAND: own, 60: 60}  # the child leads a session of its own
    monkeypatch.setattr(os, "getsid", sessions.__getitem__)
    assert find_owner(cast(psutil.Process, command)) is (None if ended else adopter)
    assert find_owner(cast(psutil.Process, child)) is (None if ended else adopter)


def start(folder: Path, command: str, *arguments: str, writer: str = "a file", **environment: str) -> psutil.Popen:
    """A process that runs the command as DVC does, in a shell, and waits for it."""
    (folder / "stage.py").write_text(STAGE.format(writer=WRITERS[writer][0], work=WRITERS[writer][1]))
    shell = ["/bin/sh", "-c", " ".join([command.format(python=sys.executable), *arguments])]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment}
    code = f"import subprocess; subprocess.run({shell}, env={environment}, check=False)"
    return psutil.Popen([sys.executable, "-c", code], cwd=folder)


def processes_in(folder: Path) -> list[psutil.Process]:
    living = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                living.append(process)
        except psutil.Error:
            continue
    return living


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells of a parent's death on Linux only")
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL])
def test_a_stage_ends_at_once_with_its_dvc(tmp_path: Path, sent: signal.Signals) -> None:
    dvc = start(tmp_path, DIRECTLY, DVC_STAGE="finetune@42")
    wait_for(lambda: (tmp_path / "started").exists())
    dvc.send_signal(sent)
    dvc.wait()
    wait_for(lambda: not processes_in(tmp_path), seconds=1)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("writer", WRITERS)
def test_an_orphan_behind_a_shell_replaces_nothing(tmp_path: Path, writer: str) -> None:
    dvc = start(tmp_path, IN_A_SHELL, DVC_STAGE="finetune@42", writer=writer)
    wait_for(lambda: (tmp_path / "started").exists())
    dvc.kill()
    dvc.wait()
    (tmp_path / "out").write_text("a later run")
    wait_for(lambda: not processes_in(tmp_path))
    assert (tmp_path / "out").read_text() == "a later run"
    assert "DVC, which ran finetune@42, has ended" in (tmp_path / "refused").read_text()
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize("command", [DIRECTLY, IN_A_SHELL])
def test_a_stage_that_is_an_orphan_from_the_start_does_nothing(tmp_path: Path, command: str) -> None:
    dvc = start(tmp_path, command.replace("stage.py", "stage.py late"), DVC_STAGE="finetune@42")
    wait_for(lambda: [one for one in processes_in(tmp_path) if "stage.py" in one.cmdline()])
    time.sleep(0.5)
    dvc.kill()
    dvc.wait()
    wait_for(lambda: not processes_in(tmp_path))
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("command", [DIRECTLY, IN_A_SHELL])
@pytest.mark.parametrize("stage", ["finetune@42", ""])
def test_a_stage_whose_parent_lives_or_that_runs_by_hand_writes(tmp_path: Path, command: str, stage: str) -> None:
    parent = start(tmp_path, command, **({"DVC_STAGE": stage} if stage else {}))
    wait_for(lambda: (tmp_path / "started").exists())
    if not stage:
        parent.kill()
    parent.wait()
    wait_for(lambda: (tmp_path / "out").exists())
