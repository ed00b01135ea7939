"""Flow runs, records, objects and checkpoints that someone else wrote: nothing is written outside, nothing is run."""

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.repository import git
from pipeline.repository.digests import Digest
from pipeline.repository.storage.remote import Remote
from pipeline.repository.storage.run_cache import entry_key, entry_name
from pipeline.workers import checkout
from pipeline.workers.checkpoints import INDEX, CheckpointMirror
from pipeline.workers.inputs import fetch_inputs
from pipeline.workers.publishing import records
from pipeline.workers.stage_run import StageRequest, StageRun
from stages.errors import PipelineError
from tests.pipeline.workers.in_process import InProcessDispatcher, coordinate
from tests.pipeline.workers.toy_project import ToyProject

OUTSIDE = ["../x", "../../../../x", ".git/hooks/post-checkout", "data/../../x", "/{absolute}/x", "toy.py"]


@pytest.fixture
def requests(project: Any) -> list[StageRequest]:
    """What a coordinator asked of the workers: download, finetune@1, evaluate@1, report."""
    project.create()
    dispatcher = InProcessDispatcher()
    coordinate(project, dispatcher)
    return dispatcher.requests


@dataclass(frozen=True)
class Coordinated:
    """A project that was coordinated once; tests that change nothing in it share it.

    Attributes:
        folder: Everything that the run wrote is below it.
        request: What the coordinator asked of a worker for finetune@1.
    """

    folder: Path
    project: ToyProject
    request: StageRequest


@pytest.fixture(scope="module")
def coordinated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coordinated]:
    folder = tmp_path_factory.mktemp("coordinated")
    events = folder / "events"
    events.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOY_EVENTS", str(events))
        patch.setenv("RETUNE_HOME", str(folder / "home"))
        project = ToyProject(events, folder)
        project.create()
        dispatcher = InProcessDispatcher()
        coordinate(project, dispatcher)
        yield Coordinated(folder, project, dispatcher.requests[1])


