"""Starts `retune run` in a toy project, tells its stages how to behave, and reads which stages started."""

import json
import subprocess
import sys
from pathlib import Path

from tests.pipeline import toy


def run(root: Path, api: str, *arguments: str) -> str:
    """What `retune run` printed; it must succeed."""
    done = toy.retune(root, "run", *arguments, PREFECT_API_URL=api)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def start(root: Path, api: str, *arguments: str) -> subprocess.Popen[str]:
    """Start `retune run` and return at once."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "pipeline.cli", "run", *arguments],
        cwd=root,
        env=toy.environment(PREFECT_API_URL=api),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def control(root: Path, **behaviour: dict[str, object]) -> None:
    """Make stages sleep, fail or start a child from now on; a name holds `_` for `@`."""
    by_stage = {name.replace("_", "@"): options for name, options in behaviour.items()}
    (root / "control.json").write_text(json.dumps(by_stage))


def started_stages(root: Path) -> list[str]:
    """The stages that started, in that order."""
    return [stage for event, stage, _ in toy.trace(root) if event == "start"]


def in_state(states: dict[str, str], state: str) -> set[str]:
    """The stages that are in this state."""
    return {stage for stage, current in states.items() if current == state}
