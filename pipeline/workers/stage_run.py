"""One stage on one machine: clean checkout, exactly its inputs, run, outputs to the remote, the record last."""

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.execution import stage_process
from pipeline.execution.stage_process import LineHandler, Outcome, Running
from pipeline.repository.digests import Digest
from pipeline.repository.lock import read_lock
from pipeline.repository.project import Project
from pipeline.repository.remote import InputDamagedError, InputMissingError, Remote
from pipeline.repository.run_cache import entry_key
from pipeline.workers import checkout, inputs
from pipeline.workers.checkpoints import Mirror
from stages.errors import PipelineError

Kind = Literal["done", "cached", "said no", "machine", "missing", "damaged", "stopped"]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """What a worker is asked for.

    Attributes:
        repository: URL of the git repository (a worker's own RETUNE_REPOSITORY wins).
        commit: Full SHA: code, parameters and everything else that lies in git.
        stage: Name in dvc.yaml.
        key: Its run-cache key: command, parameters and the hash of every input.
        inputs: Outputs of other stages that it reads: path -> MD5.
        refresh: Run it even where it is recorded; its record is then replaced.
    """

    repository: str
    commit: str
    stage: str
    key: str
    inputs: Mapping[str, str]
    refresh: bool = False


@dataclass(frozen=True)
class Ending:
    """How a job ended: `said no` is the stage's own error, `machine` may go better elsewhere."""

    kind: Kind
    message: str


class StageRun:
    """Runs one job; `stop` may be called from any thread."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._running: Running | None = None
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End the stage and everything that it started; nothing more is recorded."""
        self._stopped.set()
        if self._running:
            self._running.stop()

    def run(self, read: LineHandler) -> Ending:
        """Do the job, unless its result is recorded already.

        Args:
            read: Gets every line that the stage writes.
        """
        job = self._job
        try:
            with checkout.slot(job.repository, job.commit, kind="stage", cache=checkout.home() / "cache") as root:
                log.info("%s at commit %s in %s", job.stage, job.commit, root)
                with Remote(root) as remote:
                    return self._run(root, remote, read)
        except InputDamagedError as error:
            return Ending("damaged", f"{job.stage}: {error}")
        except InputMissingError as error:
            return Ending("missing", f"{job.stage}: {error}")
        except (PipelineError, OSError) as error:
            return Ending("machine", f"{job.stage}: {' '.join(str(error).split())}")

    def _run(self, root: Path, remote: Remote, read: LineHandler) -> Ending:
        job = self._job
        if not job.refresh and remote.find(job.key):
            return Ending("cached", f"{job.stage}: another run has recorded it already")
        inputs.bring(root, remote, {path: Digest(md5) for path, md5 in job.inputs.items()})
        inputs.assert_key(root, job.stage, job.key)
        mirror = Mirror(remote, root, job.key)
        for path in mirror.restore():
            log.info("Resuming from the checkpoint %s", path)
        outcome = self._repro(root, mirror, read)
        if outcome.stopped or self._stopped.is_set():
            return Ending("stopped", f"{job.stage} was stopped")
        if outcome.error:
            return Ending("said no" if outcome.own_error else "machine", f"{job.stage}: {outcome.error}")
        entry = read_lock(root)[job.stage]
        if entry_key(entry) != job.key:
            return Ending("machine", f"{job.stage}: an input changed while it ran; nothing is recorded")
        remote.push(entry)
        if self._stopped.is_set():
            return Ending("stopped", f"{job.stage} was stopped")
        first = remote.publish(entry, replace=job.refresh) is entry
        mirror.remove()
        return Ending("done" if first else "cached", f"{job.stage}: {outcome.seconds:.1f} s")

    def _repro(self, root: Path, mirror: Mirror, read: LineHandler) -> Outcome:
        with Project(root) as project:
            stage = next(stage for stage in project.graph.stages if stage.name == self._job.stage)
        options = ["--force"] if self._job.refresh else []
        self._running = stage_process.start(root, stage.name, options=options, timeout=stage.meta.get("timeout"))
        if self._stopped.is_set():  # between the check and the start
            self._running.stop()
        mirror.start()
        try:
            return self._running.wait(read)
        except BaseException:  # a signal: whoever waits is about to leave, and nothing may stay behind
            self._running.stop()
            self._running.wait(lambda _: None)
            raise
        finally:
            mirror.stop()
