"""Starts the flow: in this process for `retune run`, or whenever Prefect's UI asks for it for `retune ui`."""

import contextlib
import logging
import os
import signal
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from pipeline.local import server
from pipeline.local.display import LiveTable, PlainLines
from pipeline.local.listener import listening
from stages.errors import PipelineError

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

INTERRUPTED = 130  # exit code after Ctrl-C: 128 + SIGINT, as in shells
log = logging.getLogger(__name__)


def run_flow(root: Path, console: Console, *, on_api_lost: Callable[[], None], **parameters: Any) -> bool:
    """Run the flow `retrain` and show its progress; return whether it reported to a configured Prefect API.

    Args:
        root: The project's folder.
        console: Where to show the progress.
        on_api_lost: Called when Prefect's API went away during the run; the stages still run to their end.
        **parameters: The flow's parameters.

    Raises:
        PipelineError: A stage failed; the message is the stage's own error line.
    """
    os.chdir(root)
    with _sigterm_as_ctrl_c(), server.api() as configured:
        state = _retrain(console, parameters, on_api_lost)
    if state.is_cancelled():
        console.print(state.message)
        raise SystemExit(INTERRUPTED)
    if not state.is_completed():
        raise PipelineError(state.message or f"The flow ended in the state {state.name}.")
    console.print(f"Done: {state.message}.")
    return configured


def _retrain(console: Console, parameters: dict[str, Any], on_api_lost: Callable[[], None]) -> "State[Any]":
    """The flow's final state, even where Prefect's API went away before it could be reported."""
    import httpx

    from pipeline.local.flow import retrain

    logging.raiseExceptions = False  # a log line that can't be sent prints no traceback: one warning follows at the end
    with LiveTable(console) if console.is_terminal else contextlib.nullcontext(PlainLines(console)) as display:
        try:
            with listening(display):
                state: State[Any] = retrain(**parameters, return_state=True)
            return state
        except httpx.HTTPError as error:
            on_api_lost()
            if display.final_state is None:
                raise PipelineError(
                    f"Prefect's API stopped answering before the first stage started ({error}). Run it again."
                ) from error
    log.warning("Prefect's API stopped answering during the run: its UI does not show the end. No result is lost.")
    return display.final_state


@contextlib.contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """Treat SIGTERM as Ctrl-C: the running stages are stopped and their incomplete outputs are removed."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def serve_flow(root: Path, console: Console, *, port: int) -> None:
    """Start a Prefect server with its UI and serve the deployment `retrain/local`, until Ctrl-C.

    Args:
        root: The project's folder, in which the flow runs.
        console: Where to print the address.
        port: Port of the server on this machine; ignored where PREFECT_API_URL is configured.

    Raises:
        PipelineError: The port is taken, or the server does not start.
    """
    os.chdir(root)
    with _sigterm_as_ctrl_c(), server.api(port=port, ui=True):
        from prefect.settings import PREFECT_API_URL

        from pipeline.local.flow import retrain

        address = str(PREFECT_API_URL.value()).removesuffix("/api")
        console.print(f"Prefect's UI: {address}")
        console.print("Start a run there (Deployments, retrain/local) or here with: retune run")
        console.print(f"To see a run from another terminal there: PREFECT_API_URL={address}/api retune run")
        console.print("Stop with Ctrl-C.")
        # Prefect's handler of SIGTERM leaves the coroutine behind, and ends the runner all the same.
        warnings.filterwarnings("ignore", "coroutine 'Runner.astop' was never awaited", RuntimeWarning)
        try:
            retrain.serve(name="local", limit=1, print_starting_message=False, pause_on_shutdown=False)
        except KeyboardInterrupt:
            console.print("Stopped.")
