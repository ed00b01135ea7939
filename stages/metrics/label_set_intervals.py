"""Metrics of label sets with their intervals, of one model or of several on the same rows.

The rows give a distribution of further rows. Two rows' worth of it are rows with label sets drawn from what the model
says, calibrated: so an error of a kind that no row showed has a chance too. Each interval comes from tilting this
distribution along the metric's influence values (see `tilting.py`); its ends are the metric of the tilted rows, so
they lie within its range.
"""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.metrics.bootstrap import Bootstrap, Estimate
from stages.metrics.effective_rows import weigh_sample
from stages.metrics.label_sets import score_label, score_sets, set_features, set_losses, slopes_of
from stages.metrics.names import CALIBRATED
from stages.metrics.ranking import average_precision
from stages.metrics.row_intervals import MOST_ROWS, UNSEEN_ROWS
from stages.metrics.tilting import mean_ends

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]
Score = Callable[[Floats], float]  # from the weights of the atoms
Scored = tuple[Score, Floats]  # and the metric's influence values

DRAWN_SETS = 4  # of each row that also gets drawn labels


@dataclass(frozen=True)
class SetModel:
    """One model's answers for some rows.

    Attributes:
        probabilities: Of each label; shape (rows, num_labels).
        calibrated: The same, after temperature scaling.
        preds: Which labels its rule predicts; shape (rows, num_labels).
    """

    probabilities: NDArray[np.float32]
    calibrated: NDArray[np.float32]
    preds: Flags


@dataclass(frozen=True)
class Atoms:
    """A distribution of rows with label sets: the rows themselves, then some of them with drawn sets.

    Attributes:
        rows: How many of the atoms are rows as they are.
        of: Row of each atom; shape (atoms,).
        labels: Which labels each atom has; shape (atoms, num_labels).
        weights: Of the atoms, with a sum of 1; shape (atoms,).
        groups: Equal for rows that belong together; shape (rows,). None: each row is its own.
    """

    rows: int
    of: Ints
    labels: Flags
    weights: Floats
    groups: Ints | None

    @property
    def seen(self) -> Floats:
        """The weights of the rows as they are; shape (atoms,)."""
        return np.where(np.arange(len(self.of)) < self.rows, 1 / self.rows, 0.0)


def measure_sets(
    labels: Flags, models: Sequence[SetModel], *, groups: Ints | None, bootstrap: Bootstrap
) -> dict[str, Estimate]:
    """Return every metric as its mean over the models, with an interval for the chance in which rows were drawn.

    Args:
        labels: Which labels each row has; shape (rows, num_labels).
        models: The answers of each model for these rows.
        groups: Equal for rows that belong together; shape (rows,). None: each row is its own.
        bootstrap: Confidence of the intervals, and the seed of the drawn sets.
    """
    atoms = _atoms(labels, models, groups, seed=bootstrap.seed)
    metrics = _of_sets(atoms, models)
    return {name: _estimate(atoms, *scored, confidence=bootstrap.confidence) for name, scored in metrics.items()}


def set_differences(
    labels: Flags, model: SetModel, baseline: SetModel, *, groups: Ints | None, bootstrap: Bootstrap
) -> dict[str, Estimate]:
    """Return `model` minus `baseline` in every metric, with paired intervals; other arguments as `measure_sets`."""
    atoms = _atoms(labels, [model, baseline], groups, seed=bootstrap.seed)
    ours, theirs = (_of_sets(atoms, [side]) for side in (model, baseline))
    return {name: _estimate(atoms, *_minus(ours[name], theirs[name]), confidence=bootstrap.confidence) for name in ours}


def measure_labels(
    labels: Flags, models: Sequence[SetModel], *, groups: Ints | None, bootstrap: Bootstrap
) -> list[dict[str, Estimate]]:
    """Return f1, precision, recall and average_precision of each label; arguments as `measure_sets`."""
    atoms = _atoms(labels, models, groups, seed=bootstrap.seed)
    num_labels = labels.shape[1]
    measured = []
    for label in range(num_labels):

        def scores(sums: Floats, label: int = label) -> dict[str, Floats]:
            return score_label(sums, label, num_labels=num_labels)

        metrics = _of_sums(atoms, models, scores)
        metrics["average_precision"] = _precision(atoms, models, label)
        measured.append(
            {name: _estimate(atoms, *scored, confidence=bootstrap.confidence) for name, scored in metrics.items()}
        )
    return measured


