"""Checkpoints in the remote: whole or not at all, newest wins, nothing of another writer is removed."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.repository.remote import Remote
from pipeline.workers.checkpoints import INDEX, Mirror


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
    here, there = tmp_path / "here", tmp_path / "there"
    mirror = Mirror(remote, here, "key")
    assert not mirror.copy()
    write(here, "a/last.ckpt", "one")
    write(here, "a/half.ckpt.partial", "no")
    assert mirror.copy()
    assert not mirror.copy(), "nothing new"
    write(here, "a/last.ckpt", "three")
    assert mirror.copy()
    assert Mirror(remote, there, "key").restore() == ["a/last.ckpt"]
    assert (there / ".retune/checkpoints/a/last.ckpt").read_text() == "three"
    assert len(remote.files(remote.path("checkpoints", "key"))) == 2, "the index and one file: the older one is gone"
    assert Mirror(remote, tmp_path / "other", "other key").restore() == []
    mirror.remove()
    assert remote.files(remote.path("checkpoints", "key")) == []


def test_a_damaged_or_half_copy_is_left_out(remote: Remote, tmp_path: Path) -> None:
    write(tmp_path / "here", "last.ckpt", "weights")
    Mirror(remote, tmp_path / "here", "key").copy()
    [data] = [path for path in remote.files(remote.path("checkpoints", "key")) if not path.endswith(INDEX)]
    Path(data).write_text("w")
    assert Mirror(remote, tmp_path / "there", "key").restore() == []
    Path(data).unlink()
    assert Mirror(remote, tmp_path / "there", "key").restore() == []
    assert not list((tmp_path / "there/.retune/checkpoints").rglob("*.ckpt"))
    remote.write(remote.path("checkpoints", "key", INDEX), b"{")
    assert Mirror(remote, tmp_path / "there", "key").restore() == []


def test_a_late_writer_takes_nothing_from_another(remote: Remote, tmp_path: Path) -> None:
    late, new = Mirror(remote, tmp_path / "late", "key"), Mirror(remote, tmp_path / "new", "key")
    write(tmp_path / "late", "last.ckpt", "one")
    late.copy()
    write(tmp_path / "new", "last.ckpt", "two")
    new.copy()
    write(tmp_path / "late", "last.ckpt", "three")
    late.copy()
    new.copy()
    assert Mirror(remote, tmp_path / "there", "key").restore() == ["last.ckpt"]
