"""One parser of dvc.lock: whatever is not a lock ends in the same error, for every reader and writer."""

import json
from pathlib import Path

import pytest

from pipeline.repository.lock import LockConflictError, merge_lock, parse_lock, read_lock, remove_entries
from pipeline.repository.project import Project
from stages.errors import PipelineError
from tests.pipeline import toy

ENTRY = {"cmd": "x", "outs": [{"path": "a", "hash": "md5", "md5": "0" * 32, "size": 1}]}
CONFLICT = """\
schema: '2.0'
stages:
<<<<<<< HEAD
  cut:
    cmd: x
=======
  cut:
    cmd: y
>>>>>>> other
"""
DAMAGED = {
    "broken YAML": "schema: '2.0'\nstages: [",
    "an empty file": "",
    "a list": "- schema\n- stages\n",
    "a word": "stages\n",
    "no schema": "stages:\n  cut: {cmd: x}\n",
    "an old schema": "schema: '1.0'\nstages: {}\n",
    "stages as a list": "schema: '2.0'\nstages: [cut]\n",
    "a command that is a number": "schema: '2.0'\nstages:\n  cut:\n    cmd: 3\n",
}


NAMES = {  # that are no MD5: each becomes the path of an object
    "a path": "../../../../etc/passwd",
    "a folder's path": "../../../../etc/passwd.dir",
    "an absolute path": "/etc/passwd",
    "too short": "12",
    "too long": "0" * 33,
    "other letters": "g" * 32,
    "upper case": "A" * 32,
    "a line more": "0" * 32 + "\n",
    "a path after it": "0" * 32 + "/../x",
    "another ending": "0" * 32 + ".dirs",
    "empty": "",
}


@pytest.mark.parametrize("kind", ["outs", "deps"])
@pytest.mark.parametrize("case", NAMES)
def test_a_name_of_an_object_that_is_no_md5_is_damage(tmp_path: Path, case: str, kind: str) -> None:
    lock = {"schema": "2.0", "stages": {"cut": {"cmd": "x", kind: [{"path": "a", "md5": NAMES[case]}]}}}
    with pytest.raises(PipelineError, match=r"^dvc.lock of evil is damaged. Restore it"):
        parse_lock(json.dumps(lock), name="dvc.lock of evil")
    (tmp_path / "dvc.lock").write_text(json.dumps(lock))
    with pytest.raises(PipelineError, match=r"^dvc.lock is damaged"):
        read_lock(tmp_path)


@pytest.mark.parametrize("md5", ["0" * 32, "0123456789abcdef" * 2 + ".dir", None])
def test_names_of_files_and_folders_and_none_are_taken(md5: str | None) -> None:
    entry = {"cmd": "x", "deps": [{"path": "a", "md5": md5}], "outs": [{"path": "b", "hash": "md5", "md5": md5}]}
    assert parse_lock(json.dumps({"schema": "2.0", "stages": {"cut": entry}})) == {"cut": entry}


def test_conflict_markers_are_named(tmp_path: Path) -> None:
    with pytest.raises(
        LockConflictError,
        match=r"^dvc.lock line 3 is a conflict marker .*git checkout HEAD -- dvc.lock\. Then: retune run",
    ):
        parse_lock(CONFLICT)
    (tmp_path / "dvc.lock").write_text(CONFLICT)
    with pytest.raises(LockConflictError):
        merge_lock(tmp_path, {"cut": ENTRY})
    assert (tmp_path / "dvc.lock").read_text() == CONFLICT


@pytest.fixture(params=DAMAGED.values(), ids=DAMAGED.keys())
def damaged(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_what_is_not_a_lock_is_refused(damaged: str) -> None:
    with pytest.raises(PipelineError, match=r"^dvc.lock of main is damaged. Restore it: git checkout HEAD -- dvc.lock"):
        parse_lock(damaged, name="dvc.lock of main")


def test_workers_refuse_it_too_and_leave_the_file_as_it_is(tmp_path: Path, damaged: str) -> None:
    (tmp_path / "dvc.lock").write_text(damaged)
    with pytest.raises(PipelineError, match=r"dvc.lock is damaged"):
        read_lock(tmp_path)
    with pytest.raises(PipelineError, match=r"dvc.lock is damaged"):
        merge_lock(tmp_path, {"cut": ENTRY})
    assert (tmp_path / "dvc.lock").read_text() == damaged


def test_bytes_that_are_not_utf_8_are_refused(tmp_path: Path) -> None:
    (tmp_path / "dvc.lock").write_bytes(b"schema: '2.0'\nstages: {} # \xff")
    with pytest.raises(PipelineError, match=r"dvc.lock is damaged"):
        read_lock(tmp_path)


def test_a_plan_refuses_it_too(project: Path) -> None:
    (project / "dvc.lock").write_text(CONFLICT)
    with pytest.raises(PipelineError, match=r"dvc.lock in the workspace line 3 is a conflict marker"):
        Project(project)


@pytest.mark.parametrize("text", [None, "schema: '2.0'\n", "schema: '2.0'\nstages: {}\n"])
def test_a_lock_without_entries(text: str | None) -> None:
    assert parse_lock(text) == {}


def test_entries_are_merged_and_removed(tmp_path: Path) -> None:
    assert read_lock(tmp_path) == {}
    merge_lock(tmp_path, {"cut": ENTRY, "report": ENTRY})
    merge_lock(tmp_path, {"report": {**ENTRY, "cmd": "y"}})
    assert read_lock(tmp_path) == {"cut": ENTRY, "report": {**ENTRY, "cmd": "y"}}
    remove_entries(tmp_path, ["cut"])
    assert list(read_lock(tmp_path)) == ["report"]


def test_merging_what_is_there_already_leaves_the_file_untouched(project: Path) -> None:
    before = (project / "dvc.lock").stat().st_mtime_ns
    merge_lock(project, read_lock(project))
    assert (project / "dvc.lock").stat().st_mtime_ns == before


def test_the_merged_file_is_one_that_dvc_accepts(project: Path) -> None:
    entries = read_lock(project)
    (project / "dvc.lock").unlink()
    merge_lock(project, entries)
    assert "up to date" in toy.dvc(project, "status")
