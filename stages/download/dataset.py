"""From the files of a data set to the folder data/download/dataset."""

import tempfile
from collections import Counter
from collections.abc import Collection
from pathlib import Path

import numpy as np

from stages.corrections import read_corrections
from stages.download.checks.cross_row import check_across_rows
from stages.download.checks.label_hints import label_hint
from stages.download.checks.label_spelling import check_spelling
from stages.download.checks.missing_words import warn_of_missing_words
from stages.download.checks.rules import Problems, Rule
from stages.download.checks.split_names import warn_of_split_names
from stages.download.collect import collect_rows
from stages.download.corrections import apply_corrections
from stages.download.inputs import open_inputs
from stages.download.labels import LabelNames
from stages.download.readers.record import ReadOptions, flag_fields, slice_fields
from stages.download.row_store import RowStore
from stages.download.writer import write_rows
from stages.files import write_json
from stages.schema import Dataset
from stages.targets.rows import ROWS, Rows
from stages.targets.rows.choice import choose_kind, declare, declared_rows, look_at_kind


def write_dataset(folder: Path, dataset: Dataset, *, root: Path, unpack_limit: int) -> None:
    """Fetch the files and write rows.parquet, source.json, stats.json and set_aside.csv into `folder`.

    Args:
        folder: An empty folder.
        dataset: Which files, how they are read, and what happens to rows that break a rule.
        root: Folder that relative paths start from.
        unpack_limit: Bytes that a compressed file, or a member of an archive, may unpack to.

    Raises:
        DataError: A file can't be fetched or read, or a row breaks a rule whose policy is `fail`.
    """
    options = _read_options(dataset)
    labels = {str(value): name for value, name in dataset.labels.items()}
    columns = dataset.columns.label if isinstance(dataset.columns.label, list) else []
    target = declare(dataset.target, sets=bool(columns) or dataset.label_separator is not None)
    checks, kind = dataset.checks, declared_rows(target)
    corrections = read_corrections(root / dataset.corrections, name=dataset.corrections)
    merge = checks.label_spelling == "merge"
    renames = labels if "label_spelling" in kind.CHECKS else {}  # other kinds refuse names, once all rows are read
    names = LabelNames(renames, merge=merge, kind=kind, separator=dataset.label_separator)
    with (
        tempfile.TemporaryDirectory(dir=folder) as scratch,  # not in /tmp, where a kill would leave all rows
        (folder / "set_aside.csv").open("w", encoding="utf-8", newline="") as set_aside,
    ):
        problems = Problems(checks.model_dump(exclude={"min_rows_per_label", "near_duplicate_similarity"}), set_aside)
        problems.rules["unknown_label"] = Rule(*kind.UNKNOWN)
        inputs = list(
            open_inputs(
                dataset.files,
                options=options,
                scratch=Path(scratch),
                root=root,
                watched=dataset.folder,
                unpack_limit=unpack_limit,
            )
        )
        store = collect_rows(
            inputs,
            Path(scratch) / "rows.arrow",
            names=names,
            problems=problems,
            slice_columns=options.slice_columns,
        )
        problems.advice |= {"unknown_label": names.advice, "missing_label": label_hint(store.labels)}
        named = bool(labels or dataset.label_order)
        kind = settle_kind(store, target, named=named)
        spellings = names.log_merged()
        if "label_spelling" in kind.CHECKS:
            spellings |= check_spelling(store, problems, named=bool(labels), label_order=dataset.label_order)
            chosen = (*labels.values(), *dataset.label_order)
            warn_of_missing_words(store, chosen=chosen)
            warn_of_split_names(store, chosen=chosen)
        corrected = apply_corrections(store, corrections, kind=kind, named=(*labels.values(), *dataset.label_order))
        aside, cluster = check_across_rows(
            store,
            problems,
            label_checks=kind.CHECKS,
            min_rows_per_label=checks.min_rows_per_label,
            similarity=checks.near_duplicate_similarity,
            aside=corrected.set_aside,
        )
        kind = kind_of_used(store, target, kind, aside, named=named)
        problems.raise_failures()
        stats = write_rows(
            store,
            folder / "rows.parquet",
            kind=kind,
            labels=labels,
            label_order=dataset.label_order or list(map(str, columns)),
            aside=aside,
            cluster=cluster,
            problems=problems,
            spellings=spellings,
            source_labels=corrected.source_labels,
        )
        rows: Counter[str] = Counter()
        for file, count in zip(store.files, store.counts, strict=True):
            rows[file] += count
        problems.log_set_aside(rows, dict(zip(store.files, store.splits, strict=True)))
    write_json(folder / "stats.json", stats | {"corrections": corrected.outcomes})
    sources = [{**file.provenance, "rows": rows} for file, rows in zip(inputs, store.counts, strict=True)]
    write_json(folder / "source.json", {"files": sources})


def settle_kind(store: RowStore, target: str, *, named: bool) -> Rows:
    """Return the kind of the labels, which are stored in its form from here on.

    Args:
        store: The rows.
        target: From `declare`.
        named: Whether params.yaml names the classes, or their order.

    Raises:
        DataError: `auto` can't tell the kind.
    """
    kind = ROWS[look_at_kind(target, store.labels, named=named)]
    store.rename_labels({label: kind.stored(label) or label for label in store.labels})
    return kind


def kind_of_used(store: RowStore, target: str, kind: Rows, aside: Collection[int], *, named: bool) -> Rows:
    """Return the kind of the rows that are used, and log what `auto` took.

    Only classes and classes in order can become each other here: these store and check labels alike. A hidden label, as
    -1 is in a test set, would make ordered classes of 0 and 1.
    """
    used = np.delete(store.label, list(aside))
    names = list(store.labels)
    left = [names[index] for index in np.unique(used)]
    alike = {ROWS["classes"], ROWS["ordered"]}
    if kind in alike and left and ROWS[look_at_kind(target, left, named=named)] in alike:
        return ROWS[choose_kind(target, left, named=named)]
    choose_kind(target, names, named=named)
    return kind


def _read_options(dataset: Dataset) -> ReadOptions:
    columns = dataset.columns.model_dump(exclude={"slices"}, exclude_none=True)
    if isinstance(dataset.columns.label, list):
        columns |= flag_fields(columns.pop("label"))
    return ReadOptions(
        format=dataset.format,
        encoding=dataset.encoding,
        delimiter=dataset.delimiter,
        header=dataset.header,
        quoting=dataset.quoting,
        columns=columns | slice_fields(dataset.columns.slices),
        sheet=dataset.sheet,
    )
