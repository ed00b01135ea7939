"""`retune status`: what runs where at this moment."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.terminal import console, project_root, show_table
from stages.errors import PipelineError

if TYPE_CHECKING:
    from pipeline.status.activity import Activity


def status(
    as_json: Annotated[
        bool, typer.Option("--json", help="Print name, run, state, where, since, ends and address of each as JSON.")
    ] = False,
) -> None:
    """Show what runs where, since when, and when it is expected to end: in this folder, and on the workers.

    The workers' part comes from Prefect's API, which PREFECT_API_URL names. Without it only this folder is shown; with
    it the command also works outside a project.

    Example: `PREFECT_API_URL=http://server:4200/api retune status`
    """
    from pipeline.status.activity import without_doubles

    url, elsewhere, failure = _read_server()
    activities = without_doubles(_read_here(is_enough=url is None), elsewhere)
    if as_json:
        entries = [activity.as_json() for activity in activities]
        typer.echo(json.dumps({"api": url, "activities": entries}, indent=2, ensure_ascii=False))
    else:
        _show(activities, url)
    if failure:
        raise failure


def _show(activities: "list[Activity]", url: str | None) -> None:
    from pipeline.status.table import status_table

    if activities:
        show_table(status_table(activities, datetime.now(UTC)))
    else:
        console.print("Nothing runs.")
    if url is None:
        console.print("Only this folder is shown: PREFECT_API_URL is not set. The workers' server: docs/workers.md")


def _read_here(*, is_enough: bool) -> "list[Activity]":
    """What runs in this project's folder; nothing outside of one, unless this is all that is shown.

    Raises:
        PipelineError: There is no project here, and nothing else to show.
    """
    from pipeline.status.here import activities_here

    try:
        return activities_here(project_root())
    except PipelineError:
        if is_enough:
            raise
        return []


def _read_server() -> "tuple[str | None, list[Activity], PipelineError | None]":
    """The address of the configured API (None: none is), what runs there, and why that is unknown if it is."""
    from pipeline.local.server import configured_api

    try:
        url = configured_api()
    except PipelineError as error:
        return None, [], error
    if url is None:
        return None, [], None
    from pipeline.status.prefect import read_activities

    try:
        return url, read_activities(), None
    except PipelineError as error:
        return url, [], error
