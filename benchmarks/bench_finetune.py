"""Fine-tuning side by side with transformers' Trainer, and what its own options save.

    python benchmarks/bench_finetune.py [loop] [frozen] [memory] [mcc] [steps] [--rows N] [--repeats 3] [--seeds 5]

loop    CoLA, one epoch, batch 32, max 64: the training loop against the Trainer padded to 64 and grouped by length;
        where the CPU has units for bf16, which ours takes, also ours in float32 and the Trainer in bf16
frozen  SMS spam, 10 epochs of a head of 512, a seed each time: features once against the encoder in every epoch
memory  peak memory of the stage with 10 thousand and with 100 thousand rows
steps   CoLA and SMS spam, 20 steps on one thread: our dropout and attention against PyTorch's, in 4 pairs
mcc     CoLA, 4 epochs, test MCC over seeds, ours and the Trainer's (hours on a CPU; not part of the default)

Without names: loop, frozen and memory. The runs of a pair alternate; the tables show medians. benchmarks/README.md
says which published data each part needs.
"""

import argparse
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import published_data
import torch
from finetune_data import ROOT, cola, run_peer, run_stage, score_test, sms_spam, write_root
from transformers import PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from stages.finetune.acceleration.on_cpu import Dropout
from stages.finetune.data_module import FinetuneData
from stages.finetune.devices import Device
from stages.finetune.encoder import load_encoder
from stages.finetune.inputs import read_inputs
from stages.finetune.prepare import apply_method, prepared
from stages.finetune.training.lightning_module import make_module
from stages.model.bf16 import bf16_units
from stages.params import read_params
from stages.paths import Paths
from stages.tokens import open_tokens

PAIRS, STEPS = 4, 20
LAYER_PARAMETERS = 10_646_784  # of MiniLM's six layers, which is where its products are
FILES = {  # the published data that each part reads
    "loop": [published_data.COLA],
    "frozen": [published_data.SMS_SPAM],
    "memory": [published_data.COLA],
    "steps": [published_data.COLA, published_data.SMS_SPAM],
    "mcc": [published_data.COLA],
}
COLA: dict[str, Any] = {"batch_size": 32, "learning_rate": 2e-5, "warmup_ratio": 0.0, "weight_decay": 0.0}
PLAIN: dict[str, Any] = {"monitor": "val.mcc", "patience": None, "accelerator": "cpu"}
SPAM: dict[str, Any] = {"max_epochs": 10, "batch_size": 32, "learning_rate": 1e-3, "class_weights": "balanced"}


