"""Test MCC of small trainings over seeds: batches of rows of like length, beside transformers' Trainer, and defaults.

A study is a list of settings, each compared with the first, which is retune's. `run` trains what the runs' file lacks,
seed by seed, so that a study that is stopped has the same seeds of each setting. `show` prints a table: mean, standard
deviation and worst seed, the number of collapsed seeds (MCC below 0.7 on SMS, below 0.01 elsewhere), the mean of the
paired difference with its 95% interval by Student's t, and the processor's seconds of the training alone (median).

Studies: sms, sms-warmup (480 messages, 2 epochs, without and with warmup), reviews-warmup (600); and with 600 rows of
TASK (sms, reviews, cola, films, products, tweets) precision-TASK (the default recipe in bf16 and in float32),
recipe-TASK (beside the Trainer), gentle-TASK (AutoGluon's layer decay and schedule) and defaults-TASK (other rates,
poolings, epochs, schedules and layer decay); and with both in bf16 mixed-sms, mixed-sms-warmup, mixed-sms-1200,
mixed-sms-3900, mixed-cola-7000, mixed-TASK (each label's share in a batch, other pools), trainer-TASK (the default
recipe without and with layer decay and cosine, beside the Trainer), whole-sms (3,900 rows, 2 epochs), whole-films
(9,000) and whole-cola (7,000, 4 at 1e-4; whole-precision-cola: in bf16 and in float32; whole-pooling-cola: what the
head reads)

Example: python benchmarks/bench_quality.py run sms sms-warmup --seeds 30 --runs runs.csv
         python benchmarks/bench_quality.py show sms sms-warmup --runs runs.csv
"""

import argparse
import itertools
import logging
import warnings
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pandas as pd
from scipy import stats
from small_trainings import TASKS, Setting, train

COLLAPSED = {"SMS": 0.7}  # MCC below it; elsewhere 0.01: one that answers by chance, or always with one class
RECIPE: dict[str, Any] = {"batch_size": 16, "epochs": 4, "warmup": 0.1}  # the default recipe's, as far as SHORT differs
GENTLE: dict[str, Any] = {"layer_decay": 0.9, "schedule": "cosine"}  # AutoGluon's
CHANGES: tuple[dict[str, Any], ...] = (
    {"pooling": "mean"},
    *({"learning_rate": 1e-4}, {"learning_rate": 5e-4}, {"layer_decay": 0.9}, {"schedule": "cosine"}, {"epochs": 8}),
    *(GENTLE, {"pooling": "mean"} | GENTLE),
    *({"pooling": "mean", "learning_rate": 1e-4}, {"pooling": "mean", "learning_rate": 5e-4}),
    {"pooling": "mean", "epochs": 8},
)
SHORT: dict[str, Any] = {"batch_size": 32, "epochs": 2}
OURS = "retune"


def defaults(task: str) -> list[Setting]:
    """Return the default recipe's setting, and those that differ from it in one value or some."""
    default = Setting(task, 600, OURS, precision="bf16", **RECIPE)
    return [default, *(replace(default, **changed) for changed in CHANGES)]


