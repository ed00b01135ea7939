"""prefect.yaml, read and written as Prefect reads it, with everything switched on or off as it is on the server.

Prefect reads YAML 1.1 with PyYAML, in which `yes` is true and JSON's `3e-05` is a text. So it is PyYAML that reads the
values here, too, and that writes them.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterName
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import IntervalSchedule

from stages.errors import PipelineError
from stages.yaml_file import parse_yaml, read_text

FILE = "prefect.yaml"
TEMPLATE = "{{"  # Prefect fills it in when it deploys
Deployment = Mapping[str, Any]


def read(root: Path) -> dict[str, Any]:
    """Return the content of prefect.yaml, of which the deployments are checked as far as they are used here.

    Raises:
        PipelineError: It is missing, is not YAML, or has no deployments; or a deployment lacks a part.
    """
    text = read_text(root / FILE)
    if text is None:
        raise PipelineError(f"{root / FILE} is missing. Restore it with: git checkout -- {FILE}")
    parse_yaml(text, name=FILE)  # whatever is wrong is an error of one line
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise PipelineError(f"{FILE} can't be read as YAML 1.1: {' '.join(str(error).split())}") from error
    deployments = content.get("deployments") if isinstance(content, dict) else None
    if not isinstance(deployments, list) or not deployments:
        raise PipelineError(f"{FILE} has no list of deployments. Restore it with: git checkout -- {FILE}")
    for number, deployment in enumerate(deployments, 1):
        if problem := _problem(deployment):
            raise PipelineError(f"{FILE}, deployment {number}: {problem}")
    return dict(content)


def _problem(deployment: Any) -> str | None:
    """Return what is wrong with an entry, and what to do; None: nothing."""
    if not isinstance(deployment, dict):
        return "it is not a mapping. Give name, entrypoint and work_pool."
    pool = deployment.get("work_pool")
    for key, value in (
        ("name", deployment.get("name")),
        ("entrypoint", deployment.get("entrypoint")),
        ("work_pool: name", pool.get("name") if isinstance(pool, dict) else None),
    ):
        if not isinstance(value, str) or not value:
            return f"{key} is missing, or is not text. Add it."
    schedules = deployment.get("schedules") or []
    if not isinstance(schedules, list) or not all(isinstance(entry, dict) for entry in schedules):
        return "schedules is not a list of mappings. Correct it."
    if not all(isinstance(entry.get("slug"), str) and entry["slug"] for entry in schedules):
        return "a schedule has no slug. Add one, such as slug: nightly: by it, Prefect knows the schedule again."
    return None


def name_of(deployment: Deployment) -> str:
    """Return FLOW/NAME as Prefect calls a deployment whose flow has the name of its function."""
    return f"{re.split('[.:]', deployment['entrypoint'])[-1].replace('_', '-')}/{deployment['name']}"


def find_deployed(client: SyncPrefectClient, deployment: Deployment) -> DeploymentResponse | None:
    """Return the deployment as the server has it: the one of its name, or of several the one of its entrypoint."""
    by_name = DeploymentFilter(name=DeploymentFilterName(any_=[deployment["name"]]))
    found = client.read_deployments(deployment_filter=by_name)
    alike = [each for each in found if each.entrypoint == deployment["entrypoint"]] or (
        found if len(found) == 1 else []
    )
    return alike[0] if alike else None


def with_states(deployment: Deployment, paused: bool, schedules: Mapping[str, DeploymentSchedule]) -> Deployment:
    """Return the entry as it is on the server where Prefect would reset that: paused, on or off, and due when.

    Args:
        deployment: The entry in prefect.yaml.
        paused: Whether the server has the deployment paused.
        schedules: The server's schedules of it, by slug.
    """
    kept: dict[str, Any] = {**deployment, "paused": paused}
    if deployment.get("schedules"):
        kept["schedules"] = [
            _with_state(entry, schedules[slug]) if (slug := _slug_on_server(entry, schedules)) else entry
            for entry in deployment["schedules"]
        ]
    return kept


def _with_state(entry: Mapping[str, Any], on_server: DeploymentSchedule) -> Mapping[str, Any]:
    """Return the entry of a schedule, on or off as on the server; an interval goes on from where it began."""
    kept = {**entry, "active": on_server.active}
    if entry.get("interval") and not entry.get("anchor_date") and isinstance(on_server.schedule, IntervalSchedule):
        kept["anchor_date"] = on_server.schedule.anchor_date.isoformat()
    return kept


def not_in_file(deployment: Deployment, schedules: Mapping[str, DeploymentSchedule]) -> list[str]:
    """Return the slugs of the server's schedules that prefect.yaml does not have."""
    entries: Sequence[Mapping[str, Any]] = deployment.get("schedules") or []
    return sorted({*schedules} - {_slug_on_server(entry, schedules) for entry in entries})


def _slug_on_server(entry: Mapping[str, Any], schedules: Mapping[str, DeploymentSchedule]) -> str | None:
    """Return the slug that the server has a schedule of prefect.yaml under: its own, or the one that it replaces."""
    return next((slug for slug in (entry["slug"], entry.get("replaces")) if slug in schedules), None)


def write(content: Mapping[str, Any]) -> str:
    """Return the text of prefect.yaml with this content, as Prefect reads it."""
    return str(yaml.safe_dump(dict(content), sort_keys=False))  # in ASCII: it writes U+0085 as a line end otherwise
