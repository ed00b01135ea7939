"""Runs of the bundled samples and encoder, each with a recipe's parameters."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from pipeline import recipes
from stages.paths import Paths
from tests.end_to_end import all_stages
from tests.pipeline import outcomes
from tests.pipeline.toy import git

ROOT = Path(__file__).parents[2]


def run(root: Path, recipe: str, *values: str, only: Sequence[str] = ()) -> Path:
    """Run the stages, or some of them, under `root`; `values` as KEY=YAML."""
    (root / "params.yaml").write_text(recipes.compose(ROOT, recipe, values), encoding="utf-8")
    shutil.copytree(ROOT / "data/samples", root / "data/samples", dirs_exist_ok=True)
    all_stages.run(Paths(root), seed=42, only=only)
    return root


def compared(root: Path, recipe: str, *values: str, base: str, learned: Sequence[str] = ()) -> Path:
    """A project with two commits: `base` trained with `values`, `learned`, as is the workspace, with its own.

    Without values `learned` is as the recipe says; fewer epochs of a long recipe are enough to see that it learns.
    """
    outcomes.create(root)
    for tag, differs, only in ((base, values, ()), ("learned", learned, all_stages.TRAINED)):
        run(root, recipe, *differs, only=only)
        outcomes.commit(root, tag)
        git(root, "tag", tag)
    return root
