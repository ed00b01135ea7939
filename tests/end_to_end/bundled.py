"""Runs of the bundled samples and encoder, each with a recipe's parameters."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline import recipes
from tests.pipeline import outcomes
from tests.pipeline.toy import git

ROOT = Path(__file__).parents[2]
STAGES = (
    "download dataset",
    "download model",
    "tokenize",
    "split",
    "finetune --seed 42",
    "evaluate --seed 42",
    "report",
)

ONE_AFTER_THE_OTHER = """\
import runpy, shlex, sys
for command in sys.argv[1:]:
    name, *sys.argv[1:] = shlex.split(command)
    runpy.run_module(f"stages.{name}", run_name="__main__", alter_sys=True)
"""


def run(root: Path, recipe: str, *values: str, stages: Sequence[str] = STAGES) -> Path:
    """Run the stages one after the other under `root`, without DVC; `values` as KEY=YAML.

    One process runs them all: that each is a command of its own is tested elsewhere, and seven imports of torch take
    longer than most of the stages.
    """
    (root / "params.yaml").write_text(recipes.compose(ROOT, recipe, values), encoding="utf-8")
    shutil.copytree(ROOT / "data/samples", root / "data/samples", dirs_exist_ok=True)
    command = [sys.executable, "-c", ONE_AFTER_THE_OTHER, *stages]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return root


def compared(root: Path, recipe: str, *values: str, base: str) -> Path:
    """A project with two commits: `base` trained with `values`, `learned` as the recipe says, as is the workspace."""
    outcomes.create(root)
    for tag, differs, stages in ((base, values, STAGES), ("learned", (), STAGES[4:])):
        run(root, recipe, *differs, stages=stages)
        outcomes.commit(root, tag)
        git(root, "tag", tag)
    return root
