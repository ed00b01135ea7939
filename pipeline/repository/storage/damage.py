"""Finds damage in what a stage is about to restore, by hashing it: DVC trusts the names in its cache and its remote."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.repository.digests import Digest, Digests
from pipeline.repository.graph import ParamValues, Stage
from pipeline.repository.lock import parse_entry, read_lock
from pipeline.repository.opening import open_repo
from pipeline.repository.snapshot import Where
from pipeline.repository.sources import Source
from pipeline.repository.storage.objects import folder_files, is_damaged, open_remote
from pipeline.repository.storage.remote import InputDamagedError, InputMissingError, Remote
from pipeline.repository.storage.run_cache import RunCache, stage_key
from stages.errors import PipelineError
from stages.files import remove_path

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Damage:
    """What can't be restored.

    Attributes:
        message: What is damaged, and what was done about it.
        unusable: An object of the remote that must not be asked for again; None: the damage was removed.
    """

    message: str
    unusable: str | None = None


def make_sound(
    root: Path, stage: Stage, deps: Digests, params: ParamValues, *, outs: Digests, where: Where | None
) -> list[Damage]:
    """Hash what DVC will read for a stage; what is damaged is removed from the cache. Empty: all of it is sound.

    Args:
        root: The project's folder.
        stage: The stage.
        deps: The digests of its dependencies, as far as they are known.
        params: The values of its parameters.
        outs: The outputs that will be restored; none: the stage runs.
        where: Where these outputs are.
    """
    key = stage_key(stage, deps, params) if len(deps) == len(stage.deps) else None
    repo = open_repo(root)
    try:
        runs = RunCache(repo.cache.legacy)
        entries = {path: runs.read(path) for path in (runs.paths(key) if key else ())}
        damaged = [path for path, entry in entries.items() if entry is None]
        cache = repo.cache.local
        known = [parse_entry(entry) for entry in (read_lock(root).get(stage.name), *entries.values()) if entry]
        lists = {out.md5 for entry in known for out in entry.outs.values() if out.is_folder}  # DVC opens them all
        names = lists | set(_names(cache, outs.values()))
        damaged += [cache.oid_to_path(md5) for md5 in sorted(names) if is_damaged(cache, md5)]
    finally:
        repo.close()
    for path in damaged:
        remove_path(Path(path))
    if key and (folder := Path(runs.folder(key))).is_dir() and not any(folder.iterdir()):
        folder.rmdir()  # DVC expects an entry in it
    removed = [Damage(f"Damaged, so it is removed from DVC's cache: {path}") for path in damaged]
    return removed if removed or where != "remote" else _fetch(root, outs)


def fetch_source(root: Path, source: Source) -> None:
    """Bring the objects of a source into DVC's cache: hash those that are there, download the others.

    Raises:
        PipelineError: An object is in neither the cache nor the remote, or the remote's is damaged.
    """
    repo = open_repo(root)
    try:
        cache, has_remote = repo.cache.local, open_remote(repo) is not None
        names = set(_names(cache, [source.digest]))
        for path in [cache.oid_to_path(md5) for md5 in sorted(names) if is_damaged(cache, md5)]:
            log.warning("Damaged, so it is removed from DVC's cache: %s", path)
            remove_path(Path(path))
        is_complete = all(cache.exists(md5) for md5 in names)
    finally:
        repo.close()
    if is_complete:
        return
    if not has_remote:
        raise PipelineError(
            f"{source.file} tracks {source.path}, but DVC's cache does not have it, and there is no remote to pull it "
            "from. Add the one that it was pushed to (dvc remote add -d storage URL), or put the data there."
        )
    with Remote(root) as remote:
        try:
            remote.fetch([source.digest.md5])
        except InputMissingError as error:
            raise PipelineError(
                f"{source.file} tracks {source.path}, but neither DVC's cache nor the remote has it. On the machine "
                "that has it, run: dvc push"
            ) from error
        except InputDamagedError as error:
            raise PipelineError(
                f"{source.file} tracks {source.path}, but the remote's object {error.md5} is damaged. Delete it there, "
                "and on the machine that has the data, run: dvc push"
            ) from error


def _names(cache: object, outs: Iterable[Digest]) -> Iterator[str]:
    """The names of the outputs' objects; those of a folder's files too, where the cache has its list undamaged."""
    for out in outs:
        yield out.md5
        files = folder_files(out.md5, [cache]) if out.is_folder else None
        yield from (file.md5 for file in (files or {}).values())


def _fetch(root: Path, outs: Digests) -> list[Damage]:
    """Download the outputs into the cache and check them, up to the first that can't be had; git has the others."""
    with Remote(root) as remote:
        try:
            remote.fetch(digest.md5 for digest in outs.values() if remote.has(digest.md5))
        except (InputDamagedError, InputMissingError) as error:
            return [Damage(str(error), unusable=error.md5)]
    return []
