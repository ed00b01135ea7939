"""Two machines in one: a real Prefect server, process workers, a bare git origin, a folder remote; nothing shared."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psutil
import pytest

ROOT = Path(__file__).parents[2]
TOY = Path(__file__).parent / "toy"
IGNORE = (
    "/.retune/\n/data/download/\n/data/*/*/model/\n/data/*/*/predictions.txt\n/data/report/report.md\n__pycache__/\n"
)
SETTINGS = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_LOGGING_LEVEL": "INFO",
    "PREFECT_LOGGING_EXTRA_LOGGERS": "pipeline",
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    "PREFECT_WORKER_QUERY_SECONDS": "2",
    "PREFECT_WORKER_HEARTBEAT_SECONDS": "5",
    "PREFECT_RUNNER_POLL_FREQUENCY": "2",
    "DVC_NO_ANALYTICS": "1",
    "RETUNE_LOST_SECONDS": "15",
}
Wait = Callable[[], Any]


def run(folder: Path, *command: str, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def wait_for(what: Wait, seconds: float = 120.0) -> Any:
    """Wait until something is true; a test that waits in vain says for what."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what.__qualname__} in vain")
        time.sleep(0.2)
    return found


class Machines:
    """The server and the workers; each worker has a home of its own."""

    def __init__(self, folder: Path) -> None:
        from pipeline.server import free_port

        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/api"
        self.events = folder / "events"
        self.events.mkdir()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PREFECT")},
            **SETTINGS,
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
        )
        return self.processes[name]

    def start_server(self) -> None:
        from pipeline.server import answers

        self.start("server", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(self.port), "--no-ui")
        wait_for(lambda: answers(self.url), 120)

    def start_worker(self, name: str, *, limit: int = 4) -> None:
        pool = name.partition("-")[0]
        home = {"RETUNE_HOME": str(self.folder / f"home-{name}")}
        marker = {"TOY_GPU": "1"} if pool == "gpu" else {}
        options = ["--pool", pool, "--name", name, "--limit", str(limit)]
        self.start(name, "prefect", "worker", "start", *options, **home, **marker)

    def start_reconciler(self) -> None:
        self.start("reconciler", "pipeline.cli", "reconcile")

    def kill(self, name: str, sig: signal.Signals) -> None:
        """Send the signal to this one process, as an operator or the kernel would."""
        process = self.processes[name]
        process.send_signal(sig)
        process.wait(60)

    def unplug(self, name: str) -> None:
        """The worker's machine is gone: it, its engines and its stages in one moment."""
        home = str(self.folder / f"home-{name}")
        worker = psutil.Process(self.processes[name].pid)
        stages = [process for process in self.of_stages() if process.environ()["RETUNE_WORKSPACE"].startswith(home)]
        for process in [worker, *worker.children(recursive=True), *stages]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.processes[name].wait(60)

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
        """Every process that belongs to a stage of a worker of ours."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("RETUNE_WORKSPACE", "").startswith(str(self.folder)):
                    found.append(process)
        return found

    def engine(self, run_id: UUID) -> psutil.Process:
        """The process of a flow run."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                variables = process.environ()
                own = variables.get("PREFECT__FLOW_RUN_ID") == str(run_id) and "RETUNE_WORKSPACE" not in variables
                if own and any("prefect" in part for part in process.cmdline()):
                    return process
        raise AssertionError(f"no engine of {run_id}")


class Project:
    """A toy project: its origin, its remote, and what happened to it."""

    def __init__(self, events: Path, folder: Path) -> None:
        self.event_folder = events
        self.folder = folder
        self.origin = folder / "origin.git"
        self.remote = folder / "remote"
        self.work = folder / "work"
        for path in events.iterdir():
            path.unlink()

    def create(self, *, remote: str | None = None, seeds: str = "[1]", text: str = "rows\n") -> None:
        self.work.mkdir(parents=True)
        for source in TOY.iterdir():
            if source.is_file():
                shutil.copy(source, self.work)
        params = (ROOT / "recipes/default.yaml").read_text().replace("seeds: [42]", f"seeds: {seeds}")
        (self.work / "params.yaml").write_text(params)
        (self.work / "source.txt").write_text(text)
        (self.work / ".gitignore").write_text(IGNORE)
        shutil.copy(ROOT / ".dvcignore", self.work)
        run(self.work, "git", "init", "--quiet", "--initial-branch=main")
        run(self.work, "git", "config", "user.email", "toy@localhost")
        run(self.work, "git", "config", "user.name", "toy")
        self.dvc("init", "--quiet")
        self.dvc("remote", "add", "-d", "storage", remote or str(self.remote))
        run(self.folder, "git", "init", "--quiet", "--bare", "--initial-branch=main", str(self.origin))
        run(self.work, "git", "remote", "add", "origin", str(self.origin))
        self.commit("Start")

    def copy(self, source: Path) -> None:
        """Take a real project as it is committed, with an origin and a remote of its own."""
        run(self.folder, "git", "clone", "--quiet", str(source), str(self.work))
        run(self.work, "git", "checkout", "--quiet", "-B", "main")
        run(self.work, "git", "config", "user.email", "toy@localhost")
        run(self.work, "git", "config", "user.name", "toy")
        run(self.folder, "git", "init", "--quiet", "--bare", "--initial-branch=main", str(self.origin))
        run(self.work, "git", "remote", "set-url", "origin", str(self.origin))
        self.dvc("remote", "add", "--force", "-d", "storage", str(self.remote))
        self.commit("A remote")

    def dvc(self, *arguments: str, folder: Path | None = None) -> str:
        return run(folder or self.work, sys.executable, "-m", "dvc", *arguments, **self.toy_environment())

    def toy_environment(self) -> dict[str, str]:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        return {"PATH": path, "TOY_EVENTS": str(self.event_folder), "DVC_NO_ANALYTICS": "1"}

    def commit(self, message: str) -> str:
        run(self.work, "git", "add", "--all")
        run(self.work, "git", "commit", "--quiet", "--message", message)
        run(self.work, "git", "push", "--quiet", "origin", "HEAD:main")
        return run(self.work, "git", "rev-parse", "HEAD").strip()

    def clone(self, name: str, branch: str) -> Path:
        run(self.folder, "git", "clone", "--quiet", "--branch", branch, str(self.origin), name)
        return self.folder / name

    def head(self, branch: str) -> str:
        return run(self.origin, "git", "rev-parse", branch).strip()

    def branches(self) -> list[str]:
        lines = run(self.origin, "git", "for-each-ref", "--format=%(refname:short)", "refs/heads/retune")
        return lines.split()

    def slow(self, stage: str, ticks: int) -> None:
        (self.event_folder / f"slow-{stage}").write_text(str(ticks))

    def events(self, what: str = "start") -> list[dict[str, Any]]:
        paths = sorted(self.event_folder.glob(f"*.{what}"))
        if what == "start":
            paths = sorted([*paths, *self.event_folder.glob("*.done")])
        return [json.loads(path.read_text()) for path in paths]

    def ran(self) -> list[str]:
        """The stages that ran to their end, in that order."""
        return [event["stage"] for event in self.events("end")]

    def objects(self) -> list[Path]:
        return [path for path in (self.remote / "files").rglob("*") if path.is_file()]

    def records(self) -> list[str]:
        return sorted(path.parent.name for path in (self.remote / "runs").rglob("*") if path.is_file())


