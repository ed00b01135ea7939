"""A process that has imported the large packages, and is forked for each command of a stage that is handed over to it.

Most of the time in which a stage starts goes into importing torch, transformers and Lightning. `retune run` starts this
process once (`pipeline/execution/warm_process.py`); a stage's command finds it by the variable SOCKET, hands over its
arguments, environment and open files in one message, and ends as the fork ends. The fork imports all of the project's
code itself, so changed code counts. Where anything is in the way, the command goes on by itself, as under plain
`dvc repro`.

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
from stages.parent import COMMAND, INPUTS_READ, ROOT, STAGE, end_with_parent

SOCKET = "RETUNE_WARM"  # the socket's name, in Linux's abstract namespace: no file stays behind
# Variables that no package reads.
OF_ONE_COMMAND = {SOCKET, STAGE, ROOT, INPUTS_READ, "RETUNE_STAGE", "PWD", "OLDPWD", "SHLVL", "_"}
PACKAGES = (
    "numpy",
    "pyarrow.parquet",
    "scipy.stats",
    "torch",
    "transformers.modeling_utils",
    "lightning.pytorch",
    "peft",
)
LARGEST = 2**20  # bytes of a message; Linux by itself sends a fifth of that, and a command with more goes on by itself


def listen(name: str) -> socket.socket:
    """The socket on which the warm process gets its messages: each arrives whole or not at all.

    Raises:
        OSError: There is none of that kind.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(f"\0{name}")
    listener.listen()
    return listener


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
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        try:
            connection.connect(f"\0{name}")
            if _peer(connection)[1] != os.getuid():
                return None
            module = spec.name.removesuffix(".__main__") if (spec := sys.modules["__main__"].__spec__) else ""
            own = {name: value for name, value in os.environ.items() if name in OF_ONE_COMMAND}
            said = {"surroundings": _surroundings(), "own": own, "module": module, "arguments": sys.argv[1:]}
            socket.send_fds(connection, [json.dumps(said).encode()], [0, 1, 2])
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
        own: Its own variables; all others are equal.
    """

    connection: socket.socket
    files: list[int]
    module: str
    arguments: list[str]
    own: dict[str, str]


@dataclass
class _Server:
    """Forks for each command, tells it how its fork ended, and ends the fork whose command has ended."""

    listener: socket.socket
    surroundings: list[Any]  # before the packages set variables
    silent: list[socket.socket] = field(default_factory=list)  # have connected, and handed nothing over yet
    running: dict[int, socket.socket] = field(default_factory=dict)  # number of the fork -> its command

    def serve(self) -> _Handed:
        """Serve until standard input is closed; it returns in the forks only."""
        awake, wake = os.pipe()
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        while True:
            watched: list[Any] = [0, awake, self.listener, *self.silent, *self.running.values()]
            ready, _, _ = select.select(watched, [], [])
            if 0 in ready and not os.read(0, 1):
                os._exit(0)  # and the kernel ends the forks
            if awake in ready:
                os.read(awake, 4096)
                self._tell_ended()
            for process, connection in self.running.items():
                if connection in ready:  # a command says nothing more, so it has ended
                    os.kill(process, signal.SIGKILL)
            for connection in [connection for connection in self.silent if connection in ready]:
                self.silent.remove(connection)
                if (handed := _receive(connection, self.surroundings)) and self._fork(handed):
                    return handed
            if self.listener in ready:
                self._accept()

    def _accept(self) -> None:
        """Let a process of the same user connect; no other can say anything."""
        with contextlib.suppress(OSError):
            connection, _ = self.listener.accept()
            if _peer(connection)[1] == os.getuid():
                self.silent.append(connection)
            else:
                connection.close()

    def _fork(self, handed: _Handed) -> bool:
        """Return True in the fork."""
        own, process = os.getpid(), -1
        with contextlib.suppress(OSError):  # no memory: the command goes on by itself
            process = os.fork()
        if process:
            for descriptor in handed.files:
                os.close(descriptor)
            if process < 0:
                handed.connection.close()
                return False
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
        for other in (self.listener, *self.silent, *self.running.values()):
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


def _receive(connection: socket.socket, surroundings: list[Any]) -> _Handed | None:
    """The command that is handed over; None, and it goes on by itself, if a fork would not act as it does."""
    files: list[int] = []
    try:
        message, files, _, _ = socket.recv_fds(connection, LARGEST, 3, socket.MSG_DONTWAIT)
        said = json.loads(message)
        if said["surroundings"] != surroundings or len(files) != 3:
            raise ValueError("it has another interpreter, folder or environment")
        return _Handed(connection, files, said["module"], said["arguments"], said["own"])
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        sys.stderr.write(f"not taken over: {error}\n")
        connection.close()
        for descriptor in files:
            os.close(descriptor)
        return None


def _become(handed: _Handed) -> None:
    """Take over the command's open files, variables and arguments, and forget the project's code."""
    for number, descriptor in enumerate(handed.files):
        os.dup2(descriptor, number)
        os.close(descriptor)
    command, _ = _peer(handed.connection)
    handed.connection.detach()  # so that it stays open until this process ends
    os.environ.update({**handed.own, COMMAND: str(command)})
    sys.argv[1:] = handed.arguments
    for name in [name for name in sys.modules if name.partition(".")[0] == "stages"]:
        del sys.modules[name]  # it may have changed since
    importlib.invalidate_caches()


def main() -> None:
    """Import the packages, then serve the commands; in a fork, run the command."""
    listener, surroundings = socket.socket(fileno=int(sys.argv[1])), _surroundings()
    listener.setblocking(False)
    start_imports()
    for package in PACKAGES:
        importlib.import_module(package)
    end_imports()
    handed = _Server(listener, surroundings).serve()
    _become(handed)
    runpy.run_module(handed.module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
