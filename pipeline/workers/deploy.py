"""`retune deploy`: creates or updates the work pools and deployments of prefect.yaml on the configured Prefect API."""

import itertools
import logging
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectAlreadyExists

from pipeline.repository import git
from pipeline.workers import prefect_yaml
from pipeline.workers.prefect_api import open_client
from stages.errors import PipelineError
from stages.redaction import without_credentials

TRACEBACK = "Traceback (most recent call last):"
INVALID = re.compile(r"^Invalid (?:top-level )?fields in .*?(?=^Skipping |\Z)", re.DOTALL | re.MULTILINE)
MORE = re.compile(r"^For valid .*?https?://\S+", re.DOTALL | re.MULTILINE)  # the address of Prefect's manual
NOT_A_REASON = ("An exception occurred.",)  # what Prefect prints below a traceback
PANEL = "╭│╰"  # the first character of each line of a panel
log = logging.getLogger(__name__)


def deploy(root: Path) -> list[str]:
    """Create or update the work pools and deployments; what is paused or switched off stays so.

    Args:
        root: The project's folder.

    Returns:
        The names of the deployments, FLOW/NAME.

    Raises:
        PipelineError: prefect.yaml is missing, Prefect's API does not answer or refuses the password, or Prefect can't
            deploy it; the message then is Prefect's own.
    """
    content = prefect_yaml.read(root)
    deployments = content["deployments"]
    environment = _environment(root)
    with open_client(purpose="accept the deployments") as client:
        for pool in sorted({deployment["work_pool"]["name"] for deployment in deployments}):
            if prefect_yaml.TEMPLATE not in pool:
                _create_pool(client, pool)
        kept = [_keep_states(client, deployment) for deployment in deployments]
        _prefect_deploy(root, prefect_yaml.write({**content, "deployments": kept}), environment)
    return [prefect_yaml.name_of(deployment) for deployment in deployments]


def _environment(root: Path) -> dict[str, str]:
    """What `prefect deploy` puts into deployments. Prefect stores it, so the repository's URL holds no password."""
    repository = os.environ.get("RETUNE_REPOSITORY") or git.run(root, "remote", "get-url", "origin")
    stored = without_credentials(repository)
    if stored != repository:
        log.warning(
            "The URL of the repository holds a password, so %s is deployed without it. Give each worker its own "
            "access: a deploy key, or RETUNE_REPOSITORY in its environment (docs/workers.md).",
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


def _create_pool(client: SyncPrefectClient, name: str) -> None:
    try:
        client.create_work_pool(WorkPoolCreate(name=name, type="process", base_job_template=_template()))
        log.info("Created the work pool %s.", name)
    except ObjectAlreadyExists:
        log.info("The work pool %s exists.", name)


def _template() -> dict[str, Any]:
    from prefect.workers.process import ProcessWorker

    return ProcessWorker.get_default_base_job_template()


def _keep_states(client: SyncPrefectClient, deployment: prefect_yaml.Deployment) -> prefect_yaml.Deployment:
    """Return an entry of prefect.yaml, paused or not and with each schedule on or off as it is on the server.

    `prefect deploy` sets all of this in the same request as the rest of the deployment, so at no moment is something
    switched off that was on. It deletes all schedules of a deployment that has one without a slug: that one gets a
    slug first.
    """
    deployed = prefect_yaml.find_deployed(client, deployment)
    if deployed is None:
        return deployment
    for schedule in deployed.schedules:
        if not schedule.slug:  # without the parameters, Prefect would remove them
            client.update_deployment_schedule(
                deployed.id, schedule.id, parameters=schedule.parameters, slug=str(schedule.id)
            )
    schedules = {schedule.slug or str(schedule.id): schedule for schedule in deployed.schedules}
    for slug in prefect_yaml.not_in_file(deployment, schedules):
        log.warning(
            "%s keeps the schedule %s (%s), which prefect.yaml does not have. To delete it, see: prefect deployment "
            "schedule --help",
            prefect_yaml.name_of(deployment),
            slug,
            "on" if schedules[slug].active else "off",
        )
    return prefect_yaml.with_states(deployment, deployed.paused, schedules)


def _prefect_deploy(root: Path, text: str, environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", "/dev/stdin"],
        cwd=root,
        env={**os.environ, **environment, "COLUMNS": "1000"},  # Prefect breaks its messages at this width
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise PipelineError(f"prefect deploy failed: {_reason(done.stdout) or f'exit code {done.returncode}'}")


def _reason(output: str) -> str:
    """Why `prefect deploy` failed: fields that it names, else the error of its traceback, else its last paragraph."""
    if invalid := INVALID.search(output):  # it leaves these deployments out and misses them below
        named = " ".join(MORE.sub("", invalid.group()).split()).replace(": •", ":").replace(" •", ";")
        return f"{named}. Correct them in {prefect_yaml.FILE}."
    lines = [line.rstrip() for line in output.splitlines() if line.strip() not in NOT_A_REASON]
    while lines and not lines[-1]:
        lines.pop()
    if TRACEBACK in lines:
        below = lines[len(lines) - lines[::-1].index(TRACEBACK) :]
        lines = list(itertools.dropwhile(lambda line: not line or line[0].isspace(), below))
    else:  # panels about the deployments that succeeded may stand above
        lines = list(itertools.takewhile(lambda line: line and line[0] not in PANEL, reversed(lines)))[::-1]
    said = " ".join(" ".join(lines).split())
    return f"{said} Prefect gives no cause; look at the log of its server." if said.endswith(":") else said
