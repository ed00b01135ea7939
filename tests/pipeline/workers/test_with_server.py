"""A Prefect server with workers of both pools: what runs where, and what follows when a process is killed.

All in one file, so that the tests share one server.
"""

import contextlib
import html
import os
import signal
import time
from datetime import timedelta
from uuid import UUID

import psutil
import pytest

from pipeline.workers.deploy import deploy
from tests.pipeline.processes import wait_for
from tests.pipeline.workers.api import Api
from tests.pipeline.workers.machines import Machines, assert_complete
from tests.pipeline.workers.toy_project import ROOT, ToyProject, locked_stages, run

pytestmark = pytest.mark.slow
LEVEL = int(os.environ.get("RETUNE_TEST_WORKERS", "0"))
MINUTES = pytest.mark.skipif(LEVEL < 1, reason="minutes long: RETUNE_TEST_WORKERS=1 runs it, as .ci/run does")
LONG = pytest.mark.skipif(LEVEL < 2, reason="minutes long: RETUNE_TEST_WORKERS=2 runs it")
SLOW = 25  # ticks of 0.2 s
SHORT = {
    "split.train_fraction": 0.1,
    "finetune.max_epochs": 1,
    "evaluate.resamples": 119,
    "finetune.accelerator": "cpu",
}


@MINUTES
def test_cold_then_nothing_then_a_learning_rate(deployed: ToyProject, api: Api, machines: Machines) -> None:
    deployed.create(seeds="[1, 2]")
    head = deployed.head("main")
    machines.start_worker("gpu-2", limit=1)
    for seed in (1, 2):
        deployed.slow(f"finetune@{seed}", 50)
    run_id = api.coordinate(deployed)
    state = api.end(run_id)
    assert state.is_completed(), state.message
    assert_shows_its_stages(api, run_id, deployed)
    finetunes, evaluates = ["finetune@1", "finetune@2"], ["evaluate@1", "evaluate@2"]
    assert sorted(deployed.ran()) == sorted(["download", *finetunes, *evaluates, "report"])
    assert {event["stage"]: event["gpu"] for event in deployed.events() if event["gpu"]} == dict.fromkeys(
        finetunes, "1"
    )
    spans = [(event["begun"], event["time"]) for event in deployed.events("end") if event["stage"] in finetunes]
    assert max(start for start, _ in spans) < min(end for _, end in spans), "two seeds on two gpu workers overlap"
    for seed in (1, 2):
        deployed.slow(f"finetune@{seed}", 0)
    [first] = deployed.branches()
    clone = deployed.clone("clone", first)
    deployed.dvc("repro", "--pull", folder=clone)
    assert len(deployed.ran()) == 6, "a colleague's dvc repro --pull runs nothing"
    fresh = deployed.clone("fresh", "main")
    deployed.dvc("repro", folder=fresh)
    assert locked_stages(fresh) == locked_stages(clone)

    before = len(deployed.ran())
    state = api.end(api.coordinate(deployed, ref=first))
    assert "nothing had to run" in state.message
    assert len(deployed.ran()) == before

    begun = len(deployed.events())
    state = api.end(api.coordinate(deployed, ref=first, params={"finetune.learning_rate": 3e-5}))
    assert state.is_completed(), state.message
    assert sorted(deployed.ran()[before:]) == sorted([*finetunes, *evaluates, "report"])
    gpus = [event["gpu"] for event in deployed.events()[begun:] if event["stage"] in finetunes]
    assert gpus == ["1", "1"]
    second = next(name for name in deployed.branches() if name != first)
    message = html.unescape(run(deployed.origin, "git", "log", "-1", "--format=%B", second))
    assert message.startswith("Retrain: finetune@1, finetune@2, evaluate@1, evaluate@2, report\n")
    assert "macro_f1" in message
    assert deployed.head("main") == head


def assert_shows_its_stages(api: Api, run_id: UUID, deployed: ToyProject) -> None:
    """The run says of what it is, and its stages are runs of their own, to which its log leads."""
    assert api.client.read_flow_run(run_id).name == f"main at {deployed.head('main')[:12]}"
    stages = {run.name: run for run in api.children(run_id)}
    assert set(stages) == set(deployed.ran()), "the runs of the stages are subflow runs"
    lines = wait_for(lambda: [line for line in api.logs(run_id) if "submitted to the pool" in line], 60)
    assert {line.split()[0] for line in lines} == set(stages)
    assert all(str(stages[line.split()[0]].id) in line for line in lines)


