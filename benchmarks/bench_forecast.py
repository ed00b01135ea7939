"""How often the times that a plan expects hold: random changes of a project, each run for real.

    python benchmarks/bench_forecast.py --changes 40 --minutes 6             # the small project of the tests
    python benchmarks/bench_forecast.py --changes 40 --minutes 20 --bundled  # the bundled reviews and encoder

Each change draws new values of what a fine-tune's time depends on. Every stage that then runs gives a line: the range
that the plan gave just before, and the seconds it took. 80% of the ranges should hold. The seconds of the machine are
part of what is forecast, so leave it to this script alone.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from pipeline import params_file, recipes
from pipeline.execution.runner import Runner
from tests.end_to_end import small_project

ROOT = Path(__file__).parents[1]
CHOICES = {
    "finetune.method": ["full", "frozen"],
    "finetune.max_epochs": [1, 2, 4, 8, 16, 32],
    "finetune.batch_size": [4, 8, 16, 32],
    "finetune.limit_train_share": [0.25, 0.5, 1.0],
    "split.train_fraction": [0.5, 1.0],
    "tokenize.max_length": [8, 16, 32],
    "seeds": [[1], [2], [3]],
}
BUNDLED = CHOICES | {"finetune.max_epochs": [1, 2, 3, 4], "tokenize.max_length": [16, 32, 128]}


@dataclass(frozen=True)
class Line:
    """A stage that ran: what was expected (None: nothing was known), and what it took, in seconds."""

    stage: str
    seconds: float
    expected: float | None
    low: float
    high: float

    @property
    def holds(self) -> bool:
        return self.low <= self.seconds <= self.high


def change(root: Path, choices: dict[str, list[Any]], chance: random.Random) -> None:
    """Draw a new value of two keys; the others stay."""
    keys = chance.sample(list(choices), 2)
    overrides = [f"{key}={chance.choice(choices[key])}" for key in keys]
    text = recipes.changed_params(root, recipe=None, overrides=overrides)
    if text is not None:
        params_file.write_params(root, text, replace=False)


def run(root: Path) -> Iterator[Line]:
    """Bring the fine-tuned model up to date, stage by stage."""
    runner = Runner(root, targets=["finetune"])
    runner.plan()
    while stages := runner.start_ready():
        for stage in stages:
            plan = runner.plans[stage]
            outcome = runner.run(stage, lambda _: None)
            if outcome.error:
                raise SystemExit(f"{stage}: {outcome.error} (log: {outcome.log})")
            runner.finished(stage, outcome)
            if not outcome.restored:
                yield Line(stage, outcome.seconds, plan.seconds, *(plan.range or (0.0, 0.0)))


def main() -> None:
    """Run the changes and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--changes", type=int, default=40)
    parser.add_argument("--minutes", type=float, default=6.0, help="Begin no further change after so many minutes.")
    parser.add_argument("--seed", type=int, default=0, help="Of the random changes.")
    parser.add_argument("--bundled", action="store_true", help="A clone of this checkout's last commit.")
    arguments = parser.parse_args()
    choices = BUNDLED if arguments.bundled else CHOICES
    chance, end = random.Random(arguments.seed), time.monotonic() + 60 * arguments.minutes
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "project"
        if arguments.bundled:
            subprocess.run(["git", "clone", "--quiet", ROOT, root], check=True)
        else:
            small_project.create(root)
        list(run(root))  # the first runs, of which nothing is known
        lines: list[Line] = []
        print("| change | stage | expected, s | range, s | took, s | holds |\n|--:|---|--:|--:|--:|---|")
        for number in range(1, arguments.changes + 1):
            if time.monotonic() > end:
                break
            change(root, choices, chance)
            for line in run(root):
                lines.append(line)
                cells = (number, line.stage, line.expected, f"{line.low} to {line.high}", f"{line.seconds:.1f}")
                print("|", " | ".join(map(str, cells)), "|", "yes" if line.holds else "no", "|", flush=True)
    held = sum(line.holds for line in lines)
    print(f"\n{held} of {len(lines)} ranges hold ({held / max(len(lines), 1):.0%}; meant: 80%)")


if __name__ == "__main__":
    main()
