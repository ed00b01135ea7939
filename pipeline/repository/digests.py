"""Digests: what is at a path, as the MD5 that DVC gives to it."""

import hashlib
import json
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Digest:
    """The MD5 of a file's bytes, or the MD5 of a folder's file list, which ends in `.dir`."""

    md5: str
    executable: bool = False

    @property
    def is_folder(self) -> bool:
        return self.md5.endswith(".dir")


Digests = Mapping[str, Digest]  # path -> digest


def content_md5(content: bytes) -> str:
    """The MD5 of a file's content."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def folder_digest(files: Digests) -> Digest:
    """The digest that DVC gives to a folder with these files (paths relative to the folder)."""
    entries = [{"md5": files[path].md5, "relpath": path} for path in sorted(files)]
    return Digest(content_md5(json.dumps(entries, sort_keys=True).encode()) + ".dir")


def files_under(files: Digests, folder: str) -> dict[str, Digest]:
    """The files of a subfolder, by path relative to the subfolder."""
    return {path.removeprefix(f"{folder}/"): digest for path, digest in files.items() if path.startswith(f"{folder}/")}


class PathIndex:
    """Finds which of many paths overlap another: are equal to it, contain it, or lie below it.

    Its cost does not grow with the number of paths, so a plan of n seeds takes n steps, not n times n.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._below: dict[str, list[str]] = {}  # a path or a folder above it -> the paths
        self._paths: dict[str, str] = {}  # without `./` and the like -> as it was given
        for path in paths:
            place = posixpath.normpath(path)
            self._paths[place] = path
            for above in with_parents(place):
                self._below.setdefault(above, []).append(path)

    def overlapping(self, path: str) -> list[str]:
        """The paths that overlap this one."""
        place = posixpath.normpath(path)
        above = [self._paths[folder] for folder in with_parents(place)[1:] if folder in self._paths]
        return above + self._below.get(place, [])


def with_parents(path: str) -> list[str]:
    """The path and every folder above it: `a/b/c`, `a/b`, `a`."""
    parts = path.split("/")
    return ["/".join(parts[:end]) for end in range(len(parts), 0, -1)]


def paths_overlap(first: str, second: str) -> bool:
    """Whether the paths are equal or one contains the other."""
    return first == second or first.startswith(f"{second}/") or second.startswith(f"{first}/")