@MINUTES
def test_the_schedule_fires(deployed: ToyProject, api: Api) -> None:
    from prefect.client.schemas.schedules import IntervalSchedule

    deployed.create()
    deployment = api.client.read_deployment_by_name("coordinate/coordinate")
    assert {schedule.slug: schedule.active for schedule in deployment.schedules} == {
        "nightly": False,
        "every-six-hours": False,
    }
    every = IntervalSchedule(interval=timedelta(seconds=5))
    parameters = {"repository": str(deployed.origin), "ref": "main"}
    [made] = api.client.create_deployment_schedules(deployment.id, [(every, True)])
    api.client.update_deployment_schedule(deployment.id, made.id, active=True, parameters=parameters)
    try:
        [branch] = wait_for(deployed.branches, 300)
    finally:
        api.client.delete_deployment_schedule(deployment.id, made.id)
        api.cancel_scheduled("coordinate")
    clone = deployed.clone("clone", branch)
    assert locked_stages(clone).keys() == {"download", "finetune@1", "evaluate@1", "report"}
    assert (clone / "data/report/metrics.json").is_file()
    assert "| test.macro_f1 |" in run(clone, "git", "log", "-1", "--format=%B")
    before = len(deployed.ran())
    deployed.dvc("repro", "--pull", folder=clone)
    assert len(deployed.ran()) == before


def stage_process(project: ToyProject, stage: str) -> psutil.Process:
    """The process of the stage's own command, once it has begun."""

    def running() -> psutil.Process | None:
        for event in reversed(project.events()):
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(event["pid"])
                if event["stage"] == stage and process.cmdline()[1:] == ["toy.py", *stage.split("@")]:
                    return process
        return None

    running.__qualname__ = f"the process of {stage}"
    process: psutil.Process = wait_for(running, 180)
    return process


def starts(project: ToyProject, stage: str) -> int:
    return sum(event["stage"] == stage for event in project.events())


@LONG
@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.usefixtures("reconciler")
def test_stage_engine_worker_coordinator_and_server_are_killed(
    deployed: ToyProject, machines: Machines, api: Api, sig: signal.Signals
) -> None:
    deployed.create()
    for stage in ("download", "evaluate@1", "report"):
        deployed.slow(stage, SLOW)
    deployed.slow("finetune@1", 3 * SLOW)
    run_id = api.coordinate(deployed)

    stage_process(deployed, "download").send_signal(sig)  # the stage
    wait_for(lambda: starts(deployed, "download") == 2, 120)
    engine_of(api, machines, "download").send_signal(sig)  # its engine
    wait_for(lambda: "download" in deployed.ran(), 180)

    stage_process(deployed, "finetune@1")
    wait_for(lambda: list((deployed.remote / "retune/checkpoints").rglob("index.json")), 60)
    if sig == signal.SIGKILL:
        machines.unplug("gpu-1")  # the worker's machine; a worker killed alone leaves its stage running to its end
    else:
        machines.kill("gpu-1", sig)  # the worker
    machines.start_worker("gpu-3", limit=1)
    wait_for(lambda: "finetune@1" in deployed.ran(), 180)
    assert [event["resumed"] for event in deployed.events() if event["stage"] == "finetune@1"][-1] > 0, "not from zero"

    stage_process(deployed, "evaluate@1")
    machines.engine(run_id).send_signal(sig)  # the coordinator
    wait_for(lambda: "evaluate@1" in deployed.ran(), 120)

    stage_process(deployed, "report")
    machines.kill("server", sig)  # the server
    time.sleep(3)
    machines.start_server()
    wait_for(deployed.branches, 240)
    assert_complete(deployed, machines)


@LONG
def test_the_fold_of_a_lost_worker_is_done_by_the_other_one(deployed: ToyProject, machines: Machines, api: Api) -> None:
    deployed.create(folds="[1, 2]")
    machines.start_worker("gpu-2", limit=1)
    deployed.slow("crossfit@1", 4 * SLOW)
    deployed.slow("crossfit@2", SLOW)
    run_id = api.coordinate(deployed)
    lost = machines.worker_of(stage_process(deployed, "crossfit@1"))
    machines.unplug(lost)
    deployed.slow("crossfit@1", SLOW)
    state = api.end(run_id)
    assert state.is_completed(), state.message
    stages = ["crossfit@1", "crossfit@2", "download", "evaluate@1", "finetune@1", "report"]
    assert sorted(deployed.ran()) == stages, "each is done once"
    assert starts(deployed, "crossfit@1") == 2
    [branch] = deployed.branches()
    clone, local = deployed.clone("clone", branch), deployed.clone("local", "main")
    said = deployed.dvc("repro", "--pull", folder=clone)
    assert "Running stage" not in said
    deployed.slow("crossfit@1", 0)
    deployed.slow("crossfit@2", 0)
    deployed.dvc("repro", folder=local)
    assert locked_stages(clone) == locked_stages(local)
    report = "data/report/report.md"
    assert (clone / report).read_text() == (local / report).read_text()
    assert "data/crossfit/1/predictions.txt" in (local / report).read_text()


