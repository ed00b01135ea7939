"""Tells code from data: what a command runs is the scripts and modules that it names, their packages and imports."""

import ast
import posixpath
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pipeline.repository.code_changes import UNREADABLE
from pipeline.repository.digests import with_parents

Read = Callable[[str], bytes | None]  # the content of a file by its path in the project; None: no such file
PYTHON = re.compile(r"python(\d+(\.\d+)*)?(\.exe)?")
VALUED = {"-W", "-X", "--check-hash-based-pycs"}  # options of Python that take the next word


def own_code(command: str, read: Read) -> frozenset[str]:
    """The files of the project that a command runs as Python code, as far as its words and their imports tell.

    A file that is not among them may be data, whatever its name. Imports of names that are made up at run time, and
    other places than the folder of the script, are not followed.

    Args:
        command: The command of a stage, which runs in the project's folder.
        read: Reads a file of the project.
    """
    found: set[str] = set()
    for base, entry in _entries(command):
        todo = [path for path in entry if read(path) is not None]
        seen: set[str] = set()
        while todo:
            path = todo.pop()
            if path not in seen:
                seen.add(path)
                todo += [file for file in _imported(path, read(path) or b"", base) if read(file) is not None]
        found |= seen
    return frozenset(found)


def in_package(path: str, code: frozenset[str], read: Read) -> bool:
    """Whether a file is a module of a package that a command imports from: code, even if nothing imports it yet.

    Args:
        path: The file.
        code: What the command runs, from `own_code`.
        read: Reads a file of the project.
    """
    package = None
    for folder in with_parents(posixpath.dirname(posixpath.normpath(path))):
        if read(f"{folder}/__init__.py") is None:
            break
        package = folder
    return f"{package}/__init__.py" in code


def arguments(command: str) -> list[str]:
    """The words of a command but for the scripts that Python runs, an option and its value apart."""
    scripts = {path for _, entry in _entries(command) for path in entry}
    parts = [part for word in _words(command) for part in word.split("=")]
    return [part for part in parts if part and posixpath.normpath(part) not in scripts]


def names_path(values: Any, path: str) -> bool:
    """Whether parameters or arguments name a file, or a folder that it is in: the stage reads it as data then.

    Args:
        values: The values of the parameters, nested as they are, or words of the command.
        path: The file.
    """
    names = {posixpath.normpath(text) for text in _texts(values) if text}
    return not names.isdisjoint([*with_parents(posixpath.normpath(path)), "."])


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(part)


def _entries(command: str) -> Iterator[tuple[str, list[str]]]:
    """The folder that imports begin at, and the files that Python may start with, of each Python in a command."""
    words = _words(command)
    for index, word in enumerate(words):
        if PYTHON.fullmatch(posixpath.basename(word)):
            yield from _entry(iter(words[index + 1 :]))


def _words(command: str) -> list[str]:
    """The words of a command; none where a quotation does not end."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        return list(lexer)
    except ValueError:
        return []


def _entry(words: Iterator[str]) -> Iterator[tuple[str, list[str]]]:
    for word in words:
        if word == "-m":
            module = next(words, "").replace(".", "/")
            yield "", [*_packages(module), f"{module}/__init__.py", f"{module}/__main__.py", f"{module}.py"]
            return
        if word in VALUED:
            next(words, None)
        elif word.startswith("-c"):
            return
        elif not word.startswith("-"):
            script = posixpath.normpath(word)
            yield posixpath.dirname(script), [script] if script.endswith(".py") else []
            return


def _imported(path: str, source: bytes, base: str) -> Iterator[str]:
    """The files that the imports of a file may name, also those inside functions."""
    try:
        tree = ast.parse(source)
    except UNREADABLE:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [posixpath.join(base, alias.name.replace(".", "/")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            folder = base
            if node.level:
                folder = posixpath.normpath(posixpath.join(posixpath.dirname(path), *[".."] * (node.level - 1)))
            module = posixpath.normpath(posixpath.join(folder, (node.module or "").replace(".", "/")))
            names = [module, *(posixpath.join(module, alias.name) for alias in node.names)]
        else:
            continue
        for name in names:
            yield from [*_packages(name), f"{name}/__init__.py", f"{name}.py"]


def _packages(module: str) -> list[str]:
    """The files that run before a module: those of the packages that it lies in."""
    parts = module.split("/")[:-1]
    return ["/".join([*parts[: count + 1], "__init__.py"]) for count in range(len(parts))]
