"""What evaluate and report cost beyond the model's own forward pass: seconds and peak memory, for few and many rows.

Generated reviews go through the real download, tokenize and split; the model's answers are drawn at random, right most
of the time. Then the real evaluate (all but the forward pass) and the real report run, each a process of its own, as in
the pipeline: imports count.

Example: python benchmarks/bench_report.py --test-rows 5000 200000
"""

import argparse
import json
import resource
import tempfile
from pathlib import Path

from bench_data import run, write_params, write_rows
from ruamel.yaml import YAML

from stages.paths import Paths

SEED = 42
EVALUATE = """
import sys
from types import SimpleNamespace
import numpy as np
import stages.evaluate.__main__ as evaluate
from stages import entry

def predict(model, tokens, positions, **_):
    generator = np.random.default_rng(len(positions))
    scores = generator.normal(size=(len(positions), int(tokens.labels.max()) + 1)).astype(np.float32)
    scores[np.arange(len(positions)), tokens.labels[positions]] += 2
    odds = np.exp(scores)
    return odds / odds.sum(axis=1, keepdims=True)

evaluate.load_model, evaluate.predict_tokens = (lambda *_, **__: SimpleNamespace(config=None, device=None)), predict
evaluate.check_kind, evaluate.precision_of = lambda *_, **__: None, lambda _: "32"
evaluate.logits_computer = lambda *_, **__: SimpleNamespace(computed_tokens=0, keeps=False)
entry.run(evaluate.main, stage="evaluate", doc="", argument=entry.Argument("seed", int))
"""
CURVE = """epoch,learning_rate,train_loss,val_loss,val_accuracy,val_macro_f1,val_mcc
1,0.0001,1.2,1.1,0.5,0.5,0.4
2,0.0,0.9,1.0,0.6,0.6,0.5
"""


def write_project(folder: Path, test_rows: int, train_rows: int) -> None:
    """Write everything that evaluate and report read, but for the weights."""
    val_rows = min(test_rows, 20_000)
    rows = train_rows + val_rows + test_rows
    (folder / "rows").mkdir()
    write_rows(folder / "rows/rows.csv", rows, seed=SEED)
    write_params(folder, near="ignore")
    yaml = YAML()
    params = yaml.load(folder / "params.yaml")
    params["split"] |= {"val": val_rows / rows, "test": test_rows / rows, "duplicates": "keep"}
    yaml.dump(params, folder / "params.yaml")
    for stage in ("download model", "download dataset", "tokenize", "split"):
        run(folder, "-m", *f"stages.{stage}".split())
    paths = Paths(folder)
    paths.finetuned(SEED).mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        (paths.finetuned(SEED) / name).write_text("{}")
    paths.curve(SEED).write_text(CURVE)
    paths.finetune_stats(SEED).write_text(
        json.dumps(
            {
                "best_epoch": 2,
                "epochs": 2,
                "monitor": {"name": "val.loss", "value": 1.0},
                "parameters": {"trainable": 9, "total": 9},
            }
        )
    )


def measure(folder: Path) -> dict[str, dict[str, float]]:
    """Run both stages; return seconds, seconds of all cores together, and megabytes, by stage."""
    commands = {f"evaluate@{SEED}": ("-c", EVALUATE, str(SEED)), "report": ("-m", "stages.report")}
    results = {}
    for stage, command in commands.items():
        before = core_seconds()
        run(folder, *command)
        timing = json.loads(Paths(folder).timing(stage).read_text())
        results[stage] = {"cores": core_seconds() - before, **timing}
    return results


def core_seconds() -> float:
    """Seconds that the processes which this one waited for kept cores busy."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--test-rows", type=int, nargs="+", default=[5_000, 200_000], help="sizes of test")
    parser.add_argument("--train-rows", type=int, default=40_000, help="size of train; TF-IDF learns from 20,000")
    arguments = parser.parse_args()
    print("| test rows | stage | seconds | core seconds | peak memory, MB |\n|--:|---|--:|--:|--:|")
    for rows in arguments.test_rows:
        with tempfile.TemporaryDirectory() as name:
            write_project(Path(name), rows, arguments.train_rows)
            for stage, numbers in measure(Path(name)).items():
                figures = f"{numbers['seconds']:.1f} | {numbers['cores']:.1f} | {numbers['peak_memory_mb']:,}"
                print(f"| {rows:,} | {stage} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
