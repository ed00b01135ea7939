"""A pipeline across machines when nothing goes wrong: what runs, where, and what the branch holds."""

import signal
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.workers.conftest import Api, Machines, Project, run, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("workers")]


def lock(folder: Path) -> Any:
    return YAML(typ="safe").load(folder / "dvc.lock")["stages"]


def test_cold_then_nothing_then_a_learning_rate_then_a_seed(
    across: Project, api: Api, machines: Machines, record_property: Any
) -> None:
    across.create()
    head = across.head("main")
    state = api.end(api.coordinate(across))
    assert state.is_completed(), state.message
    assert across.ran() == ["download", "finetune@1", "evaluate@1", "report"]
    assert [event["gpu"] for event in across.events()] == [None, "1", None, None]
    [first] = across.branches()
    record_property("dispatch seconds per stage", api.overheads(across))
    clone = across.clone("clone", first)
    across.dvc("repro", "--pull", folder=clone)
    assert len(across.ran()) == 4, "a colleague's dvc repro --pull runs nothing"
    fresh = across.clone("fresh", "main")
    across.dvc("repro", folder=fresh)
    assert lock(fresh) == lock(clone)

    before = len(across.ran())
    state = api.end(api.coordinate(across, ref=first))
    assert "nothing had to run" in state.message
    assert len(across.ran()) == before

    state = api.end(api.coordinate(across, ref=first, params={"finetune.learning_rate": 3e-5}))
    assert state.is_completed(), state.message
    assert across.ran()[before:] == ["finetune@1", "evaluate@1", "report"]
    second = next(name for name in across.branches() if name != first)
    message = run(across.origin, "git", "log", "-1", "--format=%B", second)
    assert message.startswith("Retrain: finetune@1, evaluate@1, report\n")
    assert "macro_f1" in message
    assert across.head("main") == head

    machines.start_worker("gpu-2", limit=1)
    for seed in (2, 3):
        across.slow(f"finetune@{seed}", 60)
    before = len(across.ran())
    state = api.end(api.coordinate(across, ref=first, params={"seeds": [1, 2, 3]}))
    assert state.is_completed(), state.message
    assert sorted(across.ran()[before:]) == ["evaluate@2", "evaluate@3", "finetune@2", "finetune@3", "report"]
    spans = [(event["begun"], event["time"]) for event in across.events("end") if "finetune" in event["stage"]][-2:]
    assert max(begun for begun, _ in spans) < min(end for _, end in spans), "two seeds on two gpu workers overlap"
    machines.kill("gpu-2", signal.SIGTERM)


def test_the_schedule_fires(across: Project, api: Api) -> None:
    from prefect.client.schemas.schedules import IntervalSchedule

    across.create(text="scheduled\n")
    deployment = api.client.read_deployment_by_name("coordinate/coordinate")
    assert {schedule.slug: schedule.active for schedule in deployment.schedules} == {
        "nightly": False,
        "every-six-hours": False,
    }
    every = IntervalSchedule(interval=timedelta(seconds=5))
    parameters = {"repository": str(across.origin), "ref": "main"}
    [made] = api.client.create_deployment_schedules(deployment.id, [(every, True)])
    api.client.update_deployment_schedule(deployment.id, made.id, active=True, parameters=parameters)
    try:
        [branch] = wait_for(across.branches, 180)
    finally:
        api.client.delete_deployment_schedule(deployment.id, made.id)
        api.cancel_scheduled("coordinate")
    clone = across.clone("clone", branch)
    assert lock(clone).keys() == {"download", "finetune@1", "evaluate@1", "report"}
    assert (clone / "data/report/metrics.json").is_file()
    assert "| test/macro_f1 |" in run(clone, "git", "log", "-1", "--format=%B")
    before = len(across.ran())
    across.dvc("repro", "--pull", folder=clone)
    assert len(across.ran()) == before
