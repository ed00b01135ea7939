"""A small project as the stages before evaluate leave it: random texts, a random two-layer BERT, two seeds."""

import csv
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.paths import Paths

REPOSITORY = Path(__file__).parents[2]
WORDS = [
    "good",
    "bad",
    "slow",
    "fast",
    "love",
    "hate",
    "crash",
    "update",
    "money",
    "free",
    "call",
    "win",
    "dinner",
    "later",
    "ok",
    "great",
    "awful",
    "broken",
    "nice",
    "app",
]


@pytest.fixture(scope="session")
def make_project(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Paths]:
    """Return a function that writes a project with `labels`, `rows` and `seeds`, ready for evaluate."""

    def make(
        labels: tuple[str, ...] = ("ham", "spam"),
        rows: int = 120,
        seeds: tuple[int, ...] = (1, 2),
        pattern: tuple[str, ...] = (),
    ) -> Paths:
        paths = Paths(tmp_path_factory.mktemp("project"))
        _write_params(paths, seeds)
        pattern = pattern or labels  # the labels of the first rows, again and again
        given = [pattern[row % len(pattern)] for row in range(rows)]
        texts = _texts(given, labels)
        _write_dataset(paths, texts, given, labels)
        _write_encoder_and_tokens(paths, texts, given, labels)
        _write_splits(paths, given, labels)
        for seed in seeds:
            _write_finetune(paths, seed, labels)
        return paths

    return make


@pytest.fixture(scope="session")
def project(make_project: Callable[..., Paths]) -> Paths:
    """A project that tests read and never change; `copy_project` gives one to change."""
    return make_project()


@pytest.fixture
def copy_project(project: Paths, tmp_path: Path) -> Paths:
    shutil.copytree(project.root, tmp_path / "copy")
    return Paths(tmp_path / "copy")


def _write_params(paths: Paths, seeds: tuple[int, ...]) -> None:
    text = (REPOSITORY / "recipes/default.yaml").read_text(encoding="utf-8")
    text = text.replace("seeds: [42]", f"seeds: {list(seeds)}").replace("resamples: 2000", "resamples: 200")
    paths.params.write_text(text, encoding="utf-8")


def _texts(given: list[str], labels: tuple[str, ...]) -> list[str]:
    chance = random.Random(0)
    own = {label: WORDS[number % len(WORDS)] for number, label in enumerate(labels)}
    return [" ".join([own[label], *chance.choices(WORDS, k=chance.randint(1, 12))]) for label in given]


def _write_dataset(paths: Paths, texts: list[str], given: list[str], labels: tuple[str, ...]) -> None:
    paths.dataset.mkdir(parents=True)
    strings = {"id": [f"r{row}" for row in range(len(texts))], "text": texts, "text_pair": None, "label": given}
    columns = {
        name: pa.array(values or [None] * len(texts), pa.string())
        for name, values in (strings | {"group": None, "split": None}).items()
    }
    columns["slice:version"] = pa.array([f"{1 + row % 7 // 5}.0" for row in range(len(texts))])
    pq.write_table(pa.table(columns, metadata={"labels": json.dumps(labels)}), paths.rows)
    counts = {label: given.count(label) for label in labels}
    stats = {
        "rows_in": len(texts) + 1,
        "rows_used": len(texts),
        "set_aside": {"empty_text": 1},
        "warnings": {"control_characters": 3, "near_duplicate": 17},
        "labels": counts,
        "corrections": {"relabelled": 41, "stale_text": 43},
        "duplicates": {
            "distinct_texts": 1234,
            "repeated_rows": 31,
            "repeated_but_for_case": 32,
            "nearly_repeated": 33,
        },
    }
    (paths.dataset / "stats.json").write_text(json.dumps(stats))
    source = {"files": [{"source": "data/x.csv", "member": None, "sha256": "0" * 64, "bytes": 9, "rows": len(texts)}]}
    (paths.dataset / "source.json").write_text(json.dumps(source))
    (paths.dataset / "set_aside.csv").write_text("file,row,reason,id,text\ndata/x.csv,7,empty_text,r7,\n")


