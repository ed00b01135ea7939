"""Pools and deployments: all that prefect.yaml says, once, and what a person has switched stays as it is."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.deploy import deploy
from tests.workers.conftest import ROOT, Api, Machines

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("workers")]


def schedules(api: Api) -> dict[str, bool]:
    deployment = api.client.read_deployment_by_name("coordinate/coordinate")
    return {str(schedule.slug): schedule.active for schedule in deployment.schedules}


def test_deploying_again_changes_nothing(machines: Machines, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", machines.url)
    monkeypatch.setenv("RETUNE_REPOSITORY", "none")
    names = ["retrain/retrain", "coordinate/coordinate", "run-stage/cpu", "run-stage/gpu"]
    before = {name: api.client.read_deployment_by_name(name) for name in names}
    assert schedules(api) == {"nightly": False, "every-six-hours": False}
    for name in ("retrain/retrain", "coordinate/coordinate"):
        assert before[name].global_concurrency_limit.limit == 1

    nightly = next(item for item in before["coordinate/coordinate"].schedules if item.slug == "nightly")
    api.client.update_deployment_schedule(before["coordinate/coordinate"].id, nightly.id, active=True)
    try:
        assert deploy(ROOT) == names
        assert schedules(api) == {"nightly": True, "every-six-hours": False}, "a person has switched it on"
        assert {name: api.client.read_deployment_by_name(name).id for name in names} == {
            name: deployment.id for name, deployment in before.items()
        }
    finally:
        api.client.update_deployment_schedule(before["coordinate/coordinate"].id, nightly.id, active=False)
        api.cancel_scheduled("coordinate")


def test_every_pool_of_the_graph_has_a_deployment() -> None:
    read: Any = YAML(typ="safe").load
    graph, file = read(Path(ROOT / "dvc.yaml")), read(Path(ROOT / "prefect.yaml"))
    pools = {stage.get("do", stage)["meta"]["pool"] for stage in graph["stages"].values()}
    assert pools == {item["name"] for item in file["deployments"] if item["entrypoint"].endswith("run_stage")}
    for item in file["deployments"]:
        assert not any(schedule["active"] for schedule in item.get("schedules", []))