def tree(folder: Path) -> dict[str, bytes]:
    """Every file under a folder but for git's and DVC's own: logs and locks."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    own = (".git/", ".dvc/tmp", "/cache/")
    return {str(path): path.read_bytes() for path in files if not any(part in str(path) for part in own)}


def put_object(project: Any, content: bytes, *, folder: bool = False) -> str:
    """Store an object in the remote, as whoever may write there can; return its MD5."""
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest() + (".dir" if folder else "")
    path = project.remote / "files/md5" / md5[:2] / md5[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return md5


@pytest.mark.parametrize("path", OUTSIDE)
def test_an_input_outside_the_outputs_is_refused_before_anything_is_written(
    coordinated: Coordinated, path: str
) -> None:
    path = path.replace("{absolute}", str(coordinated.folder).lstrip("/"))
    md5 = put_object(coordinated.project, b"#!/bin/sh\ntouch ran\n")
    request = coordinated.request
    slot = coordinated.folder / "home/slots/stage-0"
    with checkout.slot(request.repository, request.commit, kind="stage") as root, Remote(root) as remote:
        before = tree(coordinated.folder)
        hooks = sorted((slot / ".git/hooks").iterdir())
        with pytest.raises(PipelineError, match="is not inside an output of a stage"):
            fetch_inputs(root, remote, {**{path: Digest(m) for path, m in request.inputs.items()}, path: Digest(md5)})
        assert tree(coordinated.folder) == before
        assert sorted((slot / ".git/hooks").iterdir()) == hooks


@pytest.mark.parametrize(
    "relpath", ["../x", "../../../../x", "../../../.git/hooks/post-checkout", "/tmp/x", "a//b", ""]
)
def test_a_stored_folder_that_names_a_file_outside_itself_is_refused(coordinated: Coordinated, relpath: str) -> None:
    project, request = coordinated.project, coordinated.request
    md5 = put_object(project, b"#!/bin/sh\ntouch ran\n")
    folder = put_object(project, json.dumps([{"md5": md5, "relpath": relpath}]).encode(), folder=True)
    with checkout.slot(request.repository, request.commit, kind="stage") as root, Remote(root) as remote:
        before = tree(coordinated.folder)
        hooks = sorted((root / ".git/hooks").iterdir())
        with pytest.raises(PipelineError, match="names a file outside itself"):
            fetch_inputs(root, remote, {path: Digest(folder) for path in request.inputs})
        assert tree(coordinated.folder) == before
        assert sorted((root / ".git/hooks").iterdir()) == hooks


def test_links_in_the_checkout_lead_nowhere(project: Any, requests: list[StageRequest], tmp_path: Path) -> None:
    request = requests[1]
    outside = tmp_path / "outside"
    outside.mkdir()
    with checkout.slot(request.repository, request.commit, kind="stage") as root, Remote(root) as remote:
        (root / "data").rename(root / "moved") if (root / "data").exists() else None
        (root / "data").symlink_to(outside)
        with pytest.raises(PipelineError, match="is a symbolic link or lies behind one"):
            fetch_inputs(root, remote, {path: Digest(md5) for path, md5 in request.inputs.items()})
    assert list(outside.iterdir()) == []


def test_a_coordinator_writes_through_no_link(project: Any, requests: list[StageRequest], tmp_path: Path) -> None:
    md5 = put_object(project, b"{}")
    (tmp_path / "target").write_text("mine")
    with Remote(project.work) as remote:
        (project.work / "metrics.json").symlink_to(tmp_path / "target")
        with pytest.raises(PipelineError, match="is a symbolic link"):
            records._write_uncached(project.work, "metrics.json", md5, remote)
    assert (tmp_path / "target").read_text() == "mine"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("commit", "--upload-pack=touch ran", "is not the full SHA of a commit"),
        ("commit", "main", "is not the full SHA of a commit"),
        ("repository", "--upload-pack=touch ran", "is not the URL or path of a git repository"),
        ("repository", "ext::touch ran", "is not the URL or path of a git repository"),
        ("key", "../../../x", "is not a run-cache key"),
        ("inputs", {"data/download/rows": "../../../../etc/passwd"}, "is not the MD5 of a file or folder"),
    ],
)
def test_a_request_that_git_or_a_path_would_misread(
    coordinated: Coordinated, field: str, value: Any, message: str
) -> None:
    before = tree(coordinated.folder)
    result = StageRun(dataclasses.replace(coordinated.request, **{field: value})).run(lambda _: None)
    assert result.status == "machine error"
    assert message in result.message
    assert tree(coordinated.folder) == before


def test_a_record_of_another_stage_under_this_key_is_not_used(project: Any, requests: list[StageRequest]) -> None:
    key = requests[0].key
    with Remote(project.work) as remote:
        entry = json.loads(json.dumps(remote.find(key)))
        entry["outs"] = [{**out, "path": f"../{out['path']}"} for out in entry["outs"]]
        [record] = (project.remote / "runs" / key[:2] / key).iterdir()
        record.unlink()
        forged = record.with_name(entry_name(entry))
        with forged.open("w") as file:
            YAML().dump(entry, file)
        assert entry_key(entry) != key
        assert remote.find(key) is None


@pytest.mark.parametrize("name", ["../x", "../../../../x", "../../.git/hooks/post-checkout", "/{absolute}/x", ""])
def test_a_checkpoint_stays_in_its_folder(project: Any, tmp_path: Path, name: str) -> None:
    project.create()
    name = name.replace("{absolute}", str(tmp_path).lstrip("/"))
    digest = hashlib.sha256(b"x").hexdigest()
    root = tmp_path / "a/b/c/project"
    with Remote(project.work) as remote:
        remote.write(remote.path("checkpoints", "k", digest), b"x")
        remote.write(remote.path("checkpoints", "k", INDEX), json.dumps({name: digest}).encode())
        before = tree(tmp_path)
        assert CheckpointMirror(remote, root, "k").restore() == []
        assert tree(tmp_path) == before


@pytest.mark.parametrize("index", [["a"], "a", {"a": 3}, {"a": "../../secret"}, None])
def test_an_index_of_checkpoints_that_is_none(project: Any, tmp_path: Path, index: Any) -> None:
    project.create()
    with Remote(project.work) as remote:
        remote.write(remote.path("checkpoints", "k", INDEX), json.dumps(index).encode())
        assert CheckpointMirror(remote, tmp_path / "project", "k").restore() == []


def test_nothing_runs_for_a_repository_that_is_an_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RETUNE_HOME", str(tmp_path / "home"))
    for repository in ("--upload-pack=touch ran;", "ext::touch ran"):
        with (
            pytest.raises(PipelineError, match="is not the URL or path of a git repository"),
            checkout.slot(repository, "0" * 40, kind="stage"),
        ):
            pass
        with pytest.raises(PipelineError, match="is not the URL or path of a git repository"):
            git.resolve_remote(repository, "main")
    assert list(tmp_path.iterdir()) == []
