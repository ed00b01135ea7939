"""Small trainings in this process, ours as the stage finetune runs them and those of transformers' Trainer.

Each seed draws its own rows of train, the same for every setting; the rows of test are the same for all seeds. The
last epoch's weights are tested, because the Trainer chooses no epoch either.
"""

import atexit
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import hf_trainer
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from finetune_data import ROOT, bundled_encoder, cola, rated_sentences, score_test, sms_spam, write_root
from numpy.typing import NDArray
from ruamel.yaml import YAML
from transformers.trainer_pt_utils import get_length_grouped_indices

from stages.files import remove_folder
from stages.finetune import batches as batches_module
from stages.finetune import train as training
from stages.finetune.__main__ import main as finetune
from stages.finetune.batches import LengthBuckets, by_turns
from stages.params import Params
from stages.paths import Paths
from stages.tokens import open_tokens

VAL = 32  # rows: the stage needs some, and they decide nothing here
MAX_LENGTH = 128  # tokens
STRATA = 4  # ranges of lengths
NOISE = 0.2


def reviews() -> pd.DataFrame:
    """Read the bundled reviews: columns text and label."""
    table = pd.read_csv(ROOT / "data/samples/app_reviews.csv")
    return pd.DataFrame({"text": table.content, "label": table.score - 1})


TASKS: dict[str, tuple[Callable[[], pd.DataFrame], int]] = {  # the table, and the number of its rows of test
    "SMS": (sms_spam, 1000),
    "reviews": (reviews, 280),
    "CoLA": (lambda: cola("in_domain_train"), 1000),
    "films": (lambda: rated_sentences("movieReview"), 1000),
    "products": (lambda: rated_sentences("amazonReview"), 1000),
    "tweets": (lambda: rated_sentences("tweets"), 1000),
}


@dataclass(frozen=True)
class Setting:
    """What is trained.

    Args:
        task: Of TASKS.
        rows: Of train.
        batches: `retune`, as it makes them; `pools of N` batches in which rows are sorted by length, all batches
            shuffled and the largest first in the first epoch; with `any first` without the last; with `spread` in a
            random order in which every four have one of each quarter of the lengths; with `in a row` shuffled within
            each pool alone; with `turns` also longest first in every four; with `noise` sorted by lengths that are
            changed by up to a fifth; `one pool` of all rows, where they are 50 batches or fewer; `labels mixed`, the
            pools of retune, but every batch with each label's share, and the rows of each label sorted by length;
            `pools shrinking`, from one of all rows in the first epoch to pools of one batch in the last, which are
            shuffled rows (a factor from epoch to epoch);
            `transformers`, by its own function; or `Trainer`, with rows of like length together, and
            `Trainer, shuffled`.
        batch_size, learning_rate, epochs, warmup, layer_decay, schedule, precision, pooling: As in section
            finetune of params.yaml; the Trainer has no layer decay, and the architecture's own head.
    """

    task: str
    rows: int
    batches: str
    batch_size: int = 32
    learning_rate: float = 2e-4
    epochs: int = 2
    warmup: float = 0.0
    layer_decay: float = 1.0
    schedule: str = "linear"
    precision: str = "32"
    pooling: str = "auto"


def train(setting: Setting, seed: int) -> dict[str, Any]:
    """Train with a seed, and return MCC and accuracy on test, and the processor's seconds of the training alone."""
    return (peer if setting.batches.startswith("Trainer") else ours)(setting, seed)


@cache
def table_of(task: str) -> pd.DataFrame:
    """Return the rows of a task, each text once."""
    return TASKS[task][0]().drop_duplicates("text", ignore_index=True)


