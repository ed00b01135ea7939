"""A command that is handed over to the warm process ends as it would alone, and neither outlives the other."""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from stages import warm
from tests.pipeline.processes import wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="there is a warm process on Linux only")

REPOSITORY = Path(__file__).parents[2]
NAME = f"retune-test-{os.getpid()}"
COMMAND = """
import os, signal, sys, threading, time
from pathlib import Path
from stages.warm import hand_over

hand_over()
Path("pid").write_text(str(os.getpid()))
from text import TEXT
{body}
"""
SERVER = "from stages import warm; warm.PACKAGES = {packages}; warm.main()"
TELL = (
    "print(TEXT, sys.argv[1:], os.environ['DVC_STAGE'], os.getcwd(), sys.stdin.read());print('warned', file=sys.stderr)"
)
SLEEP = "time.sleep(600)"


@dataclass
class Project:
    """A folder with a command of its own, and a warm process for it."""

    folder: Path
    server: subprocess.Popen[bytes] | None = None

    def environment(self, **more: str) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1", **more}

    def write(self, body: str, text: str = "'one'") -> None:
        (self.folder / "toy").mkdir(exist_ok=True)
        (self.folder / "toy/__main__.py").write_text(COMMAND.format(body=body))
        (self.folder / "text.py").write_text(f"TEXT = {text}\n")

    def serve(self, packages: tuple[str, ...] = ()) -> None:
        with warm.listen(NAME) as listener:
            self.server = subprocess.Popen(
                [sys.executable, "-c", SERVER.format(packages=packages), str(listener.fileno())],
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=[listener.fileno()],
            )

    def start(self, *flags: str, folder: Path | None = None, **more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *flags, "-m", "toy", "a b", "--c"],
            cwd=folder or self.folder,
            env=self.environment(RETUNE_WARM=NAME, DVC_STAGE="finetune@ü", **more),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *flags: str, folder: Path | None = None, **more: str) -> tuple[int, str, str]:
        """The exit code, the output, and the errors but for the place of a traceback."""
        process = self.start(*flags, folder=folder, **more)
        output, errors = process.communicate("typed\n", timeout=60)
        return process.returncode, output, re.sub(r"  File (.|\n)*?(?=^\w)", "", errors, flags=re.MULTILINE)

    def worked(self) -> psutil.Process:
        """The process that does the command's work, once it does."""
        wait_for(lambda: (self.folder / "pid").exists() and (self.folder / "pid").read_text())
        return psutil.Process(int((self.folder / "pid").read_text()))


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = Project(tmp_path)
    yield made
    if made.server:
        made.server.kill()
        made.server.wait()


ENDS: dict[str, tuple[str, Callable[[int], bool]]] = {
    "well": (TELL, lambda code: code == 0),
    "with a code": (f"{TELL}; sys.exit(3)", lambda code: code == 3),
    "with a message": (f"{TELL}; sys.exit('error: so')", lambda code: code == 1),
    "with an exception": (f"{TELL}; raise KeyError('so')", lambda code: code == 1),
    "at once": ("os._exit(7)", lambda code: code == 7),
    "with unwritten text": ("sys.stdout.write('rest')", lambda code: code == 0),
    "after its threads": ("threading.Timer(0.5, print, ['late']).start()", lambda code: code == 0),
    "by SIGKILL": ("os.kill(os.getpid(), signal.SIGKILL)", lambda code: code == -signal.SIGKILL),
    "by SIGTERM": ("os.kill(os.getpid(), signal.SIGTERM)", lambda code: code == -signal.SIGTERM),
    "by SIGSEGV": ("os.kill(os.getpid(), signal.SIGSEGV)", lambda code: code == -signal.SIGSEGV),
    "by SIGABRT": ("os.abort()", lambda code: code == -signal.SIGABRT),
}


@pytest.mark.parametrize(("body", "expected"), ENDS.values(), ids=ENDS)
def test_a_command_ends_as_it_would_alone(project: Project, body: str, expected: Callable[[int], bool]) -> None:
    project.write(f"Path('parent').write_text(str(os.getppid())); {body}")
    alone = project.run()
    assert (project.folder / "parent").read_text() == str(os.getpid())
    project.serve()
    assert project.server
    assert project.run() == alone
    assert (project.folder / "parent").read_text() == str(project.server.pid)
    assert expected(alone[0])


