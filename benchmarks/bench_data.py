"""A million generated rows through download, tokenize and split: rows per second and peak memory of each stage.

The rows are made of the words of the bundled reviews, as long as those are. The rate of tokenize is set beside what
`tokenizers.Tokenizer.encode_batch` alone reaches on the same rows, before and after it, on this machine.

Example: python benchmarks/bench_data.py --rows 1000000
"""

import argparse
import csv
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from ruamel.yaml import YAML

from stages.paths import Paths

ROOT = Path(__file__).resolve().parents[1]
STAGES = {"download@dataset": "download dataset", "tokenize": "tokenize", "split": "split"}
ALONE = """
import sys, time
import pyarrow.parquet as pq
from tokenizers import Tokenizer
tokenizer = Tokenizer.from_file("data/download/model/tokenizer.json")
tokenizer.no_truncation()
tokenizer.no_padding()
seconds, rows = 0.0, 0
for batch in pq.ParquetFile("data/download/dataset/rows.parquet").iter_batches(4096, columns=["text"]):
    texts = batch.column("text").to_pylist()
    start = time.perf_counter()
    tokenizer.encode_batch(texts)
    seconds += time.perf_counter() - start
    rows += len(texts)
    if rows >= int(sys.argv[1]):
        break
print(rows / seconds)
"""


def write_rows(path: Path, count: int, seed: int) -> None:
    """Write `count` reviews of the bundled reviews' words, each as long as one of those."""
    generator = random.Random(seed)
    with (ROOT / "data/samples/app_reviews.csv").open(encoding="utf-8", newline="") as file:
        reviews = [row["content"].split(" ") for row in csv.DictReader(file)]
    words = [word for review in reviews for word in review]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "content", "score"])
        for number in range(count):
            length = len(generator.choice(reviews))
            writer.writerow([f"r{number}", " ".join(generator.choices(words, k=length)), number % 5 + 1])


def write_params(folder: Path, near: str) -> None:
    """Write params.yaml: the default one, with the generated rows as its source."""
    yaml = YAML()
    params = yaml.load(ROOT / "recipes/default.yaml")
    dataset = params["download"]["dataset"]
    dataset["files"][0]["source"] = "rows/rows.csv"
    dataset["folder"] = "rows"
    dataset["checks"]["near_duplicate"] = near
    yaml.dump(params, folder / "params.yaml")


def run(folder: Path, *command: str) -> str:
    """Run Python in `folder` with this checkout's packages, and return what it prints."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, *command], cwd=folder, env=environment, check=True, stdout=subprocess.PIPE)
    return done.stdout.decode()


def measure(folder: Path, rows: int) -> dict[str, dict[str, float]]:
    """Run the stages; return seconds, rows per second and megabytes by stage."""
    run(folder, "-m", "stages.download", "model")
    sample = max(rows // 5, 1)
    results: dict[str, dict[str, float]] = {}
    alone: list[float] = []
    for stage, command in STAGES.items():
        if stage == "tokenize":
            alone.append(float(run(folder, "-c", ALONE, str(sample))))
        run(folder, "-m", *f"stages.{command}".split())
        if stage == "tokenize":
            alone.append(float(run(folder, "-c", ALONE, str(sample))))
        timing = json.loads(Paths(folder).timing(stage).read_text())
        results[stage] = {**timing, "rows_per_second": round(rows / timing["seconds"])}
    results["encode_batch alone"] = {"rows_per_second": round(statistics.mean(alone))}
    results["tokenize"]["share_of_encode_batch"] = round(
        results["tokenize"]["rows_per_second"] / results["encode_batch alone"]["rows_per_second"], 3
    )
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="how many rows (default: a million)")
    parser.add_argument("--near", default="warn", choices=["warn", "ignore"], help="look for near-duplicates or not")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "rows").mkdir()
        write_rows(folder / "rows/rows.csv", arguments.rows, seed=42)
        write_params(folder, arguments.near)
        results = measure(folder, arguments.rows)
    print(f"| stage ({arguments.rows:,} rows) | seconds | rows per second | peak memory, MB |\n|---|---|---|---|")
    for stage, numbers in results.items():
        seconds, memory = numbers.get("seconds", "-"), numbers.get("peak_memory_mb", "-")
        print(f"| {stage} | {seconds} | {numbers['rows_per_second']:,} | {memory} |")
    print(f"\ntokenize reaches {results['tokenize']['share_of_encode_batch']:.0%} of encode_batch alone.")


if __name__ == "__main__":
    main()
