"""Runs one stage as `dvc --wait-for-lock repro -s STAGE` in a watched process tree, with a log file of its own."""

import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO

from pipeline.execution import process_tree
from pipeline.execution.proxies import own_proxies
from stages.redaction import redact

LOGS = ".retune/logs"
MARKER = "RETUNE_WORKSPACE"  # set for every process that a run starts: how leftover processes are found
STAGE_MARKER = "RETUNE_STAGE"
HINTS = (  # first words of DVC's lines that only concern people who run DVC themselves
    *("To track the changes", "git add", "To enable auto staging", "dvc config core.autostage", "Use `dvc push`"),
    *("Running stage '", "Updating lock file", "Generating lock file"),
)
RUNNING = "Running stage '"  # DVC's line before the command; without it the results came from the cache or the remote
BEGINNINGS = (RUNNING, "Stage '")  # DVC's lines when it starts the command, or checks outputs out
NO_MEMORY = re.compile(
    r"std::bad_alloc|^memory allocation of \d+ bytes failed"
)  # of C++ and of Rust, before they abort
BUSY = re.compile(r"ERROR: (?:.*: )?'(.+)' is busy, it is being blocked by:")
LineHandler = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """How a stage ended.

    Attributes:
        error: What went wrong, in one line; None if nothing did.
        own_error: The stage itself ended with an error, so another try is useless; else the machine ended it.
        restored: DVC took the result from the run-cache.
        stopped: `Running.stop` ended it.
        began: Its command, or the restoring of its outputs, had begun, so what it left half is its own.
    """

    stage: str
    seconds: float
    log: Path
    error: str | None = None
    own_error: bool = False
    restored: bool = False
    stopped: bool = False
    began: bool = False


@dataclass
class Running:
    """A running stage; `stop` may be called from any thread.

    Attributes:
        process: The process of `process_tree`; closing its standard input ends the whole tree.
    """

    stage: str
    process: subprocess.Popen[bytes]
    log: Path
    started: float = field(default_factory=time.monotonic)
    stopped: bool = False

    def stop(self) -> None:
        """End the stage and every process that it started; `wait` then returns."""
        self.stopped = True
        self._close()

    def wait(self, on_line: LineHandler) -> Outcome:
        """Pass every line but DVC's hints to `on_line` until the stage ends."""
        lines: list[str] = []
        with self.log.open("wb") as log:
            for line in _lines(self.process, log):
                lines.append(line)
                if not line.strip().startswith(HINTS):
                    on_line(line)
        code = self.process.wait()
        self._close()
        seconds = time.monotonic() - self.started
        outcome = partial(
            Outcome, self.stage, seconds, self.log, began=any(line.startswith(BEGINNINGS) for line in lines)
        )
        if self.stopped and code:
            return outcome(error=f"{self.stage} was stopped", stopped=True)
        if code == process_tree.TIMED_OUT:
            return outcome(error=f"it was stopped after {seconds:.0f} seconds (meta.timeout in dvc.yaml)")
        if code:
            return outcome(error=error_line(lines, code), own_error=is_own_error(lines))
        return outcome(restored=not any(line.strip().startswith(RUNNING) for line in lines))

    def _close(self) -> None:
        if self.process.stdin and not self.process.stdin.closed:
            self.process.stdin.close()


def start(
    root: Path,
    stage: str,
    *,
    command: Sequence[str] | None = None,
    options: Sequence[str] = (),
    timeout: float | None = None,
    environment: Mapping[str, str] | None = None,
) -> Running:
    """Start a stage.

    Args:
        root: The project's folder.
        stage: Its name in dvc.yaml.
        command: What DVC does for it first, such as `checkout`; None: `repro -s STAGE`.
        options: Further options of `dvc repro`, such as --force and --pull.
        timeout: Seconds after which its whole process tree is ended; None: no limit.
        environment: Further variables, such as CUDA_VISIBLE_DEVICES.
    """
    log = root / LOGS / f"{stage}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    limit = ["--timeout", str(timeout)] if timeout else []
    dvc = [sys.executable, "-m", "dvc", "--wait-for-lock", *(command or ["repro", *options, "-s", stage])]
    process = subprocess.Popen(
        [sys.executable, "-P", process_tree.__file__, *limit, "--", *dvc],
        cwd=root,
        env={**stage_environment(root), STAGE_MARKER: stage, **(environment or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # Ctrl-C reaches only this process, which ends the tree in order
    )
    return Running(stage, process, log)


def stage_environment(root: Path) -> dict[str, str]:
    """This process's environment, with `python` as this interpreter and the marks of a run."""
    first = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {
        **os.environ,
        **own_proxies(),
        "PATH": first,
        "PYTHONUNBUFFERED": "1",
        "DVC_NO_ANALYTICS": "1",
        MARKER: str(root.resolve()),
    }


def is_own_error(lines: Sequence[str]) -> bool:
    """Whether the stage's command itself ended with an error: not by a signal, and not DVC before or after it.

    An abort is its own: a library in C++ or Rust that gets no memory ends the process so.
    """
    codes = [int(code) for line in lines for code in re.findall(r"failed to run: .*, exited with (-?\d+)", line)]
    return bool(codes) and (0 < codes[-1] <= 128 or codes[-1] in (-signal.SIGABRT, 128 + signal.SIGABRT))


def error_line(lines: Sequence[str], code: int) -> str:
    """The stage's own error line; else the last line of its traceback; else DVC's error."""
    own = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    if own:
        return own[-1]
    if no_memory := [line for line in lines if NO_MEMORY.search(line)]:
        return (
            f"it ran out of memory ({no_memory[-1].strip()}). Use a machine with more memory, or make its work smaller"
        )
    dvc = next((index for index, line in enumerate(lines) if line.startswith("ERROR: ")), len(lines))
    traces = [index for index, line in enumerate(lines[:dvc]) if line.startswith("Traceback ")]
    if traces:
        last = [line for line in lines[traces[-1] : dvc] if line and not line.startswith((" ", "Traceback "))]
        if last:
            return last[-1]
    if busy := [match.group(1) for line in lines if (match := BUSY.search(line))]:
        users = ", ".join(dict.fromkeys(line.strip() for line in lines if line.strip().startswith("(PID ")))
        return f"{busy[-1]} is in use by another DVC command: {users}. Wait for it to end, then run again"
    errors = [line.removeprefix("ERROR: ") for line in lines[dvc:] if line.startswith("ERROR: ")]
    return errors[-1] if errors else f"it ended with exit code {code} and printed no error"


def _lines(process: subprocess.Popen[bytes], log: IO[bytes]) -> Iterator[str]:
    """Each line as it is printed, without secrets, also written to the log.

    It ends when the process does, even if its tree lives on.
    """
    stdout = process.stdout
    if stdout is None:
        return
    descriptor, rest = stdout.fileno(), b""
    while True:
        ready, _, _ = select.select([descriptor], [], [], 1.0)
        chunk = os.read(descriptor, 65536) if ready else b""
        if (ready and not chunk) or (not ready and process.poll() is not None):
            break
        *whole, rest = (rest + chunk).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        for line in whole:
            yield from _logged(line, log)
    yield from _logged(rest, log)
    stdout.close()


def _logged(line: bytes, log: IO[bytes]) -> Iterator[str]:
    """Write the line to the log without secrets, and yield it unless it is blank."""
    text = redact(line.decode(errors="replace"))
    if text.strip():
        log.write(f"{text}\n".encode())
        log.flush()
        yield text
