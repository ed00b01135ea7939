"""The store's file: bounded, shared by processes, and never wrong, whatever happens to its bytes."""

import errno
import logging
import multiprocessing
import os
import random
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from stages.kept.store import RowStore, locked, open_store
from stages.params import read_params
from stages.paths import Paths

DEFAULT = Path(__file__).parents[3] / "recipes/default.yaml"
VALUES = {number.to_bytes(16, "little"): bytes([number % 251]) * 400 for number in range(2_000)}


def store_at(folder: Path, limit: int = 10**8) -> RowStore:
    return RowStore(folder / "rows/rows.sqlite", limit=limit)


def test_what_was_stored_is_found_by_another_process_s_store(tmp_path: Path) -> None:
    assert store_at(tmp_path).get(list(VALUES)) == {}
    assert not store_at(tmp_path).path.exists()
    store_at(tmp_path).put(VALUES)
    assert store_at(tmp_path).get([*VALUES, b"unknown"]) == VALUES


@pytest.mark.parametrize("limit", [20_000, 200_000, 500_000])
def test_the_oldest_leave_when_the_limit_is_reached(tmp_path: Path, limit: int) -> None:
    store, keys = store_at(tmp_path, limit), list(VALUES)
    for start in range(0, len(keys), 100):
        store.put({key: VALUES[key] for key in keys[start : start + 100]})
        assert store.path.stat().st_size <= limit
    kept = store.get(keys)
    assert 0 < len(kept) < len(keys)
    assert set(kept) == set(keys[-len(kept) :])


def test_a_lower_limit_shrinks_the_file(tmp_path: Path) -> None:
    store_at(tmp_path).put(VALUES)
    store = store_at(tmp_path, 100_000)
    assert store.path.stat().st_size > 500_000
    store.put({b"new": b"1"})
    assert store.path.stat().st_size <= 100_000
    assert store.get([b"new"]) == {b"new": b"1"}


def write_some(folder: Path, start: int) -> None:
    store = store_at(folder)
    keys = list(VALUES)[start::2]
    for first in range(0, len(keys), 50):
        part = keys[first : first + 50]
        store.put({key: VALUES[key] for key in part})
        assert store.get(part) == {key: VALUES[key] for key in part}


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_some, args=(tmp_path, start)) for start in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert store_at(tmp_path).get(list(VALUES)) == VALUES


@pytest.mark.parametrize("kind", ["flipped", "truncated", "emptied", "another file"])
@pytest.mark.parametrize("number", range(8))
def test_damage_is_never_read_and_the_store_works_on(
    tmp_path: Path, kind: str, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    store, chance = store_at(tmp_path), random.Random(f"{kind} {number}")
    store.put(VALUES)
    content = bytearray(store.path.read_bytes())
    if kind == "flipped":
        for _ in range(200):
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        if number % 2:  # in the header alone
            content = bytearray(store.path.read_bytes())
            content[chance.randrange(100)] ^= 1 << chance.randrange(8)
    elif kind == "truncated":
        del content[chance.randrange(len(content)) :]
    else:
        content = bytearray(b"" if kind == "emptied" else b"a text, and no database" * 100)
    store.path.write_bytes(content)
    for key, value in store_at(tmp_path).get(list(VALUES)).items():
        assert value == VALUES[key]
    store_at(tmp_path).put(VALUES)  # may find the damage
    store_at(tmp_path).put(VALUES)
    assert store_at(tmp_path).get(list(VALUES)) == VALUES


def test_a_value_under_another_key_is_not_taken(tmp_path: Path) -> None:
    """As after a flip that SQLite does not notice."""
    store = store_at(tmp_path)
    store.put({b"a": b"1", b"b": b"2"})
    with sqlite3.connect(store.path) as database:
        database.execute("UPDATE kept SET value = ? WHERE key = ?", [b"2", b"a"])
        database.execute("UPDATE kept SET value = 'text' WHERE key = ?", [b"b"])
    assert store.get([b"a", b"b"]) == {}


def test_a_disk_that_takes_nothing_more_is_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "rows").write_text("in the way")
    store = store_at(tmp_path)
    with caplog.at_level(logging.WARNING):
        store.put(VALUES)
        store.put(VALUES)
    assert store.get(list(VALUES)) == {}
    assert caplog.text.count("so computed rows are not kept") == 1


