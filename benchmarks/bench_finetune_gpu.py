"""Fine-tuning a model of bert-base's size on a GPU, in bf16: packed, padded, and transformers' Trainer, in one run.

    python benchmarks/bench_finetune_gpu.py [--steps 100] [--repeats 3]

Prints examples per second and model FLOP/s as a share of the measured bf16 rate of products, at 128 tokens per row and
at the lengths of CoLA, and the seconds of one CoLA epoch (7,695 sentences, batch 32). Needs ../shared and a GPU.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from finetune_data import ROOT, cola
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

from stages.finetune.data_module import FinetuneData
from stages.finetune.devices import detect_device
from stages.finetune.inputs import Inputs
from stages.finetune.lightning_module import make_module
from stages.finetune.prepare import prepared
from stages.finetune.training import fit
from stages.params import read_params
from stages.tokens import Tokens

BATCH = 32
OPTIONS: dict[str, Any] = {  # what differs from recipes/default.yaml
    "batch_size": BATCH,
    "max_epochs": 1,
    "learning_rate": 2e-5,
    "warmup_ratio": 0.0,
    "limit_val_batches": 1,
    "patience": None,
}
WIDTH, LAYERS = 768, 12
LAYER_PARAMETERS = LAYERS * (4 * WIDTH**2 + 2 * WIDTH * 4 * WIDTH)


def main() -> None:
    """Run all ways at both lengths."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("error: PyTorch sees no GPU here. Run this where there is one.")
    rate = matrix_rate()
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, products in bf16: {rate / 1e12:.0f} TFLOP/s\n")
    words = [len(text.split()) + 3 for text in cola("in_domain_train").text]
    epoch = np.array(words[:7695])
    for name, lengths in (
        ("128 tokens", np.full(arguments.steps * BATCH, 128)),
        ("CoLA's lengths", np.resize(epoch, arguments.steps * BATCH)),
        ("one CoLA epoch", epoch),
    ):
        compare(name, lengths, arguments.repeats, rate)


def compare(name: str, lengths: np.ndarray, repeats: int, rate: float) -> None:
    """Print a table of the three ways on rows of some lengths."""
    tokens = random_tokens(lengths)
    ways: dict[str, list[float]] = {"packed": [], "padded": [], "Trainer, group": []}
    for _ in range(repeats + 1):  # the first warms up
        ways["packed"].append(seconds_of_ours(tokens, packing=True))
        ways["padded"].append(seconds_of_ours(tokens, packing=False))
        ways["Trainer, group"].append(seconds_of_peer(tokens))
    flops = 6 * LAYER_PARAMETERS * lengths.sum() + 12 * LAYERS * WIDTH * (lengths.astype(float) ** 2).sum()
    print(f"{name}: {len(lengths)} rows\n\n| | seconds | rows per second | share of the rate |\n|---|---|---|---|")
    for way, runs in ways.items():
        seconds = statistics.median(runs[1:])
        print(f"| {way} | {seconds:.2f} | {len(lengths) / seconds:.0f} | {flops / seconds / rate:.1%} |")
    print()


def random_tokens(lengths: np.ndarray) -> Tokens:
    """Return random token ids in rows of some lengths, with two labels."""
    random = np.random.default_rng(0)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    ids = random.integers(1000, 30000, size=int(lengths.sum())).astype(np.int32)
    rows = len(lengths)
    return Tokens(random.integers(2, size=rows), lengths, starts, np.zeros(rows, dtype=np.int64), [ids], [])


def seconds_of_ours(tokens: Tokens, *, packing: bool) -> float:
    """Train one epoch as the stage does, and return its seconds."""
    torch.manual_seed(0)
    model: Any = BertForSequenceClassification(BertConfig(num_labels=2)).train()
    defaults = read_params(ROOT / "recipes/default.yaml")
    options = defaults.finetune.model_copy(update=OPTIONS | {"packing": packing})
    device, rows = detect_device(options), np.arange(len(tokens))
    inputs = Inputs(["0", "1"], tokens, rows, rows[:BATCH])
    with (
        tempfile.TemporaryDirectory() as folder,
        prepared(model, inputs, options, device, features=Path(folder) / "features") as ready,
    ):
        if packing and not ready.notes.get("packed"):
            raise SystemExit("error: rows can't be packed on this GPU; the log says why")
        data = FinetuneData(ready.train, ready.val, options, device, seed=0)
        module = make_module(model, options)
        torch.cuda.synchronize()
        start = time.perf_counter()
        checkpoints = Path(folder) / "checkpoints"
        fit(module, data, options, device, defaults.machine, seed=0, folder=checkpoints, callbacks=ready.callbacks)
        torch.cuda.synchronize()
        return time.perf_counter() - start


def seconds_of_peer(tokens: Tokens) -> float:
    """Train one epoch with transformers' Trainer at its best settings, and return its seconds."""
    from torch.utils.data import Dataset

    class Rows(Dataset[dict[str, Any]]):
        def __len__(self) -> int:
            return len(tokens)

        def __getitem__(self, row: int) -> dict[str, Any]:
            return {"input_ids": tokens.row(row).tolist(), "labels": int(tokens.labels[row])}

    def collate(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        longest = max(len(row["input_ids"]) for row in rows)
        ids = torch.tensor([row["input_ids"] + [0] * (longest - len(row["input_ids"])) for row in rows])
        labels = torch.tensor([row["labels"] for row in rows])
        return {"input_ids": ids, "attention_mask": (ids != 0).long(), "labels": labels}

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            num_train_epochs=1,
            per_device_train_batch_size=BATCH,
            bf16=True,
            report_to=[],
            save_strategy="no",
            disable_tqdm=True,
            train_sampling_strategy="group_by_length",
        )
        model = BertForSequenceClassification(BertConfig(num_labels=2))
        return float(
            Trainer(model, arguments, train_dataset=Rows(), data_collator=collate).train().metrics["train_runtime"]
        )


def matrix_rate(size: int = 8192, repeats: int = 20) -> float:
    """Return the floating-point operations per second of a product of two bf16 matrices."""
    left, right = (torch.randn(size, size, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    left @ right
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(repeats):
        left @ right
    torch.cuda.synchronize()
    return 2 * size**3 * repeats / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
