"""What a plan shows of a stored file: whatever lies in the cache, it is the file's content or unknown, at once."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.repository.digests import Digest
from pipeline.repository.storage.objects import MOST_BYTES, small_content


class Cache:
    """A folder with objects under their MD5, as DVC has them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.file = self.add(b"config")
        self.folder = self.of({"config.json": self.file})

    def add(self, content: bytes, ending: str = "") -> str:
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest() + ending
        path = Path(self.oid_to_path(md5))
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return md5

    def of(self, files: dict[str, object]) -> Digest:
        listed = [{"md5": md5, "relpath": name} for name, md5 in files.items()]
        return Digest(self.add(json.dumps(listed).encode(), ".dir"))

    def oid_to_path(self, md5: str) -> str:
        return str(self.root / md5[:2] / md5[2:])

    def path(self, md5: str) -> Path:
        return Path(self.oid_to_path(md5))


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path)


def test_a_stored_file_is_its_content_and_one_that_is_not_listed_is_empty(cache: Cache) -> None:
    assert small_content(cache, cache.folder, "config.json") == b"config"
    assert small_content(cache, cache.folder, "other.json") == b""


def _replace(path: Path, make: Callable[[Path], object]) -> None:
    path.unlink()
    make(path)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: None,
    "empty": Path.touch,
    "other bytes": lambda path: path.write_bytes(b"other"),
    "a folder": Path.mkdir,
    "a pipe": os.mkfifo,
    "a link to itself": lambda path: path.symlink_to(path),
    "a link to nothing": lambda path: path.symlink_to(path.with_name("nothing")),
    "a link to a device": lambda path: path.symlink_to("/dev/zero"),
    "too deep": lambda path: path.write_bytes(b"[" * 100_000),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("which", ["file", "folder"])
def test_a_damaged_object_is_unknown(cache: Cache, which: str, damage: str) -> None:
    md5 = cache.file if which == "file" else cache.folder.md5
    _replace(cache.path(md5), DAMAGE[damage])
    assert small_content(cache, cache.folder, "config.json") is None


def test_a_file_in_place_of_the_folder_above_is_unknown(cache: Cache) -> None:
    cache.path(cache.file).unlink()
    cache.path(cache.file).parent.rmdir()
    cache.path(cache.file).parent.touch()
    assert small_content(cache, cache.folder, "config.json") is None


@pytest.mark.parametrize("md5", ["", "x" * 5000, "\0ab", "../../../etc/passwd", None, 7, "/etc/passwd"])
def test_a_name_that_is_no_md5_is_never_opened(cache: Cache, md5: object) -> None:
    assert small_content(cache, cache.of({"config.json": md5}), "config.json") is None
    if isinstance(md5, str):
        assert small_content(cache, Digest(md5), "config.json") is None


@pytest.mark.parametrize("listing", [b"", b"{}", b"7", b'[{"md5": 1}]', b"[7]", b"\xff", b"[" * 100_000])
def test_a_listing_that_lists_nothing_is_unknown(cache: Cache, listing: bytes) -> None:
    assert not small_content(cache, Digest(cache.add(listing, ".dir")), "config.json")


def test_a_large_file_is_unknown_and_not_read_whole(cache: Cache) -> None:
    large = cache.of({"config.json": cache.add(b"a" * (MOST_BYTES + 1))})
    assert small_content(cache, large, "config.json") is None