def lock_is_a_folder(folder: Path) -> None:
    (folder / "rows/lock").mkdir()


def rows_are_a_file(folder: Path) -> None:
    shutil.rmtree(folder / "rows")
    (folder / "rows").write_text("in the way")


def rows_lead_nowhere(folder: Path) -> None:
    shutil.rmtree(folder / "rows")
    (folder / "rows").symlink_to(folder / "missing")


def rows_are_a_folder(folder: Path) -> None:
    (folder / "rows/rows.sqlite").unlink()
    (folder / "rows/rows.sqlite").mkdir()


def rows_are_damaged_beside_a_folder(folder: Path) -> None:
    (folder / "rows/rows.sqlite").write_bytes(b"a text, and no database" * 100)
    (folder / "rows/rows.sqlite-journal").mkdir()


@pytest.mark.parametrize(
    "block",
    [lock_is_a_folder, rows_are_a_file, rows_lead_nowhere, rows_are_a_folder, rows_are_damaged_beside_a_folder],
)
def test_whatever_stands_in_its_place_stops_no_computation(tmp_path: Path, block: Callable[[Path], None]) -> None:
    store_at(tmp_path).put(VALUES)
    block(tmp_path)
    store = store_at(tmp_path)
    with locked(store):
        store.put(VALUES)
        assert all(VALUES[key] == value for key, value in store.get(list(VALUES)).items())


@pytest.mark.parametrize("number", [errno.EROFS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSPC, errno.EACCES])
def test_a_disk_that_locks_nothing_stops_no_computation(
    tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(lock: FileLock) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(FileLock, "_acquire", refuse)
    with locked(store_at(tmp_path)):
        store_at(tmp_path).put(VALUES)
    assert store_at(tmp_path).get(list(VALUES)) == VALUES
    assert "so a run at the same time computes rows twice" in caplog.text


def test_an_error_of_what_is_computed_is_not_taken_for_one_of_the_lock(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="of the computation"), locked(store_at(tmp_path)):
        raise OSError("of the computation")
    with locked(store_at(tmp_path)):  # free again
        pass


def test_a_file_that_another_process_has_just_begun_is_not_damaged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = store_at(tmp_path)
    store.path.parent.mkdir(parents=True, exist_ok=True)
    store.path.touch()
    assert store.get(list(VALUES)) == {}
    assert store.path.exists()
    assert not caplog.text


@pytest.mark.parametrize("damaged", [False, True])
def test_a_disk_that_can_only_be_read_still_gives_what_it_has(
    tmp_path: Path, damaged: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store_at(tmp_path).put(VALUES)
    path = store_at(tmp_path).path
    if damaged:
        path.write_bytes(b"a text, and no database" * 100)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    connect = sqlite3.connect
    monkeypatch.setattr(Path, "unlink", refuse)
    monkeypatch.setattr(
        sqlite3, "connect", lambda path, **settings: connect(f"file:{path}?mode=ro", uri=True, **settings)
    )
    store = store_at(tmp_path)
    assert store.get(list(VALUES)) == ({} if damaged else VALUES)
    assert store.get([b"unknown"]) == {}
    assert caplog.text.count("so computed rows are not kept") == damaged


def test_one_param_turns_it_off(tmp_path: Path) -> None:
    machine = read_params(DEFAULT).machine
    store = open_store(Paths(tmp_path), machine)
    assert store.limit == machine.kept_rows_mb * 10**6
    off = open_store(Paths(tmp_path), machine.model_copy(update={"kept_rows_mb": 0}))
    off.put(VALUES)
    assert off.get(list(VALUES)) == {}
    assert not off.path.parent.exists()


def test_a_process_that_waits_for_another_one_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("stages.kept.store.PATIENCE", 0.01)
    store, taken = store_at(tmp_path), threading.Event()
    store.path.parent.mkdir()

    def hold() -> None:
        with FileLock(tmp_path / "rows/lock"):
            taken.set()
            time.sleep(0.3)

    other = threading.Thread(target=hold)
    other.start()
    taken.wait()
    with caplog.at_level("INFO"), locked(store):
        assert "waiting for it" in caplog.text
    other.join()
