"""A bounded SQLite file of values by key: safe with several processes, and damage costs no more than a computation.

Each value is stored with a checksum of its key and itself: where that does not match, nothing counts as stored.
"""

import hashlib
import logging
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from stages.paths import Paths
from stages.schema import Machine

log = logging.getLogger(__name__)

TABLE = "CREATE TABLE IF NOT EXISTS kept (age INTEGER PRIMARY KEY, key BLOB UNIQUE, value BLOB, checksum BLOB)"
HAS_TABLE = "SELECT 1 FROM sqlite_master WHERE name = 'kept'"
AT_ONCE = 500  # keys that a query asks for, and values that a transaction writes
WAIT = 30.0  # seconds that another process may hold the file
PATIENCE = 2.0  # seconds that a computation may wait for another one without a line
SPARE = 0.05  # share of the file that is freed beyond need, so that not every write frees some
MB = 1_000_000
REFUSED = {  # by the machine; any other error of SQLite is one of the file, which is damaged
    *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM),
    *(sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_PROTOCOL),
}


class RowStore:
    """Values by key in one file, of which the oldest are removed when it grows beyond its limit.

    A damaged file is removed and begun anew. Where the disk is full, or the file can't be written, a line says so, and
    nothing more is kept.

    Args:
        path: The file; made with its folder when something is stored.
        limit: Bytes on disk at most, but for what one transaction adds; 0: nothing is kept.
    """

    def __init__(self, path: Path, *, limit: int) -> None:
        self.path = path
        self.limit = limit
        self.usable = limit > 0  # until something refuses it

    def get(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Return the values of those keys that have one."""
        found: dict[bytes, bytes] = {}
        try:
            if self.usable and self.path.exists():
                with closing(sqlite3.connect(self.path, timeout=WAIT)) as database:
                    if database.execute(HAS_TABLE).fetchone() is None:
                        return {}  # another process is about to make it
                    for start in range(0, len(keys), AT_ONCE):
                        found |= _read(database, keys[start : start + AT_ONCE])
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)
        return found

    def put(self, values: Mapping[bytes, bytes]) -> None:
        """Store values, in place of others with their keys, and remove the oldest beyond the limit."""
        if not self.usable:
            return
        rows = [(key, value, _checksum(key, value)) for key, value in values.items()]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(self._open_to_write()) as database:
                for start in range(0, len(rows), AT_ONCE):
                    with database:  # ends the transaction
                        _write(database, rows[start : start + AT_ONCE], self.limit)
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)

    def _open_to_write(self) -> sqlite3.Connection:
        database = sqlite3.connect(self.path, timeout=WAIT, isolation_level=None)
        try:
            database.execute("PRAGMA auto_vacuum = FULL")  # what is removed leaves the disk
            database.execute("PRAGMA synchronous = OFF")  # the checksums notice what a power cut leaves
            database.execute(TABLE)
        except sqlite3.Error:
            database.close()
            raise
        return database

    def _give_up(self, error: Exception) -> None:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_IOERR) & 0xFF  # without what details it
        reason = error
        if code not in REFUSED:
            try:
                for path in (self.path, self.path.with_name(f"{self.path.name}-journal")):
                    path.unlink(missing_ok=True)
                log.warning("%s is damaged (%s), so its rows are computed again", self.path, error)
                return
            except OSError as refusal:  # damaged, and on a disk that can only be read
                reason = refusal
        self.usable = False
        log.warning("%s can't be used (%s), so computed rows are not kept", self.path, reason)


def open_store(paths: Paths, machine: Machine) -> RowStore:
    """Return the project's store, which keeps nothing where `machine.kept_rows_mb` is 0."""
    return RowStore(paths.kept_rows, limit=machine.kept_rows_mb * MB)


@contextmanager
def locked(store: RowStore | None) -> Iterator[None]:
    """Keep other processes out of a long computation: one that waits finds what the first has stored.

    Where nothing can be locked, two processes compute the same rows, and both are right.
    """
    with ExitStack() as held:
        if store is not None and store.limit > 0:
            try:
                store.path.parent.mkdir(parents=True, exist_ok=True)
                lock = FileLock(store.path.with_name("lock"))
                try:
                    held.enter_context(lock.acquire(timeout=PATIENCE))
                except Timeout:
                    log.info("another process computes rows for %s: waiting for it", store.path)
                    held.enter_context(lock)
            except (OSError, NotImplementedError) as error:  # a read-only disk, something in the way, no locks
                log.warning("%s can't be locked (%s), so a run at the same time computes rows twice", store.path, error)
        yield


def _read(database: sqlite3.Connection, keys: Sequence[bytes]) -> dict[bytes, bytes]:
    marks = ",".join("?" * len(keys))
    rows = database.execute(f"SELECT key, value, checksum FROM kept WHERE key IN ({marks})", keys)
    return {
        key: value
        for key, value, checksum in rows
        if isinstance(value, bytes) and checksum == _checksum(key, value)  # damage can change a type, too
    }


def _write(database: sqlite3.Connection, rows: Sequence[tuple[bytes, bytes, bytes]], limit: int) -> None:
    database.execute("BEGIN IMMEDIATE")
    database.executemany("INSERT OR REPLACE INTO kept (key, value, checksum) VALUES (?, ?, ?)", rows)
    while (used := _bytes_used(database)) > limit:
        oldest, newest = database.execute("SELECT min(age), max(age) FROM kept").fetchone()
        if oldest is None:
            return
        share = min(1.0, (used - limit) / used + SPARE)
        database.execute("DELETE FROM kept WHERE age < ?", [oldest + max(1, int(share * (newest - oldest + 1)))])


def _bytes_used(database: sqlite3.Connection) -> int:
    pages, free, size = (
        int(database.execute(f"PRAGMA {name}").fetchone()[0]) for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size


def _checksum(key: bytes, value: bytes) -> bytes:
    return hashlib.blake2b(key + value, digest_size=8).digest()
