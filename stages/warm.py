"""A process that has imported the large packages, and is forked for each command of a stage that is handed over to it.

Most of the time in which a stage starts goes into importing torch, transformers and Lightning. `retune run` starts this
process once (`pipeline/execution/warm_process.py`); a stage's command finds it by the variable SOCKET, hands over its
arguments, environment and open files, and ends as the fork ends. The fork imports the project's code itself, so changed
code counts. Where anything is in the way, the command goes on by itself, as under plain `dvc repro`.

If the command ends first, this process ends its fork; if this process ends, the kernel ends the forks, and if the run
ends, this process does.
"""

import contextlib
import importlib
import json
import os
import runpy
import select
import signal
import socket
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stages.importing import end_imports, start_imports
from stages.parent import COMMAND, ROOT, STAGE, end_with_parent

SOCKET = "RETUNE_WARM"  # the socket's name, in Linux's abstract namespace: no file stays behind
OF_ONE_COMMAND = {SOCKET, STAGE, ROOT, "RETUNE_STAGE", "PWD", "OLDPWD", "SHLVL", "_"}  # what no package reads
PACKAGES = (
    "numpy",
    "pyarrow.parquet",
    "scipy.stats",
    "torch",
    "transformers.modeling_utils",
    "lightning.pytorch",
    "peft",
)
LARGEST = 2**24  # bytes of arguments and environment; Linux allows less
SECONDS = 10.0  # for a command to say all of what it hands over
_kept: list[socket.socket] = []  # a fork's end of the connection, open until it ends


def hand_over() -> None:
    """Have this command run by the warm process, and end as its fork ends; return if there is none or it refuses."""
    name = os.environ.pop(SOCKET, None)
    if name is None or sys.platform != "linux":
        return
    if STAGE in os.environ:
        end_with_parent()
    code = _ask(name)
    if code is None:
        return
    if code < 0:
        with contextlib.suppress(OSError):  # no process may choose how SIGKILL acts
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def _ask(name: str) -> int | None:
    """Return the exit code of the fork, negative for a signal; None: it was not forked."""
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(f"\0{name}")
            if not _is_of_same_user(connection):
                return None
            module = spec.name.removesuffix(".__main__") if (spec := sys.modules["__main__"].__spec__) else ""
            said = {"surroundings": _surroundings(), "environment": dict(os.environ)}
            body = json.dumps({**said, "module": module, "arguments": sys.argv[1:]}).encode()
            socket.send_fds(connection, [struct.pack("!Q", len(body))], [0, 1, 2])
            connection.sendall(body)
            if not connection.recv(1):
                return None
        except OSError:
            return None
        with contextlib.suppress(OSError):
            if answer := connection.recv(4):
                return int(struct.unpack("!i", answer)[0])
    return -signal.SIGKILL  # the warm process was killed, and its fork with it


def _surroundings() -> list[Any]:
    """What must be equal here and there for a fork to act as the command."""
    variables = {name: value for name, value in os.environ.items() if name not in OF_ONE_COMMAND}
    return [sys.executable, list(sys.flags), sys.warnoptions, str(Path.cwd()), variables]


def _is_of_same_user(connection: socket.socket) -> bool:
    return _peer(connection)[1] == os.getuid()


def _peer(connection: socket.socket) -> tuple[int, int]:
    """The process and the user at the other end, as the kernel knows them."""
    form = struct.Struct("3i")  # Source: unix(7), struct ucred
    process, user, _group = form.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, form.size))
    return process, user


@dataclass
class _Handed:
    """A command that was handed over.

    Attributes:
        connection: To the process of the command.
        files: Its standard input, output and error.
    """

    connection: socket.socket
    files: list[int]
    module: str
    arguments: list[str]
    environment: dict[str, str]


