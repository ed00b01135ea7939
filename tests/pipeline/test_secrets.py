"""Planted secrets, looked for in everything that a run, a coordinated run, a deployment and a comparison write."""

import contextlib
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from pipeline.workers import deploy, flows
from stages.redaction import without_credentials
from tests.pipeline import outcomes, prefect_states, toy
from tests.pipeline.comparison import commands
from tests.pipeline.processes import wait_for
from tests.pipeline.workers import git_server
from tests.pipeline.workers.in_process import InProcessDispatcher
from tests.pipeline.workers.toy_project import ToyProject

pytestmark = pytest.mark.slow
ENVIRONMENT = (
    *("HF_TOKEN", "GH_TOKEN", "PREFECT_API_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_STORAGE_KEY"),
    "RETUNE_PLANTED_PASSWORD",
)
PLANTED_FILES = ("config.local", "control.json")  # the tests write secrets here themselves


class Secrets:
    """Secrets of each kind; none of them occurs anywhere else on this machine."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        return self.values.setdefault(name, f"planted{uuid4().hex}")

    def environment(self) -> dict[str, str]:
        return {name: self[name] for name in ENVIRONMENT}

    def said_by_libraries(self) -> str:
        """What error messages of libraries quote, in one line."""
        return (
            f"HTTPSConnectionPool: Max retries exceeded with url: /x.csv?X-Amz-Signature={self['signature']}&a=1; "
            f"401 Client Error for url: https://user:{self['password']}@host/x.csv?sig={self['sas']}; "
            f"fatal: Authentication failed for 'https://{self['git token']}@host/x.git/'; "
            f"s3://KEY:{self['store key']}@bucket/x; Authorization: Bearer {self['bearer']}; "
            + "; ".join(f"{name} is {self[name]}" for name in ENVIRONMENT)
        )

    def found(self, content: bytes) -> list[str]:
        return [name for name, value in self.values.items() if value.encode() in content]


@pytest.fixture
def secrets() -> Secrets:
    return Secrets()


def leaks(secrets: Secrets, *folders: Path) -> dict[str, list[str]]:
    """The files that hold a secret, git objects unpacked; those that the test itself planted are left out."""
    contents: dict[str, bytes] = {}
    for path in files(folders):
        contents[str(path)] = path.read_bytes()
    for git in {path.parent for path in files(folders) if path.name == "HEAD" and (path.parent / "objects").is_dir()}:
        everything = ["git", "--git-dir", str(git), "cat-file", "--batch-all-objects", "--batch", "--unordered"]
        contents[f"objects of {git}"] = subprocess.run(everything, check=True, capture_output=True).stdout
    return {name: kinds for name, content in contents.items() if (kinds := secrets.found(content))}


def files(folders: Iterable[Path]) -> list[Path]:
    every = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return [path for path in every if path.name not in PLANTED_FILES]


@pytest.mark.parametrize("ends", ["well", "with an error"])
def test_a_run(project: Path, prefect_api: str, secrets: Secrets, ends: str) -> None:
    (project / ".dvc/config.local").write_text(
        f"['remote \"storage\"']\n    url = s3://bucket/x\n    secret_access_key = {secrets['dvc']}\n"
    )
    toy.git(project, "remote", "add", "origin", f"https://user:{secrets['origin']}@host/x.git")
    kept = (project / ".git/config").read_text()
    toy.edit(project, "params.yaml", "length: 5", "length: 6")
    work = (project / "work.py").read_text()
    toy.edit(project, "work.py", 'print(f"working on {stage}", flush=True)', "print(os.environ['SAID'], flush=True)")
    assert (project / "work.py").read_text() != work
    if ends == "with an error":
        (project / "control.json").write_text(json.dumps({"cut": {"fail": secrets.said_by_libraries()}}))
    done = toy.retune(
        project, "run", PREFECT_API_URL=prefect_api, SAID=secrets.said_by_libraries(), **secrets.environment()
    )
    assert done.returncode == (1 if ends == "with an error" else 0), done.stdout + done.stderr
    assert "s3://***@bucket/x" in done.stdout
    assert secrets.found((done.stdout + done.stderr).encode()) == []
    (project / ".git/config").write_text(kept.replace(secrets["origin"], ""))
    assert leaks(secrets, project, toy.PREFECT_HOME) == {}
    run = prefect_states.last_flow_run(prefect_api)
    wanted = {"logs": {"flow_run_id": {"any_": [run["id"]]}}}
    wait_for(lambda: "s3://***@bucket/x" in json.dumps(prefect_states.query(prefect_api, "logs", wanted)), 60)


@pytest.mark.parametrize("command", [["plan"], ["plan", "--json"], ["run"]])
def test_params_with_a_secret_are_refused_at_once(tmp_path: Path, secrets: Secrets, command: list[str]) -> None:
    root = toy.own_project(tmp_path / "own")
    toy.edit(root, "params.yaml", "folder: data/samples", f"folder: https://user:{secrets['password']}@host/x")
    planted = root / "params.yaml"
    done = toy.retune(root, *command)
    assert done.returncode == 1
    assert done.stderr.startswith("error: params.yaml: download.dataset.folder holds a password")
    assert "https://***@host/x" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    planted.unlink()
    assert secrets.found((done.stdout + done.stderr).encode()) == []
    assert leaks(secrets, root) == {}


@pytest.mark.parametrize("command", [["use", "default"], ["plan"], ["run"]])
def test_overrides_with_a_secret_are_refused(tmp_path: Path, secrets: Secrets, command: list[str]) -> None:
    root = toy.own_project(tmp_path / "own")
    done = toy.retune(root, *command, "-S", f"download.model.source=https://u:{secrets['password']}@host/x")
    assert done.returncode == 1
    assert "download.model.source holds a password" in done.stderr
    assert secrets.found((done.stdout + done.stderr).encode()) == []
    assert leaks(secrets, root) == {}


def test_a_plan_beside_a_lock_that_has_one(project: Path, secrets: Secrets) -> None:
    """dvc.lock of a time before such params were refused, with a URL that is cut where the table shows it."""
    lock = (
        (project / "dvc.lock")
        .read_text()
        .replace("title: toy", f"title: https://user:{secrets['password']}{'x' * 60}@host/?sig={secrets['sas']}")
    )
    (project / "dvc.lock").write_text(lock)
    for options in ([], ["--json"]):
        done = toy.retune(project, "plan", *options)
        assert "report.title https://***@host/?sig=*** -> toy" in done.stdout
        assert secrets.found((done.stdout + done.stderr).encode()) == []


def test_a_comparison_with_a_commit_that_has_one(tmp_path: Path, secrets: Secrets) -> None:
    root = outcomes.create(tmp_path / "project")
    data = outcomes.rows(60)
    url = f"https://user:{secrets['password']}@host/x?sig={secrets['sas']}"
    usual = "source: data/samples/app_reviews.csv"
    for tag, old, new in (("base", usual, f"source: {url}"), ("head", f"source: {url}", usual)):
        toy.edit(root, "params.yaml", old, new)
        commands.commit_results(root, tag, data, {42: outcomes.predict(data, wrong=6)})
    for options in ([], ["--markdown"]):
        done = toy.retune(root, "compare", "base", "head", *options)
        assert "sig=" in done.stdout, done.stdout + done.stderr
        assert secrets.found((done.stdout + done.stderr).encode()) == []


@pytest.fixture
def origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secrets: Secrets) -> Iterator[tuple[ToyProject, str]]:
    """A project for workers, and the URL of its repository with a password."""
    events = tmp_path / "events"
    events.mkdir()
    monkeypatch.setenv("TOY_EVENTS", str(events))
    monkeypatch.setenv("RETUNE_HOME", str(tmp_path / "home"))
    project = ToyProject(events, tmp_path / "project")
    project.create()
    toy.git(project.origin, "config", "http.receivepack", "true")
    with git_server.serve(project.folder, user="user", password=secrets["git"]) as host:
        yield project, f"http://user:{secrets['git']}@{host}/origin.git"


class Workers(InProcessDispatcher):
    """Runs stages as workers do that have a RETUNE_REPOSITORY of their own."""

    def __init__(self, repository: str) -> None:
        super().__init__()
        self._repository = repository
        self.submitted: list[dict[str, Any]] = []

    def submit(self, stage: str, *, pool: str, key: str, parameters: dict[str, Any]) -> Any:
        self.submitted.append(dict(parameters))
        own = {**parameters, "repository": self._repository}
        return super().submit(stage, pool=pool, key=key, parameters=own)


def coordinate(api: str, monkeypatch: pytest.MonkeyPatch, parameter: str, url: str = "") -> tuple[Any, Workers]:
    """The final state of the flow `coordinate`, and what it submitted."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    workers = Workers(url)
    monkeypatch.setattr(flows, "Dispatcher", lambda *_: workers)
    # Their thread does not have the settings of this block, and would start a server of its own
    monkeypatch.setattr(flows, "sending_heartbeats", lambda *_: contextlib.nullcontext())
    with temporary_settings({PREFECT_API_URL: api}):
        return flows.coordinate(parameter, return_state=True), workers


