"""Asks a module in a process of its own, because it loads torch, or may wait for a network."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from stages.errors import PipelineError

EXCEPTION = re.compile(r"^(error|[\w.]+(Error|Exception)): ")  # before the message of a command, or of a traceback


def ask(root: Path, module: str, *, seconds: float) -> Any:
    """Run `python -m MODULE` and return the JSON that it prints.

    Args:
        root: The folder to run in.
        module: Its dotted name.
        seconds: How long to wait for the answer.

    Raises:
        PipelineError: It failed or did not answer in time; the message is the last line of its error.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", module],
            cwd=root,
            env={**os.environ, "DVC_NO_ANALYTICS": "1"},
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PipelineError(f"no answer in {seconds:g} seconds") from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise PipelineError(EXCEPTION.sub("", lines[-1]))
    return json.loads(done.stdout.splitlines()[-1])
