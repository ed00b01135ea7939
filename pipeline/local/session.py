"""Runs the flow in this process, for `retune run`."""

import contextlib
import logging
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from pipeline.execution import listener
from pipeline.local import server
from pipeline.local.display import Board, Lines, Screen
from stages.errors import PipelineError

STOPPED = 130  # exit code after Ctrl-C, as shells have it
log = logging.getLogger(__name__)


def run_flow(root: Path, console: Console, *, on_lost: Callable[[], None], **parameters: Any) -> bool:
    """Run the flow `retrain` and show it; return whether Prefect's API was a configured one.

    Args:
        root: The project's folder.
        console: Where to show it.
        on_lost: Called where Prefect's API went away meanwhile; the stages have come to their end all the same.
        **parameters: Those of the flow.

    Raises:
        PipelineError: A stage failed; the message is the stage's own error line.
    """
    os.chdir(root)
    with _sigterm_like_ctrl_c(), server.api() as configured:
        state = _retrain(console, parameters, on_lost)
    if state.is_cancelled():
        console.print(state.message)
        raise SystemExit(STOPPED)
    if not state.is_completed():
        raise PipelineError(state.message or f"The flow ended as {state.name}.")
    console.print(f"Done: {state.message}.")
    return configured


def _retrain(console: Console, parameters: dict[str, Any], on_lost: Callable[[], None]) -> Any:
    """The state in which the flow ended, also where Prefect's API can't be told it any more."""
    import httpx

    from pipeline.local.flow import retrain

    logging.raiseExceptions = False  # lines of the log that can't be sent are no news: the end says it once
    with _listening(console) as screen:
        try:
            return retrain(**parameters, return_state=True)
        except httpx.HTTPError as error:
            on_lost()
            if screen.conclusion is None:
                raise PipelineError(f"Prefect's API went away before the first stage ({error}). Try again.") from error
    log.warning("Prefect's API stopped answering during the run: its UI does not show the end. No result is lost.")
    return screen.conclusion


@contextlib.contextmanager
def _listening(console: Console) -> Iterator[Screen]:
    with Board(console) if console.is_terminal else contextlib.nullcontext(Lines(console)) as screen:
        token = listener.current.set(screen)
        try:
            yield screen
        finally:
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

        from pipeline.local.flow import retrain

        address = str(PREFECT_API_URL.value()).removesuffix("/api")
        console.print(f"Prefect's UI: {address}")
        console.print("Start a run there (Deployments, retrain/local) or with: retune run")
        console.print(f"Report there from another terminal with: PREFECT_API_URL={address}/api retune run")
        console.print("Stop with Ctrl-C.")
        try:
            retrain.serve(name="local", limit=1, print_starting_message=False, pause_on_shutdown=False)
        except KeyboardInterrupt:
            console.print("Stopped.")
