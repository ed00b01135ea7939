"""What it costs that threads wait awake, alone and beside other work: one epoch of the bundled task, two threads.

    python benchmarks/bench_waiting.py --rounds 5 --busy 0
    python benchmarks/bench_waiting.py --rounds 3 --busy 3

Each round trains once with each number of turns that a thread waits awake (GOMP_SPINCOUNT; `libgomp` is the library's
own, some hundred thousand; `stages` is what the stages set), in a clone of this checkout's last commit, beside as many
endless loops as `--busy` says. The machine's other work is part of what is measured, so leave it to this script alone.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
WAITS: dict[str, dict[str, str]] = {
    "libgomp": {"OMP_WAIT_POLICY": ""},  # which libgomp ignores, and which keeps the stages from setting their own
    "1000": {"GOMP_SPINCOUNT": "1000"},
    "stages": {},
    "30000": {"GOMP_SPINCOUNT": "30000"},
    "asleep": {"OMP_WAIT_POLICY": "passive"},
}
SEED = 42


def train(project: Path, variables: dict[str, str]) -> tuple[float, float]:
    """Train once; return the seconds of the epochs by the clock, and those of the processor of the whole stage."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "stages.finetune", "--seed", str(SEED)]
    subprocess.run(command, cwd=project, env=os.environ | variables, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    timing = json.loads((project / f"data/timing/finetune@{SEED}.json").read_text(encoding="utf-8"))
    return timing["train_seconds"], after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


@contextmanager
def busy(count: int) -> Iterator[None]:
    """Keep `count` processes busy."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--busy", type=int, default=0, help="endless loops beside it")
    arguments = parser.parse_args()
    found: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        subprocess.run(["git", "clone", "--quiet", ROOT, project], check=True)
        params = project / "params.yaml"
        params.write_text(params.read_text(encoding="utf-8").replace("max_epochs: 4", "max_epochs: 1"))
        tools = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        subprocess.run(["dvc", "repro", "--quiet", "split"], cwd=project, env=tools, check=True)
        with busy(arguments.busy):
            for _ in range(arguments.rounds):
                for name, variables in WAITS.items():
                    found.setdefault(name, []).append(train(project, variables))
    print(f"beside {arguments.busy} endless loops\n")
    columns = ["a thread waits awake", "epoch, median s", "from", "to", "processor s of the stage, median"]
    print(f"| {' | '.join(columns)} |")
    print("|---" * len(columns) + "|")
    for name, runs in found.items():
        seconds = [epoch for epoch, _ in runs]
        processor = statistics.median(spent for _, spent in runs)
        print(
            f"| {name} | {statistics.median(seconds):.1f} | {min(seconds):.1f} | {max(seconds):.1f} | {processor:.1f} |"
        )


if __name__ == "__main__":
    main()
