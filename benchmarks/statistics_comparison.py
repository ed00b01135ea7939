"""Simulates comparisons of two models of which the truth is known: how often are `retune compare`'s verdicts wrong?

Example: python benchmarks/statistics_comparison.py false-alarms --simulations 1000
         python benchmarks/statistics_comparison.py gates
         python benchmarks/statistics_comparison.py power
         python benchmarks/statistics_comparison.py looks

Each prints a Markdown table; benchmarks/statistics.md has them. A row has a difficulty, part of which all models share;
a model predicts a row right if its own noise, the seed's and the configuration's strength overcome the difficulty.
`former` is the method before: a paired bootstrap within labels, an exact test with one seed per side, Holm's
correction.
"""

import argparse
import itertools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtr, ndtr, ndtri, stdtr

sys.path.insert(0, str(Path(__file__).parents[1]))

from pipeline.comparison.statistics.differences import Difference, compare_values
from pipeline.comparison.statistics.looks import next_level
from pipeline.comparison.statistics.metric_values import label_metric_values
from stages.metrics.bootstrap import count_cells
from stages.metrics.classification import count_scores

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
HEADLINE = ("macro_f1", "accuracy", "mcc")
TESTED = HEADLINE[:2]  # of which the power is measured


@dataclass(frozen=True)
class Task:
    """A test set and two configurations.

    Attributes:
        rows: Number of test rows.
        classes: Number of classes.
        majority: Share of the first class; None: all classes are as frequent. `each`: every class has as many rows.
        accuracy: Of both configurations, in every class.
        seeds: Per side.
        shift: Standard deviation of what a seed adds to a model's strength.
        shared: Share of a row's difficulty that all models share (0 to 1).
        own: Share that the models of one configuration share beyond that.
        group: Rows that belong together.
        icc: Share of the shared difficulty that the rows of a group have in common.
    """

    rows: int
    classes: int = 2
    majority: float | None = None
    accuracy: float = 0.9
    seeds: int = 2
    shift: float = 0.0
    shared: float = 0.5
    own: float = 0.0
    group: int = 1
    icc: float = 0.0

    @property
    def shares(self) -> Floats:
        if self.majority is None:
            return np.full(self.classes, 1 / self.classes)
        return np.array([self.majority, *[(1 - self.majority) / (self.classes - 1)] * (self.classes - 1)])

    @property
    def name(self) -> str:
        kind = "even" if self.majority is None else f"{self.majority:.0%} one class"
        groups = f", groups of {self.group}, ICC {self.icc:g}" if self.group > 1 else ""
        return f"{self.rows} rows, {self.classes} classes, {kind}, accuracy {self.accuracy:g}{groups}"


@dataclass(frozen=True)
class Draw:
    """One comparison: labels, what each seed of base and of head predicts, and the rows' groups."""

    labels: Ints
    base: Ints
    head: Ints
    units: Ints | None


def draw(task: Task, head_accuracy: Floats, confusion: Floats, generator: np.random.Generator) -> Draw:
    """Draw rows and models; base has the task's accuracy in every class, head `head_accuracy`, (classes,)."""
    units = np.arange(task.rows) // task.group
    labels = generator.choice(task.classes, task.rows, p=task.shares)
    in_group = generator.normal(size=units.max() + 1)[units]
    difficulty = np.sqrt(task.shared) * (
        np.sqrt(task.icc) * in_group + np.sqrt(1 - task.icc) * generator.normal(size=task.rows)
    )
    usual = draw_wrong(labels, confusion, generator)
    sides = []
    for accuracy in (np.full(task.classes, task.accuracy), head_accuracy):
        configuration = difficulty + np.sqrt(task.own) * generator.normal(size=task.rows)
        noise = np.sqrt(1 - task.shared - task.own) * generator.normal(size=(task.seeds, task.rows))
        strength = configuration + noise + task.shift * generator.normal(size=(task.seeds, 1))
        right = strength < np.sqrt(1 + task.shift**2) * ndtri(accuracy)[labels]
        wrong = [np.where(generator.random(task.rows) < 0.5, usual, draw_wrong(labels, confusion, generator))]
        sides.append(np.where(right, labels, wrong[0]))
    return Draw(labels, *sides, None if task.group == 1 else units)


