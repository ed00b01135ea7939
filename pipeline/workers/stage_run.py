"""Runs one stage on one machine: clean checkout, exactly its inputs, run, push its outputs, and its record last."""

import dataclasses
import logging
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline.execution import stage_process
from pipeline.execution.stage_process import LineHandler, Outcome, Running
from pipeline.repository import git
from pipeline.repository.confinement import check_md5
from pipeline.repository.digests import Digest
from pipeline.repository.lock import read_lock
from pipeline.repository.project import Project
from pipeline.repository.storage.remote import InputDamagedError, InputMissingError, Remote
from pipeline.repository.storage.run_cache import entry_key
from pipeline.workers import checkout, inputs
from pipeline.workers.checkpoints import CheckpointMirror
from stages.errors import PipelineError, explain

Status = Literal["done", "cached", "stage error", "machine error", "input missing", "input damaged", "stopped"]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StageRequest:
    """What a coordinator asks of a worker.

    Attributes:
        repository: URL of the git repository (a worker's own RETUNE_REPOSITORY overrides it).
        commit: Full SHA; it fixes the code, the parameters and every other file in git.
        stage: Name in dvc.yaml.
        key: The stage's run-cache key: its command, its parameters and the hash of every input.
        inputs: The outputs of other stages that it reads: path -> MD5.
        refresh: Run it even if it is recorded, and replace the record.
    """

    repository: str
    commit: str
    stage: str
    key: str
    inputs: Mapping[str, str]
    refresh: bool = False

    def as_parameters(self) -> dict[str, Any]:
        """The parameters of the flow `run-stage`."""
        return dataclasses.asdict(self)

    def check(self) -> None:
        """Check what becomes an argument of git or a part of a path; `fetch_inputs` checks the paths of the inputs.

        Raises:
            PipelineError: The repository, the commit, the key or the MD5 of an input can't be one.
        """
        git.check_repository(self.repository)
        git.check_commit(self.commit)
        if not re.fullmatch(r"[0-9a-f]{64}", self.key):
            raise PipelineError(f"{self.key!r} is not a run-cache key: expected 64 hexadecimal digits.")
        for md5 in self.inputs.values():
            check_md5(md5)


@dataclass(frozen=True)
class StageResult:
    """How a request ended.

    Attributes:
        status: `cached`: another run had already recorded it. `stage error`: the stage's command ended with an error
            of its own. `machine error`: another attempt or another machine may succeed.
        message: One line that starts with the stage's name.
    """

    status: Status
    message: str


class StageRun:
    """Runs one request; `stop` may be called from any thread."""

    def __init__(self, request: StageRequest) -> None:
        self._request = request
        self._running: Running | None = None
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End the stage and every process that it started; nothing is recorded any more."""
        self._stopped.set()
        if self._running:
            self._running.stop()

    def run(self, read: LineHandler) -> StageResult:
        """Run the stage and record its result, unless it is recorded already.

        Args:
            read: Receives every line that the stage writes.
        """
        request = self._request
        cache = checkout.home() / "cache"
        try:
            request.check()
            with checkout.slot(request.repository, request.commit, kind="stage", cache=cache) as root:
                log.info("%s at commit %s in %s", request.stage, request.commit, root)
                with Remote(root) as remote:
                    return self._run(root, remote, read)
        except InputDamagedError as error:
            return self._result("input damaged", str(error))
        except InputMissingError as error:
            return self._result("input missing", str(error))
        except inputs.SourceError as error:
            return self._result("stage error", str(error))
        except (PipelineError, OSError) as error:
            return self._result("machine error", explain(error) or " ".join(str(error).split()))

    def _run(self, root: Path, remote: Remote, read: LineHandler) -> StageResult:
        request = self._request
        if not request.refresh and remote.find(request.key):
            return self._result("cached", "another run has already recorded it")
        inputs.fetch_inputs(root, remote, {path: Digest(md5) for path, md5 in request.inputs.items()})
        inputs.fetch_sources(root, remote, request.stage)
        inputs.check_key(root, request.stage, request.key)
        mirror = CheckpointMirror(remote, root, request.key)
        for path in mirror.restore():
            log.info("Resuming from the checkpoint %s", path)
        outcome = self._repro(root, mirror, read)
        if outcome.stopped or self._stopped.is_set():
            return self._result("stopped", "it was stopped")
        if outcome.error:
            return self._result("stage error" if outcome.own_error else "machine error", outcome.error)
        entry = read_lock(root)[request.stage]
        if entry_key(entry) != request.key:
            return self._result("machine error", "an input changed while it ran, so nothing is recorded")
        remote.push(entry)
        if self._stopped.is_set():
            return self._result("stopped", "it was stopped")
        is_first = remote.publish(entry, replace=request.refresh) is entry
        mirror.remove()
        return self._result("done" if is_first else "cached", f"{outcome.seconds:.1f} s")

    def _repro(self, root: Path, mirror: CheckpointMirror, read: LineHandler) -> Outcome:
        with Project(root) as project:
            stage = next(stage for stage in project.graph.stages if stage.name == self._request.stage)
        options = ["--force"] if self._request.refresh else []
        self._running = stage_process.start(root, stage.name, options=options, timeout=stage.meta.get("timeout"))
        if self._stopped.is_set():  # `stop` may have been called before there was a process
            self._running.stop()
        mirror.start()
        try:
            return self._running.wait(read)
        except BaseException:  # a signal ends this process: end the stage first, so that it is not left behind
            self._running.stop()
            self._running.wait(lambda _: None)
            raise
        finally:
            mirror.stop()

    def _result(self, status: Status, message: str) -> StageResult:
        return StageResult(status, f"{self._request.stage}: {message}")