def drawn(setting: Setting, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the positions of train (by seed), val and test (the same for all seeds)."""
    tests = TASKS[setting.task][1]
    fixed = np.random.default_rng(0).permutation(len(table_of(setting.task)))
    rest = np.random.default_rng(seed).permutation(fixed[tests + VAL :])
    if len(rest) < setting.rows:
        raise SystemExit(f"error: {setting.task} has {len(rest)} rows of train, not {setting.rows}")
    return rest[: setting.rows], fixed[tests : tests + VAL], fixed[:tests]


def write_splits(paths: Paths, positions: Sequence[NDArray[np.int64]]) -> None:
    """Write the positions of train and val, the first two."""
    for name, rows in zip(("train", "val"), positions, strict=False):
        pq.write_table(pa.table({"position": pa.array(np.sort(rows), pa.int64())}), paths.split(name))


def ours(setting: Setting, seed: int) -> dict[str, Any]:
    """Run the stage finetune, with other batches than its own where the setting says so."""
    paths = root_of(setting.task)
    positions = drawn(setting, seed)
    write_splits(paths, positions)
    seconds: list[float] = []
    fit: Callable[..., Any] = training.fit

    def timed(*args: Any, **kwargs: Any) -> Any:
        start = time.process_time()
        fitted = fit(*args, **kwargs)
        seconds.append(time.process_time() - start)
        return fitted

    with ExitStack() as stack:
        stack.enter_context(patch.object(training, "fit", timed))
        stack.enter_context(patch("stages.finetune.training.fit.load_weights"))  # so that the last epoch is kept
        if setting.batches == "one pool":
            stack.enter_context(patch.object(batches_module, "POOLS", 1))
        elif setting.batches == "labels mixed":
            labels = open_tokens(paths.tokens).labels[np.sort(positions[0])]
            stack.enter_context(patch.object(LengthBuckets, "batches", labels_mixed(labels)))
        elif setting.batches == "pools shrinking":
            stack.enter_context(patch.object(LengthBuckets, "batches", shrinking(setting.epochs)))
        elif setting.batches != "retune":
            stack.enter_context(patch.object(LengthBuckets, "batches", batches_of(setting.batches)))
        finetune(params_of(setting), paths, seed)
    scores = score_test(paths, positions[2], seed)
    remove_folder(paths.finetuned(seed))
    return scores | {"seconds": seconds[0]}


def batches_of(name: str) -> Callable[[LengthBuckets, int], list[NDArray[np.int64]]]:
    """Return what makes the batches of an epoch, as `Setting.batches` says."""
    pool, _, order = name.removeprefix("pools of ").partition(", ")

    def batches(self: LengthBuckets, epoch: int) -> list[NDArray[np.int64]]:
        random = np.random.default_rng((self.seed, epoch, 1))
        size, rows = self.batch_size, random.permutation(len(self.lengths))
        if pool == "transformers":
            generator = torch.Generator().manual_seed(int(random.integers(2**32)))
            rows = np.array(get_length_grouped_indices(self.lengths.tolist(), size, generator=generator))
            return np.split(rows, range(size, len(rows), size))
        changed = random.uniform(1 - NOISE, 1 + NOISE, len(rows)) if "noise" in order else 1.0
        lengths = self.lengths * changed
        pools = []
        for start in range(0, len(rows), size * int(pool)):
            part = rows[start : start + size * int(pool)]
            part = part[np.argsort(lengths[part], kind="stable")]
            pools.append(np.split(part, range(size, len(part), size)))
        if "turns" in order:
            pools = [by_turns(batches, random) for batches in pools]
        elif "in a row" in order:
            pools = [[batches[index] for index in random.permutation(len(batches))] for batches in pools]
        found = [batch for batches in pools for batch in batches]
        if "spread" in order:
            found = spread(found, self.lengths, random)
        elif "turns" not in order and "in a row" not in order:
            found = [found[index] for index in random.permutation(len(found))]
        if epoch == 0 and (not order or "largest first" in order):
            found.insert(0, found.pop(int(np.argmax([len(batch) * self.lengths[batch].max() for batch in found]))))
        return found

    return batches


def shrinking(epochs: int) -> Callable[[LengthBuckets, int], list[NDArray[np.int64]]]:
    """Return what makes the batches of an epoch from pools that shrink by one factor; `epochs` >= 2."""
    own = LengthBuckets.batches

    def batches(self: LengthBuckets, epoch: int) -> list[NDArray[np.int64]]:
        pool = round((len(self.lengths) / self.batch_size) ** (1 - epoch / (epochs - 1)))
        with patch.object(LengthBuckets, "_rows_per_pool", lambda _, size: size * max(1, pool)):
            return own(self, epoch)

    return batches


def labels_mixed(labels: NDArray[np.int64]) -> Callable[[LengthBuckets, int], list[NDArray[np.int64]]]:
    """Return what makes the batches of an epoch so that each has every label's share; `labels` are those of train."""

    def batches(self: LengthBuckets, epoch: int) -> list[NDArray[np.int64]]:
        random = np.random.default_rng((self.seed, epoch, 1))
        order, size = random.permutation(len(self.lengths)), self._rows_per_pool(self.batch_size)
        ranks = np.empty(len(order))  # of a row's length among those of its pool and label, from 0 to 1
        for start in range(0, len(order), size):
            pool = order[start : start + size]
            for label in np.unique(labels):
                rows = pool[labels[pool] == label]
                ranks[rows[np.argsort(self.lengths[rows], kind="stable")]] = (np.arange(len(rows)) + 0.5) / len(rows)
        found: list[NDArray[np.int64]] = []
        for start in range(0, len(order), size):
            pool = order[start : start + size]
            pool = pool[np.argsort(ranks[pool], kind="stable")]
            found += by_turns(np.split(pool, self._cuts(pool, self.batch_size, random)), random)
        return found

    return batches


def spread(
    batches: list[NDArray[np.int64]], lengths: NDArray[np.int64], random: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Return the batches in an order in which every STRATA that follow each other have one of each range of lengths."""
    shortest_first = np.argsort([lengths[batch].mean() for batch in batches], kind="stable")
    strata = [random.permutation(part) for part in np.array_split(shortest_first, STRATA)]
    rounds = [[part[turn] for part in strata if turn < len(part)] for turn in range(len(strata[0]))]
    return [batches[index] for turn in rounds for index in random.permutation(turn)]


def peer(setting: Setting, seed: int) -> dict[str, Any]:
    """Run transformers' Trainer on the same rows with the same settings."""
    table = table_of(setting.task)
    train, _, test = drawn(setting, seed)
    with tempfile.TemporaryDirectory() as folder:
        files = {
            "train.csv": table.iloc[train],
            "test.csv": table.iloc[test].sort_values("text", key=lambda t: t.str.len()),
        }
        for name, rows in files.items():
            rows.to_csv(Path(folder) / name, index=False)
        options = {
            "test": f"{folder}/test.csv",
            "model": str(bundled_encoder()),
            "padding": "batch" if setting.batches.endswith("shuffled") else "group",
            "epochs": setting.epochs,
            "max-length": MAX_LENGTH,
            "batch-size": setting.batch_size,
            "learning-rate": setting.learning_rate,
            "warmup": setting.warmup,
            "schedule": setting.schedule,
            "seed": seed,
        }
        given = [
            f"{folder}/train.csv",
            *(text for name, value in options.items() for text in (f"--{name}", str(value))),
            *(["--bf16"] if setting.precision == "bf16" else []),
        ]
        found = hf_trainer.main(given)
    return {name: found[name] for name in ("accuracy", "mcc")} | {"seconds": found["train_processor_s"]}


@cache
def root_of(task: str) -> Paths:
    """Return a root with the tokens of a task, which lasts as long as the process."""
    folder, none = Path(tempfile.mkdtemp()), np.arange(0)
    atexit.register(remove_folder, folder)
    return write_root(folder, table_of(task), {"train": none, "val": none}, max_length=MAX_LENGTH)


def params_of(setting: Setting) -> Params:
    """Return the default recipe with the setting's values and no weight decay, which the Trainer has not either."""
    recipe = YAML(typ="safe").load((ROOT / "recipes/default.yaml").read_text(encoding="utf-8"))
    names = {"epochs": "max_epochs", "warmup": "warmup_ratio"}
    chosen = {names.get(name, name): value for name, value in asdict(setting).items()}
    for name in ("task", "rows", "batches"):
        del chosen[name]
    recipe["finetune"]["head"]["pooling"] = chosen.pop("pooling")
    recipe["finetune"] |= chosen | {"weight_decay": 0.0, "patience": None, "accelerator": "cpu"}
    return Params.model_validate(recipe)
