"""Fine-tuning and inference of models of bert-base's size on a GPU, in bf16, beside transformers' Trainer in one run.

    python benchmarks/bench_finetune_gpu.py [--out DIR] [--budget SECONDS] [--only NAMES] [--dry-run]

Correctness comes first: packed and padded rows give the same loss and gradients, and a recorded step does what an
unrecorded one does. Then tokens per second and the share of the GPU's bf16 matrix rate, memory, and where a step's
time goes. Weights and tokens are random, since speed depends on neither; rows have 128 tokens, CoLA's lengths
(cola_lengths.csv), or any length to 512. Each section prints as it ends and rewrites gpu.md and gpu.json in DIR.
`--dry-run` goes through every section on a CPU with toy models. It needs only this repository.
"""

import argparse
import copy
import json
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import lightning
import numpy as np
import torch
import transformers
from lightning.pytorch.callbacks import Callback
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import (
    AlbertConfig,
    AutoModelForSequenceClassification,
    BertConfig,
    CamembertConfig,
    DistilBertConfig,
    ElectraConfig,
    ModernBertConfig,
    RobertaConfig,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    XLMRobertaConfig,
)

sys.path.insert(0, str(Path(__file__).parents[1]))  # where the package is not installed

from stages.finetune.acceleration.packing import pack
from stages.finetune.acceleration.steps import Steps
from stages.finetune.data_module import FinetuneData
from stages.finetune.devices import Device, compile_layers, detect_device
from stages.finetune.inputs import Inputs
from stages.finetune.prepare import prepared
from stages.finetune.training import lightning_module
from stages.finetune.training.fit import fit
from stages.finetune.training.lightning_module import FinetuneModule, make_module
from stages.inference.computing import BATCH_TOKENS
from stages.inference.forward import inputs_of
from stages.inference.loading import placed, predict_tokens
from stages.model import packed
from stages.model.layers import first_token, first_token_only
from stages.model.packed import attend_packed
from stages.model.positions import first_position
from stages.params import read_params
from stages.targets.target import Target
from stages.tokens import Tokens

DEFAULT = Path(__file__).parents[1] / "recipes/default.yaml"
LENGTHS_FILE = Path(__file__).parent / "cola_lengths.csv"
COLA_TRAIN_ROWS = 7_695  # 9 in 10 of CoLA's in-domain train
COLA_VOCABULARY = 5_584  # token ids that occur in CoLA
BATCH = 32
TRAINING_HEAD = """\
| way | first epoch, s | later epoch, s | tokens per second | of the matrix rate | executed | peak GB | all, s |
|---|---|---|---|---|---|---|---|"""
BF16_STEP = 2.0**-8  # between two neighbouring numbers of bf16, relative

ON_GPU = torch.cuda.is_available()
DEVICE = "cuda" if ON_GPU else "cpu"


class Report:
    """Sections of text and figures, written out after each."""

    def __init__(self, folder: Path, budget: float) -> None:
        self.folder, self.budget, self.started = folder, budget, time.monotonic()
        self.lines: list[str] = []
        self.figures: dict[str, Any] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def run(self, name: str, section: Callable[["Report"], None], seconds: float) -> None:
        """Run a section unless it would not end in time; an error in one stops no other."""
        start = time.monotonic()
        if start - self.started + seconds > self.budget:
            self.add(f"\n## {name}\n\nleft out: {seconds:.0f} s are not left of {self.budget:.0f}")
            return
        self.add(f"\n## {name}\n")
        try:
            section(self)
        except Exception as error:
            logging.exception(name)
            self.add(f"failed: {type(error).__name__}: {str(error)[:300]}")
            self.figures.setdefault("failed", []).append(name)
        self.add(f"\n({time.monotonic() - start:.0f} s)")
        if ON_GPU:
            torch.cuda.empty_cache()

    def add(self, line: str) -> None:
        """Print and write a line."""
        print(line, flush=True)
        self.lines.append(line)
        (self.folder / "gpu.md").write_text("\n".join(self.lines) + "\n", encoding="utf-8")
        (self.folder / "gpu.json").write_text(json.dumps(self.figures, indent=1), encoding="utf-8")


