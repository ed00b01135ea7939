"""What the tests of `retune compare` do to a project: write results, and tag them."""

from pathlib import Path
from typing import Any

from tests.pipeline import outcomes
from tests.pipeline.toy import git


def commit_results(root: Path, tag: str, data: Any, probabilities: Any) -> None:
    """Write results for the data, commit them, and tag the commit."""
    outcomes.write_results(root, data, probabilities)
    outcomes.commit(root, tag)
    git(root, "tag", tag)


def write_times(root: Path) -> dict[Path, int]:
    """When each file of the workspace was written; folders in which tools keep their own files are left out."""
    files = [path for path in root.rglob("*") if path.is_file()]
    return {path: path.stat().st_mtime_ns for path in files if not {".git", ".dvc", ".retune"} & set(path.parts)}
