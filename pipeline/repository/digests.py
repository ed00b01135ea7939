"""Digests: what is at a path, as the MD5 that DVC gives to it."""

import hashlib
import json
from collections.abc import Mapping
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


def folder_digest(files: Digests) -> Digest:
    """The digest that DVC gives to a folder with these files (paths relative to the folder)."""
    entries = [{"md5": files[path].md5, "relpath": path} for path in sorted(files)]
    return Digest(hashlib.md5(json.dumps(entries, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + ".dir")


def files_under(files: Digests, folder: str) -> dict[str, Digest]:
    """The files of a subfolder, by path relative to the subfolder."""
    return {path.removeprefix(f"{folder}/"): digest for path, digest in files.items() if path.startswith(f"{folder}/")}


def paths_overlap(first: str, second: str) -> bool:
    """Whether the paths are equal or one contains the other."""
    return first == second or first.startswith(f"{second}/") or second.startswith(f"{first}/")