BATCHES = (
    *(OURS, "Trainer", "transformers", "pools of 50", "pools of 50, any first", "pools of 50, spread"),
    *("pools of 50, noise spread", "pools of 50, noise turns", "pools of 3", "pools of 3, spread", "pools of 4, turns"),
    *("pools of 4, turns, largest first", "pools of 4, in a row, largest first", "pools of 1"),
)
STUDIES: dict[str, list[Setting]] = {
    "sms": [Setting("SMS", 480, batches, **SHORT) for batches in BATCHES],
    "sms-warmup": [Setting("SMS", 480, batches, warmup=0.1, **SHORT) for batches in BATCHES],
    "sms-1200-warmup": [
        Setting("SMS", 1200, batches, warmup=0.1, **SHORT) for batches in (OURS, "Trainer", "pools of 50")
    ],
    "reviews-warmup": [
        Setting("reviews", 600, batches, warmup=0.1, **SHORT) for batches in (OURS, "Trainer", "pools of 50")
    ],
    "cola-warmup": [Setting("CoLA", 600, batches, warmup=0.1, **SHORT) for batches in (OURS, "Trainer", "pools of 50")],
} | {f"defaults-{task.lower()}": defaults(task) for task in TASKS}
STUDIES |= {
    f"gentle-{task.lower()}": [one, replace(one, **GENTLE), replace(one, pooling="mean", **GENTLE)]
    for task in TASKS
    for one in defaults(task)[:1]
}
STUDIES |= {f"recipe-{task.lower()}": [defaults(task)[0], Setting(task, 600, "Trainer", **RECIPE)] for task in TASKS}
STUDIES |= {
    f"precision-{task.lower()}": [one, replace(one, precision="32")] for task in TASKS for one in defaults(task)[:1]
}
MIXED = (OURS, "labels mixed", "one pool", "pools shrinking", "pools of 3, turns", "pools of 1, any first", "Trainer")
STUDIES |= {
    f"mixed-{name}": [Setting("SMS", rows, batches, warmup=warmup, precision="bf16", **SHORT) for batches in kinds]
    for name, rows, warmup, kinds in (
        ("sms", 480, 0.0, MIXED),
        ("sms-warmup", 480, 0.1, MIXED),
        ("sms-1200", 1200, 0.1, MIXED),
        ("sms-3900", 3900, 0.1, MIXED[:2]),
    )
}
STUDIES |= {
    f"mixed-{task.lower()}": [
        Setting(task, 600, batches, precision="bf16", **RECIPE, **GENTLE) for batches in MIXED[:4]
    ]
    for task in TASKS
    if task != "SMS"
}
STUDIES |= {
    f"trainer-{task.lower()}": [one, replace(one, **GENTLE), replace(one, batches="Trainer")]
    for task in TASKS
    for one in defaults(task)[:1]
}
STUDIES |= {
    f"whole-{task.lower()}": [
        Setting(task, rows, batches, warmup=0.1, precision="bf16", **options) for batches in (OURS, "Trainer")
    ]
    for task, rows, options in (
        ("SMS", 3900, SHORT),
        ("films", 9000, SHORT),
        ("CoLA", 7000, SHORT | {"learning_rate": 1e-4, "epochs": 4}),
    )
}
STUDIES["whole-precision-cola"] = [one := STUDIES["whole-cola"][0], replace(one, precision="32")]
STUDIES["whole-pooling-cola"] = [one, replace(one, pooling="mean")]
STUDIES["mixed-cola-7000"] = [one, replace(one, batches="labels mixed")]


def run(settings: list[Setting], seeds: range, file: Path) -> None:
    """Train every setting with every seed that the file lacks, and append each result to it at once."""
    for seed, setting in itertools.product(seeds, settings):
        key = asdict(setting) | {"seed": seed}
        if file.exists() and (read(file)[list(key)] == pd.Series(key)).all(axis=1).any():
            continue
        result = pd.DataFrame([key | train(setting, seed)])
        result.to_csv(file, mode="a", header=not file.exists(), index=False)


def read(file: Path) -> pd.DataFrame:
    """Read the runs of a file."""
    return pd.read_csv(file, dtype={"precision": str})


def show(settings: list[Setting], runs: pd.DataFrame) -> str:
    """Return a study's table, without the settings that were not run."""
    keys = pd.DataFrame([asdict(setting) for setting in settings])
    differing = [name for name in keys if keys[name].nunique() > 1]
    found = [
        (key, runs[(runs[list(key)] == pd.Series(key)).all(axis=1)].set_index("seed"))
        for key in keys.to_dict("records")
    ]
    base = found[0][1].mcc
    columns = [*differing, "seeds", "mean MCC", "sd", "worst", "collapsed", "difference (95%)", "seconds"]
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for key, of_key in found:
        if of_key.empty:
            continue
        mcc = of_key.mcc
        collapsed = int((mcc < COLLAPSED.get(key["task"], 0.01)).sum())
        cells = [*(str(key[name]) for name in differing), str(len(mcc)), f"{mcc.mean():.3f}", f"{mcc.std():.3f}"]
        cells += [f"{mcc.min():.3f}", str(collapsed), "" if of_key is found[0][1] else interval((mcc - base).dropna())]
        lines.append(f"| {' | '.join([*cells, f'{of_key.seconds.median():.1f}'])} |")
    return "\n".join(lines)


def interval(differences: pd.Series) -> str:
    """Return the mean of paired differences with its 95% interval, and their number."""
    if len(differences) < 2:
        return "none"
    half = stats.t.ppf(0.975, len(differences) - 1) * differences.sem()
    mean = differences.mean()
    return f"{mean:+.3f} ({mean - half:+.3f} to {mean + half:+.3f})"


def main() -> None:
    """Run what the runs' file lacks, or show its tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["run", "show"])
    parser.add_argument("studies", nargs="+", choices=list(STUDIES))
    parser.add_argument("--runs", type=Path, required=True, help="CSV file of the runs; those in it are not run again")
    parser.add_argument("--seeds", type=int, default=10)
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    for name in arguments.studies:
        if arguments.action == "run":
            run(STUDIES[name], range(arguments.seeds), arguments.runs)
        else:
            print(f"\n## {name}\n\n{show(STUDIES[name], read(arguments.runs))}")


if __name__ == "__main__":
    main()
