"""What `retune run` costs on top of its stages: `python benchmarks/bench_run.py [--rounds 5]`.

A toy project of six stages is run with new inputs by `retune run`, with a Prefect server running and without one, and
by `dvc repro` in turn. A stage's own time is that of its command, from its first line to its last, as it notes it
itself; all the rest is overhead: starting retune, Prefect and DVC, planning, hashing, the lock, the states and logs
in Prefect.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from pipeline.local import server
from tests.pipeline import toy

STAGES = 6
RUN, ALONE, REPRO, PLAN = "retune run", "retune run, no server", "dvc repro", "retune plan"


def call(root: Path, command: str, api: str) -> float:
    """Wall seconds of a command."""
    began = time.perf_counter()
    if command == REPRO:
        toy.dvc(root, "repro")
    else:
        done = toy.retune(root, command.split(",")[0].split()[1], PREFECT_API_URL="" if command == ALONE else api)
        if done.returncode:
            raise SystemExit(done.stderr)
    return time.perf_counter() - began


def overhead(root: Path, command: str, api: str, *, stages: int, new: str) -> float:
    """Wall seconds of a command beyond those of the stages that run.

    Args:
        root: The toy project.
        command: What to run.
        api: Of the Prefect server.
        stages: How many have to run: all six, or the last one.
        new: What was never an input before.
    """
    if stages == STAGES:
        (root / "input/rows.csv").write_text(f"{new}\n")
        (root / "pins.txt").write_text(f"{new}\n")
    else:
        lines = (root / "params.yaml").read_text().splitlines()
        lines = [f"report: {{title: {new}}}" if line.startswith("report:") else line for line in lines]
        (root / "params.yaml").write_text("\n".join(lines) + "\n")
    (root / "trace.txt").unlink(missing_ok=True)
    wall = call(root, command, api)
    trace = toy.trace(root)
    if len(trace) != 2 * stages:
        raise SystemExit(f"{len(trace) // 2} stages ran, not {stages}")
    return wall - sum(when if what == "end" else -when for what, _, when in trace)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    port = server.free_port()
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, server.serve(port):
        api, root = f"http://127.0.0.1:{port}/api", toy.create(Path(folder) / "project")
        for number in range(rounds + 1):
            for command in (RUN, REPRO):
                seconds = overhead(root, command, api, stages=STAGES, new=f"{command} {number}")
                found.setdefault(f"six stages, per stage: `{command}`", []).append(seconds / STAGES)
            for command in (RUN, ALONE, REPRO):
                seconds = overhead(root, command, api, stages=1, new=f"{command.replace(',', '')} {number}")
                found.setdefault(f"one stage, in all: `{command}`", []).append(seconds)
            for command in (RUN, PLAN, REPRO):
                found.setdefault(f"nothing to do, in all: `{command}`", []).append(call(root, command, api))
    print("| overhead | median s | from | to |\n|---|---|---|---|")
    for title in found:
        values = found[title][1:]  # the first round warms the caches of the disk
        print(f"| {title} | {statistics.median(values):.2f} | {min(values):.2f} | {max(values):.2f} |")


if __name__ == "__main__":
    main()
