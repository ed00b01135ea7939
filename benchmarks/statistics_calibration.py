"""The decision rule by simulation: does the temperature, or the threshold, help on new rows?

    python -m benchmarks.statistics_calibration [temperature | threshold]

prints the two tables of benchmarks/statistics.md, or one of them. Models and rows are drawn from distributions whose
truth is known, so that every value is that of the population and not of a test set.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stages.evaluate.threshold import try_threshold
from stages.metrics.calibration import fit_temperature, scale
from stages.metrics.classification import count_scores

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

POPULATION = 20_000  # rows that stand for all rows


def softmax(logits: Floats) -> Floats:
    """Return probabilities; shape as `logits`, (..., num_labels)."""
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=-1, keepdims=True))


@dataclass(frozen=True)
class Confidence:
    """A model that is `factor` times too confident: it says softmax(factor x) where softmax(x) is true.

    Attributes:
        classes: Number of classes; 0: two of them, as in SMS spam, where hardly a row is predicted wrong.
        factor: 1: the model is calibrated.
    """

    classes: int
    factor: float

    def logits(self, rows: int, generator: np.random.Generator) -> Floats:
        """Draw true logits; shape (rows, num_labels)."""
        if not self.classes:
            spam = generator.random(rows) < 0.13
            margin = np.where(spam, generator.normal(7, 2.2, rows), generator.normal(-7.5, 2, rows))
            return np.stack([np.zeros(rows), margin], axis=1)
        labels = generator.integers(self.classes, size=rows)
        skill = {2: 2.0, 5: 3.0, 20: 4.0}[self.classes]
        return generator.normal(size=(rows, self.classes)) * 1.2 + skill * np.eye(self.classes)[labels]


CONFIDENCES = {
    "SMS-like": Confidence(0, 1.0),
    "SMS-like, 2 times overconfident": Confidence(0, 2.0),
    **{
        f"{classes} classes, {name}": Confidence(classes, factor)
        for classes in (2, 5, 20)
        for name, factor in (
            ("calibrated", 1.0),
            ("2 times overconfident", 2.0),
            ("4 times overconfident", 4.0),
            ("2 times underconfident", 0.5),
        )
    },
}


def temperature_losses(model: Confidence, rows: int, *, draws: int, seed: int) -> tuple[float, float, float]:
    """Return the expected log loss on new rows: unscaled, with the fitted temperature, and with the best one.

    Args:
        model: What is simulated.
        rows: Of val.
        draws: Of val.
        seed: Of the draws.
    """
    generator = np.random.default_rng(seed)
    population = model.logits(POPULATION, generator)
    true = softmax(population)
    grid = np.linspace(np.log(0.05), np.log(20), 121)
    said = [softmax(population * model.factor / heat) for heat in np.exp(grid)]
    losses = [-(true * np.log(np.maximum(probabilities, 1e-300))).sum(1).mean() for probabilities in said]
    fitted = []
    for _ in range(draws):
        logits = model.logits(rows, generator)
        labels = (softmax(logits).cumsum(1) < generator.random((rows, 1))).sum(1).clip(max=logits.shape[1] - 1)
        fitted.append(fit_temperature(labels, softmax(logits * model.factor).astype(np.float32)))
    unscaled = float(np.interp(0, grid, losses))
    return unscaled, float(np.interp(np.log(fitted), grid, losses).mean()), float(min(losses))


@dataclass(frozen=True)
class Binary:
    """A binary model: the true log odds are normal in each class, and `told` makes the model's of them.

    Attributes:
        share: Of the rows that have the second label.
        separation: Distance of the classes in standard deviations.
        told: From true log odds to the model's.
    """

    share: float
    separation: float
    told: Callable[[Floats], Floats] = lambda log_odds: log_odds

    def draw(self, rows: int, generator: np.random.Generator) -> tuple[Ints, Floats]:
        """Return labels and the true log odds of the second label; shape (rows,) each."""
        labels = (generator.random(rows) < self.share).astype(np.int64)
        position = generator.normal((labels - 0.5) * self.separation)
        return labels, position * self.separation + np.log(self.share / (1 - self.share))

    def probabilities(self, log_odds: Floats) -> NDArray[np.float32]:
        """Return what the model says; shape (rows, 2)."""
        told = self.told(log_odds)
        return softmax(np.stack([np.zeros(len(told)), told], axis=1)).astype(np.float32)


BINARIES = {
    "2% positive, calibrated": Binary(0.02, 3.2),
    "13% positive, calibrated": Binary(0.13, 3.0),
    "13% positive, weak, calibrated": Binary(0.13, 1.5),
    "50% positive, calibrated": Binary(0.5, 2.0),
    "2% positive, log odds too high by 2": Binary(0.02, 3.2, lambda log_odds: log_odds + 2),
    "13% positive, too low by 1.5": Binary(0.13, 2.5, lambda log_odds: log_odds - 1.5),
    "13% positive, too high by 1.5": Binary(0.13, 2.5, lambda log_odds: log_odds + 1.5),
    "50% positive, too high by 1": Binary(0.5, 2.0, lambda log_odds: log_odds + 1),
}


@dataclass(frozen=True)
class Outcome:
    """The metric on new rows, as means over draws of val.

    Attributes:
        most_probable: Of the most probable label.
        rule: Of the rule that was taken.
        always: Of the tuned threshold, taken in every draw.
        best: Of the best threshold there is.
        taken: Share of the draws in which the threshold was taken.
    """

    most_probable: float
    rule: float
    always: float
    best: float
    taken: float


def threshold_outcome(model: Binary, rows: int, metric: str, *, draws: int, seed: int) -> Outcome:
    """Simulate what `evaluate` does with a threshold on `rows` rows of val."""
    generator = np.random.default_rng(seed)
    _, population = model.draw(POPULATION, generator)
    said, true = model.probabilities(population)[:, 1], 1 / (1 + np.exp(-population))

    def score(threshold: float) -> float:
        positive = said >= threshold
        cells = np.array([weights[side].sum() for weights in (1 - true, true) for side in (~positive, positive)])
        return float(count_scores(cells, np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), num_labels=2)[metric])

    most_probable = score(0.5)
    rule, always, taken = [], [], 0
    for draw in range(draws):
        labels, log_odds = model.draw(rows, generator)
        probabilities = model.probabilities(log_odds)
        temperature = fit_temperature(labels, probabilities)
        trial = try_threshold(labels, scale(probabilities, temperature), metric=metric, seed=draw)
        tuned = most_probable if trial is None else score(_unscaled(trial.threshold, temperature))
        took = trial is not None and trial.taken
        taken += took
        always.append(tuned)
        rule.append(tuned if took else most_probable)
    best = max(score(threshold) for threshold in np.quantile(said, np.linspace(0, 1, 401)))
    return Outcome(most_probable, float(np.mean(rule)), float(np.mean(always)), max(best, most_probable), taken / draws)


def _unscaled(threshold: float, temperature: float) -> float:
    """The threshold on the model's own probabilities that decides as `threshold` on scaled ones."""
    threshold = min(max(threshold, 1e-12), 1 - 1e-12)
    return float(1 / (1 + np.exp(-temperature * np.log(threshold / (1 - threshold)))))