# ---- data and models ----


def cola_lengths(rows: int) -> np.ndarray:
    """Return lengths as frequent as CoLA's, in random order."""
    table = np.loadtxt(LENGTHS_FILE, delimiter=",", skiprows=1, dtype=np.int64)
    lengths = np.repeat(table[:, 0], table[:, 1])
    return np.random.default_rng(0).permutation(lengths)[np.arange(rows) % len(lengths)]


def mixed_lengths(rows: int, longest: int) -> np.ndarray:
    return np.random.default_rng(1).integers(8, longest + 1, size=rows)


def random_tokens(lengths: np.ndarray, vocabulary: int) -> Tokens:
    """Return random token ids in rows of some lengths, with two labels."""
    random = np.random.default_rng(0)
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    ids = random.integers(4, vocabulary, size=int(lengths.sum())).astype(np.int32)
    rows = len(lengths)
    return Tokens(random.integers(2, size=rows), lengths, starts, np.zeros(rows, dtype=np.int64), [ids], [])


class Kind:
    """An architecture at a size, and its floating-point operations."""

    def __init__(self, name: str, config: Any, layer_weights: int, *, first_token_saves: int = 0) -> None:
        self.name, self.config, self.layer_weights = name, config, layer_weights
        self.first_token_saves = first_token_saves  # weights of the last layer that only one token per row meets

    def model(self) -> Any:
        torch.manual_seed(0)
        return AutoModelForSequenceClassification.from_config(copy.deepcopy(self.config))  # it notes how to attend

    def flops(self, lengths: np.ndarray, *, passes: int, first_only: bool = False) -> float:
        """Of rows without padding; passes: 1 forward, 3 with the backward one."""
        weights = self.layer_weights - (self.first_token_saves if first_only else 0)
        layers, width = self.config.num_hidden_layers, self.config.hidden_size
        reach = lengths.astype(float)
        if self.name.startswith("ModernBERT"):
            window = np.minimum(reach, self.config.local_attention + 1)
            reach = (reach + 2 * window) / 3
        attention = 4 * (layers - first_only) * width * (lengths * reach).sum()
        return float(passes * (2 * weights * lengths.sum() + attention))


