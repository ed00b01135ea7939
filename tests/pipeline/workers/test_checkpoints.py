"""Checkpoints in the remote: complete or absent, the newest copy wins, no file of another worker is removed."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.repository.storage.remote import Remote
from pipeline.workers.checkpoints import INDEX, CheckpointMirror


@pytest.fixture
def remote(project: Any) -> Any:
    project.create()
    with Remote(project.work) as remote:
        yield remote


def write(root: Path, name: str, text: str) -> None:
    path = root / ".retune/checkpoints" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_another_machine_resumes_from_the_newest_copy(remote: Remote, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    mirror = CheckpointMirror(remote, first, "key")
    assert not mirror.copy()
    write(first, "a/last.ckpt", "one")
    write(first, "a/half.ckpt.partial", "no")
    assert mirror.copy()
    assert not mirror.copy(), "nothing new"
    write(first, "a/last.ckpt", "three")
    assert mirror.copy()
    assert CheckpointMirror(remote, second, "key").restore() == ["a/last.ckpt"]
    assert (second / ".retune/checkpoints/a/last.ckpt").read_text() == "three"
    assert len(remote.files(remote.path("checkpoints", "key"))) == 2, "the index and one file: the older one is gone"
    assert CheckpointMirror(remote, tmp_path / "other", "other key").restore() == []
    mirror.remove()
    assert remote.files(remote.path("checkpoints", "key")) == []


def test_a_damaged_or_incomplete_copy_is_not_restored(remote: Remote, tmp_path: Path) -> None:
    write(tmp_path / "first", "last.ckpt", "weights")
    CheckpointMirror(remote, tmp_path / "first", "key").copy()
    [data] = [path for path in remote.files(remote.path("checkpoints", "key")) if not path.endswith(INDEX)]
    Path(data).write_text("w")
    assert CheckpointMirror(remote, tmp_path / "second", "key").restore() == []
    Path(data).unlink()
    assert CheckpointMirror(remote, tmp_path / "second", "key").restore() == []
    assert not list((tmp_path / "second/.retune/checkpoints").rglob("*.ckpt"))
    remote.write(remote.path("checkpoints", "key", INDEX), b"{")
    assert CheckpointMirror(remote, tmp_path / "second", "key").restore() == []


def test_a_late_worker_removes_no_file_of_another(remote: Remote, tmp_path: Path) -> None:
    late, new = CheckpointMirror(remote, tmp_path / "late", "key"), CheckpointMirror(remote, tmp_path / "new", "key")
    write(tmp_path / "late", "last.ckpt", "one")
    late.copy()
    write(tmp_path / "new", "last.ckpt", "two")
    new.copy()
    write(tmp_path / "late", "last.ckpt", "three")
    late.copy()
    new.copy()
    assert CheckpointMirror(remote, tmp_path / "second", "key").restore() == ["last.ckpt"]