def draw_confusion(classes: int, generator: np.random.Generator) -> Floats:
    """Draw with which classes each class is confused; rows sum to 1, and no class is confused with itself."""
    weights = generator.dirichlet(np.full(classes, 0.5), size=classes) + 1e-9
    np.fill_diagonal(weights, 0)
    return np.asarray(weights / weights.sum(1, keepdims=True))


def draw_wrong(labels: Ints, confusion: Floats, generator: np.random.Generator) -> Ints:
    """Draw a wrong label for each row."""
    above = generator.random(len(labels))[:, None] > confusion.cumsum(1)[labels]
    return np.asarray(np.minimum(above.sum(1), confusion.shape[1] - 1))


def population(task: Task, accuracy: Floats, confusion: Floats, metric: str) -> float:
    """Return the metric of a configuration on infinitely many rows."""
    shares = task.shares[:, None] * ((1 - accuracy)[:, None] * confusion + np.diag(accuracy))
    labels, preds = np.divmod(np.arange(task.classes**2), task.classes)
    return float(count_scores(shares.ravel(), labels, preds, num_labels=task.classes)[metric])


def weaken(task: Task, confusion: Floats, metric: str, drop: float) -> Floats | None:
    """Return the accuracy, lower by as much in every class, with which the metric is lower by `drop`."""
    even = np.full(task.classes, task.accuracy)
    goal = population(task, even, confusion, metric) - drop
    low, high = 0.0, task.accuracy
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if population(task, middle + 0 * even, confusion, metric) < goal else (low, middle)
    weak = np.full(task.classes, high)
    return weak if abs(population(task, weak, confusion, metric) - goal) < 0.02 * drop + 1e-9 else None


def simulate(task: Task, simulations: int, head: Callable[[Floats], Floats | None], seed: int = 0) -> Iterator[Draw]:
    """Yield comparisons; `head` gives head's accuracy for a confusion, of which there is a new one every 50 draws."""
    generator = np.random.default_rng(seed)
    for number in range(simulations):
        if number % 50 == 0:
            confusion = draw_confusion(task.classes, generator)
            accuracy = head(confusion)
        if accuracy is None:
            return
        yield draw(task, accuracy, confusion, generator)


def differences(found: Draw, classes: int, names: Sequence[str] = HEADLINE) -> dict[str, Difference]:
    """Return what retune compares: a difference for each of these metrics."""
    return {
        values.name: compare_values(values.base, values.head, (values.unseen, values.unseen_rows), units=found.units)
        for values in label_metric_values(found.labels, found.base, found.head, num_labels=classes)
        if values.name in names
    }


def false_alarms(task: Task, simulations: int) -> dict[str, float]:
    """Return how often two equally good configurations are called different, by the metric that is tested first."""
    even = np.full(task.classes, task.accuracy)
    p_values = [
        {name: difference.p_value() for name, difference in differences(found, task.classes).items()}
        for found in simulate(task, simulations, lambda _: even)
    ]
    return {name: float(np.mean([p[name] < 0.05 for p in p_values])) for name in HEADLINE}


def false_passes(task: Task, simulations: int, drop: float) -> dict[str, float | None]:
    """Return how often a change that loses as much as the gate allows and no less is passed."""
    rates: dict[str, float | None] = {}
    for name in HEADLINE:
        passed = [
            -differences(found, task.classes, [name])[name].interval(0.95)[0] < drop
            for found in simulate(task, simulations, lambda confusion: weaken(task, confusion, name, drop))  # noqa: B023
        ]
        rates[name] = float(np.mean(passed)) if passed else None
    return rates


@dataclass(frozen=True)
class Power:
    """How often a method finds a true loss of macro F1, by macro F1 or by accuracy.

    Attributes:
        found: At p < 5%.
        alarms: Share of false alarms at p < 5%.
        equal: How often it is found at the p-value that 5% of false alarms are below.
    """

    found: float
    alarms: float
    equal: float


def powers(task: Task, simulations: int, drop: float) -> dict[str, tuple[Power, Power]]:
    """Return the power now and formerly, by the metric that is tested first."""
    p_values: list[dict[str, list[tuple[float, float]]]] = []
    for loss in (drop, 0.0):
        of_loss: dict[str, list[tuple[float, float]]] = {name: [] for name in TESTED}
        for found in simulate(task, simulations, lambda confusion: weaken(task, confusion, "macro_f1", loss)):  # noqa: B023
            now, former = differences(found, task.classes, TESTED), former_p_values(found, task.classes)
            for name, pairs in of_loss.items():
                pairs.append((now[name].p_value(), former[name]))
        p_values.append(of_loss)
    return {name: _powers(*(np.array(of_loss[name]) for of_loss in p_values)) for name in TESTED}