def test_a_coordinated_run(
    origin: tuple[ToyProject, str],
    prefect_api: str,
    secrets: Secrets,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    project, url = origin
    caplog.set_level(logging.INFO)
    monkeypatch.setenv("RETUNE_REPOSITORY", url)
    monkeypatch.setenv("RETUNE_PULL_REQUEST", f"cat > '{tmp_path}/pull-request.md'")
    for name, value in secrets.environment().items():
        monkeypatch.setenv(name, value)
    state, workers = coordinate(prefect_api, monkeypatch, without_credentials(url), url)
    assert state.is_completed(), state.message
    assert project.ran() == ["download", "finetune@1", "evaluate@1", "report"]
    assert {parameters["repository"] for parameters in workers.submitted} == {without_credentials(url)}
    assert (tmp_path / "pull-request.md").read_text().startswith("Retrain: ")
    said = [caplog.text, *capfd.readouterr(), state.message, json.dumps(workers.submitted)]
    assert secrets.found("".join(map(str, said)).encode()) == []
    assert leaks(secrets, tmp_path, toy.PREFECT_HOME) == {}


@pytest.mark.parametrize("fault", ["the password is wrong", "the server is down", "the parameter has the password"])
def test_a_coordinated_run_that_fails(
    origin: tuple[ToyProject, str],
    prefect_api: str,
    secrets: Secrets,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    fault: str,
) -> None:
    _, url = origin
    if fault == "the password is wrong":
        monkeypatch.setenv("RETUNE_REPOSITORY", url.replace(secrets["git"], secrets["wrong"]))
    elif fault == "the server is down":
        monkeypatch.setenv("RETUNE_REPOSITORY", f"http://user:{secrets['git']}@127.0.0.1:1/origin.git")
    parameter = url if fault == "the parameter has the password" else "none"
    state, workers = coordinate(prefect_api, monkeypatch, parameter)
    assert state.is_failed()
    assert "127.0.0.1" in state.message
    assert workers.submitted == []
    assert secrets.found((state.message + caplog.text).encode()) == []
    if fault != "the parameter has the password":  # Prefect stores parameters before the flow sees them
        assert leaks(secrets, tmp_path, toy.PREFECT_HOME) == {}


@pytest.mark.parametrize("where", ["origin", "RETUNE_REPOSITORY"])
def test_a_deployment(
    prefect_api: str, secrets: Secrets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    from prefect.settings import PREFECT_API_URL, temporary_settings

    root = toy.own_project(tmp_path / "own")
    url = f"https://user:{secrets['git']}@host/x.git"
    toy.git(root, "remote", "add", "origin", url if where == "origin" else f"https://{secrets['other']}@host/x.git")
    if where == "RETUNE_REPOSITORY":
        monkeypatch.setenv("RETUNE_REPOSITORY", url)
    for name, value in secrets.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PREFECT_API_URL", prefect_api)
    monkeypatch.chdir(root)
    with temporary_settings({PREFECT_API_URL: prefect_api}):
        assert "coordinate/coordinate" in deploy.deploy(root)
    deployments = prefect_states.query(prefect_api, "deployments", {})
    assert {item["parameters"]["repository"] for item in deployments if item["name"] == "coordinate"} == {
        "https://host/x.git"
    }
    assert secrets.found(json.dumps(deployments).encode()) == []
    assert leaks(secrets, toy.PREFECT_HOME) == {}


def test_what_prefect_reads_of_git_when_it_deploys(tmp_path: Path, secrets: Secrets) -> None:
    """It notes the URL of origin as the version of a deployment; its open server drops that, others keep it."""
    toy.git(tmp_path, "init", "-q")
    toy.git(tmp_path, "remote", "add", "origin", f"https://user:{secrets['git']}@host/x.git")
    environment = {**os.environ, **deploy._environment(tmp_path)}
    command = ["git", "config", "--get", "remote.origin.url"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True)
    assert done.stdout == "https://host/x.git\n"


def test_a_traceback_of_the_command_line(tmp_path: Path, secrets: Secrets) -> None:
    code = "from pipeline import cli; cli.app.command()(lambda: (_ for _ in ()).throw(OSError({!r}))); cli.main()"
    command = [sys.executable, "-c", code.format(secrets.said_by_libraries()), "<lambda>"]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **secrets.environment()})
    assert done.returncode == 1
    assert "Traceback (most recent call last)" in done.stderr
    assert "s3://***@bucket/x" in done.stderr
    assert secrets.found((done.stdout + done.stderr).encode()) == []
