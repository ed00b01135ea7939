"""`retune deploy`: creates or updates the work pools and deployments of prefect.yaml on the configured Prefect API."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.objects import DeploymentSchedule
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound

from pipeline.repository import git
from pipeline.workers.prefect_api import open_client
from stages.errors import PipelineError
from stages.redaction import without_credentials
from stages.yaml_file import parse_yaml, read_text

FILE = "prefect.yaml"
log = logging.getLogger(__name__)


def deploy(root: Path) -> list[str]:
    """Create or update the work pools and deployments; each schedule stays switched on or off as it is.

    Args:
        root: The project's folder.

    Returns:
        The names of the deployments, FLOW/NAME.

    Raises:
        PipelineError: prefect.yaml is missing, Prefect's API does not answer or refuses the password, or Prefect can't
            deploy it; the message then is Prefect's own.
    """
    deployments = _read(root)
    environment = _environment(root)
    with open_client(purpose="take the deployments") as client:
        for pool in sorted({str(deployment["work_pool"]["name"]) for deployment in deployments}):
            _create_pool(client, pool)
        names = [f"{_flow_name(deployment)}/{deployment['name']}" for deployment in deployments]
        schedules = {name: _schedules(client, name) for name in names}
        _prefect_deploy(root, environment)
        for name in names:
            _restore_schedules(client, name, schedules[name])
    return names


def _read(root: Path) -> list[dict[str, Any]]:
    text = read_text(root / FILE)
    if text is None:
        raise PipelineError(f"{root / FILE} is missing. Restore it with: git checkout -- {FILE}")
    return list(parse_yaml(text, name=FILE)["deployments"])


def _environment(root: Path) -> dict[str, str]:
    """What `prefect deploy` puts into deployments. Prefect stores it, so the repository's URL holds no password."""
    repository = os.environ.get("RETUNE_REPOSITORY") or git.run(root, "remote", "get-url", "origin")
    stored = without_credentials(repository)
    if stored != repository:
        log.warning(
            "The URL of the repository holds a password, which is not deployed: %s is. Give each worker access of its "
            "own: a deploy key, or RETUNE_REPOSITORY in its environment (docs/workers.md).",
            stored,
        )
    return {
        "RETUNE_REPOSITORY": stored,
        "RETUNE_PROJECT": os.environ.get("RETUNE_PROJECT") or str(root),
        # Prefect also notes the URL of origin as the version of each deployment
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "remote.origin.url",
        "GIT_CONFIG_VALUE_0": stored,
    }


def _flow_name(deployment: dict[str, Any]) -> str:
    return str(deployment["entrypoint"]).rpartition(".")[2].replace("_", "-")


def _create_pool(client: SyncPrefectClient, name: str) -> None:
    try:
        client.create_work_pool(WorkPoolCreate(name=name, type="process", base_job_template=_template()))
        log.info("Created the work pool %s.", name)
    except ObjectAlreadyExists:
        log.info("The work pool %s exists.", name)


def _template() -> dict[str, Any]:
    from prefect.workers.process import ProcessWorker

    return ProcessWorker.get_default_base_job_template()


def _schedules(client: SyncPrefectClient, name: str) -> list[DeploymentSchedule]:
    try:
        return list(client.read_deployment_by_name(name).schedules)
    except ObjectNotFound:
        return []


def _prefect_deploy(root: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"],
        cwd=root,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or [f"exit code {done.returncode}"]
        raise PipelineError(f"prefect deploy failed: {lines[-1]}")


def _restore_schedules(client: SyncPrefectClient, name: str, before: Iterable[DeploymentSchedule]) -> None:
    """Switch each schedule on or off as it was: `prefect deploy` sets it to what prefect.yaml says."""
    was_active = {schedule.slug: schedule.active for schedule in before if schedule.slug}
    deployment = client.read_deployment_by_name(name)
    for schedule in deployment.schedules:
        active = was_active.get(schedule.slug or "", schedule.active)
        if active != schedule.active:
            client.update_deployment_schedule(deployment.id, schedule.id, active=active)