def main() -> None:
    """Run the parts that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", default=["loop", "frozen", "memory"])
    parser.add_argument("--rows", type=int, help="of CoLA's train split (all)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    if unknown := [part for part in arguments.parts if part not in FILES]:
        parser.error(f"no part is named {unknown[0]}. Parts: {', '.join(FILES)}")
    published_data.require(*(name for part in arguments.parts for name in FILES[part]))
    rate = matrix_rate()
    print(f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    print(f"products in fp32: {rate / 1e9:.0f} GFLOP/s\n")
    known = {"loop": loop, "frozen": frozen, "memory": memory, "steps": steps, "mcc": mcc}
    for part in arguments.parts:
        with tempfile.TemporaryDirectory() as folder:
            known[part](Path(folder), arguments, rate)


def loop(folder: Path, arguments: argparse.Namespace, rate: float) -> None:
    """Compare one epoch's seconds: ours, and the Trainer's padded to 64 and grouped by length."""
    train, test = cola("in_domain_train"), cola("out_of_domain_dev")
    train = train.sample(arguments.rows, random_state=0) if arguments.rows else train
    rows = np.arange(len(train) + len(test))
    splits = {"train": rows[: len(train)], "val": rows[len(train) : len(train) + 32], "test": rows[len(train) :]}
    paths = write_root(folder, pd.concat([train, test]), splits, max_length=64)
    tokens = int(open_tokens(paths.tokens).lengths[: len(train)].sum())
    ours = {"retune": "auto"}
    peers = {"Trainer, max": ["--padding", "max"], "Trainer, group": ["--padding", "group"]}
    if bf16_units():
        ours["retune, float32"] = "32"
        peers["Trainer, group, bf16"] = ["--padding", "group", "--bf16"]
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in (*ours, *peers)}
    rates = [rate]
    for _ in range(arguments.repeats):
        for name, precision in ours.items():
            run = run_stage(paths, max_epochs=1, limit_val_batches=1, precision=precision, **COLA, **PLAIN)
            found[name].append(run | score_test(paths, splits["test"]))
        for name, options in peers.items():
            found[name].append(run_peer(train, test, options) | {"seconds": None})
        rates.append(matrix_rate())
    mine = _median([run["train_seconds"] for run in found["retune"]])
    print(f"CoLA, {len(train)} sentences, one epoch\n\n| | seconds | times | accuracy | MCC |\n|---|---|---|---|---|")
    for name, runs in found.items():
        seconds = _median([run.get("train_seconds") or run["train_s"] for run in runs])
        scores = [_median([run[score] for run in runs]) for score in ("accuracy", "mcc")]
        print(f"| {name} | {seconds:.2f} | {seconds / mine:.2f} | {scores[0]:.3f} | {scores[1]:.3f} |")
    share = 6 * LAYER_PARAMETERS * tokens / mine / max(rates)
    print(
        f"\n{tokens / mine:.0f} tokens per second, {share:.0%} of {max(rates) / 1e9:.0f} GFLOP/s, the best of its rates"
    )
    whole, prepare = (_median([run[name] for run in found["retune"]]) for name in ("seconds", "prepare_seconds"))
    print(f"the stage as a whole {whole:.1f} s, of which {whole - mine:.1f} s fixed (preparing {prepare:.1f} s)\n")


def frozen(folder: Path, arguments: argparse.Namespace, rate: float) -> None:
    """Compare features kept once with the encoder in every epoch, at the tutorial's settings."""
    table = sms_spam()
    order = np.random.default_rng(2018).permutation(len(table))
    splits = {"train": order[:3900], "val": order[3900:4736], "test": order[4736:]}
    paths = write_root(folder, table, splits, max_length=25)
    head = {"hidden": 512, "dropout": 0.1}
    ways = {
        "features once": {"method": "frozen"},
        "features of an earlier run": {"method": "frozen"},
        # unfrozen after epoch 11, which never comes: the same head on the same fixed encoder
        "encoder every epoch": {"method": "gradual", "frozen_epochs": 11},
    }
    found: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
    for seed in range(42, 42 + arguments.repeats):
        shutil.rmtree(paths.kept_rows.parent, ignore_errors=True)
        for name, way in ways.items():
            run = run_stage(paths, seed, head=head, **way, **SPAM, patience=None, accelerator="cpu")
            run["loop"] = run["train_seconds"] + run["prepare_seconds"]
            found[name].append(run | score_test(paths, splits["test"], seed))
    fastest = _median([run["loop"] for run in found["features once"]])
    print("SMS spam, frozen encoder, head of 512, 10 epochs (seconds include the features)\n")
    print("| | seconds | times | accuracy | MCC of each seed |\n|---|---|---|---|---|")
    for name, runs in found.items():
        seconds, accuracy = (_median([run[key] for run in runs]) for key in ("loop", "accuracy"))
        scores = ", ".join(f"{run['mcc']:.3f}" for run in runs)
        print(f"| {name} | {seconds:.2f} | {seconds / fastest:.2f} | {accuracy:.3f} | {scores} |")
    print()


def memory(folder: Path, arguments: argparse.Namespace, rate: float) -> None:
    """Show the stage's peak memory with 10 and with 100 thousand rows of CoLA over and over."""
    table = cola("in_domain_train")
    print("| rows | peak memory, MB |\n|---|---|")
    for rows in (10_000, 100_000):
        many = table.sample(rows, replace=True, random_state=0)
        positions = np.arange(rows)
        paths = write_root(folder / str(rows), many, {"train": positions, "val": positions[:320]}, max_length=64)
        run = run_stage(paths, max_epochs=1, limit_train_batches=20, **COLA, **PLAIN)
        print(f"| {rows} | {run['peak_memory_mb']} |")
    print()


