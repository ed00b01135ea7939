"""Runs in which processes are killed at random moments; only on demand, because they take long."""

import contextlib
import os
import random
import signal
import sys
import time
from pathlib import Path
from uuid import UUID

import psutil
import pytest

from tests.pipeline.processes import wait_for
from tests.pipeline.workers.api import Api
from tests.pipeline.workers.machines import Machines, assert_complete
from tests.pipeline.workers.toy_project import ToyProject

pytestmark = pytest.mark.slow


@pytest.mark.skipif("RETUNE_TEST_KILLS" not in os.environ, reason="RETUNE_TEST_KILLS=20 kills for half an hour")
@pytest.mark.timeout(7200)
@pytest.mark.usefixtures("deployed", "reconciler")
def test_kills_at_random_moments(machines: Machines, api: Api, tmp_path: Path) -> None:
    """RETUNE_TEST_KILLS runs with two kills each; RETUNE_TEST_SEED repeats an earlier sequence."""
    seed = int(os.environ.get("RETUNE_TEST_SEED", time.time()))
    draw = random.Random(seed)
    for number in range(int(os.environ["RETUNE_TEST_KILLS"])):
        project = ToyProject(machines.events, tmp_path / str(number))
        project.create(text=f"{seed} {number}\n")
        for stage in ("download", "finetune@1", "evaluate@1", "report"):
            project.slow(stage, 10)
        run_id = api.coordinate(project)
        for _ in range(2):
            time.sleep(draw.uniform(0, 25))
            sig, victim = draw.choice([signal.SIGKILL, signal.SIGTERM]), draw.choice(VICTIMS)
            sys.stderr.write(f"seed {seed}, run {number}: {kill_one(machines, run_id, victim, sig)}\n")
        wait_for(project.branches, 400)
        assert_complete(project, machines)


VICTIMS = ("stage", "engine", "cpu-1", "gpu-1", "coordinator", "server")


def kill_one(machines: Machines, run_id: UUID, victim: str, sig: signal.Signals) -> str:
    """Kill the victim if it runs now and return what was done; a worker or the server is started again."""
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
            return f"no {victim}"
        with contextlib.suppress(psutil.NoSuchProcess):
            targets[-1].send_signal(sig)
    return f"{sig.name} for {victim}"