def test_each_command_reads_the_code_as_it_is_now(project: Project) -> None:
    project.serve()
    printed = []
    for text in ("'one'", "'other'"):
        project.write("print(TEXT)", text)
        printed.append(project.run()[1])
    assert printed == ["one\n", "other\n"]


OWN_MODULES = json.loads(
    subprocess.run(
        [sys.executable, "-c", "import json, sys, stages.warm; print(json.dumps(sorted(sys.modules)))"],
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
    ).stdout
)
OWN_MODULES = [name for name in OWN_MODULES if name.startswith("stages.")]


def test_each_command_reads_the_project_s_modules_as_they_are_now(project: Project) -> None:
    """Also those that the warm process itself has imported."""
    shutil.copytree(REPOSITORY / "stages", project.folder / "stages", ignore=lambda *_: ["__pycache__"])
    body = "Path('parent').write_text(str(os.getppid()))"
    project.write(f"{body}; import {', '.join(OWN_MODULES)}; print([m.NEW for m in ({', '.join(OWN_MODULES)},)])")
    project.serve()
    assert project.server
    assert project.run()[0] == 1, "it has taken over a command before the change"
    for module in OWN_MODULES:
        with (project.folder / f"{module.replace('.', '/')}.py").open("a") as file:
            file.write("\nNEW = True\n")
    assert project.run()[1] == f"{[True] * len(OWN_MODULES)}\n"
    assert (project.folder / "parent").read_text() == str(project.server.pid)


def test_commands_run_beside_each_other(project: Project) -> None:
    project.write("Path(sys.stdin.readline().strip()).touch(); wait = sys.stdin.readline(); print(wait)")
    project.serve()
    first, second = project.start(), project.start()
    for process, name in ((first, "one"), (second, "two")):
        assert process.stdin
        process.stdin.write(f"{name}\n")
        process.stdin.flush()
    wait_for(lambda: (project.folder / "one").exists() and (project.folder / "two").exists())
    assert second.communicate("second\n")[0] == "second\n\n"
    assert first.communicate("first\n")[0] == "first\n\n"


KILLED = [("command", signal.SIGTERM), ("command", signal.SIGINT), ("command", signal.SIGKILL)]
KILLED += [("warm process", signal.SIGTERM), ("warm process", signal.SIGKILL), ("run", signal.SIGKILL)]


@pytest.mark.parametrize(("who", "sent"), KILLED)
def test_nothing_outlives_what_it_belongs_to(project: Project, who: str, sent: signal.Signals) -> None:
    project.write(SLEEP)
    project.serve()
    assert project.server
    assert project.server.stdin
    command = project.start()
    work = project.worked()
    assert work.ppid() == project.server.pid
    if who == "run":
        project.server.stdin.close()  # as the kernel does when the run ends
    else:
        (command if who == "command" else project.server).send_signal(sent)
    code = command.wait(timeout=10)
    wait_for(lambda: not work.is_running() or work.status() == psutil.STATUS_ZOMBIE, seconds=5)
    assert code == (-sent if who == "command" else -signal.SIGKILL) or (sent == signal.SIGINT and code)
    if who == "command":
        project.write("print(TEXT)")
        assert project.run()[1] == "one\n", "the next command is served"
    else:
        project.server.wait(timeout=10)


def test_a_fork_whose_command_has_ended_replaces_nothing(project: Project) -> None:
    """Even if the warm process is too slow to end it."""
    write = "from stages import files, parent; parent.follow_parent(); Path('ready').touch(); time.sleep(1.5)"
    project.write(f"{write}\nwith files.replace_file(Path('out')) as path: path.write_text('orphan')")
    project.serve()
    assert project.server
    command = project.start()
    work = project.worked()
    wait_for((project.folder / "ready").exists)
    os.kill(project.server.pid, signal.SIGSTOP)
    command.kill()
    command.communicate()
    try:
        wait_for(lambda: work.status() == psutil.STATUS_ZOMBIE)
    finally:
        os.kill(project.server.pid, signal.SIGCONT)
    assert not (project.folder / "out").exists()


