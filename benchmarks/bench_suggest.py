"""Labels that a model needs, by how the rows to label are chosen: `retune suggest` beside random and other choices.

SMS spam, 70% of the rows to choose from and 30% to measure on. A linear model on the frozen encoder's features starts
with 50 random rows, then gets 25 more at a time. It is done when its MCC is 95% of that with all rows. The features are
computed once, so that a round takes milliseconds.

Methods: `suggest` is what the command does (without its search for nearly equal texts). `margin` takes the most
uncertain rows. `kmeans` is Zhdanov (2019): of the 10 times as many most uncertain rows those closest to the centres of
clusters, weighted by uncertainty. `badge` is Ash et al. (2020): the seeding of k-means++ on gradients, of all rows.

Example: python benchmarks/bench_suggest.py --seeds 10
"""

import argparse
import warnings
from collections.abc import Callable

import numpy as np
from features import features_of
from numpy.typing import NDArray
from scipy import stats
from sklearn.cluster import KMeans, kmeans_plusplus
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import matthews_corrcoef

from pipeline.suggestion.choice import PREFILTER, choose

START, STEP, HELD, ENOUGH = 50, 25, 0.3, 0.95
Floats = NDArray[np.float64]
Choice = Callable[[Floats, Floats, int], NDArray[np.int64]]  # probabilities, features, seed -> positions of STEP rows


def _uncertainty(probabilities: Floats) -> Floats:
    return np.asarray(1 - np.abs(probabilities[:, 0] - probabilities[:, 1]))


def _top(uncertainty: Floats) -> NDArray[np.int64]:
    return np.argsort(-uncertainty, kind="stable")[: PREFILTER * STEP]


def _random(probabilities: Floats, features: Floats, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).choice(len(features), STEP, replace=False)


def _margin(probabilities: Floats, features: Floats, seed: int) -> NDArray[np.int64]:
    return _top(_uncertainty(probabilities))[:STEP]


def _suggest(probabilities: Floats, features: Floats, seed: int) -> NDArray[np.int64]:
    uncertainty = _uncertainty(probabilities)
    top = _top(uncertainty)
    return top[choose(features[top], uncertainty[top], count=STEP, seed=seed)]


def _kmeans(probabilities: Floats, features: Floats, seed: int) -> NDArray[np.int64]:
    uncertainty = _uncertainty(probabilities)
    top = _top(uncertainty)
    model = KMeans(STEP, n_init=1, random_state=seed)
    distances = model.fit(features[top], sample_weight=uncertainty[top] + 1e-9).transform(features[top])
    closest = (int(row) for row in np.argsort(distances, axis=0).T.ravel(order="F"))  # of each centre, then the next
    return top[np.fromiter(dict.fromkeys(closest), np.int64)[:STEP]]


def _badge(probabilities: Floats, features: Floats, seed: int) -> NDArray[np.int64]:
    gap = probabilities - (probabilities == probabilities.max(axis=1, keepdims=True))
    gradients = (gap[:, :, None] * features[:, None]).reshape(len(features), -1)
    return np.asarray(kmeans_plusplus(gradients, STEP, random_state=seed)[1])


METHODS: dict[str, Choice] = {
    "random": _random,
    "suggest": _suggest,
    "margin": _margin,
    "kmeans": _kmeans,
    "badge": _badge,
}


def labels_needed(features: Floats, labels: NDArray[np.int64], choice: Choice, seed: int) -> int:
    """Return how many rows are labelled when the MCC is 95% of that with all rows."""
    order = np.random.default_rng(seed).permutation(len(labels))
    held, pool = np.split(order, [int(HELD * len(labels))])
    goal = ENOUGH * _mcc(features, labels, pool, held)[0]
    labelled = pool[:START]
    while True:
        mcc, model = _mcc(features, labels, labelled, held)
        if mcc >= goal or len(labelled) == len(pool):
            return len(labelled)
        rest = np.setdiff1d(pool, labelled)
        chosen = choice(model.predict_proba(features[rest]), features[rest], seed + len(labelled))
        labelled = np.concatenate([labelled, rest[chosen]])


def _mcc(
    features: Floats, labels: NDArray[np.int64], rows: NDArray[np.int64], held: NDArray[np.int64]
) -> tuple[float, LogisticRegression]:
    model = LogisticRegression(C=10.0, max_iter=300, tol=1e-3).fit(features[rows], labels[rows])
    return float(matthews_corrcoef(labels[held], model.predict(features[held]))), model


def main() -> None:
    """Print a line per method: the mean number of labels, and how many times as many random ones are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    features, labels = features_of("sms_spam")
    needed = {
        name: np.array([labels_needed(features, labels, METHODS[name], seed) for seed in range(arguments.seeds)])
        for name in dict.fromkeys(["random", *arguments.methods])
    }
    for name, counts in needed.items():
        ratios = np.log(needed["random"] / counts)
        ends = stats.t.interval(0.95, len(ratios) - 1, ratios.mean(), stats.sem(ratios)) if name != "random" else (0, 0)
        low, high = np.exp(ends)
        print(
            f"{name:8} {counts.mean():5.0f} labels ({counts.min()} to {counts.max()}); random takes "
            f"{np.exp(ratios.mean()):.2f} times as many ({low:.2f} to {high:.2f})",
            flush=True,
        )


if __name__ == "__main__":
    main()
