"""`retune status`: what runs where at this moment."""

import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from pipeline.commands.terminal import console, project_root, show_table
from stages.errors import PipelineError
from stages.redaction import redact

if TYPE_CHECKING:
    from pipeline.status.activity import Activity


class _Server(NamedTuple):
    """What the configured Prefect API says.

    Args:
        url: Its address; None: none is configured.
        activities: What runs there.
        failure: Why that is unknown; None where it is known.
        problem: The same in a few words that follow the address.
    """

    url: str | None
    activities: "list[Activity]"
    failure: PipelineError | None = None
    problem: str = ""


def status(
    as_json: Annotated[
        bool,
        typer.Option(
            "--json",
            help="Print name, run, state, where, since, ends and address of each as JSON, and the error where the "
            "server does not answer.",
        ),
    ] = False,
) -> None:
    """Show what runs where, since when, and when it is expected to end: in this folder, and on the workers.

    The workers' part comes from Prefect's API, which PREFECT_API_URL names. Without it only this folder is shown; with
    it the command also works outside a project.

    Example: `PREFECT_API_URL=http://server:4200/api retune status`
    """
    from pipeline.status.activity import without_doubles

    server = _read_server()
    here = _read_here(is_enough=server.url is None)
    activities = without_doubles(here or [], server.activities)
    if as_json:
        state = {
            "api": server.url and redact(server.url),
            "error": str(server.failure) if server.failure else None,
            "activities": [activity.as_json() for activity in activities],
        }
        typer.echo(json.dumps(state, indent=2, ensure_ascii=False))
    elif here is not None or not server.failure:
        _show(activities, server)
    if server.failure:
        raise server.failure


def _show(activities: "list[Activity]", server: _Server) -> None:
    from pipeline.status.table import status_table

    only_here = server.url is None or server.failure is not None
    if activities:
        show_table(status_table(activities, datetime.now(UTC)))
    else:
        console.print("Nothing runs in this folder." if only_here else "Nothing runs.")
    if server.url is None:
        console.print("Only this folder is shown: PREFECT_API_URL is not set. The workers' server: docs/workers.md")
    elif only_here:
        console.print(f"Only this folder is shown: the server at {redact(server.url)} {server.problem}.")


def _read_here(*, is_enough: bool) -> "list[Activity] | None":
    """What runs in this project's folder; None outside of one, unless this is all that is shown.

    Raises:
        PipelineError: There is no project here, and nothing else to show.
    """
    from pipeline.status.here import activities_here

    try:
        return activities_here(project_root())
    except PipelineError:
        if is_enough:
            raise
        return None


def _read_server() -> _Server:
    """Read what runs by the configured API; a failure is returned, because this folder is shown all the same."""
    from pipeline.local.server import check_settings, configured_api

    try:
        check_settings()
    except PipelineError as error:
        return _Server(os.environ.get("PREFECT_API_URL") or None, [], error, "was not asked")
    try:
        url = configured_api()
    except PipelineError as error:
        from prefect.settings import PREFECT_API_URL

        return _Server(PREFECT_API_URL.value(), [], error, "did not answer")
    if url is None:
        return _Server(None, [])
    from pipeline.status.prefect import read_activities

    try:
        return _Server(url, read_activities())
    except PipelineError as error:
        return _Server(url, [], error, "did not list the runs elsewhere")
