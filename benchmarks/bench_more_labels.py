"""How often the interval of what more labels would bring contains what they brought: half of train foretells all.

Each repeat draws rows for train, rows that the curve is measured on, and rows that are held back. The curve is fitted
on half of train. What the other half brought is measured on the rows held back: of this repeat (`own`), and as the mean
over all repeats (`expected`).

Example: python benchmarks/bench_more_labels.py --task sms_spam
"""

import argparse
import dataclasses

import numpy as np
from features import features_of
from numpy.typing import NDArray

from stages.extrapolate.curve import curve_sizes, draw_answers
from stages.extrapolate.forecast import fit_curve
from stages.extrapolate.heads import HEADS, Head

SIZES = {"sms_spam": (2000, 500), "cola": (2000, 500), "reviews": (500, 150)}  # train, and rows of the curve
METRICS = {"sms_spam": "mcc", "cola": "mcc", "reviews": "macro_f1"}
DRAWS = 10
CONFIDENCES = (0.8, 0.95)


@dataclasses.dataclass(frozen=True)
class Repeat:
    """A repeat: the intervals by confidence, what was foretold, and what happened."""

    intervals: dict[float, tuple[float, float]]
    foretold: float
    own: float


def run(head: Head, features: NDArray[np.float64], labels: NDArray[np.int64], task: str, seed: int) -> Repeat:
    """Return one repeat."""
    train, measured = SIZES[task]
    order = np.random.default_rng(seed).permutation(len(labels))
    rows, curve_rows, held = np.split(order, [train, train + measured])
    half = rows[: train // 2]
    sizes = curve_sizes(len(half))
    answers = draw_answers(
        head, features[half], labels[half], half, features[curve_rows], sizes=sizes, draws=DRAWS, seed=seed
    )
    curve = fit_curve(
        head.score, labels[curve_rows], answers, metric=METRICS[task], sizes=sizes, groups=None, seed=seed
    )
    ones = np.ones((1, len(held)))
    before, after = (
        head.score(ones, labels[held], head.predict(features[part], labels[part], part, features[held]))[METRICS[task]][
            0
        ]
        for part in (half, rows)
    )
    gains = {level: curve.gain(train - len(half), confidence=level) for level in CONFIDENCES}
    intervals = {level: (gain.low, gain.high) for level, gain in gains.items()}
    return Repeat(intervals, gains[CONFIDENCES[0]].change, float(after - before))


def main() -> None:
    """Print a line per confidence."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=list(SIZES), required=True)
    parser.add_argument("--repeats", type=int, default=100)
    arguments = parser.parse_args()
    features, labels = features_of(arguments.task)
    repeats = [run(HEADS["classes"], features, labels, arguments.task, seed) for seed in range(arguments.repeats)]
    own = np.array([repeat.own for repeat in repeats])
    foretold = np.array([repeat.foretold for repeat in repeats])
    train = SIZES[arguments.task][0]
    print(f"{arguments.task} {METRICS[arguments.task]}: {train // 2} rows foretell {train}, {len(repeats)} repeats")
    print(f"gain {own.mean():+.4f} (sd {own.std():.4f}), foretold {foretold.mean():+.4f} (sd {foretold.std():.4f})")
    for level in CONFIDENCES:
        low, high = np.array([repeat.intervals[level] for repeat in repeats]).T
        expected = ((low <= own.mean()) & (own.mean() <= high)).mean()
        inside = ((low <= own) & (own <= high)).mean()
        print(f"{level:.0%}: expected {expected:.1%}, own {inside:.1%}, width {(high - low).mean():.4f}")


if __name__ == "__main__":
    main()
