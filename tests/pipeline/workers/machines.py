"""A real Prefect server and process workers on this machine; each worker has a RETUNE_HOME of its own."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from uuid import UUID

import psutil

from tests.pipeline.processes import wait_for
from tests.pipeline.workers.toy_project import ROOT, ToyProject, run

LOGIN = "retune:for-the-tests-alone"
SETTINGS = {
    "PREFECT_SERVER_API_AUTH_STRING": LOGIN,  # the server is closed as docs/workers.md says
    "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
    "PREFECT_API_AUTH_STRING": LOGIN,
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_LEVEL": "INFO",
    "PREFECT_LOGGING_EXTRA_LOGGERS": "pipeline",
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "5",
    "PREFECT_WORKER_QUERY_SECONDS": "2",
    "PREFECT_RUNNER_POLL_FREQUENCY": "2",
    "DVC_NO_ANALYTICS": "1",
    "RETUNE_LOST_SECONDS": "15",
}
PR_SET_PDEATHSIG = 1  # Source: prctl(2)


def _die_with_us() -> None:
    """Have the kernel kill this process when pytest is killed (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Machines:
    """The server and the workers, by name."""

    def __init__(self, folder: Path) -> None:
        from pipeline.local.server import free_port

        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/api"
        self.events = folder / "events"
        self.events.mkdir()
        own_pages = {"PREFECT_SERVER_CORS_ALLOWED_ORIGINS": f"http://127.0.0.1:{self.port}"}
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PREFECT")},
            **SETTINGS,
            **own_pages,
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_API_URL": self.url,
            "TOY_EVENTS": str(self.events),
            "PYTHONPATH": str(ROOT),
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        log = (self.folder / f"{name}.log").open("ab")
        self.processes[name] = subprocess.Popen(
            [sys.executable, "-P", "-m", *command],
            cwd=self.folder,
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_us,
        )
        return self.processes[name]

    def set_up(self) -> None:
        """Run `retune deploy` on the server, and start a worker in each pool."""
        api = {name: self.environment[name] for name in ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING", "PREFECT_HOME")}
        run(ROOT, sys.executable, "-m", "pipeline.cli", "deploy", RETUNE_REPOSITORY="none", **api)
        self.start_worker("cpu-1")
        self.start_worker("gpu-1", limit=1)

    def start_server(self) -> None:
        from pipeline.local.server import answers

        self.start("server", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(self.port), "--no-ui")
        wait_for(lambda: answers(self.url), 300)

    def start_worker(self, name: str, *, limit: int = 4) -> None:
        pool = name.partition("-")[0]
        home = {"RETUNE_HOME": str(self.folder / f"home-{name}")}
        marker = {"TOY_GPU": "1"} if pool == "gpu" else {}
        options = ["--pool", pool, "--name", name, "--limit", str(limit)]
        self.start(name, "prefect", "worker", "start", *options, **home, **marker)

    def start_reconciler(self) -> None:
        self.start("reconciler", "pipeline.cli", "reconcile")

    def kill(self, name: str, sig: signal.Signals) -> None:
        """Send the signal to this process alone, as an operator or the kernel would."""
        process = self.processes[name]
        process.send_signal(sig)
        process.wait(60)

    def unplug(self, name: str) -> None:
        """Kill the worker, its flow runs and its stages at once, as when its machine loses power."""
        home = str(self.folder / f"home-{name}")
        worker = psutil.Process(self.processes[name].pid)
        stages = [process for process in self.of_stages() if process.environ()["RETUNE_WORKSPACE"].startswith(home)]
        for process in [worker, *worker.children(recursive=True), *stages]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.processes[name].wait(60)

    def worker_of(self, stage: psutil.Process) -> str:
        """The name of the worker that runs this process of a stage."""
        workspace = Path(stage.environ()["RETUNE_WORKSPACE"])
        return workspace.relative_to(self.folder).parts[0].removeprefix("home-")

    def repair(self) -> None:
        """Bring back the state after `set_up`: the server and one worker in each pool."""
        for name in set(self.processes) - {"server", "cpu-1", "gpu-1"}:
            self.kill(name, signal.SIGTERM)
            del self.processes[name]
        if self.processes["server"].poll() is not None:
            self.start_server()
        for name, limit in (("cpu-1", 4), ("gpu-1", 1)):
            if self.processes[name].poll() is not None:
                self.start_worker(name, limit=limit)

    def stop(self) -> None:
        for process in reversed(self.processes.values()):
            with contextlib.suppress(psutil.NoSuchProcess):
                family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
                for member in family:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        member.kill()
            process.wait(30)
        for process in self.of_stages():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def of_stages(self) -> list[psutil.Process]:
        """Every process of a stage that one of these workers runs."""
        processes = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("RETUNE_WORKSPACE", "").startswith(str(self.folder)):
                    processes.append(process)
        return processes

    def engine(self, run_id: UUID) -> psutil.Process:
        """The process of a flow run."""
        engines = self.engines(only=run_id)
        assert engines, f"the flow run {run_id} has no process"
        return engines[0]

    def engines(self, *, only: UUID | None = None, but: UUID | None = None) -> list[psutil.Process]:
        """The processes of the flow run `only`, or of all flow runs but `but`."""
        processes = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                variables = process.environ()
                run_id = variables.get("PREFECT__FLOW_RUN_ID")
                is_ours = variables.get("PREFECT_API_URL") == self.url and "RETUNE_WORKSPACE" not in variables
                is_selected = run_id == str(only) if only else run_id not in (None, str(but))
                if is_ours and is_selected and any("prefect" in part for part in process.cmdline()):
                    processes.append(process)
        return processes


def assert_complete(project: ToyProject, machines: Machines) -> None:
    """Each stage is recorded once, no process of a stage is alive, and the branch holds every result."""
    assert len(project.records()) == len(set(project.records())) == 4
    assert set(project.ran()) == {"download", "finetune@1", "evaluate@1", "report"}
    wait_for(lambda: not machines.of_stages(), 30)
    [branch] = project.branches()
    before = len(project.ran())
    project.dvc("repro", "--pull", folder=project.clone(f"complete-{time.time_ns()}", branch))
    assert len(project.ran()) == before
