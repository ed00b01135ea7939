"""How many labels are suspected, by simulation: of labels that are all right, and of labels of which some are wrong.

    python benchmarks/simulated_suspects.py

A row's logits are normal noise, plus a multiple of its difficulty for the true label; the multiple gives the model its
accuracy. Logits are too large by half, and the temperature is fitted on the given labels, as the report does. Wrong
labels are drawn evenly from the others. Prints the tables of benchmarks/suspects.md; 2 minutes. cleanlab's column is
there if it is installed.
"""

import sys
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from stages.metrics.calibration import fit_temperature, scale
from stages.report.suspects import rank_suspects

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

SIZES = ((2, 50), (2, 200), (5, 10), (5, 50), (20, 5), (20, 50), (100, 1), (100, 10), (500, 1), (500, 2), (500, 10))
ACCURACIES = (0.3, 0.5, 0.7, 0.95)
MOST_ROWS = 4_000  # of all repetitions of a cell together
OVERCONFIDENT = 1.5


def draw_rows(
    num_labels: int, rows_per_label: int, accuracy: float, share_wrong: float, seed: int
) -> tuple[Ints, NDArray[np.float32], Flags]:
    """Return labels, calibrated probabilities, and which labels are wrong.

    Args:
        num_labels: Of the task.
        rows_per_label: Rows that truly have each label.
        accuracy: Of the model, on the true labels (above 1 / num_labels, below 1).
        share_wrong: Of the labels (0 to 1).
        seed: Of the draw.
    """
    chance = np.random.default_rng([num_labels, rows_per_label, seed])
    truth = np.repeat(np.arange(num_labels), rows_per_label)
    noise = chance.normal(size=(len(truth), num_labels))
    signal = chance.gamma(2, 0.5, size=len(truth))[:, None] * np.eye(num_labels)[truth]
    low, high = 0.0, 40.0
    for _ in range(15):
        middle = (low + high) / 2
        too_low = ((noise + middle * signal).argmax(1) == truth).mean() < accuracy
        low, high = (middle, high) if too_low else (low, middle)
    logits = OVERCONFIDENT * low * (noise + low * signal)
    odds = np.exp(logits - logits.max(1, keepdims=True))
    probabilities = (odds / odds.sum(1, keepdims=True)).astype(np.float32)
    wrong = chance.random(len(truth)) < share_wrong
    labels = np.where(wrong, (truth + chance.integers(1, num_labels, size=len(truth))) % num_labels, truth)
    return labels, scale(probabilities, fit_temperature(labels, probabilities)), wrong


def cleanlab_suspects(labels: Ints, probabilities: NDArray[np.float32]) -> Ints | None:
    """Return what cleanlab's confident learning finds; None where it is not installed."""
    try:
        from cleanlab.filter import find_label_issues
    except ImportError:
        return None
    mask = find_label_issues(labels, probabilities.astype(np.float64), filter_by="confident_learning", n_jobs=1)
    return np.flatnonzero(mask)


def cell(draws: list[tuple[Ints | None, Flags]]) -> str:
    """Return the share of the rows that are suspects, and where labels are wrong precision and recall."""
    if any(suspects is None for suspects, _ in draws):
        return "not installed"
    found = sum(len(suspects) for suspects, _ in draws if suspects is not None)
    hits = sum(int(wrong[suspects].sum()) for suspects, wrong in draws if suspects is not None)
    planted, rows = sum(int(wrong.sum()) for _, wrong in draws), sum(len(wrong) for _, wrong in draws)
    if not planted:
        return f"{100 * found / rows:.1f}"
    return f"{f'{hits / found:.2f}' if found else '–'} | {hits / planted:.2f}"


def main() -> None:
    warnings.filterwarnings("ignore")
    for share_wrong in (0.0, 0.05):
        columns = ("suspects, %", "cleanlab, %") if not share_wrong else ("precision", "recall") * 2
        print(f"\n| labels | rows per label | accuracy | {' | '.join(columns)} |\n|--:|--:|--:|{'--:|' * len(columns)}")
        for num_labels, rows_per_label in SIZES:
            for accuracy in ACCURACIES:
                if accuracy * num_labels <= 1.1:
                    continue
                repetitions = max(1, MOST_ROWS // (num_labels * rows_per_label))
                drawn = [
                    draw_rows(num_labels, rows_per_label, accuracy, share_wrong, seed) for seed in range(repetitions)
                ]
                ours = cell([(rank_suspects(labels, answers).rows, wrong) for labels, answers, wrong in drawn])
                theirs = cell([(cleanlab_suspects(labels, answers), wrong) for labels, answers, wrong in drawn])
                print(f"| {num_labels} | {rows_per_label} | {accuracy} | {ours} | {theirs} |")


if __name__ == "__main__":
    main()