REFUSED = [
    "a long environment",
    "another folder",
    "another environment",
    "other flags",
    "no process",
    "packages that can't be imported",
]


@pytest.mark.parametrize("why", REFUSED)
def test_a_command_that_is_not_taken_over_goes_on_by_itself(project: Project, tmp_path: Path, why: str) -> None:
    project.write("print(os.getppid())")
    if why != "no process":
        project.serve(("no_such_package",) if why.startswith("packages") else ())
    flags = ["-X", "utf8", "-W", "error"] if why == "other flags" else []
    more = {"OMP_NUM_THREADS": "1"} if why == "another environment" else {}
    if why == "a long environment":
        more = {f"LONG{number}": "x" * 100_000 for number in range(10)}
    folder = tmp_path / "other" if why == "another folder" else None
    if folder:
        folder.mkdir()
        more = {}
        for name in ("toy", "text.py"):
            (folder / name).symlink_to(project.folder / name)
    assert project.run(*flags, folder=folder, **more)[:2] == (0, f"{os.getpid()}\n")


def _connect() -> socket.socket:
    stranger = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    stranger.connect(f"\0{NAME}")
    return stranger


WORDS = [None, b"", b"\0" * 8, b"{}", b"[]", b"5", b"\xff" * 8, b'{"surroundings": []}', b"[" * 100_000, b"x" * 150_000]


@pytest.mark.parametrize("goes", [True, False], ids=["and goes", "and stays"])
@pytest.mark.parametrize("files", [0, 1, 3])
def test_a_stranger_s_words_change_nothing(project: Project, files: int, goes: bool) -> None:
    project.write("print(os.getppid())")
    project.serve()
    assert project.server
    assert project.server.stdin
    strangers = []
    for words in WORDS:
        strangers.append(_connect())
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            if words is not None:
                socket.send_fds(strangers[-1], [words], [0, 1, 2][:files])
            if goes:
                strangers[-1].close()
    assert project.run()[1] == f"{project.server.pid}\n"
    open_files = psutil.Process(project.server.pid).num_fds()
    assert open_files < 12 + len(strangers), "what they handed over is closed"
    project.server.stdin.close()
    assert project.server.wait(timeout=5) == 0
    for stranger in strangers:
        stranger.close()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can act as another user")
def test_another_user_is_not_listened_to(project: Project) -> None:
    project.write("print(os.getppid())")
    project.serve()
    assert project.server
    talk = f"""
import os, socket
os.setuid(65534)
stranger = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
stranger.connect("\\0{NAME}")
print(stranger.recv(1))
"""
    run = [sys.executable, "-c", talk]
    other = subprocess.run(run, capture_output=True, text=True, timeout=20, check=False)
    assert (other.stdout, other.stderr) == ("b''\n", "")
    assert project.run()[1] == f"{project.server.pid}\n"


IMPORTED = """
import importlib, json, sys
for name in sys.argv[1:]: importlib.import_module(name)
before = set(sys.modules)
for name in ("stages.finetune.__main__", "stages.evaluate.__main__"): importlib.import_module(name)
print(json.dumps([sorted(before), sorted(set(sys.modules) - before)]))
"""


def imported(*first: str) -> tuple[set[str], set[str]]:
    """The modules after `first`, and those that finetune and evaluate add."""
    run = [sys.executable, "-c", IMPORTED, *first]
    printed = subprocess.run(run, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    before, added = json.loads(printed)
    return set(before), {name for name in added if name.split(".")[0] != "stages"}


def test_its_packages_are_those_that_stages_import() -> None:
    """One less, and stages start slowly again; one more, and memory is filled for nothing."""
    _, needed = imported()
    ready, missing = imported(*warm.PACKAGES)
    assert set(warm.PACKAGES) <= needed
    assert len(missing) < len(needed) / 10
    assert not {name for name in ready if name.split(".")[0] == "stages"}, "they would run as they were at first"
