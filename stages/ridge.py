"""Ridge regression that chooses its strength by leaving out parts of the rows, each row once; all strengths at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STRENGTHS = 10.0 ** np.arange(3, -4.1, -0.5)  # of the mean square norm of the features, strongest first
MIDDLE = 1.0  # the strength where nothing can be left out
PARTS = 5  # single rows in their place would choose strengths that are far too weak where rows are as many as features
LEAST = 1e-10  # of the largest eigenvalue: smaller ones are rounding


@dataclass(frozen=True)
class Ridge:
    """A fitted model.

    Args:
        centre: Mean of the features it was fitted on; shape (width,).
        coefficients: Shape (width,).
        intercept: The answer at the centre.
        strength: The chosen one, of the mean square norm.
    """

    centre: Floats
    coefficients: Floats
    intercept: float
    strength: float

    def predict(self, features: NDArray[Any]) -> Floats:
        """Return the number of rows with these features, (rows, width); shape (rows,)."""
        return np.asarray((features - self.centre) @ self.coefficients + self.intercept)


def fit_ridge(features: NDArray[Any], numbers: NDArray[Any], units: Ints) -> Ridge:
    """Fit with the strength whose squared error is least on rows that are left out.

    Args:
        features: Shape (rows, width), one row at least.
        numbers: What is predicted; shape (rows,).
        units: As in `leave_out`.
    """
    errors = np.zeros(len(STRENGTHS))
    for kept, left in leave_out(units):
        centre, intercept, coefficients = _fit_strengths(features[kept], numbers[kept], STRENGTHS)
        answers = (features[left] - centre) @ coefficients + intercept
        errors += np.square(answers - numbers[left][:, None]).sum(axis=0)
    strength = float(STRENGTHS[int(errors.argmin())]) if errors.any() else MIDDLE
    centre, intercept, coefficients = _fit_strengths(features, numbers, np.array([strength]))
    return Ridge(centre, coefficients[:, 0], intercept, strength)


def leave_out(units: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Yield the places of rows that are kept, and of those left out, `PARTS` times; no time where there is one unit.

    Args:
        units: Equal for rows that are left out together, such as those of one text: each would tell what the others
            are; shape (rows,).
    """
    unit = np.unique(units, return_inverse=True)[1]
    number = int(unit.max()) + 1
    part = np.random.default_rng(0).permutation(number)[unit] % PARTS  # by chance: the order may go with the label
    for left in range(min(PARTS, number) if number > 1 else 0):
        yield np.flatnonzero(part != left), np.flatnonzero(part == left)


def _fit_strengths(features: NDArray[Any], numbers: NDArray[Any], strengths: Floats) -> tuple[Floats, float, Floats]:
    """Return the mean of the features, (width,), that of the numbers, and coefficients, (width, strengths)."""
    centre, intercept = features.mean(axis=0, dtype=np.float64), float(numbers.mean(dtype=np.float64))
    centred, residuals = features - centre, numbers - intercept
    dual = len(centred) <= centred.shape[1]  # then the inner products of rows are the smaller matrix
    eigenvalues, vectors = np.linalg.eigh(centred @ centred.T if dual else centred.T @ centred)
    kept = eigenvalues > LEAST * eigenvalues[-1]
    eigenvalues, vectors = eigenvalues[kept][:, None], vectors[:, kept]
    penalties = strengths * float((centred**2).sum(axis=1).mean())
    along = vectors.T @ (residuals if dual else centred.T @ residuals)
    solved = vectors @ (along[:, None] / (eigenvalues + penalties))
    return centre, intercept, centred.T @ solved if dual else solved
