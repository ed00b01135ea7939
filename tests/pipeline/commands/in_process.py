"""A command of retune in this process: as fast as a function, and with its real exit code and output."""

import contextlib
import io
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from dvc.cli import main as dvc

from pipeline import cli
from pipeline.repository import dvc_command


def dvc_in_process(patch: pytest.MonkeyPatch) -> None:
    """Let commands call DVC instead of starting it, which takes most of their time."""

    def run(root: Path, *arguments: str) -> None:
        with contextlib.chdir(root), contextlib.redirect_stdout(io.StringIO()), _loggers_as_before("dvc"):
            assert dvc([*arguments]) == 0

    patch.setattr(dvc_command, "run", run)


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.err.splitlines()


@dataclass(frozen=True)
class Commands:
    """Runs commands in a folder."""

    monkeypatch: pytest.MonkeyPatch
    capfd: pytest.CaptureFixture[str]

    def __call__(self, root: Path, *arguments: str) -> Done:
        self.monkeypatch.chdir(root)
        self.monkeypatch.setattr(sys, "argv", ["retune", *arguments])
        self.capfd.readouterr()
        code = _exit_code()
        captured = self.capfd.readouterr()
        return Done(code, captured.out, captured.err)


def run(root: Path, *arguments: str) -> Done:
    """Run a command in a folder; what it and this process print is kept, what processes of its own print is not."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(root),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(sys, "argv", ["retune", *arguments])
        code = _exit_code()
    return Done(code, out.getvalue(), err.getvalue())


def _exit_code() -> int:
    with _loggers_as_before(), pytest.raises(SystemExit) as end:
        cli.main()
    return end.value.code if isinstance(end.value.code, int) else 1


@contextlib.contextmanager
def _loggers_as_before(*others: str) -> Iterator[None]:
    """Undo what a command does to the loggers: the next one's lines would come twice, and where this one's went."""
    loggers = [logging.getLogger(name) for name in ("pipeline", "stages", *others)]
    before = [(logger, list(logger.handlers), logger.level, logger.propagate) for logger in loggers]
    try:
        yield
    finally:
        for logger, handlers, level, propagate in before:
            logger.handlers, logger.level, logger.propagate = handlers, level, propagate