@dataclass
class _Server:
    """Forks for each command, tells it how its fork ended, and ends the fork whose command has ended."""

    listener: socket.socket
    surroundings: list[Any]  # before the packages set variables
    running: dict[int, socket.socket] = field(default_factory=dict)  # number of the fork -> its command

    def serve(self) -> _Handed:
        """Serve until standard input is closed; it returns in the forks only."""
        awake, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        while True:
            watched: list[Any] = [0, awake, self.listener, *self.running.values()]
            ready, _, _ = select.select(watched, [], [])
            if 0 in ready and not os.read(0, 1):
                self._end()
            if awake in ready:
                os.read(awake, 4096)
                self._tell_ended()
            for process, connection in self.running.items():
                if connection in ready:  # a command says nothing more, so it has ended
                    os.kill(process, signal.SIGKILL)
            if self.listener in ready and (handed := self._accept()):
                if self._fork(handed):
                    for descriptor in (awake, wake):
                        os.close(descriptor)
                    return handed
                for descriptor in handed.files:
                    os.close(descriptor)

    def _accept(self) -> _Handed | None:
        """The next command; None, and the command goes on by itself, if a fork would not act as it does."""
        connection, _ = self.listener.accept()
        try:
            connection.settimeout(SECONDS)
            return _receive(connection, self.surroundings)
        except (OSError, ValueError, LookupError, TypeError, struct.error) as error:
            sys.stderr.write(f"not taken over: {error}\n")
            connection.close()
            return None

    def _fork(self, handed: _Handed) -> bool:
        """Return True in the fork."""
        own = os.getpid()
        try:
            process = os.fork()
        except OSError:  # no memory: the command goes on by itself
            handed.connection.close()
            return False
        if process:
            self.running[process] = handed.connection
            sys.stderr.write(f"{handed.module} runs as process {process}\n")
            with contextlib.suppress(OSError):
                handed.connection.send(b"+")
            return False
        end_with_parent()
        if os.getppid() != own:
            os._exit(1)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for other in (self.listener, *self.running.values()):
            other.close()
        return True

    def _tell_ended(self) -> None:
        while self.running:
            process, status = os.waitpid(-1, os.WNOHANG)
            if not process:
                return
            connection = self.running.pop(process)
            with contextlib.suppress(OSError), connection:
                connection.send(struct.pack("!i", os.waitstatus_to_exitcode(status)))

    def _end(self) -> None:
        for process in self.running:
            os.kill(process, signal.SIGKILL)
        for process in self.running:
            os.waitpid(process, 0)
        os._exit(0)


def _receive(connection: socket.socket, surroundings: list[Any]) -> _Handed:
    """The command that is handed over.

    Raises:
        OSError: It ended or fell silent meanwhile.
        ValueError: A fork would not act as it does.
    """
    start, files, _, _ = socket.recv_fds(connection, 8, 3)
    try:
        (size,) = struct.unpack("!Q", start)
        if len(files) != 3 or size > LARGEST:
            raise ValueError("it is no command")
        with connection.makefile("rb") as stream:
            said = json.loads(stream.read(size))
        if not _is_of_same_user(connection) or said["surroundings"] != surroundings:
            raise ValueError("it has another user, interpreter, folder or environment")
    except BaseException:
        for descriptor in files:
            os.close(descriptor)
        raise
    return _Handed(connection, files, said["module"], said["arguments"], said["environment"])


def _become(handed: _Handed) -> None:
    """Take over the command's open files, environment and arguments."""
    for number, descriptor in enumerate(handed.files):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.environ.update({**handed.environment, COMMAND: str(_peer(handed.connection)[0])})  # all that packages set stays
    sys.argv[1:] = handed.arguments
    _kept.append(handed.connection)


def main() -> None:
    """Import the packages, then serve the commands; in a fork, run the command."""
    listener, surroundings = socket.socket(fileno=int(sys.argv[1])), _surroundings()
    start_imports()
    for package in PACKAGES:
        importlib.import_module(package)
    end_imports()
    handed = _Server(listener, surroundings).serve()
    _become(handed)
    runpy.run_module(handed.module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
