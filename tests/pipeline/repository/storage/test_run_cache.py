"""The run-cache: keys as DVC computes them, and one reader for the local cache and the remote."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from dvc.repo import Repo

from pipeline.repository.graph import LockEntry, Stage
from pipeline.repository.lock import parse_entry, read_lock
from pipeline.repository.project import Project
from pipeline.repository.storage.objects import open_remote
from pipeline.repository.storage.remote import Remote
from pipeline.repository.storage.run_cache import RunCache, entry_key, entry_name, stage_key
from stages.errors import PipelineError
from tests.pipeline import toy

DAMAGED = {
    "broken YAML": b"cmd: [",
    "not UTF-8": b"\xff",
    "empty": b"",
    "a list": b"- cmd",
    "without a command": b"outs: []",
    "without outputs": b"cmd: x",
    "an output without a hash": b"cmd: x\nouts:\n- path: a\n",
}


@dataclass(frozen=True)
class RecordedStage:
    """The stage `cut` of a project with a remote, and the files of its one entry in both run-caches."""

    root: Path
    key: str
    stage: Stage
    entry: LockEntry
    local: Path
    remote: Path

    def find(self) -> LockEntry | None:
        with Project(self.root) as project:
            recorded = project.recorded(self.stage, None, self.entry.deps, self.entry.params)
        return recorded.entry if recorded else None


@pytest.fixture
def recorded(project: Path, tmp_path: Path) -> RecordedStage:
    toy.add_remote(project, str(tmp_path / "remote"))
    toy.dvc(project, "push", "--run-cache")
    with Project(project) as seen, Remote(project) as remote:
        stage = next(stage for stage in seen.graph.stages if stage.name == "cut")
        remote.push(read_lock(project)["cut"])  # `dvc push` leaves uncached metrics out
        entry = seen.locked("cut")
    key = stage_key(stage, entry.deps, entry.params)
    [local] = (project / ".dvc/cache/runs" / key[:2] / key).iterdir()
    remote_file = next((tmp_path / "remote").rglob(f"runs/{key[:2]}/{key}/{local.name}"))
    (project / "dvc.lock").unlink()
    return RecordedStage(project, key, stage, entry, local, remote_file)


@pytest.fixture
def caches(recorded: RecordedStage) -> Iterator[dict[str, RunCache]]:
    with Repo(str(recorded.root)) as repo:
        yield {"local": RunCache(repo.cache.legacy), "remote": RunCache(open_remote(repo).legacy)}


def test_run_cache_keys_are_those_on_disk(toy_that_ran: Path) -> None:
    on_disk = {path.parent.name for path in (toy_that_ran / ".dvc/cache/runs").glob("*/*/*")}
    with Project(toy_that_ran) as project:
        entries = {stage.name: project.locked(stage.name) for stage in project.graph.stages}
        keys = {
            stage_key(stage, entries[stage.name].deps, entries[stage.name].params) for stage in project.graph.stages
        }
    assert keys == on_disk


def test_executable_files_have_the_key_that_dvc_computes(project: Path) -> None:
    (project / "pins.txt").chmod(0o755)
    (project / "pins.txt").write_text("two\n")
    toy.dvc(project, "repro", "download@model")
    with Project(project) as seen:
        entry = seen.locked("download@model")
        stage = next(stage for stage in seen.graph.stages if stage.name == "download@model")
        assert entry.deps["pins.txt"].executable
        assert (project / ".dvc/cache/runs" / (key := stage_key(stage, entry.deps, entry.params))[:2] / key).is_dir()


def test_local_cache_and_remote_give_the_same_entry(recorded: RecordedStage, caches: dict[str, RunCache]) -> None:
    for cache in caches.values():
        [path] = cache.paths(recorded.key)
        raw = cache.read(path)
        assert parse_entry(raw) == recorded.entry
        assert (entry_key(raw), entry_name(raw)) == (recorded.key, recorded.local.name)
        assert cache.paths("0" * 64) == []


def test_entries_are_ordered_by_the_time_of_writing(recorded: RecordedStage, caches: dict[str, RunCache]) -> None:
    for name, file in (("local", recorded.local), ("remote", recorded.remote)):
        newer = file.with_name("0" * 64)  # the first one by name
        newer.write_bytes(file.read_bytes())
        os.utime(newer, (2e9, 2e9))
        assert caches[name].paths(recorded.key) == [str(file), str(newer)]


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_entry_is_skipped_with_a_warning(
    recorded: RecordedStage, caches: dict[str, RunCache], caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    for name, file in (("local", recorded.local), ("remote", recorded.remote)):
        file.chmod(0o644)
        file.write_bytes(content)
        caplog.clear()
        assert caches[name].read(str(file)) is None
        assert f"Skipping a damaged run-cache entry: {file}" in caplog.text


def test_a_plan_finds_the_result_in_either_run_cache(recorded: RecordedStage, caplog: pytest.LogCaptureFixture) -> None:
    assert recorded.find() == recorded.entry
    recorded.local.chmod(0o644)
    recorded.local.write_text("cmd: [")
    assert recorded.find() == recorded.entry, "the remote has it"
    recorded.remote.write_text("cmd: [")
    caplog.clear()
    assert recorded.find() is None
    assert caplog.text.count("damaged run-cache entry") == 2


def test_a_worker_s_record_is_the_first_complete_one(recorded: RecordedStage, caplog: pytest.LogCaptureFixture) -> None:
    with Remote(recorded.root) as remote:
        first = remote.find(recorded.key)
        assert parse_entry(first) == recorded.entry
        assert remote.publish({**first, "outs": [{**out, "md5": "0" * 32} for out in first["outs"]]}) == first
        recorded.remote.with_name("0" * 64).write_text("cmd: [")
        recorded.remote.touch()  # now the newer one
        assert remote.find(recorded.key) == first
        assert "damaged run-cache entry" in caplog.text
        shutil.rmtree(recorded.remote.parents[3] / "files")
        assert remote.find(recorded.key) is None, "its outputs are not in the remote"


@pytest.mark.parametrize("where", ["cache", "remote"])
def test_a_stored_folder_that_names_a_file_outside_itself_ends_the_plan(recorded: RecordedStage, where: str) -> None:
    """DVC would restore it, under a name that fits: it writes to every path that a folder's object names."""
    name = recorded.entry.outs["data/cut/tokens"].md5
    store, entry = recorded.root / ".dvc/cache", recorded.local
    if where == "remote":
        shutil.rmtree(store)
        store, entry = recorded.remote.parents[3], recorded.remote
    content = (store / "files/md5" / name[:2] / name[2:]).read_bytes().replace(b"a.txt", b"../../../../a.txt")
    evil = f"{hashlib.md5(content).hexdigest()}.dir"
    (store / "files/md5" / evil[:2]).mkdir(exist_ok=True)
    (store / "files/md5" / evil[:2] / evil[2:]).write_bytes(content)
    entry.chmod(0o644)
    entry.write_text(entry.read_text().replace(name, evil))
    with pytest.raises(PipelineError, match=r"names a file outside itself: '\.\./\.\./\.\./\.\./a\.txt'\. Delete "):
        recorded.find()
