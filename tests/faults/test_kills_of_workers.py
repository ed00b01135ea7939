"""Coordinators, workers, their stages and the server killed at random moments: every stage is recorded once."""

import contextlib
import signal
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import psutil
import pytest

from tests.faults import faults
from tests.pipeline.processes import wait_for
from tests.pipeline.workers.api import Api
from tests.pipeline.workers.machines import Machines, assert_complete
from tests.pipeline.workers.toy_project import ToyProject

RUNS, KILLS = 15, 2  # 30 kills in all


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("deployed", "reconciler")
@pytest.mark.parametrize("number", range(RUNS))
def test_kills_in_a_run_across_workers(
    machines: Machines,
    api: Api,
    tmp_path: Path,
    count: Callable[[str, str], None],
    number: int,
) -> None:
    chance = faults.chance_of("workers", number)
    project = ToyProject(machines.events, tmp_path / "run")
    project.create(text=f"{faults.SEED} {number}\n")
    for stage in ("download", "finetune@1", "evaluate@1", "report"):
        project.slow(stage, 10)
    run_id = api.coordinate(project)
    for kill in range(KILLS):
        time.sleep(chance.uniform(0, 25))
        sent, victim = faults.SIGNALS[(number * KILLS + kill) % 3], chance.choice(VICTIMS)
        count(f"kill {victim}", kill_one(machines, run_id, victim, sent))
    wait_for(project.branches, 400)
    assert_complete(project, machines)


VICTIMS = ("stage", "engine", "cpu-1", "gpu-1", "coordinator", "server")


def kill_one(machines: Machines, run_id: UUID, victim: str, sig: signal.Signals) -> str:
    """Kill the victim if it runs now and return the signal; a worker or the server is started again."""
    if victim == "server":
        machines.kill("server", sig)
        machines.start_server()
    elif victim in machines.processes:
        machines.kill(victim, sig)
        machines.start_worker(victim, limit=1 if victim == "gpu-1" else 4)
    else:
        targets = machines.of_stages() if victim == "stage" else machines.engines(but=run_id)
        if victim == "coordinator":
            targets = machines.engines(only=run_id)
        if not targets:
            return "did not run"
        with contextlib.suppress(psutil.NoSuchProcess):
            targets[-1].send_signal(sig)
    return sig.name
