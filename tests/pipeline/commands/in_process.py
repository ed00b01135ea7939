"""A command of retune in this process: as fast as a function, and with its real exit code and output."""

import logging
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline import cli


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
        loggers = [logging.getLogger(name) for name in ("pipeline", "stages")]
        before = [(logger, list(logger.handlers), logger.level, logger.propagate) for logger in loggers]
        self.capfd.readouterr()
        try:
            with pytest.raises(SystemExit) as end:
                cli.main()
        finally:
            for logger, handlers, level, propagate in before:
                logger.handlers, logger.level, logger.propagate = handlers, level, propagate
        captured = self.capfd.readouterr()
        return Done(end.value.code if isinstance(end.value.code, int) else 1, captured.out, captured.err)
