"""Learning curves: heads fitted on more and more rows of train, and their answers for rows that none was fitted on."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stages.errors import DataError
from stages.extrapolate.heads import Head

SIZES = 8
FEWEST = 10  # rows of the smallest size
SMALLEST = 1 / 16  # its share of train
LEAST_ROWS = 4 * FEWEST  # of train, for a curve that can be read on


def curve_sizes(rows: int) -> NDArray[np.int64]:
    """Return the numbers of rows of a curve, all of train last, each by about the same factor more; shape (sizes,).

    Raises:
        DataError: Train has too few rows.
    """
    if rows < LEAST_ROWS:
        raise DataError(
            f"Train has {rows} rows, but a forecast of the learning curve needs {LEAST_ROWS}. Set extrapolate.seeds to "
            "[], or label more rows."
        )
    return np.unique(np.geomspace(max(FEWEST, rows * SMALLEST), rows, SIZES).round().astype(np.int64))


def draw_answers(
    head: Head,
    train: NDArray[np.float64],
    labels: NDArray[Any],
    units: NDArray[np.int64],
    features: NDArray[np.float64],
    *,
    sizes: NDArray[np.int64],
    draws: int,
    seed: int,
) -> NDArray[Any]:
    """Return the answers of heads that were fitted on random rows of train.

    A draw is an order of train's rows; its heads are fitted on the first rows, as many as each size says. So the points
    of a draw rise together, and what differs between draws is which rows happened to be labelled.

    Args:
        head: Of the kind of target.
        train: Features of train; shape (rows, width).
        labels: Of train; shape (rows, ...).
        units: Of train, equal for rows that belong together; shape (rows,).
        features: Of the rows to answer; shape (answered, width).
        sizes: From `curve_sizes`; shape (sizes,).
        draws: Number of draws (>= 1).
        seed: Of the draws.

    Returns:
        Shape (draws, sizes, answered, ...).
    """
    whole = head.predict(train, labels, units, features)  # the same for each draw
    answers = np.empty((draws, len(sizes), *whole.shape), whole.dtype)
    for draw in range(draws):
        order = np.random.default_rng([seed, draw]).permutation(len(train))
        for number, size in enumerate(sizes.tolist()):
            rows = order[:size]
            if size == len(train):
                answers[draw, number] = whole
            else:
                answers[draw, number] = head.predict(train[rows], labels[rows], units[rows], features)
    return answers
