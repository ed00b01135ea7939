"""Test MCC by what the head reads of the bundled encoder: the first token, the mean of all, or the last.

Each seed draws its own train, val and test rows, the same for every pooling. A frozen encoder trains with each of
RATES; the rate with the best mean of val MCC is shown.

Example: python benchmarks/bench_pooling.py --method frozen --seeds 10
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from finetune_data import ROOT, cola, rated_sentences, score_test, sms_spam, write_root
from ruamel.yaml import YAML

from stages.finetune.__main__ import main as finetune
from stages.params import Params
from stages.paths import Paths

TASKS = {
    "SMS": sms_spam,
    "CoLA": lambda: cola("in_domain_train"),
    "films": lambda: rated_sentences("movieReview"),
    "app reviews": lambda: pd.read_csv(ROOT / "data/samples/app_reviews.csv").assign(
        text=lambda table: table.content, label=lambda table: table.score.rank(method="dense").astype(int) - 1
    ),
}
POOLINGS = ("cls", "mean")
TRAIN, VAL, TEST = 480, 120, 600
RATES = {"frozen": (3e-3, 1e-2), "full": (2e-4,)}
EPOCHS = {"frozen": 20, "full": 4}


def options(**values: Any) -> Params:
    """Return the default recipe with some values of finetune changed."""
    recipe = YAML(typ="safe").load((ROOT / "recipes/default.yaml").read_text(encoding="utf-8"))
    head = recipe["finetune"]["head"] | values.pop("head")
    recipe["finetune"] |= values | {"head": head, "monitor": "val.mcc", "accelerator": "cpu"}
    return Params.model_validate(recipe)


def run(table: pd.DataFrame, method: str, seed: int) -> list[dict[str, Any]]:
    """Train on one draw of rows with every pooling and rate."""
    rows = np.random.default_rng(seed).permutation(len(table))[: TRAIN + VAL + TEST]
    drawn = table.iloc[rows].reset_index(drop=True)
    train, val, test = np.split(np.arange(len(rows)), [TRAIN, TRAIN + VAL])
    results = []
    with tempfile.TemporaryDirectory() as folder:
        paths: Paths = write_root(Path(folder), drawn, {"train": train, "val": val}, max_length=128)
        for pooling in POOLINGS:
            for rate in RATES[method]:
                chosen = {"method": method, "learning_rate": rate, "max_epochs": EPOCHS[method]}
                finetune(options(head={"pooling": pooling}, **chosen), paths, seed)
                curve = pd.read_csv(paths.curve(seed))
                scores = score_test(paths, test, seed)
                results.append({"pooling": pooling, "rate": rate, "val": curve["val_mcc"].max(), "test": scores["mcc"]})
    return results


def show(task: str, method: str, table: pd.DataFrame) -> None:
    """Print a row of the table of benchmarks/pooling.md for each pooling."""
    chosen = {}
    for pooling, runs in table.groupby("pooling"):
        rate = runs.groupby("rate")["val"].mean().idxmax()
        chosen[pooling] = runs[runs.rate == rate].set_index("seed")["test"]
        mcc = chosen[pooling]
        print(f"| {task} | {method} | {pooling} | {rate:g} | {mcc.mean():.3f} | {mcc.std():.3f} | {mcc.min():.3f} |")
    differences = chosen["mean"] - chosen["cls"]
    error = differences.std() / len(differences) ** 0.5
    print(f"mean - cls: {differences.mean():+.3f}, standard error {error:.3f}, {len(differences)} seeds", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--method", choices=list(RATES), default="frozen")
    parser.add_argument("--task", choices=list(TASKS), action="append")
    parser.add_argument("--seeds", type=int, default=10)
    arguments = parser.parse_args()
    print("| task | method | pooling | rate | mean MCC | sd | worst seed |\n|---|---|---|---|---|---|---|")
    for task in arguments.task or TASKS:
        frame = TASKS[task]()
        runs = [
            {"seed": seed} | result for seed in range(arguments.seeds) for result in run(frame, arguments.method, seed)
        ]
        show(task, arguments.method, pd.DataFrame(runs))