def test_a_cancelled_coordinator_stops_its_stages(deployed: ToyProject, machines: Machines, api: Api) -> None:
    from prefect.states import Cancelling

    deployed.create()
    deployed.slow("download", 500)
    run_id = api.coordinate(deployed)
    stage_process(deployed, "download")
    begun = time.monotonic()
    api.client.set_flow_run_state(run_id, Cancelling())
    wait_for(lambda: not machines.of_stages(), 60)
    wait_for(lambda: api.state(run_id).is_final(), 60)
    seconds = time.monotonic() - begun
    assert seconds < 30, "15 on a quiet machine"
    assert api.state(run_id).is_cancelled()
    assert deployed.records() == []
    assert deployed.branches() == []


@LONG
def test_two_coordinators_at_once(deployed: ToyProject, machines: Machines, api: Api) -> None:
    deployed.create()
    runs = [api.coordinate_now(deployed) for _ in range(2)]
    for run_id in runs:
        assert api.end(run_id).is_completed()
    assert deployed.ran() == ["download", "finetune@1", "evaluate@1", "report"]
    assert_complete(deployed, machines)


def engine_of(api: Api, machines: Machines, stage: str) -> psutil.Process:
    run_id = next(run.id for run in api.stage_runs(stage) if run.state and run.state.is_running())
    return machines.engine(run_id)


def test_retrain_in_one_folder(deployed: ToyProject, api: Api) -> None:
    deployed.create()
    deployment = api.client.read_deployment_by_name("retrain/retrain")
    where = {"working_dir": str(deployed.work)}
    params = {"finetune.learning_rate": 3e-5}
    made = api.client.create_flow_run_from_deployment(deployment.id, parameters={"params": params}, job_variables=where)
    state = api.end(made.id)
    assert state.is_completed(), state.message
    assert deployed.ran() == ["download", "finetune@1", "evaluate@1", "report"]
    assert {event["gpu"] for event in deployed.events()} == {"1"}, "all of it on the GPU machine"
    assert locked_stages(deployed.work)["finetune@1"]["params"]["params.yaml"]["finetune"]["learning_rate"] == 3e-5
    again = api.client.create_flow_run_from_deployment(deployment.id, job_variables=where)
    assert "nothing had to run" in api.end(again.id).message


def schedules(api: Api) -> dict[str, bool]:
    deployment = api.client.read_deployment_by_name("coordinate/coordinate")
    return {str(schedule.slug): schedule.active for schedule in deployment.schedules}


def test_deploying_again_changes_nothing(machines: Machines, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.client.schemas.schedules import IntervalSchedule

    monkeypatch.setenv("PREFECT_API_URL", machines.url)
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", machines.environment["PREFECT_API_AUTH_STRING"])
    monkeypatch.setenv("RETUNE_REPOSITORY", "none")
    names = ["retrain/retrain", "coordinate/coordinate", "run-stage/cpu", "run-stage/gpu"]
    before = {name: api.client.read_deployment_by_name(name) for name in names}
    assert schedules(api) == {"nightly": False, "every-six-hours": False}
    for name in ("retrain/retrain", "coordinate/coordinate"):
        assert before[name].global_concurrency_limit.limit == 1

    nightly = next(item for item in before["coordinate/coordinate"].schedules if item.slug == "nightly")
    api.client.update_deployment_schedule(before["coordinate/coordinate"].id, nightly.id, active=True)
    every = IntervalSchedule(interval=timedelta(days=9))
    [own] = api.client.create_deployment_schedules(before["coordinate/coordinate"].id, [(every, False)])
    try:
        assert deploy(ROOT) == names
        expected = {"nightly": True, "every-six-hours": False, str(own.id): False}
        assert schedules(api) == expected, "a person has switched one on, and added one without a slug"
        assert {name: api.client.read_deployment_by_name(name).id for name in names} == {
            name: deployment.id for name, deployment in before.items()
        }
    finally:
        api.client.update_deployment_schedule(before["coordinate/coordinate"].id, nightly.id, active=False)
        api.client.delete_deployment_schedule(before["coordinate/coordinate"].id, own.id)
        api.cancel_scheduled("coordinate")


@LONG
def test_the_bundled_task(deployed: ToyProject, api: Api, machines: Machines) -> None:
    deployed.copy(ROOT)
    run_id = api.coordinate(deployed, params=SHORT)
    state = api.end(run_id, 500)
    assert state.is_completed(), state.message
    for stage in ("download@dataset", "download@model", "tokenize", "split", "finetune@42", "evaluate@42", "report"):
        assert f"{stage}" in state.message
    pools = {run.name: run.work_pool_name for run in api.stage_runs("finetune@42")}
    assert pools == {"finetune@42": "gpu"}
    [branch] = deployed.branches()
    clone = deployed.clone("clone", branch)
    said = deployed.dvc("repro", "--pull", folder=clone)
    assert "Running stage" not in said
    assert run(clone, "git", "status", "--porcelain", "--untracked-files=no") == ""
    assert "macro_f1" in html.unescape(run(clone, "git", "log", "-1", "--format=%B"))
