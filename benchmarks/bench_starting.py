"""The fixed cost of a stage, by `retune run` and by `dvc repro` in turn: `python benchmarks/bench_starting.py`.

The bundled project is fine-tuned for one epoch with a new learning rate each time. A stage's fixed cost is the time of
its process but for the training or the predictions: imports, loading, saving, ending. The process of a stage that
`retune run` starts warm begins with its fork; the command that hands it over takes the seconds of the last line first.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.pipeline import toy

REPOSITORY = Path(__file__).parents[1]
WORK = {"finetune": "train_seconds", "evaluate": "predict_seconds"}
COMMANDS = {"retune run": ["-m", "pipeline.cli", "run"], "dvc repro": ["-m", "dvc", "repro"]}
HANDED_OVER = "import time; began = time.perf_counter(); import stages.entry; print(time.perf_counter() - began)"


def call(root: Path, command: str) -> float:
    """Wall seconds of a command."""
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, *COMMANDS[command]], cwd=root, env=toy.environment(), check=True, capture_output=True
    )
    return time.perf_counter() - began


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    found: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "project"
        toy.own_project(root)
        shutil.copytree(REPOSITORY / "data/samples", root / "data/samples")
        toy.edit(root, "params.yaml", "max_epochs: 4", "max_epochs: 1")
        call(root, "dvc repro")
        for number in range(rounds):
            for side, command in enumerate(COMMANDS):
                rate = 1e-5 * (2 * number + side + 3)
                text = (root / "params.yaml").read_text().splitlines()
                text = [
                    f"  learning_rate: {rate:.6f}" if line.startswith("  learning_rate:") else line for line in text
                ]
                (root / "params.yaml").write_text("\n".join(text) + "\n")
                shutil.rmtree(root / ".retune/rows", ignore_errors=True)
                found.setdefault((command, "all of it, wall"), []).append(call(root, command))
                for stage, part in WORK.items():
                    timing = json.loads((root / f"data/timing/{stage}@42.json").read_text())
                    found.setdefault((command, f"{stage}, fixed"), []).append(timing["seconds"] - timing[part])
    entry = subprocess.run(
        [sys.executable, "-c", HANDED_OVER], cwd=REPOSITORY, check=True, capture_output=True, text=True
    )
    print("| by | what | median s | from | to |\n|---|---|---|---|---|")
    for (command, what), seconds in sorted(found.items(), key=lambda item: item[0][1]):
        print(f"| `{command}` | {what} | {statistics.median(seconds):.1f} | {min(seconds):.1f} | {max(seconds):.1f} |")
    print(f"\nhanding over: {float(entry.stdout):.2f} s")


if __name__ == "__main__":
    main()
