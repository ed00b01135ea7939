"""The line endings that a checkout may give to files of git: those that git stores, or CRLF."""

import itertools
import posixpath
from collections.abc import Callable, Iterator
from dataclasses import replace

from pipeline.repository.digests import Digests

MOST_KINDS = 6  # of files in a folder


def with_crlf(content: bytes) -> bytes:
    """The content as git checks it out where lines end in CRLF; unchanged if it is not text."""
    return content if b"\0" in content else content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def checkouts(files: Digests, crlf: Callable[[str], str]) -> Iterator[Digests]:
    """The files of a folder with every combination of line endings: git's attributes and settings are not asked.

    Files with the same suffix have the same line endings, as attributes such as `*.csv eol=crlf` have it.

    Args:
        files: The files as git stores them, by path.
        crlf: Returns the MD5 that a file has with CRLF.
    """
    yield files
    changed = {path: md5 for path, digest in files.items() if (md5 := crlf(path)) != digest.md5}
    kinds = sorted({posixpath.splitext(path)[1] for path in changed})
    sizes = range(1, len(kinds) + 1) if len(kinds) <= MOST_KINDS else [len(kinds)]
    for chosen in itertools.chain.from_iterable(itertools.combinations(kinds, size) for size in sizes):
        yield {
            path: replace(digest, md5=changed[path])
            if path in changed and posixpath.splitext(path)[1] in chosen
            else digest
            for path, digest in files.items()
        }
