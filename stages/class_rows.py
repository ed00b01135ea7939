"""Whether each class has rows for every split that is taken from the rows: told as soon as the rows are there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from stages.components import connect_rows
from stages.errors import DataError
from stages.messages import examples, short
from stages.row_labels import count_labels, has_label, label_array, label_pairs
from stages.schema import Split
from stages.split_inputs import COLUMNS, SplitInputs, pool_rows
from stages.targets.rows import ROWS, read_rows_target
from stages.targets.target import Target

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Shortage:
    """A class with too few rows that may be in different splits.

    Attributes:
        label: Its index.
        rows: Its rows, without those of official val and test.
        units: Sets of its rows that may be in different splits.
        cause: rows, groups or duplicates: what makes the units too few.
        position: A row of its largest unit.
        different: Its different texts, but for case, character width and white space.
    """

    label: int
    rows: int
    units: int
    cause: str
    position: int
    different: int


def require_class_rows(
    inputs: SplitInputs, target: Target, options: Split, *, example: Callable[[int], str] | None = None
) -> None:
    """Check that each class has as many rows that may be in different splits as splits are taken from the rows.

    Args:
        inputs: Columns of all rows.
        target: The classes; of a kind whose labels need not be in every split, nothing is checked.
        options: Method, shares, and what happens to duplicates.
        example: From a row's position to its text, for the message.

    Raises:
        DataError: A class has fewer. Or no row for train has a label of sets. Or a split is neither that of a file nor
            has a share of the rows.
    """
    labels = target.labels
    _require_in_train(inputs, labels, options)
    shortages, parts = find_shortages(inputs, len(labels), options)
    if not shortages or not ROWS[target.kind].IN_EVERY_SPLIT:
        return
    needed = " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]]))
    described = examples(shortages, show=lambda shortage: _describe(shortage, labels, options, example))
    causes = {shortage.cause: shortage for shortage in reversed(shortages)}
    in_sets = inputs.label.ndim > 1
    fixes = [_fix(shortage, len(parts), options, in_sets=in_sets) for shortage in causes.values()]
    raise DataError(
        f"A {'label' if in_sets else 'class'} needs rows for {needed} (split.method: {options.method}), "
        f"but: {described}. {' '.join(fixes)}"
    )


def require_class_rows_of_file(path: Path, options: Split) -> None:
    """Check the rows of rows.parquet. Raises as `require_class_rows`."""
    file = pq.ParquetFile(path)
    target = read_rows_target(path)
    table = file.read(columns=list(COLUMNS))
    index = ROWS[target.kind].index(table.column("label").combine_chunks(), target)
    table = table.set_column(table.schema.get_field_index("label"), "label", label_array(index))

    def example(position: int) -> str:
        for batch in file.iter_batches(columns=["text"]):
            if position < len(batch):
                break
            position -= len(batch)
        return str(batch.column(0)[position])

    require_class_rows(SplitInputs.of(table), target, options, example=example)


def find_shortages(inputs: SplitInputs, num_labels: int, options: Split) -> tuple[list[Shortage], list[str]]:
    """Return the classes with too few units, and the splits that need one of each. A class without any row is no one's.

    Rows that share a group, or a text where `split.duplicates` is not keep, are one unit.
    """
    pool = pool_rows(inputs, options)
    parts = ["train", *sorted(pool.shares, reverse=True)]
    units = _units(inputs.label[pool.positions], pool.component, num_labels)
    undropped = np.flatnonzero(np.isin(pool.official, ["train"] if options.method == "source" else ["", "train"]))
    label = inputs.label[undropped]
    rows = count_labels(label, num_labels=num_labels)
    keys = (inputs.group[undropped], inputs.text_key[undropped], inputs.cluster[undropped])
    of_group = _units(label, connect_rows(*keys, duplicates="keep"), num_labels)
    together = connect_rows(*keys, duplicates=options.duplicates)
    shortages = []
    for index in np.flatnonzero((rows > 0) & (units < len(parts))).tolist():
        own = np.flatnonzero(has_label(label, index))
        largest = int(np.argmax(np.bincount(together[own])))
        cause = "rows" if rows[index] < len(parts) else "groups" if of_group[index] < len(parts) else "duplicates"
        shortages.append(
            Shortage(
                label=index,
                rows=int(rows[index]),
                units=int(of_group[index] if cause == "groups" else units[index]),
                cause=cause,
                position=int(undropped[own[together[own] == largest][0]]),
                different=len(np.unique(inputs.text_key[undropped[own]])),
            )
        )
    return shortages, parts


def _require_in_train(inputs: SplitInputs, labels: Sequence[str], options: Split) -> None:
    """Raise for a label of sets that only files for val and test have; `checks.unseen_label` is for classes."""
    if inputs.label.ndim == 1:
        return
    for_train = inputs.label[pool_rows(inputs, options).positions]
    counts = count_labels(for_train, num_labels=len(labels))
    unseen = [label for label, rows in zip(labels, counts, strict=True) if not rows]
    if unseen:
        raise DataError(
            f"No row for train has the label [{examples(unseen)}], so a model can't learn it. Add rows with it to a "
            "file with split: train, give the files no split so that all rows are divided again, or take the label out "
            "of the rows."
        )


def _units(labels: NDArray[Any], component: Ints, num_labels: int) -> Ints:
    """How many components have a row of each class; shape (num_labels,)."""
    row, label = label_pairs(labels)
    count = int(component.max(initial=0)) + 1
    return np.bincount(np.unique(label * count + component[row]) // count, minlength=num_labels).astype(np.int64)


def _describe(shortage: Shortage, labels: Sequence[str], options: Split, example: Callable[[int], str] | None) -> str:
    label, rows = short(labels[shortage.label]), shortage.rows
    if shortage.cause == "rows":
        return f"{label} has {rows} row{'' if rows == 1 else 's'}"
    if shortage.cause == "groups":
        return f"the {rows} rows of {label} belong to {shortage.units} group{'' if shortage.units == 1 else 's'}"
    such = f", such as {short(example(shortage.position))}" if example else ""
    if not shortage.units:
        return f"the {rows} rows of {label} all repeat texts of val or test{such}"
    alike = "equal" if shortage.different <= shortage.units else "nearly equal"
    clusters = "one cluster" if shortage.units == 1 else f"{shortage.units} clusters"
    return f"the {rows} rows of {label} form {clusters} of {alike} texts{such}"


def _fix(shortage: Shortage, parts: int, options: Split, *, in_sets: bool) -> str:
    if shortage.cause == "groups":
        return (
            "Rows of one group stay in one split: give rows of more groups, "
            "or set download.dataset.columns.group: null."
        )
    if shortage.cause == "rows" and in_sets:
        return "Add rows with the label, or take it out of the rows."
    if shortage.cause == "rows":
        return (
            "Add rows, join the class with another one in download.dataset.labels, or leave it out: set "
            f"download.dataset.checks.rare_label: set_aside and min_rows_per_label: {parts}."
        )
    what = "keeps such texts in one split" if options.duplicates == "together" else "keeps one row of such texts"
    apart = ", or download.dataset.checks.near_duplicate: ignore to treat them as different texts"
    return (
        f"split.duplicates: {options.duplicates} {what}: set split.duplicates: keep to divide them (val and test then "
        f"repeat texts of train){apart if shortage.different >= parts else ''}, or add rows with other texts."
    )
