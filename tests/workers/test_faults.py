"""What dies, dies at the worst moment; the pipeline ends right, each stage is recorded once, nothing is left over."""

import signal
import time
from typing import Any
from uuid import UUID

import psutil
import pytest

from tests.workers.conftest import Api, Machines, Project, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("workers")]
SLOW = 25  # ticks of 0.2 s


def stage_process(machines: Machines, stage: str) -> psutil.Process:
    """The process of the stage's own command, once it has begun."""
    command = ["toy.py", *stage.split("@")]

    def found() -> psutil.Process | None:
        for process in machines.of_stages():
            try:
                line = process.cmdline()
            except psutil.Error:
                continue
            if line[1:] == command and "python" in line[0]:
                return process
        return None

    found.__qualname__ = f"the process of {stage}"
    process: psutil.Process = wait_for(found, 120)
    return process


def assert_right(project: Project, machines: Machines) -> None:
    """Each stage is recorded once, nothing of a stage is alive, and the branch is whole."""
    assert len(project.records()) == len(set(project.records())) == 4
    wait_for(lambda: not machines.of_stages(), 30)
    [branch] = project.branches()
    before = len(project.ran())
    project.dvc("repro", "--pull", folder=project.clone(f"whole-{time.time_ns()}", branch))
    assert len(project.ran()) == before


@pytest.fixture(scope="module", autouse=True)
def reconciler(machines: Machines) -> Any:
    machines.start_reconciler()
    yield
    machines.kill("reconciler", signal.SIGTERM)


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGTERM])
def test_stage_engine_worker_coordinator_and_server_die(
    across: Project, machines: Machines, api: Api, sig: signal.Signals
) -> None:
    across.create(text=f"{sig}\n")
    for stage in ("download", "finetune@1", "evaluate@1", "report"):
        across.slow(stage, SLOW)
    run_id = api.coordinate(across)

    stage_process(machines, "download").send_signal(sig)  # the stage
    wait_for(lambda: len(across.events()) == 2, 120)
    engine_of(api, machines, "download").send_signal(sig)  # its engine
    wait_for(lambda: "download" in across.ran(), 180)

    stage_process(machines, "finetune@1")
    wait_for(lambda: list((across.remote / "retune/checkpoints").rglob("index.json")), 60)
    if sig == signal.SIGKILL:
        machines.unplug("gpu-1")  # the worker's machine; a worker killed alone leaves its stage running to its end
    else:
        machines.kill("gpu-1", sig)  # the worker
    machines.start_worker("gpu-3", limit=1)
    wait_for(lambda: "finetune@1" in across.ran(), 180)
    assert [event["resumed"] for event in across.events() if event["stage"] == "finetune@1"][-1] > 0, "not from zero"

    stage_process(machines, "evaluate@1")
    machines.engine(run_id).send_signal(sig)  # the coordinator
    wait_for(lambda: "evaluate@1" in across.ran(), 120)

    stage_process(machines, "report")
    machines.kill("server", sig)  # the server
    time.sleep(3)
    machines.start_server()
    wait_for(across.branches, 240)
    assert_right(across, machines)
    machines.kill("gpu-3", signal.SIGTERM)
    if machines.processes["gpu-1"].poll() is not None:
        machines.start_worker("gpu-1", limit=1)


def test_a_cancelled_parent_takes_everything_with_it(across: Project, machines: Machines, api: Api) -> None:
    from prefect.states import Cancelling

    across.create(text="cancelled\n")
    across.slow("download", 500)
    run_id = api.coordinate(across)
    stage_process(machines, "download")
    begun = time.monotonic()
    api.client.set_flow_run_state(run_id, Cancelling())
    wait_for(lambda: not machines.of_stages(), 60)
    wait_for(lambda: api.state(run_id).is_final(), 60)
    seconds = time.monotonic() - begun
    assert seconds < 15
    assert api.state(run_id).is_cancelled()
    assert across.records() == []
    assert across.branches() == []


def test_two_coordinators_at_once(across: Project, machines: Machines, api: Api) -> None:
    across.create(text="twice\n")
    runs: list[UUID] = [api.coordinate_now(across) for _ in range(2)]
    for run_id in runs:
        assert api.end(run_id).is_completed()
    assert across.ran() == ["download", "finetune@1", "evaluate@1", "report"]
    assert_right(across, machines)


def engine_of(api: Api, machines: Machines, stage: str) -> psutil.Process:
    run_id = next(run.id for run in api.stage_runs(stage) if run.state and run.state.is_running())
    return machines.engine(run_id)
