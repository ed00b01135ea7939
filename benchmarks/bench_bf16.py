"""A fine-tuned model's answers in bf16 beside those in float32, on a CPU with units for bf16: labels, MCC and seconds.

Trains the bundled encoder with the default recipe on 600 rows of a task, and predicts all other rows of it with both
precisions by turns, on one thread. `small_trainings` says what the tasks are.

Example: OMP_NUM_THREADS=1 python benchmarks/bench_bf16.py --task SMS --task films --seeds 2
"""

import argparse
import logging
import time
import warnings
from functools import partial
from unittest.mock import patch

import numpy as np
import small_trainings
from bench_quality import RECIPE
from numpy.typing import NDArray
from sklearn.metrics import matthews_corrcoef
from small_trainings import TASKS, Setting, drawn, table_of, train

from stages.inference.loading import load_model, predict_tokens
from stages.model.bf16 import bf16_units
from stages.paths import Paths
from stages.schema_types import InferencePrecision
from stages.tokens import open_tokens

ROWS = 600
PRECISIONS: tuple[InferencePrecision, ...] = ("32", "auto")


def compare(setting: Setting, paths: Paths, positions: NDArray[np.int64], seed: int) -> dict[str, float]:
    """Print a row of the table of benchmarks/bf16.md, in place of `score_test`."""
    rows = np.setdiff1d(np.arange(len(table_of(setting.task))), drawn(setting, seed)[0])
    tokens = open_tokens(paths.tokens)
    answers: dict[str, NDArray[np.float32]] = {}
    seconds: dict[str, float] = {}
    for precision in PRECISIONS:
        model = load_model(paths.finetuned(seed), precision=precision)
        start = time.process_time()
        answers[precision] = predict_tokens(model, tokens, rows)
        seconds[precision] = time.process_time() - start
    exact, rounded = (answers[precision] for precision in PRECISIONS)
    labels, given = [each.argmax(1) for each in (exact, rounded)], tokens.labels[rows]
    mcc = [matthews_corrcoef(given, each) for each in labels]
    cells = [setting.task, seed, len(rows), f"{(labels[0] == labels[1]).mean():.2%}", *(f"{each:.4f}" for each in mcc)]
    cells += [f"{np.abs(exact - rounded).max():.3f}", f"{seconds['32'] / seconds['auto']:.2f}"]
    print(f"| {' | '.join(map(str, cells))} |", flush=True)
    return {}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", choices=list(TASKS), action="append")
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    if not bf16_units():
        raise SystemExit("error: this processor has no units for bf16, so there is nothing to compare")
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    print("| task | seed | rows | same label | MCC, float32 | MCC, bf16 | largest difference | times |")
    print("|---" * 8 + "|")
    for task in options.task or TASKS:
        setting = Setting(task, ROWS, "retune", precision="bf16", **RECIPE)
        for seed in range(options.seeds):
            with patch.object(small_trainings, "score_test", partial(compare, setting)):
                train(setting, seed)


if __name__ == "__main__":
    main()