def _powers(with_loss: Floats, without: Floats) -> tuple[Power, Power]:
    """The power of two methods from their p-values; shape (simulations, 2) each."""
    methods = []
    for true, none in zip(with_loss.T, without.T, strict=True):
        equal = (true <= np.quantile(none, 0.05)).mean()
        methods.append(Power(float((true < 0.05).mean()), float((none < 0.05).mean()), float(equal)))
    return methods[0], methods[1]


def former_p_values(found: Draw, classes: int, resamples: int = 300) -> dict[str, float]:
    """Return the p-values that the former method gave, by Holm over the headline."""
    cells = count_cells(found.labels, *found.base, *found.head)
    labels, *preds = cells.columns
    generator, side = np.random.default_rng(42), len(found.base)
    counts = np.zeros((resamples, len(labels)), dtype=np.int64)
    for label in np.unique(labels):
        inside = labels == label
        rows = int(cells.sizes[inside].sum())
        counts[:, inside] = generator.multinomial(rows, cells.sizes[inside] / rows, size=resamples)

    def score(weights: Ints, pred: Ints) -> dict[str, Floats]:
        return count_scores(weights, labels, pred, num_labels=classes)

    values, samples = ([score(weights, pred) for pred in preds] for weights in (cells.sizes[None], counts))
    p_values = {}
    for name in HEADLINE:
        value, sample = (np.stack([seed[name] for seed in scores]) for scores in (values, samples))
        change = sample[side:].mean(0) - sample[:side].mean(0)
        if side == 1:
            tail = min((change <= 1e-12).sum(), (change >= -1e-12).sum())
            p_values[name] = min(1.0, 2 * (tail + 1) / (resamples + 1))
        else:
            p_values[name] = _former_seeds(value[:, 0], sample, change, side)
    if side == 1:
        p_values = {name: max(p, former_exact(found)) for name, p in p_values.items()}
    order = sorted(p_values, key=p_values.__getitem__)
    corrected = np.maximum.accumulate([(len(order) - rank) * p_values[name] for rank, name in enumerate(order)])
    return dict(zip(order, corrected.tolist(), strict=True))


def former_exact(found: Draw) -> float:
    """McNemar's exact test, near which the randomisation test of every metric was."""
    fixed = int(((found.base[0] != found.labels) & (found.head[0] == found.labels)).sum())
    broken = int(((found.base[0] == found.labels) & (found.head[0] != found.labels)).sum())
    return min(1.0, 2 * float(bdtr(min(fixed, broken), fixed + broken, 0.5)))


def _former_seeds(value: Floats, sample: Floats, change: Floats, side: int) -> float:
    sides = [(value[:side], sample[:side]), (value[side:], sample[side:])]
    degrees, scale, rows = 2 * side - 2, 2 / side, float(change.var())
    spread = sum(float(((seeds - seeds.mean()) ** 2).sum()) for seeds, _ in sides) / degrees
    shared = sum(float(draws.var(1).mean() - draws.mean(0).var()) for _, draws in sides) * side / degrees
    variance = rows + max(0.0, spread - max(0.0, shared)) * scale
    if variance <= 1e-24:
        return 1.0
    freedom = max(degrees, variance**2 / ((spread * scale) ** 2 / degrees)) if spread > 0 else 1e9
    distance = abs(float(value[side:].mean() - value[:side].mean()))
    return 2 * float(stdtr(min(freedom, 1e9), -distance / variance**0.5))


def looks(simulations: int, count: int = 50, improvements: int = 5) -> Iterator[tuple[str, float, float, float]]:
    """Yield ways to choose levels: how often a series has a false verdict, their share, the power in the last ten.

    A series of `count` comparisons on the same 836 rows: in one of `improvements` head is truly better, by as much as
    a single comparison at 5% would detect 9 times out of 10.
    """
    generator = np.random.default_rng(0)
    effect = ndtri(0.975) + ndtri(0.9)
    better = np.arange(count) % improvements == improvements - 1
    methods: dict[str, Callable[[list[float]], float]] = {
        "5% each": lambda _: 0.05,
        "5% spread over the comparisons (Bonferroni for 50)": lambda _: 0.05 / count,
        "LORD++": lambda earlier: next_level(earlier, rate=0.05),
    }
    for name, level in methods.items():
        alone, shares, late = [], [], []
        for truth in (np.zeros(count, dtype=bool), better):
            for _ in range(simulations):
                scores = generator.normal(size=count) + effect * truth
                p_values = (2 * ndtr(-np.abs(scores))).tolist()
                found = np.array([p_values[k] <= level(p_values[:k]) for k in range(count)])
                if not truth.any():
                    alone.append(found.any())
                else:
                    shares.append((found & ~truth).sum() / max(1, found.sum()))
                    late.append(found[-10:][truth[-10:]].mean())
        yield name, float(np.mean(alone)), float(np.mean(shares)), float(np.mean(late))


