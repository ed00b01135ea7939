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


def run_ui(root: Path, console: Console, *, port: int) -> None:
    """Start a Prefect server with its UI and a worker with the deployment `retrain/local`, until Ctrl-C.

    Args:
        root: The project's folder, in which the worker runs.
        console: Where to print the address.
        port: Of the server on this machine; not used where PREFECT_API_URL is configured.

    Raises:
        PipelineError: The port is taken, or the server does not start.
    """
    os.chdir(root)
    with _sigterm_like_ctrl_c(), server.api(port=port, ui=True):
        from prefect.settings import PREFECT_API_URL

        from pipeline.flows import retrain

        address = str(PREFECT_API_URL.value()).removesuffix("/api")
        console.print(f"Prefect's UI: {address}")
        console.print("Start a run there (Deployments, retrain/local) or with: retune run")
        console.print(f"Report there from another terminal with: PREFECT_API_URL={address}/api retune run")
        console.print("Stop with Ctrl-C.")
        try:
            retrain.serve(name="local", limit=1, print_starting_message=False, pause_on_shutdown=False)
        except KeyboardInterrupt:
            console.print("Stopped.")
