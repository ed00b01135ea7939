"""Why a stage is not fresh: every difference to dvc.lock, by name."""

import json
from collections.abc import Mapping
from typing import Any

from pipeline.repository.graph import Entry, Item, Listing, Params, Stage
from pipeline.repository.snapshot import MISSING, World


def input_reasons(
    world: World, stage: Stage, entry: Entry | None, deps: Mapping[str, Item | None], params: Params
) -> list[str]:
    """Differences in command, dependencies (those whose content is known) and parameters.

    Args:
        world: What lies where.
        stage: The stage as dvc.yaml has it now.
        entry: The stage as dvc.lock has it.
        deps: What lies, or will lie, at each dependency; None where nothing does.
        params: The values now.
    """
    missing = [f"{path} missing" for path, item in deps.items() if item is None]
    if entry is None:
        return ["not in dvc.lock yet", *missing]
    reasons = ["command changed", *missing] if entry.cmd != stage.cmd else missing
    for path, item in deps.items():
        before = entry.deps.get(path)
        if item and before is None:
            reasons.append(f"{path} is a new dependency")
        elif item and before and item.md5 != before.md5:
            reasons += [f"{name} changed" for name in _changed_files(world, path, before, item)]
    for file, values in params.items():
        old = entry.params.get(file, {})
        for key in stage.params[file] or tuple(dict.fromkeys([*values, *old])):
            name = key if file == "params.yaml" else f"{file}:{key}"
            reasons += changes(name, old.get(key, MISSING), values.get(key, MISSING))
    return reasons


def output_reasons(world: World, stage: Stage, entry: Entry) -> list[str]:
    """Outputs that are not what dvc.lock says, or that the cache has lost."""
    reasons = []
    for out in stage.outs:
        now, before = world.present(out), entry.outs.get(out)
        if now is None:
            reasons.append(f"output {out} missing")
        elif before is None:
            reasons.append(f"output {out} is new")
        elif now.md5 != before.md5:
            reasons.append(f"output {out} changed")
        elif out not in stage.uncached and not world.cached({out: before}):
            reasons.append(f"output {out} not in the cache")
    return reasons


def changes(key: str, before: Any, now: Any) -> list[str]:
    """Each value that differs, by its full key: `finetune.learning_rate 2e-05 -> 3e-05`."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        keys = dict.fromkeys([*before, *now])
        return [line for k in keys for line in changes(f"{key}.{k}", before.get(k, MISSING), now.get(k, MISSING))]
    if before == now:  # as DVC compares them: 1 and 1.0 are the same
        return []
    if before is MISSING:
        return [f"{key} is new ({_show(now)})"]
    if now is MISSING:
        return [f"{key} is gone"]
    return [f"{key} {_show(before)} -> {_show(now)}"]


def _changed_files(world: World, path: str, before: Item, now: Item) -> list[str]:
    """Names of the files that differ; the folder's own name where nobody knows any more what was in it."""
    old = world.listing(before, path) if before.is_folder else None
    new = world.listing(now, path) if now.is_folder else None
    if old is None or new is None:
        return [path]
    names = sorted(name for name in {*old, *new} if _md5(old, name) != _md5(new, name))
    shown = [f"{path}/{name}" for name in names[:3]]
    return [*shown, f"{len(names) - 3} more files of {path}"] if len(names) > 3 else shown


def _md5(files: Listing, name: str) -> str | None:
    item = files.get(name)
    return item.md5 if item else None


def _show(value: Any, limit: int = 60) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= limit else text[: limit - 3] + "..."
