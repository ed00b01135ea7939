"""What the tests of `retune compare` do to a project: write results, tag them, run the command."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.pipeline import outcomes
from tests.pipeline.toy import environment, git


def commit_results(root: Path, tag: str, data: Any, probabilities: Any) -> None:
    """Write results for the data, commit them, and tag the commit."""
    outcomes.write_results(root, data, probabilities)
    outcomes.commit(root, tag)
    git(root, "tag", tag)


def retune(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line in a project, with the code of this repository."""
    command = [sys.executable, "-m", "pipeline.cli", *arguments]
    path = str(outcomes.ROOT)
    return subprocess.run(command, cwd=root, env=environment(PYTHONPATH=path), capture_output=True, text=True)


def write_times(root: Path) -> dict[Path, int]:
    """When each file of the workspace was written; folders in which tools keep their own files are left out."""
    files = [path for path in root.rglob("*") if path.is_file()]
    return {path: path.stat().st_mtime_ns for path in files if not {".git", ".dvc", ".retune"} & set(path.parts)}
