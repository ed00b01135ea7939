"""The overhead of running a stage on a worker: `python benchmarks/bench_workers.py [--rounds 3]`.

A real Prefect server, a coordinator and two workers (pools cpu and gpu) on this machine run a toy project of four
stages, one after the other. Each stage measures its own command, from its first line to its last. The overhead is the
rest of the time from the coordinator's submission to the run's end in Prefect: waiting until the worker polls its pool,
starting Prefect's and DVC's processes, the clean checkout, and copying inputs and outputs from and to the remote.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.pipeline.workers.api import with_api
from tests.pipeline.workers.machines import Machines
from tests.pipeline.workers.toy_project import ToyProject

STAGES = ("download", "finetune@1", "evaluate@1", "report")


def main() -> None:
    """Run each round with new inputs, and print the medians as a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    overheads: dict[str, list[float]] = {stage: [] for stage in STAGES}
    walls = []
    with tempfile.TemporaryDirectory() as folder:
        machines = Machines(Path(folder) / "machines")
        try:
            machines.set_up()
            with with_api(machines) as api:
                for number in range(rounds):
                    project = ToyProject(machines.events, Path(folder) / str(number))
                    project.create(text=f"round {number}\n")
                    began = time.perf_counter()
                    state = api.end(api.coordinate(project))
                    if not state.is_completed():
                        raise SystemExit(state.message)
                    walls.append(time.perf_counter() - began)
                    for stage, seconds in api.overheads(project).items():
                        overheads[stage].append(seconds)
        finally:
            machines.stop()
    print("| stage | overhead in seconds, median |\n|---|---|")
    for stage, seconds in overheads.items():
        print(f"| {stage} | {statistics.median(seconds):.1f} |")
    all_seconds = [value for seconds in overheads.values() for value in seconds]
    print(
        f"\nOverhead {statistics.median(all_seconds):.1f} s per stage. {len(STAGES)} stages with their coordinator, "
        f"from submission to the pushed branch: {statistics.median(walls):.0f} s"
    )


if __name__ == "__main__":
    main()
