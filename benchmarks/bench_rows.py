"""What kept rows save: seconds to compute rows, beside the same rows when all or all but one are kept.

The texts of a bundled sample; the bundled encoder, frozen for features, and with a random head for predictions. Every
turn begins with an empty store. Seconds of CPU time, which other work on the machine disturbs less; medians. All ways
must give the same bits, but for batches of any shape, as `Classifier` has them without a store.

Example: python benchmarks/bench_rows.py --rounds 3
"""

import argparse
import csv
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from bench_predict import write_model
from numpy.typing import NDArray

from stages.finetune.acceleration.features import encode
from stages.finetune.acceleration.head_input import find_head_input
from stages.finetune.encoder import load_encoder
from stages.inference.classifier import Classifier
from stages.kept.store import RowStore
from stages.tokenizer import encode as tokenize
from stages.tokenizer import open_tokenizer

ROOT = Path(__file__).parents[1]
LIMIT = 10**9  # bytes
Compute = Callable[[list[str], RowStore | None], NDArray[np.float32]]


def timed(compute: Compute, texts: list[str], store: RowStore | None) -> tuple[float, bytes]:
    start = time.process_time()
    values = compute(texts, store)
    return time.process_time() - start, values.tobytes()


def measure(name: str, compute: Compute, texts: list[str], rounds: int) -> None:
    """Print a table of the ways to get the results of `texts`."""
    compute(texts[:50], None)
    seconds: dict[str, list[float]] = {}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            store = RowStore(Path(folder) / "rows.sqlite", limit=LIMIT)
            off = RowStore(Path(folder) / "off.sqlite", limit=0)
            compute(texts[:-1], store)
            ways = {
                "all computed, nothing kept": timed(compute, texts, off),
                "one row is new": timed(compute, texts, store),
                "all rows are known": timed(compute, texts, store),
            }
            with tempfile.TemporaryDirectory() as empty:
                ways["all computed, and kept"] = timed(
                    compute, texts, RowStore(Path(empty) / "rows.sqlite", limit=LIMIT)
                )
            size = store.path.stat().st_size / 1e6
            any_shape, _ = timed(compute, texts, None)
        assert len({values for _, values in ways.values()}) == 1
        for way, (taken, _) in ways.items():
            seconds.setdefault(way, []).append(taken)
        if name.startswith("Predictions"):
            seconds.setdefault("all computed, in batches of any shape", []).append(any_shape)
    base = statistics.median(seconds["all computed, nothing kept"])
    print(f"\n{name}: {len(texts):,} texts, {torch.get_num_threads()} threads, {size:.1f} MB on disk\n")
    print("| | seconds of CPU (all) | times as fast |\n|---|---|---|")
    for way, values in seconds.items():
        median = statistics.median(values)
        print(f"| {way} | {median:.2f} ({', '.join(f'{value:.2f}' for value in values)}) | {base / median:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sample", type=Path, default=ROOT / "data/samples/app_reviews.csv")
    parser.add_argument("--column", default="content")
    parser.add_argument("--part", choices=["features", "predictions"], help="both by default")
    parser.add_argument("--rows", type=int, help="the first so many texts; all by default")
    options = parser.parse_args()
    with options.sample.open(encoding="utf-8", newline="") as file:
        texts = list(dict.fromkeys(row[options.column] for row in csv.DictReader(file)))[: options.rows]
    with tempfile.TemporaryDirectory() as scratch:
        folder = write_model(Path(scratch) / "model")
        encoder, tokenizer = load_encoder(folder, labels=["ham", "spam"]), open_tokenizer(folder)

        def features(texts: list[str], store: RowStore | None) -> NDArray[np.float32]:
            tokens, _ = tokenize(tokenizer, texts, pairs=False, max_length=128, truncation="head")
            batch = {name: torch.from_numpy(v) for name, v in tokens.pad(np.arange(8), pad_token_id=0).items()}
            del batch["labels"]
            vector = find_head_input(encoder, batch).vector
            return encode(encoder, tokens, np.arange(len(texts)), vector=vector, store=store).vectors.numpy()

        def predictions(texts: list[str], store: RowStore | None) -> NDArray[np.float32]:
            return Classifier.load(folder, store=store).probabilities(texts)  # loading included, as in retune predict

        parts = {
            "features": ("Features of a frozen encoder (a second seed, a new row)", features),
            "predictions": ("Predictions (`retune predict` of known texts, without the imports)", predictions),
        }
        for part in [options.part] if options.part else parts:
            name, compute = parts[part]
            measure(name, compute, texts, options.rounds)


if __name__ == "__main__":
    main()