def temperature_table(draws: int = 100) -> Iterator[str]:
    """Yield the lines of the table of temperatures."""
    yield "| model | rows of val | log loss, unscaled | with the fitted temperature | with the best one |"
    yield "|---|--:|--:|--:|--:|"
    for name, model in CONFIDENCES.items():
        for rows in (30, 92, 300, 1_000):
            unscaled, fitted, best = temperature_losses(model, rows, draws=draws, seed=rows)
            yield f"| {name} | {rows:,} | {unscaled:.4f} | {fitted:.4f} | {best:.4f} |"


def threshold_table(draws: int = 100) -> Iterator[str]:
    """Yield the lines of the table of thresholds."""
    yield "| model | metric | rows of val | most probable label | the rule | always tuned | best threshold | taken |"
    yield "|---|---|--:|--:|--:|--:|--:|--:|"
    for name, model in BINARIES.items():
        for metric in ("accuracy", "macro_f1"):
            for rows in (92, 300, 1_000):
                outcome = threshold_outcome(model, rows, metric, draws=draws, seed=rows)
                values = (outcome.most_probable, outcome.rule, outcome.always, outcome.best)
                numbers = " | ".join(f"{value:.4f}" for value in values)
                yield f"| {name} | {metric} | {rows:,} | {numbers} | {outcome.taken:.0%} |"


TABLES = {"temperature": temperature_table, "threshold": threshold_table}

if __name__ == "__main__":
    for name in sys.argv[1:] or TABLES:
        for line in TABLES[name]():
            print(line, flush=True)
        print()