def steps(folder: Path, arguments: argparse.Namespace, rate: float) -> None:
    """Show what dropout and attention cost in a training step, ours and PyTorch's: medians of pairs."""
    torch.set_num_threads(1)
    ways: dict[str, Callable[[PreTrainedModel], AbstractContextManager[None]]] = {
        "PyTorch's": pytorchs,
        "ours": lambda model: nullcontext(),
    }
    print(f"{STEPS} steps on one thread, {PAIRS} pairs; of PyTorch's: the median of the pairs' ratios\n")
    print("| data, batch, tokens | precision | PyTorch's, CPU seconds | ours | of PyTorch's |")
    print("|---|---|---|---|---|")
    for data, table, max_length in (("CoLA", cola("in_domain_train"), 64), ("SMS spam", sms_spam(), 128)):
        rows = np.arange(len(table))
        paths = write_root(folder / data, table, {"train": rows, "val": rows[:32]}, max_length=max_length)
        for precision in ("float32", "bf16") if bf16_units() else ("float32",):
            found: dict[str, list[float]] = {name: [] for name in ways}
            for pair in range(PAIRS):
                for name in sorted(ways, reverse=bool(pair % 2)):
                    found[name].append(seconds_of_steps(paths, ways[name], seed=pair, bf16=precision == "bf16"))
            ratio = _median([own / other for own, other in zip(found["ours"], found["PyTorch's"], strict=True)])
            seconds = " | ".join(f"{_median(found[name]):.2f}" for name in ways)
            print(f"| {data}, 32, {max_length} | {precision} | {seconds} | {ratio:.3f} |", flush=True)
    print()


@contextmanager
def pytorchs(model: PreTrainedModel) -> Iterator[None]:
    """Within the block, train with PyTorch's dropout and attention."""
    for module in model.modules():
        if type(module) is Dropout:
            module.__class__ = torch.nn.Dropout
    before, ALL_ATTENTION_FUNCTIONS["sdpa"] = ALL_ATTENTION_FUNCTIONS["sdpa"], sdpa_attention_forward
    yield
    ALL_ATTENTION_FUNCTIONS["sdpa"] = before


def seconds_of_steps(
    paths: Paths, way: Callable[[PreTrainedModel], AbstractContextManager[None]], *, seed: int, bf16: bool
) -> float:
    """Return the CPU seconds of `STEPS` training steps, after two that warm up."""
    options = read_params(ROOT / "recipes/default.yaml").finetune.model_copy(update=COLA)
    inputs, device = read_inputs(paths), Device("cpu")
    torch.manual_seed(seed)
    model = load_encoder(paths.encoder, labels=inputs.labels)
    apply_method(model, options)
    with prepared(model, inputs, options, device) as ready, way(model):
        module = make_module(model, options)
        optimizer = torch.optim.AdamW(module.parameters(), lr=options.learning_rate, fused=True)
        batches = iter(FinetuneData(ready.train, ready.val, options, device, seed=seed).train_dataloader())
        for step, batch in zip(range(STEPS + 2), batches, strict=False):
            if step == 2:
                start = time.process_time()
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
                loss = module.training_step(batch, step)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(module.parameters(), options.gradient_clip)
            optimizer.step()
            optimizer.zero_grad()
        return time.process_time() - start


def mcc(folder: Path, arguments: argparse.Namespace, rate: float) -> None:
    """Print the test MCC of each seed, ours and the Trainer's."""
    train, test = cola("in_domain_train"), cola("out_of_domain_dev")
    rows = np.arange(len(train) + len(test))
    splits = {"train": rows[: len(train)], "val": rows[:320], "test": rows[len(train) :]}
    paths = write_root(folder, pd.concat([train, test]), splits, max_length=64)
    print("| seed | retune | Trainer, group |\n|---|---|---|")
    scores: list[tuple[float, float]] = []
    for seed in range(1, arguments.seeds + 1):
        # val is part of train and the last epoch is kept: the Trainer chooses no epoch either
        run_stage(paths, seed, max_epochs=4, **COLA, **(PLAIN | {"monitor": "val.loss"}))
        options = ["--padding", "group", "--epochs", "4", "--seed", str(seed)]
        scores.append((score_test(paths, splits["test"], seed)["mcc"], run_peer(train, test, options)["mcc"]))
        print(f"| {seed} | {scores[-1][0]:.4f} | {scores[-1][1]:.4f} |", flush=True)
    ours, theirs = (np.array(column) for column in zip(*scores, strict=True))
    print(f"| mean, sd | {ours.mean():.4f}, {ours.std(ddof=1):.4f} | {theirs.mean():.4f}, {theirs.std(ddof=1):.4f} |\n")


def matrix_rate(size: int = 2048, repeats: int = 7) -> float:
    """Return the floating-point operations per second of a product of two fp32 matrices."""
    left, right = torch.randn(size, size), torch.randn(size, size)
    return 2 * size**3 / _median([_seconds(lambda: left @ right) for _ in range(repeats)])


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _median(values: list[Any]) -> float:
    return float(statistics.median(values))


if __name__ == "__main__":
    main()