class Api:
    """What the tests ask of Prefect."""

    def __init__(self) -> None:
        from prefect.client.orchestration import get_client

        self.client = get_client(sync_client=True)

    def coordinate(self, project: Project, **parameters: Any) -> UUID:
        deployment = self.client.read_deployment_by_name("coordinate/coordinate")
        values = {"repository": str(project.origin), **parameters}
        return self.client.create_flow_run_from_deployment(deployment.id, parameters=values).id

    def coordinate_now(self, project: Project) -> UUID:
        """Start one beside others, although the deployment allows one at a time."""
        one = self.client.read_deployment_by_name("coordinate/coordinate")
        other = self.client.create_deployment(
            one.flow_id,
            f"beside-{uuid4().hex[:6]}",
            entrypoint=one.entrypoint,
            pull_steps=[],
            work_pool_name="cpu",
            job_variables=one.job_variables,
            parameters={"repository": str(project.origin), "ref": "main"},
        )
        return self.client.create_flow_run_from_deployment(other).id

    def cancel_scheduled(self, flow: str) -> None:
        """Cancel every run of a flow that has not begun."""
        from prefect.client.schemas.filters import FlowFilter, FlowFilterName
        from prefect.states import Cancelled

        for found in self.client.read_flow_runs(flow_filter=FlowFilter(name=FlowFilterName(any_=[flow]))):
            if found.state and found.state.is_scheduled():
                self.client.set_flow_run_state(found.id, Cancelled(), force=True)

    def overheads(self, project: Project) -> dict[str, float]:
        """Seconds of each stage's run, from asking for it to its end, that were not the stage's own."""
        own = {event["stage"]: event["time"] - event["begun"] for event in project.events("end")}
        runs = {stage: self.stage_runs(stage)[0] for stage in own}
        return {
            stage: round((run.end_time - run.created).total_seconds() - own[stage], 1) for stage, run in runs.items()
        }

    def state(self, run_id: UUID) -> Any:
        return self.client.read_flow_run(run_id).state

    def end(self, run_id: UUID, seconds: float = 240.0) -> Any:
        """The final state."""

        def final() -> Any:
            with contextlib.suppress(Exception):
                state = self.state(run_id)
                return state if state.is_final() else None

        final.__qualname__ = f"the end of run {run_id}"
        return wait_for(final, seconds)

    def stage_runs(self, stage: str) -> list[Any]:
        from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterTags

        found = FlowRunFilter(tags=FlowRunFilterTags(all_=[f"stage:{stage}"]))
        return list(self.client.read_flow_runs(flow_run_filter=found))


@pytest.fixture(scope="session")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    machines = Machines(tmp_path_factory.mktemp("machines"))
    try:
        machines.start_server()
        run(
            ROOT,
            sys.executable,
            "-m",
            "pipeline.cli",
            "deploy",
            PREFECT_API_URL=machines.url,
            PREFECT_HOME=machines.environment["PREFECT_HOME"],
            RETUNE_REPOSITORY="none",
        )
        machines.start_worker("cpu-1")
        machines.start_worker("gpu-1", limit=1)
        yield machines
    finally:
        machines.stop()


@pytest.fixture(scope="session")
def api(machines: Machines) -> Iterator[Api]:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: machines.url}):
        api = Api()
        with api.client:
            yield api


@pytest.fixture
def across(machines: Machines, tmp_path: Path) -> Project:
    """A project on the server and the workers."""
    return Project(machines.events, tmp_path)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project without a server: its stages are done where they are sent."""
    events = tmp_path / "events"
    events.mkdir()
    monkeypatch.setenv("TOY_EVENTS", str(events))
    monkeypatch.setenv("RETUNE_HOME", str(tmp_path / "home"))
    return Project(events, tmp_path)
