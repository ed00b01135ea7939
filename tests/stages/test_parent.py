"""A stage ends with the DVC that runs it, and an orphan replaces nothing; a stage run by hand follows no parent."""

import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

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
