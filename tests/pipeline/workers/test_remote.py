"""The DVC remote as the workers use it: on S3, and with two hundred recorded stages."""

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.repository.storage.remote import Remote
from pipeline.repository.storage.run_cache import entry_key
from tests.pipeline.workers.in_process import InProcessDispatcher, coordinate


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a loopback S3 with the bucket `store`."""
    server = pytest.importorskip("moto.server", reason="needs moto[server]")
    pytest.importorskip("dvc_s3", reason="needs dvc-s3")
    import boto3

    for name, value in {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    running = server.ThreadedMotoServer(port=0)
    running.start()
    host, port = running.get_host_and_port()
    address = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"
    boto3.client("s3", endpoint_url=address).create_bucket(Bucket="store")
    yield address
    running.stop()


@pytest.mark.slow
def test_s3_holds_objects_records_and_checkpoints(project: Any, s3: str) -> None:
    import boto3

    project.create(remote="s3://store/team")
    project.dvc("remote", "modify", "storage", "endpointurl", s3)
    project.commit("The store's address")
    name, _ = coordinate(project, InProcessDispatcher())
    clone = project.clone("clone", name)
    project.dvc("repro", "--pull", folder=clone)
    assert project.ran() == ["download", "finetune@1", "evaluate@1", "report"], "the clone ran nothing"
    warm = InProcessDispatcher()
    coordinate(project, warm)
    assert warm.requests == []

    client = boto3.client("s3", endpoint_url=s3)
    keys = [entry["Key"] for entry in client.list_objects_v2(Bucket="store")["Contents"]]
    assert len([key for key in keys if key.startswith("team/runs/")]) == 4
    assert not [key for key in keys if "/tmp/" in key or "/checkpoints/" in key]
    with Remote(clone) as remote:
        first = remote.path("checkpoints", "k", "a")
        remote.write(first, b"weights")
        assert remote.files(remote.path("checkpoints", "k")) == [first]
        remote.remove(first)
        assert remote.files(remote.path("checkpoints", "k")) == []
    rows = next(key for key in keys if key.startswith("team/files/") and not key.endswith(".dir"))
    client.delete_object(Bucket="store", Key=rows)
    again = InProcessDispatcher()
    coordinate(project, again)
    assert len(again.requests) == 1, "the stage whose object is gone runs again, and no other"


def test_two_hundred_cached_stages_in_thirty_seconds(project: Any) -> None:
    stages = []
    for number in range(200):
        deps = ["source.txt", *([f"data/{number - 1}.txt"] if number % 10 else [])]  # twenty chains of ten
        stages.append(f"  s{number}: {{cmd: python toy.py {number}, deps: {deps}, outs: [data/{number}.txt]}}")
    project.create()
    (project.work / "dvc.yaml").write_text("\n".join(["stages:", *stages]) + "\n")
    (project.work / "data").mkdir(exist_ok=True)
    project.commit("Two hundred stages")
    with Remote(project.work) as remote:
        for number in range(200):
            record(project, remote, number)

    dispatcher = InProcessDispatcher()
    begun = time.monotonic()
    name, _ = coordinate(project, dispatcher)
    seconds = time.monotonic() - begun
    assert dispatcher.requests == []
    assert (project.clone("clone", name) / "dvc.lock").read_text().count("cmd:") == 200
    assert seconds < 30


def record(project: Any, remote: Remote, number: int) -> None:
    """Write a stage's output and record as a worker would have."""
    source = (project.work / "source.txt").read_bytes()
    before = {"source.txt": source}
    if number % 10:
        before[f"data/{number - 1}.txt"] = str(number - 1).encode()
    content = str(number).encode()
    deps = [
        {"path": path, "hash": "md5", "md5": md5(before[path]), "size": len(before[path])} for path in sorted(before)
    ]
    outs = [{"path": f"data/{number}.txt", "hash": "md5", "md5": md5(content), "size": len(content)}]
    entry = {"cmd": f"python toy.py {number}", "deps": deps, "outs": outs}
    target = Path(project.remote) / "files/md5" / md5(content)[:2] / md5(content)[2:]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    assert remote.publish(entry) is entry
    assert remote.find(entry_key(entry)) is not None


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
