"""A schedule starts a run across a CPU and a GPU worker; somebody watches it from elsewhere, as docs/workers.md says.

`retune status` and Prefect's API alone are asked: nobody looks at the workers' folders.
"""

import contextlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from pipeline.execution.machine import host_name
from tests.journeys.long import minutes_long
from tests.pipeline import toy
from tests.pipeline.processes import wait_for
from tests.pipeline.workers.api import Api
from tests.pipeline.workers.machines import Machines
from tests.pipeline.workers.toy_project import ToyProject

pytestmark = [pytest.mark.slow, minutes_long]
SLOW = 100  # ticks of 0.2 s of finetune, long enough to be watched


@contextlib.contextmanager
def schedule(api: Api, project: ToyProject) -> Iterator[None]:
    """A schedule of `coordinate` that fires in a moment, and then every hour."""
    from prefect.client.schemas.schedules import IntervalSchedule

    deployment = api.client.read_deployment_by_name("coordinate/coordinate")
    every = IntervalSchedule(interval=timedelta(hours=1), anchor_date=datetime.now(UTC) + timedelta(seconds=15))
    [made] = api.client.create_deployment_schedules(deployment.id, [(every, False)])  # on once it has its parameters
    parameters = {"repository": str(project.origin), "ref": "main"}
    api.client.update_deployment_schedule(deployment.id, made.id, active=True, parameters=parameters)
    try:
        yield
    finally:
        with contextlib.suppress(Exception):
            api.client.delete_deployment_schedule(deployment.id, made.id)
        api.cancel_scheduled("coordinate")


class Watcher:
    """Somebody with a clone of the project and the address of Prefect's API."""

    def __init__(self, machines: Machines, project: ToyProject) -> None:
        names = ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING", "PREFECT_HOME")
        self._environment = {name: machines.environment[name] for name in names}
        self._clone = project.clone("watcher", "main")

    def status(self) -> dict[str, dict[str, Any]]:
        """What `retune status --json` shows, by name."""

        def answer() -> str:
            done = toy.retune(self._clone, "status", "--json", **self._environment)
            assert done.returncode == 0 or "does not answer" in done.stderr, done.stderr  # a server that is busy
            return done.stdout if done.returncode == 0 else ""

        return {entry["name"]: entry for entry in json.loads(wait_for(answer, 120))["activities"]}

    def table(self) -> str:
        return toy.retune(self._clone, "status", **self._environment).stdout

    def sees(self, stage: str) -> dict[str, dict[str, Any]]:
        """The first status in which a stage runs on this machine: with its first heartbeat it says where it is."""

        def seen() -> dict[str, dict[str, Any]] | None:
            found = self.status()
            where = found.get(stage, {}).get("where")
            return found if where == host_name() and found[stage]["state"] == "running" else None

        seen.__qualname__ = f"{stage} in retune status"
        return wait_for(seen, 300)


def plan_of(api: Api, run_id: UUID) -> dict[str, dict[str, Any]]:
    """The artifact `plan` of a coordinator as it is now, by stage; there is only one."""
    from prefect.client.schemas.filters import ArtifactFilter

    of_run = ArtifactFilter.model_validate({"flow_run_id": {"any_": [run_id]}, "key": {"any_": ["plan"]}})
    (artifact,) = api.client.read_artifacts(artifact_filter=of_run)
    return {row["stage"]: row for row in json.loads(str(artifact.data))}


@pytest.mark.timeout(1800)
def test_a_scheduled_run_is_watched_from_elsewhere(deployed: ToyProject, machines: Machines, api: Api) -> None:
    deployed.create(text="watched\n")
    deployed.slow("finetune@1", SLOW)
    commit = deployed.head("main")
    watcher = Watcher(machines, deployed)
    begun = datetime.now(UTC)
    with schedule(api, deployed):
        seen = watcher.sees("finetune@1")
    name = f"main at {commit[:12]}"
    coordinator, stage = seen[name], seen["finetune@1"]
    assert (coordinator["state"], coordinator["where"], coordinator["run"]) == ("running", host_name(), None)
    assert (stage["run"], stage["ends"]) == (name, None), "it never ran before"
    assert datetime.fromisoformat(stage["since"]) >= begun.replace(microsecond=0)
    assert re.search(rf"^  finetune@1 +running +{host_name()} ", watcher.table(), flags=re.MULTILINE)

    run_id = UUID(coordinator["address"].rpartition("/")[2])
    plan = plan_of(api, run_id)
    assert {stage: row["now"] for stage, row in plan.items()} == {
        "download": "done",
        "finetune@1": "running",
        "evaluate@1": "waiting",
        "report": "waiting",
    }
    assert plan["report"]["after"] == "evaluate@1"

    assert api.end(run_id).is_completed()
    assert {row["now"] for row in plan_of(api, run_id).values()} == {"done"}
    subflows = api.children(run_id)
    assert {run.name for run in subflows} == {"download", "finetune@1", "evaluate@1", "report"}
    assert {run.work_pool_name for run in subflows if run.name == "finetune@1"} == {"gpu"}
    lines = wait_for(lambda: [line for line in api.logs(run_id) if "submitted to the pool" in line], 60)
    assert len(lines) == len(subflows), "a line for each dispatch, also where a stage was tried again"
    for run in subflows:
        (line,) = [line for line in lines if str(run.id) in line]
        assert line.startswith(f"{run.name} submitted to the pool {run.work_pool_name} as http"), "it leads to the run"
    assert len([line for line in api.logs(run_id) if " is recorded after " in line]) == 4

    assert name not in watcher.status()

    deployed.slow("finetune@1", SLOW)
    again = api.coordinate(deployed, params={"finetune.learning_rate": 3e-5})
    seen = watcher.sees("finetune@1")
    took = next(run.total_run_time for run in subflows if run.name == "finetune@1" and run.state.is_completed())
    since, ends = (datetime.fromisoformat(seen["finetune@1"][key]) for key in ("since", "ends"))
    assert abs(ends - since - took) < timedelta(seconds=2), "as long as before"
    run = next(entry for entry in seen.values() if entry["run"] is None)
    assert datetime.fromisoformat(run["ends"]) > ends, "evaluate and report come after it"
    assert api.end(again).is_completed()
