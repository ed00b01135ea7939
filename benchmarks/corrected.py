"""What a pass of corrections brings: SMS spam with flipped labels, its suspects decided by one who knows the truth.

    python benchmarks/corrected.py --runs FOLDER     # 3% of the labels flipped, as by benchmarks/suspects.py sms

A copy of this project in FOLDER runs, with folds; each suspect of suspects.csv is decided by `retune review --export`
and `--import`; the copy runs again; `retune compare` judges, with the labels as they are now and as they were. Printed
last is what neither sees: both models beside the true labels of the test rows that they share. Results:
benchmarks/suspects.md.
"""

import argparse
import csv
import resource
from pathlib import Path

import numpy as np
from bench_compare import copy_project, run
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef
from suspects import FOLDS, sms

from stages.files import write_text
from stages.paths import Paths
from stages.predictions import read_predictions

SEEDS = [42, 43, 44]
NAMES = {"0": "ham", "1": "spam"}


def decide(file: Path, truth: dict[str, str]) -> tuple[int, int]:
    """Fill in each line of an export; return how many there are, and how many are relabelled."""
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    for row in rows:
        right = truth[row["id"]]
        row["decision"], row["new_label"] = ("keep", "") if row["label"] == right else ("relabel", right)
    with file.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return len(rows), sum(row["decision"] == "relabel" for row in rows)


def answers(paths: Paths) -> dict[str, list[int]]:
    """Return what each seed predicts for each test row, by the row's id."""
    by_seed = [read_predictions(paths.predictions(seed))["test"] for seed in SEEDS]
    return {row_id: [int(test.preds[row]) for test in by_seed] for row, row_id in enumerate(by_seed[0].ids)}


def beside_truth(name: str, preds: dict[str, list[int]], ids: list[str], truth: dict[str, str]) -> None:
    """Print the mean over the seeds of the metrics that true labels give."""
    labels = np.array([list(NAMES.values()).index(truth[row_id]) for row_id in ids])
    columns = np.array([preds[row_id] for row_id in ids]).T  # (seeds, rows)
    means = [
        np.mean([metric(labels, column) for column in columns])
        for metric in (accuracy_score, lambda y, p: f1_score(y, p, average="macro"), matthews_corrcoef)
    ]
    print(f"| {name} | " + " | ".join(f"{mean:.4f}" for mean in means) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, required=True, help="where the copy is made; it must not exist")
    project = parser.parse_args().runs.resolve()
    project.mkdir(parents=True)
    copy_project(project)
    recipe, values, wrong = sms(project)
    with (project / "data/samples/sms.csv").open(encoding="utf-8", newline="") as file:
        flipped = {row["id"]: row["label"] for row in csv.DictReader(file)}
    truth = {i: NAMES[str(int(label) ^ (i in wrong))] for i, label in flipped.items()}
    values = [*values, f"crossfit.folds={FOLDS}", f"seeds={SEEDS}"]
    run(project, "retune", "use", recipe, *(part for value in values for part in ("-S", value)))
    commit = ("git", "-c", "user.name=bench", "-c", "user.email=bench@example.com", "commit", "-q", "-m")
    run(project, "retune", "run")
    run(project, "git", "add", "-A")
    run(project, *commit, "before")
    before = answers(Paths(project))
    decisions = project / ".retune/decisions.csv"
    run(project, "retune", "review", "--export", str(decisions))
    listed, relabelled = decide(decisions, truth)
    print(f"{len(wrong)} wrong labels, {listed} suspects, {relabelled} of them relabelled")
    run(project, "retune", "review", "--import", str(decisions), "--who", "bench")
    run(project, "retune", "run")
    after = answers(Paths(project))
    write_text(project / ".retune/compared.md", run(project, "retune", "compare", "HEAD", "--markdown"))
    print(run(project, "retune", "compare", "HEAD"))
    common = sorted(before.keys() & after.keys())
    flipped_rows = sum(row_id in wrong for row_id in common)
    print(f"| {len(common)} common test rows, {flipped_rows} flipped; true labels | accuracy | macro F1 | MCC |")
    print("|---|--:|--:|--:|")
    beside_truth("before", before, common, truth)
    beside_truth("after", after, common, truth)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{used.ru_utime + used.ru_stime:.0f} s of the processor")


if __name__ == "__main__":
    main()