def kinds(dry: bool) -> tuple[Kind, Kind]:
    if dry:
        small = {"vocab_size": 300, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
        bert = BertConfig(intermediate_size=64, max_position_embeddings=64, **small)
        ends = {"pad_token_id": 0, "cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3}
        modern = ModernBertConfig(intermediate_size=48, local_attention=8, max_position_embeddings=64, **ends, **small)
        return Kind("BERT toy", bert, 2 * 8192), Kind("ModernBERT toy", modern, 2 * 8192)
    width, inner = 768, 3072
    bert = Kind(
        "bert-base",
        BertConfig(num_labels=2),
        12 * (4 * width**2 + 2 * width * inner),
        first_token_saves=2 * width**2 + 2 * width * inner,  # query, output and feed-forward
    )
    config = ModernBertConfig(num_labels=2, pad_token_id=0, cls_token_id=1, sep_token_id=2)  # its defaults are base's
    return bert, Kind("ModernBERT-base", config, 22 * (4 * width**2 + 3 * width * 1152))


def tiny_configs(dry: bool) -> list[Any]:
    """Every architecture that packs, with heads as wide as real ones have."""
    width = 16 if dry else 64
    common = {
        "vocab_size": 300,
        "hidden_size": 2 * width,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "intermediate_size": 4 * width,
        "max_position_embeddings": 150,
        "num_labels": 3,
    }
    ends = {"pad_token_id": 0, "cls_token_id": 2, "sep_token_id": 3, "bos_token_id": 2, "eos_token_id": 3}
    small = {"dim": 2 * width, "n_layers": 3, "n_heads": 2, "hidden_dim": 4 * width, "max_position_embeddings": 150}
    modern = {"local_attention": 16, "global_attn_every_n_layers": 2, **ends, **common}
    return [
        BertConfig(**common),
        RobertaConfig(**common),
        XLMRobertaConfig(**common),
        CamembertConfig(**common),
        ElectraConfig(embedding_size=width, **common),
        AlbertConfig(embedding_size=width, **common),
        DistilBertConfig(vocab_size=300, num_labels=3, **small),
        ModernBertConfig(**modern),
        ModernBertConfig(classifier_pooling="mean", **modern),
    ]


# ---- sections ----


def ceilings(report: Report) -> None:
    """Measure the GPU's two rates."""
    size = 8192 if ON_GPU else 128
    left, right = (torch.randn(size, size, device=DEVICE, dtype=torch.bfloat16) for _ in range(2))
    rate = 2 * size**3 / seconds_of(lambda: left @ right, repeats=30)
    source = torch.randn(2**30 if ON_GPU else 2**16, device=DEVICE)
    target = torch.empty_like(source)
    copy = 2 * source.numel() * 4 / seconds_of(lambda: target.copy_(source), repeats=10)
    name = torch.cuda.get_device_name() if ON_GPU else "CPU"
    versions = f"torch {torch.__version__}, transformers {transformers.__version__}, lightning {lightning.__version__}"
    report.add(f"{name}, {versions}")
    report.add(
        f"bf16 product 8192 x 8192 x 8192: {rate / 1e12:.0f} TFLOP/s; copy: {copy / 1e12:.2f} TB/s read and written"
    )
    report.figures["ceilings"] = {"device": name, "versions": versions, "bf16_flops": rate, "copy_bytes": copy}


def correctness(report: Report, dry: bool) -> None:
    """Compare loss and gradients, in bf16, of padded and of packed rows with padded ones in float32."""
    report.add("| architecture | loss fp32 | padded bf16 | packed bf16 | gradient error padded | packed | agrees |")
    report.add("|---|---|---|---|---|---|---|")
    lengths = np.random.default_rng(2).integers(3, 120, size=24)
    rows = np.arange(len(lengths))
    results = {}
    for config in tiny_configs(dry):
        torch.manual_seed(0)
        model: Any = AutoModelForSequenceClassification.from_config(config).to(DEVICE).eval()
        tokens = random_tokens(lengths, 300)
        pad = int(config.pad_token_id or 0)
        padded = on_device({n: torch.from_numpy(v) for n, v in tokens.pad(rows, pad_token_id=pad).items()})
        reference = loss_and_gradients(model, padded, torch.float32)
        bf16 = loss_and_gradients(model, padded, torch.bfloat16)
        first_token_only(model)
        attend_packed(model)
        filled = on_device(pack(tokens, rows, first_position=first_position(model), filler=pad))
        packed = loss_and_gradients(model, filled, torch.bfloat16)
        errors = [relative_error(way[1], reference[1]) for way in (bf16, packed)]
        # bf16 rounds to 2^-8 at each of some ten operations in a row: packed may err as padded does, and no more
        agrees = errors[1] < 1.5 * errors[0] + BF16_STEP and abs(packed[0] - reference[0]) < 4 * BF16_STEP
        name = config.model_type + (" (mean)" if getattr(config, "classifier_pooling", "") == "mean" else "")
        losses = " | ".join(f"{way[0]:.4f}" for way in (reference, bf16, packed))
        report.add(f"| {name} | {losses} | {errors[0]:.4f} | {errors[1]:.4f} | {'yes' if agrees else 'NO'} |")
        results[name] = {"agrees": agrees, "errors": errors}
    report.figures["correctness"] = results
    recorded_steps(report, dry)


def loss_and_gradients(model: Any, batch: dict[str, Any], dtype: torch.dtype) -> tuple[float, Tensor]:
    """Return the loss, and all gradients as one vector, as a whole step computes them."""
    found: list[Tensor] = []
    losses = partial(row_losses, smoothing=0.0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.0, fused=True)
    steps = Steps(model, losses, optimizer, gradient_clip=0.0, dtype=dtype, record=False)
    with patch.object(steps, "_update", lambda grads: found.extend(g.float() for g in grads if g is not None)):
        loss, _, _ = steps(batch)
    return float(loss), torch.cat([grad.flatten() for grad in found])


def row_losses(logits: Tensor, labels: Tensor, smoothing: float) -> tuple[Tensor, Tensor]:
    losses = cross_entropy(logits.float(), labels, reduction="none", label_smoothing=smoothing)
    return losses, torch.ones_like(losses)


def relative_error(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


def recorded_steps(report: Report, dry: bool) -> None:
    """Train a toy with and without recording, dropout on: the losses are the same numbers."""
    lengths = np.random.default_rng(3).integers(20, 80, size=24)
    tokens = random_tokens(lengths, 300)
    curves = []
    for record in (False, ON_GPU):
        torch.manual_seed(0)
        model: Any = AutoModelForSequenceClassification.from_config(tiny_configs(dry)[0]).to(DEVICE).train()
        first_token_only(model)
        attend_packed(model)
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
        steps = Steps(model, partial(row_losses, smoothing=0.0), optimizer, gradient_clip=1.0, record=record)
        losses = []
        for step in range(12):
            optimizer.param_groups[0]["lr"] = 1e-3 * (1 - step / 12)
            batch = on_device(pack(tokens, np.arange(24), first_position=0, filler=0))
            torch.manual_seed(step)
            losses.append(float(steps(batch)[0]))
        if record and not (steps.recorder and steps.recorder.graphs):
            raise RuntimeError("no step was recorded; the log says why")
        curves.append(losses)
    worst = max(abs(a - b) for a, b in zip(*curves, strict=True))
    report.add(f"\n12 recorded steps against unrecorded ones, with dropout: losses from {curves[0][0]:.4f} to ")
    report.add(f"{curves[0][-1]:.4f}, at most {worst:.1e} apart (attention adds in any order on a GPU)")
    report.figures["recorded_worst"] = worst


def training(
    report: Report,
    kind: Kind,
    name: str,
    lengths: np.ndarray,
    *,
    batch: int = BATCH,
    ways: tuple[str, ...],
    epochs: int = 2,
) -> None:
    """Print a table of the ways to train on rows of some lengths."""
    vocabulary = int(kind.config.vocab_size)
    tokens = random_tokens(lengths, min(vocabulary, COLA_VOCABULARY) if name == "CoLA" else vocabulary)
    rate = report.figures["ceilings"]["bf16_flops"]
    report.add(f"{kind.name}, {name}: {len(lengths)} rows, {lengths.mean():.1f} tokens on average, batch {batch}\n")
    report.add(TRAINING_HEAD)
    for way in ways:
        if ON_GPU:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        start = time.perf_counter()
        ours = partial(seconds_of_ours, kind, tokens, batch, way, epochs)
        seconds = seconds_of_peer(kind, tokens, batch) if way == "Trainer" else ours()
        whole = time.perf_counter() - start
        later = statistics.median(seconds[1:]) if len(seconds) > 1 else seconds[0]
        flops = kind.flops(lengths, passes=3)
        first_only = way not in ("Trainer",) and kind.first_token_saves > 0
        executed = kind.flops(lengths, passes=3, first_only=first_only)
        peak = torch.cuda.max_memory_allocated() / 2**30 if ON_GPU else 0.0
        speed, share, done = lengths.sum() / later, flops / later / rate, executed / later / rate
        cells = [way, f"{seconds[0]:.2f}", f"{later:.2f}", f"{speed:,.0f}", f"{share:.1%}", f"{done:.1%}"]
        report.add("| " + " | ".join([*cells, f"{peak:.1f}", f"{whole:.1f}"]) + " |")
        key = f"{kind.name}, {name}, batch {batch}"
        report.figures.setdefault("training", {}).setdefault(key, {})[way] = {
            "first": seconds[0],
            "later": later,
            "tokens_per_second": speed,
            "share": share,
            "executed_share": done,
            "peak_gb": peak,
            "fit": whole,
        }


class EpochSeconds(Callback):
    """Measures the training part of each epoch, the device's work included."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_train_epoch_start(self, *args: Any) -> None:
        synchronize()
        self.start = time.perf_counter()

    def on_validation_start(self, *args: Any) -> None:
        synchronize()
        self.seconds.append(time.perf_counter() - self.start)


def seconds_of_ours(
    kind: Kind, tokens: Tokens, batch: int, way: str, epochs: int, callbacks: tuple[Callback, ...] = ()
) -> list[float]:
    """Train as the stage does, and return the seconds of each epoch's training steps.

    Args:
        way: `packed`; `unrecorded`: without CUDA graphs; `autocast`: Lightning's own step; `padded`; `compiled`:
            packed, layers compiled.
    """
    rows = np.arange(len(tokens))
    times = EpochSeconds()
    model = kind.model().train()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if way == "unrecorded":
            stack.enter_context(patch.object(lightning_module, "Steps", partial(Steps, record=False)))
        if way == "autocast":
            stack.enter_context(patch.object(FinetuneModule, "_whole_steps", lambda self: None))
        defaults = read_params(DEFAULT)
        changes = {"batch_size": batch, "max_epochs": epochs, "learning_rate": 2e-5, "warmup_ratio": 0.0}
        changes |= {"packing": way != "padded", "compile": way == "compiled", "patience": None}
        options = defaults.finetune.model_copy(update=changes)
        device, inputs = detect_device(options), Inputs(Target("classes", ["0", "1"]), tokens, rows, rows[:batch])
        ready = stack.enter_context(prepared(model, inputs, options, device))
        if ON_GPU and way != "padded" and not ready.notes.get("packed"):
            raise RuntimeError("rows can't be packed on this GPU; the log says why")
        fit(
            make_module(model, options),
            FinetuneData(ready.train, ready.val, options, device, seed=0),
            options,
            device,
            defaults.machine,
            seed=0,
            folder=folder / "checkpoints",
            callbacks=[*ready.callbacks, times, *callbacks],
        )
    return times.seconds


class PeerSeconds(TrainerCallback):
    """Measures the Trainer's steps, its first ones left out."""

    def __init__(self, skipped: int) -> None:
        self.skipped, self.steps, self.start, self.stop = skipped, 0, 0.0, 0.0

    def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
        if self.steps == self.skipped:
            synchronize()
            self.start = time.perf_counter()
        self.steps += 1

    def on_train_end(self, *args: Any, **kwargs: Any) -> None:
        synchronize()
        self.stop = time.perf_counter()


def seconds_of_peer(kind: Kind, tokens: Tokens, batch: int) -> list[float]:
    """Train an epoch with the Trainer at its best settings; its seconds, at the rate of all but its first steps."""

    class Rows(torch.utils.data.Dataset[dict[str, Any]]):
        def __len__(self) -> int:
            return len(tokens)

        def __getitem__(self, row: int) -> dict[str, Any]:
            return {"input_ids": tokens.row(row), "labels": int(tokens.labels[row])}

    def collate(rows: list[dict[str, Any]]) -> dict[str, Tensor]:
        lengths = np.array([len(row["input_ids"]) for row in rows])
        mask = np.arange(lengths.max()) < lengths[:, None]
        ids = np.zeros(mask.shape, dtype=np.int64)
        ids[mask] = np.concatenate([row["input_ids"] for row in rows])
        labels = torch.tensor([row["labels"] for row in rows])
        return {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask).long(), "labels": labels}

    steps = -(-len(tokens) // batch)
    times = PeerSeconds(skipped=min(10, steps // 2))
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            num_train_epochs=1,
            per_device_train_batch_size=batch,
            learning_rate=2e-5,
            bf16=ON_GPU,
            use_cpu=not ON_GPU,
            optim="adamw_torch_fused",
            report_to=[],
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
            train_sampling_strategy="group_by_length",
            dataloader_num_workers=4 if ON_GPU else 0,
        )
        model = kind.model()
        Trainer(model, arguments, train_dataset=Rows(), data_collator=collate, callbacks=[times]).train()
    return [(times.stop - times.start) / (steps - times.skipped) * steps]


class Profile(Callback):
    """Profiles some steps."""

    def __init__(self, first: int, last: int) -> None:
        self.first, self.last = first, last
        kinds = [torch.profiler.ProfilerActivity.CPU]
        kinds += [torch.profiler.ProfilerActivity.CUDA] if ON_GPU else []
        self.profile: Any = torch.profiler.profile(activities=kinds)
        self.wall = self.sent = 0.0

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx == self.first:
            synchronize()
            self.profile.start()
            self.start = time.perf_counter()

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if batch_idx == self.last - 1:
            self.sent = time.perf_counter() - self.start
            synchronize()
            self.wall = time.perf_counter() - self.start
            self.profile.stop()


def profiled(report: Report, kind: Kind, name: str, lengths: np.ndarray, way: str) -> None:
    """Print where the time of a step goes: Python and launches, the GPU, and its largest operations."""
    steps = 20 if ON_GPU else 1
    first = len(lengths) // BATCH - steps - 1
    profile = Profile(first, first + steps)
    tokens = random_tokens(lengths, int(kind.config.vocab_size))
    seconds_of_ours(kind, tokens, BATCH, way, 1, (profile,))
    events = profile.profile.events()
    device = [e for e in events if str(e.device_type).endswith("CUDA")]
    busy = busy_seconds([(e.time_range.start, e.time_range.end) for e in device])
    report.add(f"\n{kind.name}, {name}, {way}, per step of {steps} under the profiler:")
    report.add(
        f"{profile.wall / steps * 1e3:.2f} ms in all, {profile.sent / steps * 1e3:.2f} ms until Python had sent it, "
        f"{busy / steps * 1e3:.2f} ms GPU busy, {len(device) / steps:.0f} kernels and copies\n"
    )
    totals: dict[str, list[float]] = {}
    for event in device or events:
        totals.setdefault(event.name, []).append(event.time_range.end - event.time_range.start)
    report.add("| operation | ms per step | times per step |\n|---|---|---|")
    for operation, spent in sorted(totals.items(), key=lambda item: -sum(item[1]))[:22]:
        report.add(f"| `{operation[:90]}` | {sum(spent) / steps / 1e3:.3f} | {len(spent) / steps:.1f} |")
    host: dict[str, list[float]] = {}
    for event in events:
        if not str(event.device_type).endswith("CUDA"):
            host.setdefault(event.name, []).append(event.self_cpu_time_total)
    report.add("\n| on the CPU | own ms per step | times per step |\n|---|---|---|")
    for operation, spent in sorted(host.items(), key=lambda item: -sum(item[1]))[:12]:
        report.add(f"| `{operation[:60]}` | {sum(spent) / steps / 1e3:.3f} | {len(spent) / steps:.1f} |")
    key = f"{kind.name}, {name}, {way}"
    report.figures.setdefault("profile", {})[key] = {
        "wall_ms": profile.wall / steps * 1e3,
        "sent_ms": profile.sent / steps * 1e3,
        "busy_ms": busy / steps * 1e3,
        "kernels": len(device) / steps,
    }


def busy_seconds(spans: list[tuple[float, float]]) -> float:
    """Return the length of the union of spans given in microseconds, in seconds."""
    total, end = 0.0, 0.0
    for start, stop in sorted(spans):
        total += max(0.0, stop - max(start, end))
        end = max(end, stop)
    return total / 1e6


def attention_paths(report: Report) -> None:
    """Time attention with its gradient, 32 rows of 128 tokens, 12 heads of 64: three ways to say where rows start."""

    rows, length = (32, 128) if ON_GPU else (2, 16)
    starts = torch.arange(0, (rows + 1) * length, length, dtype=torch.int32, device=DEVICE)
    dtype = torch.bfloat16
    q, k, v = (torch.randn(1, rows * length, 12, 64, device=DEVICE, dtype=dtype).transpose(1, 2) for _ in range(3))
    for values in (q, k, v):
        values.requires_grad_()
    module = torch.nn.Identity()

    def ours(dropout: float) -> Tensor:
        return packed.attention(module, q, k, v, None, dropout=dropout, cu_seqlens=starts, longest=length)[0]

    def nested(dropout: float) -> Tensor:
        parts = [
            torch.nested.nested_tensor_from_jagged(
                x[0].transpose(0, 1), starts.long(), min_seqlen=length, max_seqlen=length
            ).transpose(1, 2)
            for x in (q, k, v)
        ]
        return torch.nn.functional.scaled_dot_product_attention(*parts, dropout_p=dropout).transpose(1, 2).values()

    def padded(dropout: float) -> Tensor:
        parts = [x[0].transpose(0, 1).view(rows, length, 12, 64).transpose(1, 2) for x in (q, k, v)]
        return torch.nn.functional.scaled_dot_product_attention(*parts, dropout_p=dropout)

    ways: list[tuple[str, Callable[[float], Tensor], float]] = [
        ("varlen_attn, no dropout", ours, 0.0),
        ("the operator below it, dropout 0.1", ours, 0.1),
        ("nested tensors, no dropout", nested, 0.0),
        ("nested tensors, dropout 0.1", nested, 0.1),
        ("equal rows through SDPA, dropout 0.1", padded, 0.1),
    ]
    report.add(f"torch's varlen_attn is used without dropout: {packed.VARLEN}\n")
    report.add("| way | with its gradient, microseconds |\n|---|---|")
    for name, way, dropout in ways:
        try:

            def step(way: Callable[[float], Tensor] = way, dropout: float = dropout) -> None:
                way(dropout).float().sum().backward()

            spent = f"{seconds_of(step, repeats=30 if ON_GPU else 1) * 1e6:.0f}"
        except (RuntimeError, TypeError, NotImplementedError) as error:
            spent = f"fails: {str(error).splitlines()[0][:120]}"
        report.add(f"| {name} | {spent} |")


@torch.inference_mode()
def inference(
    report: Report, kind: Kind, name: str, lengths: np.ndarray, ways: tuple[str, ...] = ("as it is",)
) -> None:
    """Print tokens per second of `predict_tokens`, and of the forward pass alone."""
    tokens = random_tokens(lengths, int(kind.config.vocab_size))
    rate = report.figures["ceilings"]["bf16_flops"]
    rows = np.arange(len(tokens))
    report.add(f"\n{kind.name}, {name}: {len(rows)} rows, {lengths.sum():,} tokens\n")
    report.add("| layers | tokens per batch | tokens per second | of the matrix rate | forward alone | peak GB |")
    report.add("|---|---|---|---|---|---|")
    middle = np.argsort(-lengths, kind="stable")[len(rows) // 2 :]
    for way in ways:
        model = placed(kind.model().eval())
        if way == "compiled":
            compile_layers(model, Device("cuda" if ON_GPU else "cpu"))
        for size in (16_384, 65_536) if ON_GPU else (64,):
            if ON_GPU:
                torch.cuda.reset_peak_memory_stats()
            batch = middle[: max(1, size // int(lengths[middle[0]]))]
            with first_token(model):
                forward = partial(model, **inputs_of(model, tokens.pad(batch, pad_token_id=0)))
                alone = lengths[batch].sum() / seconds_of(forward, repeats=5)
            with patch.dict(BATCH_TOKENS, {DEVICE: size}):
                seconds = seconds_of(partial(predict_tokens, model, tokens, rows), 1, samples=3, warm=1)
            speed = lengths.sum() / seconds
            share = kind.flops(lengths, passes=1) / seconds / rate
            peak = torch.cuda.max_memory_allocated() / 2**30 if ON_GPU else 0.0
            report.add(f"| {way} | {size:,} | {speed:,.0f} | {share:.1%} | {alone:,.0f} | {peak:.1f} |")
            report.figures.setdefault("inference", {})[f"{kind.name}, {name}, {way}, {size}"] = {
                "tokens_per_second": speed,
                "share": share,
                "forward_alone": alone,
                "peak_gb": peak,
            }


# ---- small things ----


def on_device(batch: dict[str, Any]) -> dict[str, Any]:
    return {name: values.to(DEVICE) if isinstance(values, Tensor) else values for name, values in batch.items()}


def synchronize() -> None:
    if ON_GPU:
        torch.cuda.synchronize()


def seconds_of(work: Callable[[], Any], repeats: int, samples: int = 5, warm: int = 3) -> float:
    """Return the median seconds of some work, its end on the device included."""
    for _ in range(warm):
        work()
    times = []
    for _ in range(samples):
        synchronize()
        start = time.perf_counter()
        for _ in range(repeats):
            work()
        synchronize()
        times.append((time.perf_counter() - start) / repeats)
    return statistics.median(times)


@contextmanager
def quiet() -> Iterator[None]:
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    yield


def main() -> None:
    """Run all sections, or some."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(), help="folder for gpu.md and gpu.json")
    parser.add_argument("--budget", type=float, default=480, help="seconds; a section that would end later is left out")
    parser.add_argument("--only", default="", help="names of sections to run, by a part of them, with commas between")
    parser.add_argument("--dry-run", action="store_true", help="toy models on a CPU")
    options = parser.parse_args()
    if not ON_GPU and not options.dry_run:
        raise SystemExit("error: PyTorch sees no GPU here. Run this where there is one, or with --dry-run.")
    logging.basicConfig(level=logging.WARNING)
    logging.getLogger("stages.finetune.acceleration.steps").setLevel(logging.INFO)
    logging.getLogger("stages.finetune.acceleration.packing").setLevel(logging.INFO)
    dry = options.dry_run
    if dry:
        torch.set_num_threads(1)
    report = Report(options.out, options.budget)
    bert, modern = kinds(dry)

    def rows(full: int) -> int:
        return 4 * BATCH if dry else full

    full, cola = np.full(rows(3200), 16 if dry else 128), cola_lengths(rows(COLA_TRAIN_ROWS))
    mixed = mixed_lengths(rows(1280), 20 if dry else 512)
    large, many_cola = np.full(rows(12_800), 16 if dry else 128), cola_lengths(rows(200_000))
    three_ways = ("packed", "padded", "Trainer")
    main_ways = (*three_ways, "compiled")
    train_bert, train_modern = partial(training, kind=bert), partial(training, kind=modern)
    both = ("as it is", "compiled")
    sections: list[tuple[str, Callable[[Report], None], float]] = [
        ("Rates of the GPU", ceilings, 5),
        ("Correctness", partial(correctness, dry=dry), 10),
        ("bert-base at 128 tokens", partial(train_bert, name="128 tokens", lengths=full, ways=main_ways), 70),
        ("bert-base at CoLA's lengths", partial(train_bert, name="CoLA", lengths=cola, ways=main_ways), 100),
        ("Inference, bert-base", partial(inference, kind=bert, name="128 tokens", lengths=large, ways=both), 20),
        ("ModernBERT-base at 128", partial(train_modern, name="128 tokens", lengths=full, ways=main_ways), 90),
        ("bert-base at mixed lengths", partial(train_bert, name="8 to 512", lengths=mixed, ways=three_ways), 40),
        (
            "bert-base, batch of 128",
            partial(train_bert, name="128 tokens", lengths=large, batch=128, ways=main_ways),
            60,
        ),
        ("Inference, ModernBERT", partial(inference, kind=modern, name="128 tokens", lengths=large, ways=both), 30),
        ("Profile: 128 tokens", partial(profiled, kind=bert, name="128 tokens", lengths=full, way="packed"), 10),
        ("Profile: CoLA", partial(profiled, kind=bert, name="CoLA", lengths=cola, way="packed"), 10),
        ("Inference at CoLA's lengths", partial(inference, kind=bert, name="CoLA", lengths=many_cola), 20),
        ("Steps before", partial(train_bert, name="CoLA", lengths=cola, ways=("unrecorded", "autocast")), 45),
        ("ModernBERT-base, mixed", partial(train_modern, name="8 to 512", lengths=mixed, ways=three_ways), 50),
        ("ModernBERT-base at CoLA's", partial(train_modern, name="CoLA", lengths=cola, ways=three_ways), 100),
        ("Attention", attention_paths, 10),
    ]
    chosen = [name.strip().lower() for name in options.only.split(",") if name.strip()]
    with quiet():
        for name, section, seconds in sections:
            if not chosen or section is ceilings or any(part in name.lower() for part in chosen):
                report.run(name, section, seconds)
    if report.figures.get("failed"):
        raise SystemExit(f"error: these failed: {', '.join(report.figures['failed'])}")


if __name__ == "__main__":
    main()
