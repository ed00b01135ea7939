"""Sets of labels and numbers: fine-tuned here and by transformers' Trainer, on the same rows with the same settings.

    python benchmarks/bench_kinds.py run --runs FOLDER [--recipes support_messages how_sure] [--seeds 1 2 3]
    python benchmarks/bench_kinds.py show --runs FOLDER

The rows, tokens and splits are those of the bundled recipe. Both train in fp32 for its epochs, with its batch size,
rates, schedule, clipping and patience, and keep the epoch with the least loss on val. Both decide a set by
probabilities of one half, so no threshold of ours counts. `trainer` has problem_type and nothing else; `trainer, z` is
given numbers with mean 0 and standard deviation 1 on train, and its answers are put back into their unit.

`run` keeps each training's answers for test in FOLDER, and skips those that are there. The intervals of `show` are of
the difference, each measure's mean over the seeds: 95%, by 2,000 resamples of test rows, the same for both sides.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
from datasets import Dataset
from finetune_data import ROOT, bundled_encoder
from numpy.typing import NDArray
from sklearn.metrics import f1_score, log_loss, r2_score
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    EarlyStoppingCallback,
    Trainer,
    TrainingArguments,
    set_seed,
)

from pipeline import recipes
from stages.inference.loading import load_model, predict_tokens
from stages.params import Params, read_params
from stages.paths import Paths
from stages.targets.target import read_target
from stages.tokens import Tokens, open_tokens, read_positions

Measure = Callable[[NDArray[Any], NDArray[np.float64]], float]

PREPARE = ("download dataset", "download model", "tokenize", "split")
SIDES = {"support_messages": ("retune", "trainer"), "how_sure": ("retune", "trainer", "trainer, z")}
PROBLEMS = {"label_set": "multi_label_classification", "number": "regression"}
RESAMPLES = 2_000
MEASURES: dict[str, dict[str, Measure]] = {
    "label_set": {
        "micro F1": lambda labels, answers: f1_score(labels, answers > 0.5, average="micro", zero_division=0),
        "macro F1": lambda labels, answers: f1_score(labels, answers > 0.5, average="macro", zero_division=0),
        "log loss": lambda labels, answers: log_loss(labels.ravel(), answers.ravel(), labels=[0, 1]),
    },
    "number": {
        "R2": r2_score,
        "MAE": lambda labels, answers: np.abs(labels - answers).mean(),
        "RMSE": lambda labels, answers: np.sqrt(np.square(labels - answers).mean()),
    },
}


def prepare(folder: Path, recipe: str) -> Paths:
    """Run the stages before finetune under `folder`, where they have not run yet."""
    paths = Paths(folder)
    if not paths.split_stats.exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "data").mkdir(exist_ok=True)
        (folder / "data/samples").symlink_to(ROOT / "data/samples")
        values = ["finetune.accelerator=cpu", "finetune.precision='32'"]
        (folder / "params.yaml").write_text(recipes.compose(ROOT, recipe, values), encoding="utf-8")
        for stage in PREPARE:
            run_stage(paths, stage)
    return paths


def run_stage(paths: Paths, stage: str) -> None:
    """Run a stage in a process of its own."""
    command = [sys.executable, "-m", *f"stages.{stage}".split()]
    subprocess.run(command, cwd=paths.root, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True)


def by_retune(paths: Paths, seed: int) -> NDArray[np.float64]:
    """Fine-tune, and return the answers for test, (rows, outputs): probabilities, or numbers in their own unit."""
    run_stage(paths, f"finetune --seed {seed}")
    model = load_model(paths.finetuned(seed))
    return predict_tokens(model, open_tokens(paths.tokens), read_positions(paths.split("test")))


def by_trainer(paths: Paths, seed: int, *, standardised: bool) -> NDArray[np.float64]:
    """Do the same with transformers' Trainer."""
    params, tokens, target = read_params(paths.params), open_tokens(paths.tokens), read_target(paths.labels)
    splits = {name: read_positions(paths.split(name)) for name in ("train", "val", "test")}
    mean, sd = (tokens.labels[splits["train"]].mean(), tokens.labels[splits["train"]].std()) if standardised else (0, 1)
    rows = {name: rows_of(tokens, positions, mean=mean, sd=sd) for name, positions in splits.items()}
    set_seed(seed)
    model = AutoModelForSequenceClassification.from_pretrained(
        bundled_encoder(),
        num_labels=len(target.labels) if target.kind == "label_set" else 1,
        problem_type=PROBLEMS[target.kind],
    )
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model,
            arguments_of(params, folder, seed),
            train_dataset=rows["train"],
            eval_dataset=rows["val"],
            data_collator=DataCollatorWithPadding(AutoTokenizer.from_pretrained(bundled_encoder())),
            callbacks=[EarlyStoppingCallback(params.finetune.patience)] if params.finetune.patience else [],
        )
        trainer.train()
        logits = np.asarray(trainer.predict(rows["test"]).predictions, dtype=np.float64)
    return 1 / (1 + np.exp(-logits)) if target.kind == "label_set" else logits * sd + mean


