"""What the fault tests share: chances that can be repeated, kills, damage, and what must hold after the next run."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

from pipeline.execution import workspace
from pipeline.execution.runner import Runner
from pipeline.repository.project import Project
from stages.parent import read_environment
from tests.pipeline import toy

SEED = int(os.environ.get("RETUNE_FAULTS_SEED", "0"))
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGKILL)
STAGES = ("cut", "report", "download@model")  # of the toy; each is changed by one parameter of its own
PARAMS = {
    "cut": ("length: 5", "length: {}"),
    "report": ("title: toy", "title: t{}"),
    "download@model": ("size: 4", "size: {}"),
}
DAMAGES: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "flipped": lambda content, chance: flip(content, chance),
    "truncated": lambda content, chance: content[: chance.randrange(max(len(content), 1))],
    "emptied": lambda content, chance: b"",
}


def chance_of(*names: object) -> random.Random:
    """The chances of one fault; its name and RETUNE_FAULTS_SEED repeat them."""
    return random.Random(f"{SEED} {names}")


def flip(content: bytes, chance: random.Random) -> bytes:
    """One bit changed."""
    if not content:
        return b"\0"
    place = chance.randrange(len(content))
    return content[:place] + bytes([content[place] ^ (1 << chance.randrange(8))]) + content[place + 1 :]


def damage(path: Path, kind: str, chance: random.Random) -> None:
    """Damage a file; its mode and times stay, as when a disk does it."""
    before = path.stat()
    path.chmod(0o644)
    path.write_bytes(DAMAGES[kind](path.read_bytes(), chance))
    path.chmod(before.st_mode)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def copy_project(source: Path, target: Path) -> Path:
    """A copy with the same times, in which nothing has to run."""
    return Path(shutil.copytree(source, target, symlinks=True))


def change(root: Path, stage: str, number: int) -> None:
    """New work for one stage of the toy."""
    old, new = PARAMS[stage]
    toy.edit(root, "params.yaml", old, new.format(100 + number))


def outputs(root: Path, stage: str) -> dict[str, bytes]:
    """The bytes of every file that a stage has written."""
    with Project(root) as project:
        outs = next(candidate.outs for candidate in project.graph.stages if candidate.name == stage)
    return read_files([root / out for out in outs], root)


def read_files(paths: Sequence[Path], root: Path) -> dict[str, bytes]:
    """The bytes of files, and of those in folders, by path relative to `root`."""
    files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()]
    return {file.relative_to(root).as_posix(): file.read_bytes() for file in files if file.name != ".gitignore"}


def undisturbed(root: Path, stage: str, scratch: Path) -> dict[str, bytes]:
    """What a stage writes where nothing happens to it: its command alone, in a copy without DVC."""
    shutil.copytree(root, scratch, ignore=shutil.ignore_patterns(".dvc", ".git", ".retune"))
    with Project(root) as project:
        command = next(candidate.cmd for candidate in project.graph.stages if candidate.name == stage)
        outs = next(candidate.outs for candidate in project.graph.stages if candidate.name == stage)
    subprocess.run(command, shell=True, cwd=scratch, env={**toy.environment(), "DVC_STAGE": stage}, check=True)
    return read_files([scratch / out for out in outs], scratch)


def start(root: Path, *command: str, **environment: str) -> subprocess.Popen[bytes]:
    """Start a Python module as a command of a user, in a session of its own."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", *command],
        cwd=root,
        env=toy.environment(**environment),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )


def processes_of(root: Path) -> list[psutil.Process]:
    """Every living process of a run, of DVC or of a stage in this folder."""
    living = []
    for process in psutil.process_iter():
        variables = read_environment(process)
        if str(root) in (variables.get("RETUNE_WORKSPACE"), variables.get("DVC_ROOT")):
            try:
                if process.status() != psutil.STATUS_ZOMBIE:
                    living.append(process)
            except psutil.NoSuchProcess:
                continue
    return living


def wait_until_none_is_left(root: Path, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while left := processes_of(root):
        assert time.monotonic() < deadline, f"left behind: {[process.cmdline() for process in left]}"
        time.sleep(0.05)


def drive(root: Path, *targets: str) -> list[str]:
    """The next run, without Prefect: bring the stages up to date; return the errors."""
    with workspace.hold(root):
        runner = Runner(root, targets=targets)
        runner.plan()
        while stages := runner.start_ready():
            for stage in stages:
                runner.finished(stage, runner.run(stage, lambda _: None))
    return [f"{outcome.stage}: {outcome.error}" for outcome in runner.failures]


def check_end(root: Path, stage: str, expected: Mapping[str, bytes]) -> None:
    """After a run that succeeded: the right bytes, known to DVC; no process, lock or half file."""
    assert outputs(root, stage) == expected
    runner = Runner(root, targets=[stage])
    assert {plan.stage: plan.state for plan in runner.plan() if plan.state != "fresh"} == {}
    assert processes_of(root) == []
    assert half_files(root) == []


def half_files(root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in root.rglob("*.partial")]


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """The error that a command printed; fails where it is no single line."""
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "Traceback" not in done.stderr, done.stderr[-3000:]
    assert len(errors) == 1, (done.returncode, done.stderr[-3000:])
    return errors[0]
