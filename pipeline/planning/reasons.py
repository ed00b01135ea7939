"""Why a stage is not fresh: every difference between it and dvc.lock, by name."""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pipeline.repository.digests import Digest, Digests
from pipeline.repository.graph import LockEntry, ParamValues, Stage
from pipeline.repository.snapshot import MISSING, Snapshot
from stages.redaction import redact


def input_reasons(
    snapshot: Snapshot,
    stage: Stage,
    entry: LockEntry | None,
    deps: Mapping[str, Digest | None],
    params: ParamValues,
    *,
    comments: Collection[str] = (),
) -> list[str]:
    """The differences in command, dependencies and parameters.

    Args:
        snapshot: The state of the project.
        stage: The stage in dvc.yaml.
        entry: Its entry in dvc.lock.
        deps: The digest that each known dependency has or will have; None if it does not exist.
        params: The current values.
        comments: The dependencies that are no difference: see `comment_changes`.
    """
    missing = [f"{path} missing" for path, digest in deps.items() if digest is None]
    if entry is None:
        return ["not in dvc.lock yet", *missing]
    reasons = ["command changed", *missing] if entry.cmd != stage.cmd else missing
    for path, now in deps.items():
        before = entry.deps.get(path)
        if now and before is None:
            reasons.append(f"{path} is a new dependency")
        elif now and before and now.md5 != before.md5 and path not in comments:
            without = _without(snapshot.leftovers_in(path))
            reasons += [f"{name} changed{without}" for name in _changed_files(snapshot, path, before, now)]
    for file, values in params.items():
        old = entry.params.get(file, {})
        for key in stage.params[file] or tuple(dict.fromkeys([*values, *old])):
            name = key if file == "params.yaml" else f"{file}:{key}"
            if key not in values and key not in old:  # named in dvc.yaml alone: DVC won't run the stage
                reasons.append(f"{name} is not in {file}")
            reasons += value_changes(name, old.get(key, MISSING), values.get(key, MISSING))
    return reasons


def comment_changes(
    snapshot: Snapshot, stage: Stage, entry: LockEntry, deps: Mapping[str, Digest | None]
) -> dict[str, tuple[str, ...]]:
    """The dependencies that differ from dvc.lock in comments and layout of Python files alone, each with these files.

    Args:
        snapshot: The state of the project.
        stage: The stage in dvc.yaml.
        entry: Its entry in dvc.lock.
        deps: The digest that each known dependency has or will have; None if it does not exist.
    """
    changes = {}
    for path, now in deps.items():
        before = entry.deps.get(path)
        if now and before and now.md5 != before.md5:
            files = _former_files(snapshot, path, before, now)
            if files and all(
                name.endswith(".py") and old and snapshot.only_comments(stage, name, old) for name, old in files.items()
            ):
                changes[path] = tuple(files)
    return changes


def _former_files(snapshot: Snapshot, path: str, before: Digest, now: Digest) -> dict[str, Digest | None] | None:
    """The files of a dependency that differ, each with its former digest; None if a folder's are unknown."""
    if not before.is_folder and not now.is_folder:
        return {path: before}
    old = snapshot.folder_files(before, path) if before.is_folder else None
    new = snapshot.folder_files(now, path) if now.is_folder else None
    if old is None or new is None:
        return None
    return {f"{path}/{name}": old.get(name) for name in sorted({*old, *new}) if _md5(old, name) != _md5(new, name)}


def output_reasons(snapshot: Snapshot, stage: Stage, entry: LockEntry) -> list[str]:
    """The outputs that differ from dvc.lock, or that the cache no longer has."""
    reasons = []
    for out in stage.outs:
        now, before = snapshot.digest(out), entry.outs.get(out)
        if now is None:
            reasons.append(f"output {out} missing")
        elif before is None:
            reasons.append(f"output {out} is new")
        elif now.md5 != before.md5:
            reasons.append(f"output {out} changed")
        elif out not in stage.uncached and not snapshot.cached({out: before}):
            reasons.append(f"output {out} not in the cache")
    return reasons


def value_changes(key: str, before: Any, now: Any) -> list[str]:
    """Each value that differs, by its full key: `finetune.learning_rate 2e-05 -> 3e-05`.

    Args:
        key: The full key of a value, or of a section, whose values are compared one by one.
        before: The value in dvc.lock, or MISSING.
        now: The current value, or MISSING.
    """
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        pairs = {k: (before.get(k, MISSING), now.get(k, MISSING)) for k in [*before, *now]}
        return [line for k, pair in pairs.items() for line in value_changes(f"{key}.{k}", *pair)]
    if before == now:  # as DVC compares: 1 equals 1.0
        return []
    if before is MISSING:
        return [f"{key} is new ({_show(now)})"]
    if now is MISSING:
        return [f"{key} was removed"]
    return [f"{key} {_show(before)} -> {_show(now)}"]


def _changed_files(snapshot: Snapshot, path: str, before: Digest, now: Digest) -> list[str]:
    """The paths of the files that differ; `path` itself for a file, or if the folder's former files are unknown."""
    files = _former_files(snapshot, path, before, now)
    if files is None:
        return [path]
    names = list(files)
    if len(names) <= 4:  # "1 more file" would be no shorter than its name
        return names
    return [*names[:3], f"{len(names) - 3} more files of {path}"]


def _without(leftovers: Sequence[str]) -> str:
    """What a reason adds where a folder has what no stage owns any more: the folder counts as it is without that."""
    if not leftovers:
        return ""
    more = f" and {len(leftovers) - 2} more" if len(leftovers) > 2 else ""
    return f" (ignoring {', '.join(leftovers[:2])}{more}, which no stage writes any more)"


def _md5(files: Digests, name: str) -> str | None:
    digest = files.get(name)
    return digest.md5 if digest else None


def _show(value: Any, limit: int = 60) -> str:
    text = redact(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= limit else text[: limit - 3] + "..."