def _atoms(labels: Flags, models: Sequence[SetModel], groups: Ints | None, *, seed: int) -> Atoms:
    rows = len(labels)
    drawn = np.unique(np.linspace(0, rows - 1, min(rows, MOST_ROWS)).round().astype(np.int64)).repeat(DRAWN_SETS)
    chances = np.mean([model.calibrated[drawn] for model in models], axis=0)
    sets = np.random.default_rng(seed).random(chances.shape) < chances
    weights = np.concatenate([np.ones(rows), np.full(len(drawn), UNSEEN_ROWS / len(drawn))]) / (rows + UNSEEN_ROWS)
    return Atoms(rows, np.concatenate([np.arange(rows), drawn]), np.concatenate([labels, sets]), weights, groups)


def _of_sets(atoms: Atoms, models: Sequence[SetModel]) -> dict[str, Scored]:
    """Every metric of sets and of probabilities; the average precision is the mean of the labels that a row has."""
    num_labels = atoms.labels.shape[1]
    metrics = _of_sums(atoms, models, functools.partial(score_sets, num_labels=num_labels))
    present = np.flatnonzero(atoms.labels[: atoms.rows].any(0)).tolist()
    metrics["average_precision"] = _mean([_precision(atoms, models, label) for label in present], len(atoms.of))
    for prefix, calibrated in (("", False), (CALIBRATED, True)):
        for name, scored in _losses(atoms, models, calibrated=calibrated).items():
            metrics[f"{prefix}{name}"] = scored
    return metrics


def _of_sums(
    atoms: Atoms, models: Sequence[SetModel], score: Callable[[Floats], dict[str, Floats]]
) -> dict[str, Scored]:
    """The metrics that are functions of sums over the atoms; their influences are derivatives of these."""
    features = [set_features(atoms.labels, model.preds[atoms.of]) for model in models]
    totals = [atoms.weights @ columns for columns in features]
    names = score(totals[0])
    slopes = [slopes_of(sums, score) for sums in totals]
    metrics: dict[str, Scored] = {}
    for name in names:

        def of_weights(weights: Floats, name: str = name) -> float:
            return float(np.mean([score(weights @ columns)[name] for columns in features]))

        influence = np.mean([columns @ slope[name] for columns, slope in zip(features, slopes, strict=True)], axis=0)
        metrics[name] = (of_weights, influence)
    return metrics


def _precision(atoms: Atoms, models: Sequence[SetModel], label: int) -> Scored:
    has = atoms.labels[:, label]
    columns = [model.probabilities[atoms.of, label].astype(np.float64) for model in models]

    def of_weights(weights: Floats) -> float:
        return float(np.mean([min(1.0, average_precision(weights * has, weights, scores).value) for scores in columns]))

    rankings = [average_precision(atoms.weights * has, atoms.weights, scores) for scores in columns]
    influence = np.mean([np.where(has, ranked.if_positive, ranked.if_negative) for ranked in rankings], axis=0)
    return of_weights, influence


def _mean(metrics: Sequence[Scored], atoms: int) -> Scored:
    """The mean of metrics, 0 of none."""
    scores = [score for score, _ in metrics]
    influence = np.mean([values for _, values in metrics], axis=0) if metrics else np.zeros(atoms)
    return lambda weights: float(np.mean([score(weights) for score in scores])) if scores else 0.0, influence


def _minus(metric: Scored, other: Scored) -> Scored:
    """The difference of two metrics."""
    return lambda weights: metric[0](weights) - other[0](weights), metric[1] - other[1]


def _losses(atoms: Atoms, models: Sequence[SetModel], *, calibrated: bool) -> dict[str, Scored]:
    parts = [
        set_losses(atoms.labels, (model.calibrated if calibrated else model.probabilities)[atoms.of])
        for model in models
    ]
    metrics: dict[str, Scored] = {}
    for name in parts[0]:
        values = np.mean([part[name] for part in parts], axis=0)

        def of_weights(weights: Floats, values: Floats = values) -> float:
            return float(np.clip(weights @ values, values.min(), values.max()))

        metrics[name] = (of_weights, values)
    return metrics


def _estimate(atoms: Atoms, score: Score, influence: Floats, *, confidence: float) -> Estimate:
    of_rows = influence[: atoms.rows]
    sample = weigh_sample(of_rows, atoms.groups, confidence=confidence)
    value = score(atoms.seen)
    ends = [score(weights) for weights in mean_ends(influence, atoms.weights, float(of_rows.mean()), sample)]
    return Estimate(value, min(value, *ends), max(value, *ends), float(of_rows.std()) / math.sqrt(sample.rows))
