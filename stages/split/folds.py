"""Divide all rows into folds by a hash, so that a changed or added row moves no other, and write each fold's file."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from stages.components import connect_rows
from stages.errors import DataError
from stages.files import replace_folder, write_json
from stages.folds import Fold, copy_tokens, write_fold
from stages.paths import Paths
from stages.split.hashing import uniform_of
from stages.split_inputs import SplitInputs
from stages.tokens import open_tokens

Ints = NDArray[np.int64]
VAL_SHARE = 0.1  # of the rows of other folds, that choose between a fold's models
OF_FOLDS, OF_VAL = 2**32, 2**33  # added to the seed: the folds know nothing of split.method hash, nor val of the folds


def divide_into_folds(
    inputs: SplitInputs, rows: Ints, *, folds: Sequence[int], seed: int
) -> dict[int, dict[str, Ints]]:
    """Return the rows of each fold's train, val and predicted, as positions.

    Rows that share a group, or the same or nearly the same text, are in one fold. The hash of the first of them decides
    which, so rows that are added behind them move none.

    Args:
        inputs: Columns of all rows.
        rows: Positions of the rows of train, val and test, ascending; shape (rows,).
        folds: Their numbers, from 1; none: no folds.
        seed: Of the hash (>= 0).

    Raises:
        DataError: A fold gets no rows, or none to train on.
    """
    if not folds:
        return {}
    component = connect_rows(inputs.group[rows], inputs.text_key[rows], inputs.cluster[rows], duplicates="together")
    content = inputs.content[rows][np.unique(component, return_index=True)[1]][component]  # of each one's first row
    fold_of = 1 + (uniform_of(content, seed=seed + OF_FOLDS) * len(folds)).astype(np.int64)
    chance = uniform_of(content, seed=seed + OF_VAL)
    divided = {}
    for fold in folds:
        inside = fold_of == fold
        others = ~inside
        val = others & (chance < VAL_SHARE)
        if others.any() and not val.any():
            val = others & (chance == chance[others].min())
        parts = {"train": rows[others & ~val], "val": rows[val], "predicted": rows[inside]}
        if empty := [name for name, part in parts.items() if not len(part)]:
            what = f"has no rows{'' if empty == ['predicted'] else f' for {empty[0]}'}"
            raise DataError(
                f"Fold {fold} {what}: {len(rows)} rows, of which {int(component.max()) + 1} share no text or group, "
                f"are too few for {len(folds)} folds. Set fewer crossfit.folds, or []."
            )
        divided[fold] = parts
    return divided


def write_folds(paths: Paths, folds: Mapping[int, Mapping[str, Ints]], inputs: SplitInputs) -> None:
    """Write data/split/folds: the number of rows of each fold, and where there are folds their files and the tokens."""
    with replace_folder(paths.folds) as folder:
        if folds:
            copy_tokens(paths.tokens, folder)
            labels = open_tokens(paths.tokens).labels
            units = connect_rows(inputs.group, inputs.text_key, inputs.cluster, duplicates="together")
            for number, parts in folds.items():
                write_fold(folder / paths.fold(number).name, Fold(**parts, labels=labels, units=units))
        write_json(
            folder / "stats.json", {"rows": {str(fold): len(parts["predicted"]) for fold, parts in folds.items()}}
        )
