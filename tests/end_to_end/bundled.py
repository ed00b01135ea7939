"""Runs of the bundled samples and encoder, each with a recipe's parameters."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from pipeline import recipes

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


def run(root: Path, recipe: str, *values: str, stages: Sequence[str] = STAGES) -> Path:
    """Run the stages one after the other under `root`, without DVC; `values` as KEY=YAML."""
    (root / "params.yaml").write_text(recipes.compose(ROOT, recipe, values), encoding="utf-8")
    shutil.copytree(ROOT / "data/samples", root / "data/samples", dirs_exist_ok=True)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    for stage in stages:
        command = [sys.executable, "-m", *f"stages.{stage}".split()]
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return root
