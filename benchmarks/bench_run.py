"""What `retune run` costs on top of its stages, with a Prefect server running: `python benchmarks/bench_run.py`.

A toy project of six stages is run with new inputs by `retune run` and by `dvc repro` in turn. A stage's own time is
that of its command, from its first line to its last, as it notes it itself; all the rest is overhead: starting retune,
Prefect and DVC, planning, hashing, the lock, the states and logs in Prefect.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from pipeline import server
from tests.pipeline import toy

STAGES = 6


def measure(root: Path, number: int, command: str, api: str) -> tuple[float, float]:
    """Run with new inputs; return wall seconds and the stages' own seconds."""
    (root / "input/rows.csv").write_text(f"{command} {number}\n")
    (root / "pins.txt").write_text(f"{command} {number}\n")
    (root / "trace.txt").unlink(missing_ok=True)
    began = time.perf_counter()
    if command == "dvc repro":
        toy.dvc(root, "repro")
    else:
        done = toy.retune(root, "run", PREFECT_API_URL=api)
        if done.returncode:
            raise SystemExit(done.stderr)
    wall = time.perf_counter() - began
    trace = toy.trace(root)
    own = sum(when if what == "end" else -when for what, _, when in trace)
    if len(trace) != 2 * STAGES:
        raise SystemExit(f"{len(trace) // 2} stages ran, not {STAGES}")
    return wall, own


def measure_nothing(root: Path, command: str, api: str) -> float:
    """Wall seconds of a command that finds nothing to do."""
    began = time.perf_counter()
    if command == "dvc repro":
        toy.dvc(root, "repro")
    else:
        toy.retune(root, command.split()[1], PREFECT_API_URL=api)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    port = server.free_port()
    with tempfile.TemporaryDirectory() as folder, server.serve(port):
        api, root = f"http://127.0.0.1:{port}/api", toy.create(Path(folder) / "project")
        found: dict[str, list[float]] = {"retune run": [], "dvc repro": []}
        for number in range(rounds + 1):
            for command, values in found.items():
                wall, own = measure(root, number, command, api)
                if number:  # the first of each warms the caches of the disk
                    values.append((wall - own) / STAGES)
        nothing = {
            command: [measure_nothing(root, command, api) for _ in range(rounds)]
            for command in ("retune run", "retune plan", "dvc repro")
        }
    print("| | median s | all |\n|---|---|---|")
    for title, values in [
        *((f"`{command}`: overhead per stage that runs", values) for command, values in found.items()),
        *((f"`{command}`: nothing to do, in all", values) for command, values in nothing.items()),
    ]:
        print(f"| {title} | {statistics.median(values):.2f} | {' '.join(f'{value:.2f}' for value in sorted(values))} |")


if __name__ == "__main__":
    main()
