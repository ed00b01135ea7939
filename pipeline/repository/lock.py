"""Reads and writes dvc.lock."""

import contextlib
import itertools
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.lock import LockError
from dvc.repo import Repo
from dvc.schema import COMPILED_LOCKFILE_SCHEMA
from dvc.utils.serialize import dump_yaml, modify_yaml, parse_yaml
from voluptuous import Invalid

from pipeline.repository.confinement import check_md5
from pipeline.repository.digests import Digest, Digests
from pipeline.repository.graph import LockEntry, ParamValues
from stages.errors import ParamsError, PipelineError
from stages.yaml_file import conflict_line
from stages.yaml_file import parse_yaml as parse_deep

RawEntry = Mapping[str, Any]  # a stage as DVC writes it in dvc.lock and in the run-cache
NAME = "dvc.lock"
OTHER = "Choose another revision."
MAY_BE_DEEP = 200  # levels; a dvc.lock has about ten


class LockConflictError(PipelineError):
    """A git merge left conflict markers in dvc.lock: only a person can choose a side."""


def parse_lock(text: str | None, *, name: str = NAME, in_revision: bool = False) -> dict[str, RawEntry]:
    """The entries in the text of a dvc.lock, by stage; empty if there is no such file.

    Args:
        text: The content; None: there is no file. A file without content is damaged, for DVC too.
        name: How messages name the file.
        in_revision: It is that of a git revision, which nobody can repair.

    Raises:
        LockConflictError: The text has conflict markers.
        PipelineError: The text is not YAML, or not a dvc.lock.
    """
    if text is None:
        return {}
    if line := conflict_line(text):
        repair = (
            f"Take either side: git checkout HEAD -- {NAME}. "
            "Then: retune run. It restores what either branch has computed (docs/pull-requests.md)."
        )
        raise LockConflictError(
            f"{name} line {line} is a conflict marker of a git merge. {OTHER if in_revision else repair}"
        )
    try:
        data = parse_deep(text, name=name) if _may_be_deep(text) else parse_yaml(text, name)
        COMPILED_LOCKFILE_SCHEMA(data)
        stages: dict[str, RawEntry] = dict(data.get("stages") or {})
        for entry in stages.values():
            check_names(entry)
    except (DvcException, Invalid, ValueError, ParamsError, PipelineError) as error:
        raise _damaged(name, in_revision=in_revision) from error  # ValueError: such as the date 2024-13-45
    return stages


def check_names(entry: RawEntry) -> None:
    """Check the names of the objects in an entry of dvc.lock or of the run-cache: they become paths in the cache.

    Raises:
        PipelineError: One is not an MD5; it could lead to any file.
    """
    for part in (*(entry.get("deps") or ()), *(entry.get("outs") or ())):
        if part.get("md5") is not None:  # DVC itself drops a hash that it does not know
            check_md5(part["md5"])


def parse_entry(raw: RawEntry) -> LockEntry:
    """An entry of dvc.lock or of the run-cache as a value."""
    return LockEntry(raw["cmd"], _digests(raw.get("deps", ())), raw.get("params", {}), _digests(raw.get("outs", ())))


def read_lock(root: Path) -> dict[str, RawEntry]:
    """The entries of a project's dvc.lock, by stage; empty if there is no such file.

    Raises:
        PipelineError: The file is not a dvc.lock.
    """
    path = root / NAME
    try:
        return parse_lock(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError as error:
        raise _damaged(NAME) from error


def recorded_md5s(text: str, path: str) -> set[str]:
    """The MD5s under which the text of a dvc.lock has an output; a history has too many such texts to parse them all.

    None if the text is damaged.
    """
    written = rf"^    - path: {re.escape(path)}\s+(?:hash: md5\s+)?md5: ([0-9a-f]{{32}})$"  # as DVC writes it
    outs = "".join(re.findall(r"^    outs:\n((?:    [- ] .*\n?)*)", text, re.MULTILINE))
    if found := set(re.findall(written, outs, re.MULTILINE)):
        return found
    try:
        entries = [parse_entry(entry) for entry in parse_lock(text or None).values()]
    except PipelineError:
        return set()
    return {entry.outs[path].md5 for entry in entries if path in entry.outs}


def with_inputs(entry: RawEntry, deps: Digests, params: ParamValues) -> RawEntry:
    """An entry of dvc.lock with other digests of these dependencies, and other values in these files of parameters."""
    recorded = _digests(entry.get("deps", ()))
    parts = [
        part
        if recorded.get(path := part["path"]) == deps.get(path, recorded.get(path))
        else dump_digest(path, deps[path])
        for part in entry.get("deps", ())
    ]
    values = {file: {key: params.get(file, now)[key] for key in now} for file, now in entry.get("params", {}).items()}
    inputs = {"deps": parts, "params": values}
    return {key: inputs.get(key, value) for key, value in entry.items()}


def merge_lock(root: Path, entries: Mapping[str, RawEntry]) -> None:
    """Write these entries into a project's dvc.lock; the file stays untouched if it has them already.

    Raises:
        PipelineError: The file is not a dvc.lock.
    """
    before = read_lock(root)
    stages = before | dict(entries)
    if stages != before:
        dump_yaml(str(root / NAME), {"schema": "2.0", "stages": stages})


def remove_entries(root: Path, names: Collection[str]) -> None:
    """Remove the entries of these stages from a project's dvc.lock."""
    with modify_yaml(str(root / NAME)) as data:
        for name in names:
            del data["stages"][name]


@contextlib.contextmanager
def hold_dvc(repo: Repo) -> Iterator[None]:
    """Keep DVC from writing dvc.lock, which it does in place; does not wait if DVC is busy (a long `dvc push`)."""
    try:
        repo.lock.lock()
    except LockError:
        yield
        return
    try:
        yield
    finally:
        repo.lock.unlock()


def _damaged(name: str, *, in_revision: bool = False) -> PipelineError:
    if in_revision:
        return PipelineError(f"{name} is damaged. {OTHER}")
    return PipelineError(
        f"{name} is damaged. Restore it: git checkout HEAD -- {NAME}. Or delete it: stages whose results are in the "
        "run-cache do not run again."
    )


def _may_be_deep(text: str) -> bool:
    """Whether a text may nest so deeply that DVC's parser, which is written in C, ends the process."""
    brackets = (1 if bracket in "[{" else -1 for bracket in re.findall(r"[\[\]{}]", text))
    deepest = max(itertools.accumulate(brackets), default=0)
    return deepest + sum(text.count(mark) for mark in ("- -", "? ", " " * MAY_BE_DEEP)) > MAY_BE_DEEP


def dump_digest(path: str, digest: Digest) -> dict[str, Any]:
    """A path and its digest as dvc.lock and the run-cache have them."""
    return {"path": path, "hash": "md5", "md5": digest.md5, **({"isexec": True} if digest.executable else {})}


def _digests(raw: Iterable[Mapping[str, Any]]) -> dict[str, Digest]:
    return {part["path"]: Digest(part["md5"], bool(part.get("isexec"))) for part in raw if part.get("md5")}
