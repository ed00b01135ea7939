"""Damage in DVC's cache and remote is named and removed, and its stage runs once; and no run is endless."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.execution.runner import Runner
from pipeline.repository.digests import Digest, Digests
from pipeline.repository.project import Project
from pipeline.repository.snapshot import Where
from pipeline.repository.storage.damage import Damage, make_sound
from stages.files import remove_path
from tests.pipeline import toy
from tests.pipeline.local.runs import started_stages

CACHE = ".dvc/cache/files/md5"
Damaging = Callable[[bytes], bytes]
OF_FILES: dict[str, Damaging] = {
    "a flipped bit": lambda content: content[:-3] + bytes([content[-3] ^ 1]) + content[-2:],
    "cut off": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "longer": lambda content: content + b"\n",
}
OF_LISTS: dict[str, Damaging] = {
    **OF_FILES,
    "not text": lambda content: b"\xff\xfe" + content,
    "another JSON value": lambda content: b'{"a": 1}',
    "no paths": lambda content: content.replace(b"relpath", b"relPath"),
    "nested without end": lambda content: b"[" * 100_000,
}
FILES = ("data/report/report.md", "data/cut/stats.json", "data/cut/tokens/a.txt")  # an output, a metric, in a folder
LIST = "data/cut/tokens"
MATRIX = [*((path, kind) for path in FILES for kind in OF_FILES), *((LIST, kind) for kind in OF_LISTS)]
ENDS = [*((path, "empty") for path in FILES), (LIST, "no paths")]  # these are run to their end


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in toy.environment().items():
        monkeypatch.setenv(name, value)


def name_of(root: Path, path: str) -> str:
    """The MD5 name of an output, or of a file of an output folder."""
    outs = toy.hashes(root)
    if path in outs:
        return outs[path]
    folder, _, name = path.rpartition("/")
    with Project(root) as project:
        return (project.store.folder_files(Digest(outs[folder])) or {})[name].md5


def damage(store: Path, md5: str, kind: str) -> Path:
    """Damage an object; it stays read-only, as DVC leaves it, and keeps its times."""
    path = store / md5[:2] / md5[2:]
    before = path.stat()
    path.chmod(0o644)
    path.write_bytes(OF_LISTS[kind](path.read_bytes()))
    path.chmod(0o444)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    return path


def drive(root: Path, **options: object) -> tuple[Runner, list[str]]:
    """Run everything, one stage after the other; at most 20 stages."""
    runner, lines = Runner(root, **options), []
    runner.plan()
    while stages := runner.start_ready():
        for stage in stages:
            runner.finished(stage, runner.run(stage, lines.append))
            assert len(runner.outcomes) < 20
    return runner, lines


def writer_of(path: str) -> str:
    """The stage that writes it."""
    return path.split("/")[1]


def remove_outputs(root: Path, stage: str) -> None:
    shutil.rmtree(root / "data" / stage)


def check(root: Path, stage: str, outs: Digests, where: Where | None = "cache") -> list[Damage]:
    """What `make_sound` finds for a stage of the toy, with unknown inputs."""
    with Project(root) as project:
        found = next(candidate for candidate in project.graph.stages if candidate.name == stage)
    return make_sound(root, found, {}, {}, outs=outs, where=where)


@pytest.mark.parametrize(("path", "kind"), MATRIX)
def test_every_kind_of_damage_is_found_and_removed(project: Path, path: str, kind: str) -> None:
    outs = {out: Digest(md5) for out, md5 in toy.hashes(project).items() if out.startswith(f"data/{writer_of(path)}/")}
    assert check(project, writer_of(path), outs) == []
    damaged = damage(project / CACHE, name_of(project, path), kind)
    assert [found.message for found in check(project, writer_of(path), outs)] == [
        f"Damaged, so it is removed from DVC's cache: {damaged}"
    ]
    assert not damaged.exists()
    assert check(project, writer_of(path), outs) == []


@pytest.mark.parametrize(("path", "kind"), ENDS)
def test_damage_in_the_cache_is_named_and_its_stage_runs_once(project: Path, path: str, kind: str) -> None:
    before, stage = toy.hashes(project), writer_of(path)
    damaged = damage(project / CACHE, name_of(project, path), kind)
    remove_outputs(project, stage)
    runner, lines = drive(project)
    assert runner.failures == []
    assert started_stages(project) == [stage]
    assert f"Damaged, so it is removed from DVC's cache: {damaged}" in lines
    assert toy.hashes(project) == before
    assert {plan.state for plan in runner.plans.values()} == {"fresh"}
    remove_outputs(project, stage)  # what replaced the damaged object is sound
    drive(project)
    assert started_stages(project) == [stage]


@pytest.mark.parametrize(("path", "kind"), [(LIST, "no paths"), (LIST, "a flipped bit"), (FILES[2], "empty")])
def test_damage_beside_a_sound_workspace_does_no_harm(project: Path, path: str, kind: str) -> None:
    before = toy.hashes(project)
    damage(project / CACHE, name_of(project, path), kind)
    runner, _ = drive(project)
    assert runner.failures == []
    remove_outputs(project, "cut")
    runner, _ = drive(project)
    assert runner.failures == []
    assert toy.hashes(project) == before
    assert started_stages(project) == ["cut"]


ENTRIES = [*(("cache", kind) for kind in ("cut off", "empty", "not text", "nested without end")), ("remote", "cut off")]


@pytest.mark.parametrize(("where", "kind"), ENTRIES)
def test_a_damaged_entry_of_the_run_cache_is_no_result(project: Path, tmp_path: Path, where: str, kind: str) -> None:
    before = toy.hashes(project)
    runs = project / ".dvc/cache/runs"
    if where == "remote":
        toy.add_remote(project, str(tmp_path / "remote"))
        toy.dvc(project, "push", "--run-cache")
        shutil.rmtree(runs)
        runs = tmp_path / "remote/runs"
    (project / "dvc.lock").unlink()
    remove_outputs(project, "report")
    for entry in [path for path in runs.rglob("*") if path.is_file() and "data/report" in path.read_text()]:
        entry.write_bytes(OF_LISTS[kind](entry.read_bytes()))
    runner, _ = drive(project)
    assert runner.failures == []
    assert started_stages(project) == ["report"]
    assert toy.hashes(project) == before


def test_a_damaged_list_that_only_the_run_cache_names_is_removed(project: Path) -> None:
    before = toy.hashes(project)
    damage(project / CACHE, name_of(project, LIST), "no paths")
    (project / "dvc.lock").unlink()
    remove_outputs(project, "cut")
    runner, _ = drive(project)
    assert runner.failures == []
    assert started_stages(project) == ["cut"]
    assert toy.hashes(project) == before


@pytest.mark.parametrize(("path", "kind"), [end for end in ENDS if end[0] != "data/cut/stats.json"])
def test_damage_in_the_remote_is_named_and_its_stage_runs_once(
    project: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, path: str, kind: str
) -> None:
    before, stage = toy.hashes(project), writer_of(path)
    toy.add_remote(project, str(tmp_path / "remote"))
    toy.dvc(project, "push", "--run-cache")
    damaged = damage(tmp_path / "remote/files/md5", name_of(project, path), kind)
    shutil.rmtree(project / CACHE)
    for out in ("data/report/report.md", "data/cut/tokens"):  # as in a clone: git has the metrics
        remove_path(project / out)
    runner, lines = drive(project)
    assert runner.failures == []
    assert started_stages(project) == [stage]
    assert any(str(damaged) in line for line in [*lines, *caplog.messages])  # a list: by the plan already
    assert toy.hashes(project) == before
    assert {plan.state for plan in runner.plans.values()} == {"fresh"}


def test_a_sound_object_of_the_remote_replaces_a_damaged_one_of_the_cache(project: Path, tmp_path: Path) -> None:
    toy.add_remote(project, str(tmp_path / "remote"))
    toy.dvc(project, "push")
    damage(project / CACHE, name_of(project, "data/report/report.md"), "empty")
    (project / "data/report/report.md").unlink()
    runner, _ = drive(project)
    assert runner.failures == []
    assert started_stages(project) == []
    assert {plan.state for plan in runner.plans.values()} == {"fresh"}


@pytest.mark.parametrize("entry", [{"md5": "0" * 32}, {"relpath": "a.txt"}, "a.txt", None])
def test_an_entry_without_path_or_hash_is_damage_whatever_its_name(project: Path, entry: object) -> None:
    """The object has the MD5 of its name, so only its content tells."""
    content = json.dumps([entry]).encode()
    md5 = hashlib.md5(content).hexdigest() + ".dir"
    old = toy.hashes(project)["data/cut/tokens"]
    place = project / CACHE / md5[:2] / md5[2:]
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(content)
    place.chmod(0o444)
    toy.edit(project, "dvc.lock", old, md5)
    runner, _ = drive(project)
    assert runner.failures == []
    assert toy.hashes(project)["data/cut/tokens"] == old


def test_a_stage_that_would_run_for_ever_ends_the_run_with_the_reason(project: Path) -> None:
    toy.edit(project, "dvc.yaml", "outs: [data/cut/tokens]", "outs: [data/cut/tokens, data/cut/again]")
    toy.edit(project, "dvc.yaml", "data/cut/tokens/a.txt ", "data/cut/tokens/a.txt data/cut/again ")
    runner = Runner(project)
    runner.plan()
    for _ in range(3):
        for stage in runner.start_ready():
            outcome = runner.run(stage, lambda _: None)
            (project / "data/cut/again").write_text("something else writes here")
            runner.finished(stage, outcome)
    [failure] = runner.failures
    assert failure.error is not None
    assert "cut has just run with the same inputs, but would run again: output data/cut/again changed" in failure.error
    assert started_stages(project) == ["cut"]
    assert runner.start_ready() == []
