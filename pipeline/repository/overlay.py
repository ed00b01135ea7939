"""A file system in which some files have other content."""

import io
from collections.abc import Mapping
from typing import Any


class Overlay:
    """A file system in which some files have other content: a plan with `-S` writes nothing."""

    def __init__(self, fs: Any, texts: Mapping[str, str]) -> None:
        self._fs = fs
        self._texts = texts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._fs, name)

    def exists(self, path: str) -> bool:
        return self._fs.abspath(path) in self._texts or bool(self._fs.exists(path))

    def isdir(self, path: str) -> bool:
        return self._fs.abspath(path) not in self._texts and bool(self._fs.isdir(path))

    def isfile(self, path: str) -> bool:
        return self._fs.abspath(path) in self._texts or bool(self._fs.isfile(path))

    def open(self, path: str, mode: str = "r", **kwargs: Any) -> Any:
        text = self._texts.get(self._fs.abspath(path))
        if text is None:
            return self._fs.open(path, mode, **kwargs)
        return io.BytesIO(text.encode()) if "b" in mode else io.StringIO(text)