TASKS = [
    *(Task(20), Task(50, classes=50, accuracy=0.8), Task(92), Task(92, classes=5, accuracy=0.75)),
    *(Task(92, majority=0.9, accuracy=0.95), Task(150, classes=77, accuracy=0.8), Task(400, classes=20, accuracy=0.85)),
    *(Task(836, majority=0.87, accuracy=0.98), Task(836, majority=0.99, accuracy=0.98), Task(836, classes=77)),
    *(Task(400, group=20, icc=0.1), Task(400, group=20, icc=0.3)),
]


def false_alarm_rows(count: int) -> Iterator[list[str]]:
    yield ["test set", "seeds per side", "spread of seeds", "first metric: macro F1", "accuracy", "MCC"]
    for task, (seeds, shift) in itertools.product(TASKS, [(1, 0), (2, 0), (2, 0.3), (3, 0.1)]):
        rates = false_alarms(replace(task, seeds=seeds, shift=shift), count)
        yield [task.name, str(seeds), f"{shift:g}", *(f"{rates[name]:.1%}" for name in HEADLINE)]


def gate_rows(count: int) -> Iterator[list[str]]:
    yield ["test set", "seeds per side", "difficulty shared", "largest drop", "macro F1", "accuracy", "MCC"]
    cases = [(1, 0.5, 0.02), (1, 0.95, 0.05), (2, 0.5, 0.05)]
    for task, (seeds, shared, drop) in itertools.product(TASKS, cases):
        rates = false_passes(replace(task, seeds=seeds, shared=shared, shift=0.05 * (seeds > 1)), count, drop)
        shown = ["" if rate is None else f"{rate:.1%}" for rate in rates.values()]
        yield [task.name, str(seeds), f"{shared:.0%}", f"{drop:g}", *shown]


def power_rows(count: int) -> Iterator[list[str]]:
    columns = ["found", "formerly", "false alarms", "formerly", "found at 5% false alarms", "formerly"]
    yield ["test set", "seeds per side", "true loss", "first metric", *columns]
    for task, seeds in itertools.product([TASKS[number] for number in (2, 3, 5, 6, 7)], (1, 2, 3)):
        loss = 2.2 / task.rows**0.5 * (1 - task.accuracy) ** 0.5
        found = powers(replace(task, seeds=seeds, shift=0.05 * (seeds > 1)), count, loss)
        for name, (now, formerly) in found.items():
            pairs = [(now.found, formerly.found), (now.alarms, formerly.alarms), (now.equal, formerly.equal)]
            yield [task.name, str(seeds), f"{loss:.3f}", name, *(f"{rate:.1%}" for pair in pairs for rate in pair)]


def look_rows(count: int) -> Iterator[list[str]]:
    yield ["level", "any false verdict in 50 without a change", "false share, each fifth better", "power, last ten"]
    for name, *rates in looks(count):
        yield [name, *(f"{rate:.1%}" for rate in rates)]


TABLES = {"false-alarms": false_alarm_rows, "gates": gate_rows, "power": power_rows, "looks": look_rows}


def print_table(tables: Mapping[str, Callable[[int], Iterator[list[str]]]], description: str) -> None:
    """Print the table that the command line names: `tables` yield rows of cells, the header first."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=tables)
    parser.add_argument("--simulations", type=int, default=1000, help="per row")
    arguments = parser.parse_args()
    for number, cells in enumerate(tables[arguments.what](arguments.simulations)):
        print(f"| {' | '.join(cells)} |", flush=True)
        if number == 0:
            print(f"|{'---|' * len(cells)}", flush=True)


if __name__ == "__main__":
    print_table(TABLES, __doc__ or "")
