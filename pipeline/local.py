"""Runs the flow in this process, for `retune run`."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from pipeline import listener, server
from pipeline.display import Board, Lines
from stages.errors import PipelineError

STOPPED = 130  # exit code after Ctrl-C, as shells have it


def run_flow(root: Path, console: Console, **parameters: Any) -> bool:
    """Run the flow `retrain` and show it; return whether Prefect's API was a configured one.

    Args:
        root: The project's folder.
        console: Where to show it.
        **parameters: Those of the flow.

    Raises:
        PipelineError: A stage failed; the message is the stage's own error line.
    """
    os.chdir(root)
    with _sigterm_like_ctrl_c(), server.api() as configured, _listening(console):
        from pipeline.flows import retrain

        state = retrain(**parameters, return_state=True)
    if state.is_cancelled():
        console.print(state.message)
        raise SystemExit(STOPPED)
    if not state.is_completed():
        raise PipelineError(state.message or f"The flow ended as {state.name}.")
    console.print(f"Done: {state.message}.")
    return configured


@contextlib.contextmanager
def _listening(console: Console) -> Iterator[None]:
    if console.is_terminal:
        with Board(console) as board:
            token = listener.current.set(board)
            yield
            listener.current.reset(token)
        return
    token = listener.current.set(Lines(console))
    yield
    listener.current.reset(token)


@contextlib.contextmanager
def _sigterm_like_ctrl_c() -> Iterator[None]:
    """A polite end is an end in order: what runs is stopped, half outputs are removed."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
