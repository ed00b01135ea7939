"""The process from which stages start without importing torch and transformers again: `stages/warm.py`.

It lives while a run has stages left that start from it, and ends with the run, also when that is killed: the run holds
the other end of its standard input.
"""

import contextlib
import secrets
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from pipeline.execution.stage_process import LOGS, stage_environment
from pipeline.repository.graph import Stage
from stages.warm import SOCKET, listen

OWN_STAGE = "python -m stages."  # how the commands begin that can be handed over


def starts_warm(stage: Stage) -> bool:
    """Whether a stage imports large packages, and its command can be handed over."""
    return stage.cmd.startswith(OWN_STAGE) and stage.meta.get("pool") == "gpu"


class WarmProcess:
    """The warm process of a run; without one, stages start as they do under plain `dvc repro`.

    Args:
        root: The project's folder.
        environment: Further variables that every stage has.
    """

    def __init__(self, root: Path, environment: Mapping[str, str]) -> None:
        self._root = root
        self._environment = dict(environment)
        self._name = f"retune-{secrets.token_hex(16)}"
        self._process: subprocess.Popen[bytes] | None = None

    def keep(self, wanted: bool) -> None:
        """Start it if it is wanted and did not run yet; end it if it is not."""
        if not wanted:
            self.end()
        elif self._process is None and sys.platform == "linux":
            with contextlib.suppress(OSError):  # no process, no socket, or no log: stages start without it
                self._start()

    def variables(self) -> dict[str, str]:
        """The variables by which a stage finds it."""
        return {SOCKET: self._name} if self._process else {}

    def end(self) -> None:
        """End it, also while it still imports; the kernel ends what runs from it."""
        if self._process:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _start(self) -> None:
        log = self._root / LOGS / "warm.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with listen(self._name) as listener, log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "stages.warm", str(listener.fileno())],
                cwd=self._root,
                env={**stage_environment(self._root), **self._environment},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                pass_fds=[listener.fileno()],
                start_new_session=True,
            )