def _write_encoder_and_tokens(paths: Paths, texts: list[str], given: list[str], labels: tuple[str, ...]) -> None:
    from transformers import BertTokenizerFast

    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    paths.encoder.mkdir(parents=True)
    (paths.encoder / "vocab.txt").write_text("\n".join(vocabulary))
    tokenizer = BertTokenizerFast(vocab={word: number for number, word in enumerate(vocabulary)})
    tokenizer.save_pretrained(paths.encoder)
    (paths.encoder / "source.json").write_text(json.dumps({"source": "package:tiny", "sha256": "1" * 64}))
    input_ids = tokenizer(texts)["input_ids"]
    table = pa.table(
        {
            "id": pa.array([f"r{row}" for row in range(len(texts))]),
            "label": pa.array([labels.index(label) for label in given], pa.int32()),
            "group": pa.array([None] * len(texts), pa.string()),
            "split": pa.array([None] * len(texts), pa.string()),
            "text_key": pa.array(range(len(texts)), pa.int64()),
            "cluster": pa.array([None] * len(texts), pa.int64()),
            "tokens_cut": pa.array([row % 5 // 4 for row in range(len(texts))], pa.int32()),
            "input_ids": pa.array(input_ids, pa.list_(pa.int32())),
        }
    )
    paths.tokens.mkdir(parents=True)
    with pa.OSFile(str(paths.tokens / "tokens.arrow"), "wb") as file, pa.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=50)
    paths.labels.write_text(json.dumps(labels))
    lengths, counts = np.unique([len(ids) for ids in input_ids], return_counts=True)
    with paths.lengths.open("w", newline="") as file:
        csv.writer(file).writerows([("tokens", "rows"), *zip(lengths.tolist(), counts.tolist(), strict=True)])
    stats = {
        "max_length": 128,
        "suggested_max_length": 1048,
        "truncation": "head_tail",
        "rows": len(texts),
        "tokens": int(lengths @ counts),
        "rows_cut": 41,
        "tokens_cut": 4242,
        "unknown": {"tokens": 51, "rows_mostly_unknown": 52, "rows_without_tokens": 53},
        "length": {"mean": 9.5, "median": 9, "p90": 11, "p95": 12, "p99": 13, "longest": 2014},
        "padding": {"to_max_length": 0.911, "to_longest_in_batch": 0.322, "by_length": 0.033},
        "per_label": {label: {"rows": 9, "rows_cut": 1, "tokens_cut": 1717} for label in labels},
    }
    paths.token_stats.write_text(json.dumps(stats))


def _write_splits(paths: Paths, given: list[str], labels: tuple[str, ...]) -> None:
    paths.split_stats.parent.mkdir(parents=True)
    thirds = np.arange(len(given)) // len(labels) % 3
    stats: dict[str, Any] = {}
    for number, name in enumerate(("train", "val", "test")):
        positions = np.flatnonzero(thirds == number)
        pq.write_table(pa.table({"position": positions}), paths.split(name))
        counts = {label: sum(given[row] == label for row in positions) for label in labels}
        stats[name] = {"rows": len(positions), "labels": counts}
    leak = {
        "same_text": {"val": 61, "test": 62},
        "nearly_same_text": {"val": 63, "test": 64},
        "same_group": {"val": 65, "test": 66},
        "share": 0.0625,
    }
    left_out = {"duplicates_dropped": 71, "left_out_as_leak": 72, "train_left_out": 73, "notes": ["a note, “<b>”"]}
    paths.split_stats.write_text(json.dumps({**stats, "official": ["test"], **left_out, "leak": leak}))


def _write_finetune(paths: Paths, seed: int, labels: tuple[str, ...]) -> None:
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    torch.manual_seed(seed)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    names = dict(enumerate(labels))
    config = BertConfig(
        vocab_size=5 + len(WORDS), **sizes, id2label=names, label2id={name: index for index, name in names.items()}
    )
    model = BertForSequenceClassification(config)
    torch.nn.init.normal_(model.classifier.weight, std=0.5)
    model.save_pretrained(paths.finetuned(seed))
    BertTokenizerFast.from_pretrained(paths.encoder).save_pretrained(paths.finetuned(seed))
    header = "epoch,learning_rate,train_loss,val_loss,val_accuracy,val_macro_f1,val_mcc"
    curve = [
        header,
        "1,0.0001,0.7,0.69,0.5,0.4,0.0",
        f"2,0.00005,0.6,0.6{seed},0.6,0.55,0.2",
        "3,0.0,0.55,0.64,0.6,0.5,0.2",
    ]
    paths.curve(seed).write_text("\n".join(curve) + "\n")
    stats = {
        "best_epoch": 2,
        "epochs": 3,
        "monitor": {"name": "val.loss", "value": 0.61},
        "parameters": {"trainable": 9, "total": 9},
    }
    paths.finetune_stats(seed).write_text(json.dumps(stats))
