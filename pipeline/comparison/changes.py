"""Lists what differs between two revisions: parameters, code by stage, rows by class, models."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.comparison.revision import Revision
from pipeline.comparison.revision_files import FILES
from pipeline.comparison.targets import COMPARED
from stages.errors import UnavailableError
from stages.targets.target import Target

MISSING = "(none)"  # shown for a parameter that only one side has


@dataclass(frozen=True)
class DataChange:
    """How the rows differ.

    Attributes:
        known: Whether both data sets could be read.
        rows: Number of rows of base and of head; None where unknown.
        added: Rows that only head has, by class.
        removed: Rows that only base has, by class.
        relabelled: Rows with the same id and another label, by `from -> to`.
        rewritten: Rows with the same id and another text, by class.
    """

    known: bool
    rows: tuple[int | None, int | None]
    added: Mapping[str, int] = field(default_factory=dict)
    removed: Mapping[str, int] = field(default_factory=dict)
    relabelled: Mapping[str, int] = field(default_factory=dict)
    rewritten: Mapping[str, int] = field(default_factory=dict)

    @property
    def any(self) -> bool:
        return bool(self.added or self.removed or self.relabelled or self.rewritten)


@dataclass(frozen=True)
class Changes:
    """Everything that differs between two revisions.

    Attributes:
        params: Key -> value in base and in head.
        code: Stage -> code files that differ.
        data: How the rows differ.
        models: Encoder, champion or seed -> its hash in base and in head, where they differ.
    """

    params: Mapping[str, tuple[Any, Any]]
    code: Mapping[str, list[str]]
    data: DataChange
    models: Mapping[str, tuple[str | None, str | None]]

    @property
    def any(self) -> bool:
        return bool(self.params or self.code or self.data.any or self.models)


def find_changes(base: Revision, head: Revision) -> Changes:
    """Return what differs; data that is not available is marked as unknown."""
    return Changes(
        params=changed_params(base.params_of_results, head.params_of_results),
        code=changed_code(base.code(), head.code()),
        data=_changed_data(base, head),
        models=_changed_models(base, head),
    )


def changed_params(base: Mapping[str, Any], head: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return the values that differ, by dotted key, in head's order; `machine` changes no result and is left out."""
    before, after = (
        {section: values for section, values in params.items() if section != "machine"} for params in (base, head)
    )
    before, after = flatten(before, after), flatten(after, before)
    return {
        key: (before.get(key, MISSING), after.get(key, MISSING))
        for key in dict.fromkeys([*after, *before])
        if before.get(key, MISSING) != after.get(key, MISSING)
    }


def flatten(values: Mapping[str, Any], beside: Mapping[str, Any] | None = None, prefix: str = "") -> dict[str, Any]:
    """Return nested mappings as one mapping with dotted keys; a list is a value.

    Args:
        values: The mapping.
        beside: What it is compared with. A section that is empty in `values` alone only lacks keys, and one that is
            no section there is a value.
        prefix: Of the keys.
    """
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name, other = f"{prefix}{key}", (beside or {}).get(key, {})
        if isinstance(value, Mapping) and isinstance(other, Mapping) and (value or other):
            flat |= flatten(value, other, f"{name}.")
        else:
            flat[name] = value
    return flat


def changed_code(base: Mapping[str, Mapping[str, str]], head: Mapping[str, Mapping[str, str]]) -> dict[str, list[str]]:
    """Return the files whose hashes differ, by stage; the items of a repeated stage count as one."""
    changed: dict[str, set[str]] = {}
    for stage in dict.fromkeys([*head, *base]):
        if stage in base and stage in head:  # adding a seed does not change code
            before, after = base[stage], head[stage]
            files = {path for path in {*before, *after} if before.get(path) != after.get(path)}
            if files:
                changed.setdefault(stage.partition("@")[0], set()).update(files)
    return {stage: sorted(files) for stage, files in changed.items()}


def changed_rows(base: pa.Table, head: pa.Table, target: Target | None = None) -> DataChange:
    """Return how two data sets differ, row by row.

    Args:
        base: Rows, matched by id.
        head: Rows.
        target: What the labels are, by which rows are counted; None: each label by itself.
    """

    def count(labels: pa.ChunkedArray) -> dict[str, int]:
        names = labels.to_pylist()
        counted = COMPARED[target.kind].shown(names, target) if target else names
        return dict(sorted(Counter(counted).items()))

    positions = pc.index_in(head["id"], value_set=base["id"])
    added = pc.is_null(positions)
    after, before = head.filter(pc.invert(added)), base.take(positions.drop_null())  # the rows that both have
    removed = base.filter(pc.invert(pc.is_in(base["id"], value_set=head["id"])))
    relabelled = pc.not_equal(after["label"], before["label"])
    rewritten = pc.not_equal(after["text"], before["text"])
    if "text_pair" in after.column_names and "text_pair" in before.column_names:
        pairs = (pc.fill_null(table["text_pair"], "") for table in (after, before))
        rewritten = pc.or_(rewritten, pc.not_equal(*pairs))
    labels = (table["label"].filter(relabelled).to_pylist() for table in (before, after))
    return DataChange(
        known=True,
        rows=(len(base), len(head)),
        added=count(head.filter(added)["label"]),
        removed=count(removed["label"]),
        relabelled=dict(Counter(f"{old} -> {new}" for old, new in zip(*labels, strict=True)).most_common()),
        rewritten=count(after["label"].filter(rewritten)),
    )


def _changed_data(base: Revision, head: Revision) -> DataChange:
    dataset = FILES.dataset.as_posix()
    if base.hash(dataset) == head.hash(dataset) is not None:
        rows = _rows_used(head)
        return DataChange(known=True, rows=(rows, rows))
    try:
        return changed_rows(base.rows(), head.rows(), head.target)
    except UnavailableError:
        return DataChange(known=False, rows=(_rows_used(base), _rows_used(head)))


def _rows_used(revision: Revision) -> int | None:
    """The rows of all splits by split's stats.json; None if it is not available."""
    stats = revision.json(FILES.split_stats) or {}
    counts = [part.get("rows") for part in stats.values() if isinstance(part, Mapping)]
    return sum(count for count in counts if isinstance(count, int)) or None


def _changed_models(base: Revision, head: Revision) -> dict[str, tuple[str | None, str | None]]:
    paths = {"encoder": FILES.encoder.as_posix(), "champion": (FILES.report / "model").as_posix()}
    paths |= {f"seed {seed}": FILES.finetuned(seed).as_posix() for seed in dict.fromkeys([*base.seeds, *head.seeds])}
    hashes = {name: (base.hash(path), head.hash(path)) for name, path in paths.items()}
    return {name: pair for name, pair in hashes.items() if pair[0] != pair[1]}
