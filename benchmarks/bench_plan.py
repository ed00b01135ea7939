"""How long `retune plan` takes as the number of seeds grows: `python benchmarks/bench_plan.py [--seeds 50 200 500]`.

A toy project that has run once, with the results of the first seed repeated for the others. Processor seconds are those
of the process, so they are the same beside other loads.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ruamel.yaml import YAML

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.pipeline import toy


def grow(source: Path, root: Path, seeds: int) -> None:
    """Copy a project that has run, and give it more seeds with the results of the first."""
    shutil.copytree(source, root, symlinks=True)
    toy.edit(root, "params.yaml", "[1, 2]", str(list(range(1, seeds + 1))))
    yaml = YAML(typ="safe")
    yaml.default_flow_style = False
    lock = yaml.load(root / "dvc.lock")
    first = json.dumps(lock["stages"]["train@1"])
    for seed in range(3, seeds + 1):
        entry = first.replace("data/train/1/", f"data/train/{seed}/").replace("--seed 1", f"--seed {seed}")
        lock["stages"][f"train@{seed}"] = json.loads(entry)
        shutil.copytree(root / "data/train/1", root / f"data/train/{seed}")
    yaml.dump(lock, root / "dvc.lock")


def main() -> None:
    """Print wall and processor seconds of a plan for each number of seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[50, 200, 500])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = toy.create(Path(folder) / "source")
        toy.dvc(source, "repro")
        for seeds in options.seeds:
            root = Path(folder) / str(seeds)
            grow(source, root, seeds)
            before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
            done = toy.retune(root, "plan")
            wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
            if done.returncode:
                raise subprocess.CalledProcessError(done.returncode, "retune plan", stderr=done.stderr)
            processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            print(f"{seeds:5d} seeds: {wall:5.1f} s, {processor:4.1f} s of processor time")


if __name__ == "__main__":
    main()
