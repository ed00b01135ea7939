"""Runs the dvc command, for what changes the workspace and is no stage."""

import os
import subprocess
import sys
from pathlib import Path

from stages.errors import PipelineError


def run(root: Path, *arguments: str) -> None:
    """Run dvc in a project's folder.

    Raises:
        PipelineError: It failed; the message is DVC's own.
    """
    done = subprocess.run(
        [sys.executable, "-m", "dvc", "--wait-for-lock", *arguments],
        cwd=root,
        env={**os.environ, "DVC_NO_ANALYTICS": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        lines = [line.removeprefix("ERROR: ") for line in done.stderr.splitlines() if line.startswith("ERROR: ")]
        problem = lines[0] if lines else f"exit code {done.returncode}"
        raise PipelineError(f"dvc {' '.join(arguments)} failed: {problem}")