def arguments_of(params: Params, folder: str, seed: int) -> TrainingArguments:
    """Return the recipe's settings as the Trainer takes them."""
    options = params.finetune
    return TrainingArguments(
        folder,
        num_train_epochs=options.max_epochs,
        per_device_train_batch_size=options.batch_size,
        per_device_eval_batch_size=64,
        learning_rate=options.learning_rate,
        weight_decay=options.weight_decay,
        warmup_steps=options.warmup_ratio,  # below 1 it is a share of all steps
        lr_scheduler_type=options.schedule,
        max_grad_norm=options.gradient_clip,
        eval_strategy="epoch",
        save_strategy="epoch",
        save_only_model=True,
        save_total_limit=1,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        seed=seed,
        use_cpu=True,
        report_to=[],
        disable_tqdm=True,
    )


def rows_of(tokens: Tokens, positions: NDArray[np.int64], *, mean: float, sd: float) -> Dataset:
    """Return rows as the Trainer reads them: the same tokens, and labels as floats."""
    labels = (tokens.labels[positions].astype(np.float32) - mean) / sd
    ids = [tokens.row(int(position)).tolist() for position in positions]
    return Dataset.from_dict(
        {"input_ids": ids, "attention_mask": [[1] * len(row) for row in ids], "labels": labels.astype(np.float32)}
    )


def run(folder: Path, recipe: str, seeds: Sequence[int]) -> None:
    """Run every training of a recipe that the folder lacks."""
    paths = prepare(folder / recipe, recipe)
    for seed in seeds:
        for side in SIDES[recipe]:
            path = answers_file(paths, side, seed)
            if path.exists():
                continue
            print(f"{recipe}: {side}, seed {seed}", flush=True)
            if side == "retune":
                answers = by_retune(paths, seed)
            else:
                answers = by_trainer(paths, seed, standardised=side == "trainer, z")
            np.save(path, answers)


def answers_file(paths: Paths, side: str, seed: int) -> Path:
    """Return where the answers of a training are kept."""
    return paths.root / f"{side.replace(', ', '-')}-{seed}.npy"


def show(folder: Path, recipe: str, seeds: Sequence[int]) -> None:
    """Print a table: each seed's measures, and the paired differences with their intervals."""
    paths = prepare(folder / recipe, recipe)
    kind, tokens = read_target(paths.labels).kind, open_tokens(paths.tokens)
    labels = tokens.labels[read_positions(paths.split("test"))]
    labels = labels.astype(np.int64) if kind == "label_set" else labels
    answers = {side: answers_of(paths, side, seeds, kind) for side in SIDES[recipe]}
    print(f"\n{recipe}, {len(labels)} rows of test, seeds {', '.join(map(str, seeds))}\n")
    print("| measure | side | each seed | mean | retune minus it, 95% |\n|---|---|---|---|---|")
    for name, measure in MEASURES[kind].items():
        for side, own in answers.items():
            values = [measure(labels, one) for one in own]
            shown = "" if side == "retune" else difference(measure, labels, answers["retune"], own)
            print(f"| {name} | {side} | {', '.join(map(digits, values))} | {digits(np.mean(values))} | {shown} |")


def answers_of(paths: Paths, side: str, seeds: Sequence[int], kind: str) -> list[NDArray[np.float64]]:
    """Return a side's answers by seed: of numbers (rows,), of sets (rows, labels)."""
    kept = [np.load(answers_file(paths, side, seed)) for seed in seeds]
    return [answers[:, 0] if kind == "number" else answers for answers in kept]


def difference(measure: Measure, labels: NDArray[Any], ours: list[Any], theirs: list[Any]) -> str:
    """Return the difference of the means over seeds, with its interval over resampled rows."""
    generator = np.random.default_rng(0)

    def gap(rows: NDArray[np.int64]) -> float:
        return float(
            np.mean([measure(labels[rows], mine[rows]) for mine in ours])
            - np.mean([measure(labels[rows], other[rows]) for other in theirs])
        )

    every = np.arange(len(labels))
    low, high = np.quantile([gap(generator.choice(every, len(every))) for _ in range(RESAMPLES)], [0.025, 0.975])
    return f"{digits(gap(every), sign=True)} ({digits(low, sign=True)} to {digits(high, sign=True)})"


def digits(value: float, *, sign: bool = False) -> str:
    """Return a number with three digits behind the point, or two from 10 on."""
    return f"{value:{'+' if sign else ''}.{2 if abs(value) >= 10 else 3}f}"


def main() -> None:
    """Run what the folder lacks, or show its tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=["run", "show"])
    parser.add_argument("--runs", type=Path, required=True, help="folder of the trainings; those in it are kept")
    parser.add_argument("--recipes", nargs="+", choices=list(SIDES), default=list(SIDES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    given = parser.parse_args()
    for recipe in given.recipes:
        (run if given.action == "run" else show)(given.runs.resolve(), recipe, given.seeds)


if __name__ == "__main__":
    main()
